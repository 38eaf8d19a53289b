package bidder

import (
	"fmt"
	"io"
	"math"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// What the platform may lose on a campaign that is billed by clicks: what its
// impressions cost less what its clicks were billed, over the latest days of
// the shop, may be an opening allowance of so many clicks and a part of what
// was billed. Beyond it the campaign does not bid, until clicks come or the
// days pass. All nodes know it from the log.

// ClickLossDays is how many of the shop's days, today included, are looked at.
const ClickLossDays = 7

// Defaults of the bound.
const (
	defaultClickLossClicks = 100
	defaultClickLossBPS    = 1000
)

// clickLossEvery is how many of the desk's turns pass between two looks at all
// such campaigns; a record of the log has its own looked at once.
const clickLossEvery = 25

// clickLoss is what the platform lost on a campaign, at least 0, and what it
// may lose; d.mu is held.
func (d *leaseDesk) clickLoss(c *campaigns.CompiledCampaign, day int32) (lost, may money.Nano) {
	media, clicks := d.fold.Clicks(c.ID, day, ClickLossDays)
	return max(media-clicks, 0), clickLossMost(d.b.cfg.ClickLossClicks, d.b.cfg.ClickLossBPS, c.CPC, clicks)
}

// clickLossMost is an allowance of so many clicks at a price and a part, in
// basis points, of what clicks were billed.
func clickLossMost(count int, bps int, price, clicks money.Nano) money.Nano {
	switch {
	case count < 0:
		return math.MaxInt64
	case count == 0:
		count, bps = defaultClickLossClicks, defaultClickLossBPS
	}
	return money.Nano(float64(count)*float64(price) + float64(max(clicks, 0))*float64(bps)/10_000)
}

// boundClicks stops a campaign that lost more than it may, or lets it go on;
// d.mu is held.
func (d *leaseDesk) boundClicks(c *campaigns.CompiledCampaign, now int64) {
	lost, may := d.clickLoss(c, d.b.days.at(c.Shop.Location, now).number)
	d.b.book.Account(c.ID).Wallet().SetCostly(lost > may)
}

// boundAllClicks looks at all campaigns that are billed by clicks, and lets
// those go on that no longer are; d.mu is held.
func (d *leaseDesk) boundAllClicks(now int64) {
	for _, c := range d.b.state.Load().Snapshot.Campaigns {
		if c.PerClick() {
			d.boundClicks(c, now)
		} else if w := d.b.book.Account(c.ID).Wallet(); w.Costly() {
			w.SetCostly(false)
		}
	}
}

// boundCampaign looks at a campaign of which the log told something.
func (d *leaseDesk) boundCampaign(id uint32) {
	s := d.b.state.Load()
	if s == nil {
		return
	}
	if c, _ := s.Snapshot.Campaign(id); c != nil && c.PerClick() {
		d.boundClicks(c, d.b.clock.NowMS())
	}
}

// writeClickLosses writes how much of what the platform may lose on each live
// campaign that is billed by clicks it has lost; from 1 on it does not bid.
func (d *leaseDesk) writeClickLosses(w io.Writer) {
	s, now := d.b.state.Load(), d.b.clock.NowMS()
	if s == nil {
		return
	}
	for _, c := range s.Snapshot.Campaigns {
		if !c.PerClick() {
			continue
		}
		d.mu.Lock()
		lost, may := d.clickLoss(c, d.b.days.at(c.Shop.Location, now).number)
		d.mu.Unlock()
		fmt.Fprintf(w, "grosz_click_loss{campaign=\"%d\"} %.4g\n", c.ID, float64(lost)/max(float64(may), 1))
	}
}

// clickLossMiss says why such a campaign does not bid.
func (b *Bidder) clickLossMiss(c *campaigns.CompiledCampaign) Miss {
	m := Miss{Rule: ReasonClickLoss.String(), Detail: "its impressions cost the platform more than its clicks bring"}
	if d := b.leases; d != nil {
		d.mu.Lock()
		lost, may := d.clickLoss(c, b.days.at(c.Shop.Location, b.clock.NowMS()).number)
		d.mu.Unlock()
		m.Detail = fmt.Sprintf("its impressions cost the platform %v %s more than its clicks brought in %d days, %v are allowed", lost, c.Shop.Currency, ClickLossDays, may)
	}
	return m
}
