package ledger

import "github.com/grosz/grosz/internal/money"

// perClick folds a settlement or an adjustment of a bid whose shop pays for
// clicks. What the exchange is owed leaves the margin account, whatever the
// budget has left. A click enters it, out of the shop's balance if it fits the
// limits, else out of the house's account: nobody pays for that one, and it is
// seen there. So margin less what the house gave is what the platform earned.
func (f *Fold) perClick(s *shop, r *Record, dst []Entry) []Entry {
	c, gross := f.campaign(r.Campaign), money.Add(r.ShopAmount, r.ShopFee)
	if r.Amount != 0 || r.Kind == Settlement {
		c.day(r.Day).media += r.ShopMedia
		dst = f.mediaOfClicks(r, dst)
	}
	if gross == 0 {
		return dst
	}
	if l := f.leases[r.LeaseID]; l != nil && l.campaign == r.Campaign && gross > 0 {
		f.use(l, gross)
	}
	from := Balance
	if gross > 0 && gross > f.free(s, c, r.Day, false) || gross < 0 && c.billed+gross < 0 {
		from = House
		f.absorb(s, c, r.ShopAmount)
	} else {
		f.bill(s, c, r.Day, gross)
		c.day(r.Day).clicks += r.ShopAmount
		if r.ShopFee != 0 {
			dst = append(dst, entry(r, Balance, Fee, r.ShopFee, r.ShopCurrency))
		}
	}
	return append(dst, entry(r, from, Margin, r.ShopAmount, r.ShopCurrency))
}

// Clicks is what a campaign's impressions cost the platform, and what its
// clicks were billed for without the fee, of the shop's days that end with
// last; of bids whose click is billed, by the days of the bids.
func (f *Fold) Clicks(campaign uint32, last int32, days int32) (media, clicks money.Nano) {
	c := f.campaigns[campaign]
	if c == nil {
		return 0, 0
	}
	for n := last - days + 1; n <= last; n++ {
		if d := c.days[n]; d != nil {
			media, clicks = media+d.media, clicks+d.clicks
		}
	}
	return media, clicks
}

// mediaOfClicks is what the exchange is owed of such a bid.
func (f *Fold) mediaOfClicks(r *Record, dst []Entry) []Entry {
	paid := *r
	paid.ShopAmount = r.ShopMedia
	owed := Media
	if r.Provisional {
		owed = Unread
	}
	dst = across(dst, &paid, Margin, owed)
	if r.Kind == Settlement && r.Disputed != 0 {
		dst = append(dst, entry(r, Dispute, Media, r.Disputed, r.Currency))
	}
	if r.Kind == Adjustment && r.Provisional {
		dst = append(dst, entry(r, Unread, Media, r.Owed, r.Currency))
	}
	return dst
}
