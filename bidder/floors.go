package bidder

import (
	"math"
	"slices"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// Most campaigns that match a busy market's request cannot reach its floor,
// and two requests in three are not bid on for that. So the floor is asked
// before the targeting: who can never bid as much as the lowest floor of the
// request is passed over in the index, by four bytes each (campaigns.Tops).
// What is bid is the same, and so is the reason where nothing is. Whose
// targeting held and who was refused for the floor is then known only of some
// requests: of one in wholeEvery nobody is passed over, and what is counted
// there counts as many times.

// wholeEvery is how many requests there are for one that nobody is passed over
// in, drawn by chance.
const wholeEvery = 16

// maxTops bounds the currencies in which the campaigns' tops are kept at hand,
// four bytes a campaign each. In others nobody is passed over.
const maxTops = 8

// topsIn is what campaigns never bid more than, in a currency of bids.
type topsIn struct {
	currency money.Currency
	tops     *campaigns.Tops
}

// newTops works them out in the currencies that bids are likely to be made in:
// those that exchanges list, the one that a request without any means, and the
// shops' own.
func newTops(snap *campaigns.Snapshot, exchanges map[string]*Exchange, rates *money.Rates) (out []topsIn) {
	list := []money.Currency{usd}
	for _, x := range exchanges {
		list = append(list, x.currencies...)
	}
	slices.SortFunc(list[1:], money.Currency.Compare) // exchanges come in no order
	own := len(list)
	snap.EachShop(func(shop *campaigns.CompiledShop) { list = append(list, shop.Currency) })
	slices.SortFunc(list[own:], money.Currency.Compare)
	for _, bids := range list {
		if len(out) == maxTops {
			break
		}
		if slices.ContainsFunc(out, func(t topsIn) bool { return t.currency == bids }) {
			continue
		}
		out = append(out, topsIn{bids, snap.Tops(func(shop money.Currency) (money.Rate, bool) { return rates.Rate(shop, bids) })})
	}
	return out
}

// floors are what the imps of a request ask at least.
type floors struct {
	least []money.CPM // by imp; see terms.leastFloor
	// tops are there where campaigns may be passed over that cannot reach low,
	// the lowest of them.
	tops *campaigns.Tops
	low  money.CPM
	// weight is how often a campaign counts that could never reach a floor; 0:
	// such are not counted in this request.
	weight uint64
	turn   uint64 // of the context: what is drawn by it leaves the bids' random numbers alone
}

func (f *floors) reset() { *f = floors{least: f.least[:0], weight: 1, turn: f.turn} }

// readFloors looks at the floors of all imps, and decides whether campaigns
// may be passed over.
func (b *Bidder) readFloors(c *bidContext) {
	f := &c.floors
	f.reset()
	f.low = math.MaxInt64
	for i := range c.view.Imps {
		t := terms{c: c, imp: &c.view.Imps[i], index: i}
		f.least = append(f.least, t.leastFloor())
		f.low = min(f.low, f.least[i])
	}
	f.turn++
	tops := c.state.topsOf(c.currency)
	switch {
	case tops == nil || f.low <= 0 || b.asksAll:
	case mix(f.turn)%wholeEvery == 0:
		f.weight = wholeEvery
	default:
		f.tops, f.weight = tops, 0
	}
}

// topsOf is what campaigns never bid more than in a currency; nil: that is not
// at hand.
func (s *State) topsOf(bids money.Currency) *campaigns.Tops {
	for i := range s.tops {
		if s.tops[i].currency == bids {
			return s.tops[i].tops
		}
	}
	return nil
}

// least is what every bid for the imp must reach at least.
func (t *terms) least() money.CPM {
	if f := t.c.floors.least; t.index < len(f) {
		return f[t.index]
	}
	return t.leastFloor() // of an imp alone
}
