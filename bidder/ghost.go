package bidder

import (
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
)

// A campaign may hold people out, to learn what it changes: who they are
// follows from the shop's own pseudonym and the campaign alone, so that it is
// the same on every node and day. For them the bid is made as for anybody,
// budget and caps asked, and then let go: what is left is a record, the ghost
// bid. Whoever it was bid for, and whoever it would have been bid for, are
// compared in grosz.lift_people.

// holdoutParts is what a share is told in: basis points.
const holdoutParts = 10_000

// heldOut tells whether a person is in the campaign's holdout. Nobody who is
// not recognised is.
func heldOut(camp *campaigns.CompiledCampaign, user uint64) bool {
	if camp.HoldoutBPS <= 0 || user == 0 {
		return false
	}
	x := user ^ uint64(camp.ID)*0x9E3779B97F4A7C15
	x ^= x >> 32
	x *= 0xD6E8FEB86659FD93
	x ^= x >> 29
	x *= 0x94D049BB133111EB
	return int64((x^x>>32)%holdoutParts) < camp.HoldoutBPS
}

// predictedWin is how likely a bid wins, in 10⁻⁹. In an open first-price
// auction whose exchange's prices are known it is what those say of this bid
// on this placement; else the share of the exchange's bids of the media type
// that were settled lately. Both arms are told by it, so that it need not be
// right, only alike.
func (b *Bidder) predictedWin(c *bidContext, o *bid) int64 {
	t := terms{c: c, imp: &c.view.Imps[o.imp], index: o.imp, media: o.media}
	if m := c.exchange.market; m != nil && o.deal == nil && t.firstPrice() {
		if view := m.View(); view.Known() {
			return max(int64(view.Chance(t.priceGroup(), o.price)*1e9), 1)
		}
	}
	return max(int64(float64(b.book.WinRate(c.exchange.delayClass(o.media)))*1e9), 1)
}

// ghost lets a bid go that is of a held-out person, and records it.
func (b *Bidder) ghost(t *terms, o *bid) {
	c := t.c
	b.book.Release(o.id)
	b.frequency.Close(o.user, o.id)
	b.logBid(c, o, events.TypeGhostBid)
}
