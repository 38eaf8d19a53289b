package bidder

import (
	"errors"
	"time"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/segments"
)

// pace asks whether the bid may be spent, and holds its full price, fee
// included, in the shop's currency.
func (b *Bidder) pace(t *terms, o *bid) NoBidReason {
	c := t.c
	camp := c.state.Snapshot.Campaigns[o.campaign]
	if c.basis.Identify && !c.user.IsZero() {
		o.user = segments.Pseudonym(camp.Shop.Salt, c.user)
	}
	if b.hidden.Campaign(o.user, camp.ID) {
		return ReasonHidden
	}
	if camp.Frequency.Capped() && o.user == 0 {
		return ReasonFrequency // who is nobody cannot be counted
	}
	_, back, ok := c.rates.of(c.state.Rates, camp.Shop.Currency, c.currency)
	if !ok {
		return ReasonCurrency
	}
	o.id, o.rate, o.fee = c.newID(), back, camp.Shop.Fee()
	o.hold = gross(o.price.PerImpression(), back, o.fee)
	if camp.PerClick() {
		if c.state.accounts[o.campaign].Wallet().Costly() {
			return ReasonClickLoss
		}
		o.hold = clickHold(camp, b.clickChance(t, o.campaign), o.hold)
	}
	o.ttl = c.exchange.holdFor(o.media)
	if exp := time.Duration(t.imp.Exp) * time.Second; exp > o.ttl {
		o.ttl = min(exp, events.BillingLifetime)
	}
	if !b.mayShow(c, o, camp) {
		return ReasonFrequency
	}
	if c.view.Test {
		return ReasonNone // bid on, never billed: nothing to hold
	}
	today := b.days.at(camp.Shop.Location, c.nowMS)
	r := b.hold(c, o, camp, today.number)
	if r != ReasonNone {
		b.frequency.Close(o.user, o.id)
	}
	return r
}

// hold takes the bid's money: out of a lease where the campaign has limits
// and nodes share them.
func (b *Bidder) hold(c *bidContext, o *bid, camp *campaigns.CompiledCampaign, day int32) NoBidReason {
	account, expires, class := c.state.accounts[o.campaign], c.nowMS+o.ttl.Milliseconds(), c.exchange.delayClass(o.media)
	if b.leases == nil || !c.state.limited[o.campaign] {
		if !b.book.ReserveClass(account, o.id, o.hold, day, c.nowMS, expires, class) {
			return ReasonBudget
		}
		return ReasonNone
	}
	var err error
	o.lease, err = b.book.ReserveLeased(account, o.id, o.hold, day, c.nowMS, expires, class)
	switch {
	case err == nil:
		return ReasonNone
	case errors.Is(err, pacing.ErrNoLease) && account.Wallet().Poor():
		return ReasonBalance
	case errors.Is(err, pacing.ErrNoLease):
		return ReasonLease
	}
	return ReasonBudget
}

// gross is what a media cost takes from the shop's budget: converted, with
// the platform's fee.
func gross(cost money.Nano, rate money.Rate, fee money.Fee) money.Nano {
	return fee.Gross(cost.Convert(rate))
}
