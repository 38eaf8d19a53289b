package bidder

import (
	"fmt"
	"io"
	"math"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// firstPrice tells whether a win in the open auction costs the bid.
func (t *terms) firstPrice() bool { return t.c.at == 1 }

// priceGroup names what the impression's price is learned by: exchange (each
// has prices of its own), domain or app, media, size and currency. Worked out
// once for an impression.
func (t *terms) priceGroup() uint64 {
	if t.group != 0 {
		return t.group
	}
	f := &t.c.facts
	name := f.Domain
	if f.Inventory == "app" && f.Bundle != "" {
		name = f.Bundle
	}
	w, h := sizeOf(t.imp, t.media)
	place := value.Text(value.FieldDomain, name)
	size := value.Number(value.FieldSize, uint64(w)<<32|uint64(h)<<8|uint64(t.media))
	code := t.c.currency
	sold := value.Cross(value.FieldMedia, size, value.Text(value.FieldExchange, code.String()))
	t.group = uint64(place)<<32 | uint64(sold) | 1
	return t.group
}

// Of the bids on groups that little is known of, one in so many is varied, by
// a factor that is drawn between the two.
const (
	shadeVaryEvery = 16
	shadeVaryLeast = 0.6
	shadeVaryMost  = 1.4
)

// shade lowers a bid in an open first-price auction, whose win costs the bid,
// to where value less price times the chance to win is the most; never below
// the floor, never above the value. Deals are bid at what they are worth.
func (t *terms) shade(o *bid, floor money.CPM) {
	x := t.c.exchange
	if o.deal != nil || !t.firstPrice() || x.market == nil {
		return
	}
	o.worth = o.price
	view := x.market.View()
	if !view.Known() {
		return
	}
	best, _, young := view.Shade(t.priceGroup(), o.price)
	if young && !t.waived {
		if d := t.c.draw(); d%shadeVaryEvery == 0 {
			best = money.CPM(float64(best) * (shadeVaryLeast + (shadeVaryMost-shadeVaryLeast)*float64(d>>11)/(1<<53)))
		}
	}
	best = x.roundBid(max(best, floor, 1))
	if best < floor || best == 0 {
		best += max(x.priceStep, 1)
	}
	o.price = min(best, o.worth)
}

// awaits remembers a bid that goes out and whose fate teaches something.
func (b *Bidder) awaits(t *terms, o *bid) {
	c := t.c
	if b.shadowed || c.view.Test || b.outcomes == nil {
		return
	}
	var state outcomeState
	a := awaited{key: outcomeKey(o.id), price: o.price, madeMS: c.nowMS, untilMS: c.nowMS + o.ttl.Milliseconds(),
		campaign: c.state.Snapshot.Campaigns[o.campaign].ID, k: o.k, exchange: c.exchange.number}
	if o.deal == nil && t.firstPrice() {
		state, a.group = state|outcomeFirst, t.priceGroup()
	}
	if c.state.paces[o.campaign] != nil {
		state |= outcomePaced
	}
	if a.state = state; state != 0 {
		b.outcomes.await(a)
	}
}

// opportunity counts for a campaign's plan what it could bid on, worth v in the
// bid's currency before the multiplier.
func (t *terms) opportunity(p *plan.Pace, campaign int32, v, least money.CPM, drawn uint64, back money.Rate) {
	c, first := t.c, t.firstPrice()
	p.Asked(c.exchange.number, first)
	if first && p.Wishes(drawn) {
		p.Wish(plan.Wish{
			Exchange: c.exchange.number, Group: t.priceGroup(), Value: v, Floor: least,
			NanoPerCPM: float64(gross(money.NanoUnit/1000, back, c.state.Snapshot.Campaigns[campaign].Shop.Fee())) / money.NanoUnit,
		})
	}
}

func (b *Bidder) writeShading(w io.Writer) {
	for _, x := range b.byNumber {
		v := x.market.View()
		fmt.Fprintf(w, "grosz_price_outcomes_total{exchange=%q} %.0f\n", x.Name, v.Outcomes())
		fmt.Fprintf(w, "grosz_price_groups{exchange=%q} %d\n", x.Name, v.Groups())
		fmt.Fprintf(w, "grosz_price_level{exchange=%q} %.4f\n", x.Name, math.Exp(v.Level()))
	}
	fmt.Fprintf(w, "grosz_outcomes_awaited %d\n", b.outcomes.open.Load())
	fmt.Fprintf(w, "grosz_outcomes_awaited_max %d\n", outcomeStripes*outcomeSets*outcomePlaces)
	fmt.Fprintf(w, "grosz_outcomes_forgotten_total %d\n", b.outcomes.full.Load())
}
