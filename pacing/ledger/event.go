package ledger

import "github.com/grosz/grosz/events"

// FromEvent reads a record out of an event of the log. ok is false for events
// that move no money: clicks, losses, test traffic, what does not settle. Of
// several settling events of a bid only the first may be folded: its reader
// knows which that is.
func FromEvent(e *events.Event) (r Record, ok bool) {
	r = Record{
		ID: e.EventID, AtMS: e.TimeMS, Shop: e.ShopID, Campaign: e.CampaignID, Exchange: e.Exchange, Day: e.BidDay,
		Amount: e.Amount, Currency: e.Currency, ShopAmount: e.ShopAmount, ShopFee: e.ShopFee, ShopCurrency: e.ShopCurrency,
		Disputed: e.Disputed, LeaseID: e.Lease, TTLMS: e.TTLMS,
	}
	if e.ClickPrice > 0 {
		r.PerClick, r.ShopMedia = true, e.Amount.Convert(e.Rate)
	}
	switch {
	case e.Type == events.TypeBudget:
		r.Kind, r.Version = Budget, e.Version
		r.Limits = Limits{Total: e.LimitTotal, Week: e.LimitWeek, Day: e.LimitDay}
	case e.Type == events.TypeLease:
		r.Kind = Lease
	case e.Type == events.TypeReturn:
		r.Kind = Return
	case e.Type == events.TypeDeposit:
		r.Kind, r.Version = Deposit, e.Version
	case e.Type == events.TypeTerms:
		r.Kind, r.Version = Terms, e.Version
		r.Terms = Account{Prepaid: e.Reason == events.TermsPrepaid, Credit: e.LimitTotal}
	case e.Type == events.TypeAdjustment:
		r.Kind = Adjustment
	case e.Settles && !e.Test:
		r.Kind = Settlement
		r.Provisional = e.PriceStatus != events.PriceOK && e.PriceStatus != events.PriceAboveBid
	default:
		return r, false
	}
	return r, true
}
