package bidder

import (
	"fmt"
	"hash/maphash"
	"io"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/bidder/openrtb"
)

// How one impression is known again when another exchange offers it too.
const (
	offerTransactionMS = 10_000 // by source.tid: for so long
	offerPageMS        = 1_000  // by person, page and slot
	offerSets          = 1 << 14
	offerWays          = 4
	pathSets           = 1 << 12
	pathExchanges      = 4
	// A way is passed over for a cheaper one when both have offered so many of
	// the slot's impressions lately, and the cheaper one was there a minute ago.
	pathTrusted = 8
	pathAliveMS = 60_000
	// pathProbe impressions in a row are passed over at most: then one is bid on
	// the dearer way, so that a way whose offers end is not waited for.
	pathProbe = 64
)

// offers knows which impressions were bid on lately, and by which exchange, and
// which of several ways to a slot is the cheapest: one impression that comes
// through several exchanges is bid on once. Fixed in size; what is pushed out is
// counted. Safe for many goroutines, no allocation. A nil one knows nothing.
type offers struct {
	seed  maphash.Seed
	locks [64]sync.Mutex
	seen  [offerSets][offerWays]offer
	paths [pathSets]path

	repeats, dearer, pushed atomic.Uint64
}

// offer is an impression that was bid on.
type offer struct {
	key      uint64
	untilMS  int64
	slot     uint64
	floor    int64 // of the way it was bid on, micro-CPM of the base currency
	exchange uint16
}

// path is a slot with the exchanges that offer it.
type path struct {
	slot uint64
	ways [pathExchanges]way
	over uint32 // passed over in a row
}

// way is what a slot costs through an exchange: the floor, smoothed. Only
// impressions that came through another exchange too are counted.
type way struct {
	exchange uint16
	set      bool
	twice    uint32
	floor    int64
	lastMS   int64
}

func newOffers() *offers { return &offers{seed: maphash.MakeSeed()} }

// offerKey names an impression of a request and its slot; 0: it cannot be known
// again.
func (f *offers) offerKey(c *bidContext, imp *openrtb.Imp) (key, slot uint64, lifeMS int64) {
	v := &c.view
	place := imp.GPID
	if place == "" {
		place = imp.TagID
	}
	page := v.Site.Page
	if page == "" {
		page = v.App.Bundle
	}
	if place == "" || page == "" && imp.GPID == "" {
		return 0, 0, 0 // two slots of a page could not be told apart
	}
	var h maphash.Hash
	h.SetSeed(f.seed)
	_, _ = h.WriteString(place)
	_ = h.WriteByte(0)
	if imp.GPID == "" {
		_, _ = h.WriteString(page)
	}
	slot = max(h.Sum64(), 1)
	switch {
	case v.Source.TID != "":
		_, _ = h.WriteString(v.Source.TID)
		return max(h.Sum64(), 1), slot, offerTransactionMS
	case !c.user.IsZero():
		_, _ = h.Write(c.user[:])
		_, _ = h.WriteString(page)
		return max(h.Sum64(), 1), slot, offerPageMS
	}
	return 0, slot, 0
}

// claim takes an impression for an exchange. It refuses where another exchange
// has it, and where another way to the slot is known to be cheaper and is yet
// to come.
func (f *offers) claim(key, slot uint64, lifeMS int64, exchange uint16, floor, nowMS int64) NoBidReason {
	mu := &f.locks[slot%uint64(len(f.locks))]
	mu.Lock()
	defer mu.Unlock()
	p := f.path(slot)
	free, oldest := -1, 0
	set := &f.seen[slot%offerSets]
	for i := range set {
		o := &set[i]
		if o.key == key && o.untilMS > nowMS {
			if o.exchange == exchange {
				return ReasonNone // it asks again, or offers the slot once more
			}
			p.saw(o.exchange, o.floor, nowMS)
			p.saw(exchange, floor, nowMS)
			f.repeats.Add(1)
			return ReasonOffered
		}
		if o.untilMS <= nowMS && free < 0 {
			free = i
		}
		if o.untilMS < set[oldest].untilMS {
			oldest = i
		}
	}
	if p.dearer(exchange, floor, nowMS) {
		f.dearer.Add(1)
		return ReasonDearerWay
	}
	p.offered(exchange, nowMS)
	if free < 0 {
		free = oldest
		f.pushed.Add(1)
	}
	set[free] = offer{key: key, untilMS: nowMS + lifeMS, slot: slot, floor: floor, exchange: exchange}
	return ReasonNone
}

// release gives back what was claimed and not bid on.
func (f *offers) release(key, slot uint64, exchange uint16) {
	mu := &f.locks[slot%uint64(len(f.locks))]
	mu.Lock()
	defer mu.Unlock()
	set := &f.seen[slot%offerSets]
	for i := range set {
		if set[i].key == key && set[i].exchange == exchange {
			set[i] = offer{}
		}
	}
}

// path is the slot's; of two slots in one place the later one has it.
func (f *offers) path(slot uint64) *path {
	p := &f.paths[slot%pathSets]
	if p.slot != slot {
		*p = path{slot: slot}
	}
	return p
}

// saw notes that an impression of the slot came through an exchange and another
// one as well.
func (p *path) saw(exchange uint16, floor, nowMS int64) {
	at := 0
	for i := range p.ways {
		w := &p.ways[i]
		if w.set && w.exchange == exchange {
			w.floor += (floor - w.floor) / 8
			w.twice++
			w.lastMS = nowMS
			return
		}
		if !w.set || p.ways[at].set && w.lastMS < p.ways[at].lastMS {
			at = i
		}
	}
	p.ways[at] = way{exchange: exchange, set: true, twice: 1, floor: floor, lastMS: nowMS}
}

// offered notes that a way is still there.
func (p *path) offered(exchange uint16, nowMS int64) {
	for i := range p.ways {
		if w := &p.ways[i]; w.set && w.exchange == exchange {
			w.lastMS = nowMS
		}
	}
}

// dearer tells whether the slot's impressions come through a cheaper exchange
// too, so that this one can be let pass.
func (p *path) dearer(exchange uint16, floor, nowMS int64) bool {
	known := false
	for i := range p.ways {
		known = known || p.ways[i].set && p.ways[i].exchange == exchange && p.ways[i].twice >= pathTrusted
	}
	if !known || p.over >= pathProbe {
		p.over = 0
		return false
	}
	for i := range p.ways {
		w := &p.ways[i]
		if w.set && w.exchange != exchange && w.twice >= pathTrusted && nowMS-w.lastMS < pathAliveMS && w.floor < floor {
			p.over++
			return true
		}
	}
	return false
}

func (f *offers) writeMetrics(w io.Writer) {
	if f == nil {
		return
	}
	fmt.Fprintf(w, "grosz_offers_repeated_total %d\n", f.repeats.Load())
	fmt.Fprintf(w, "grosz_offers_dearer_total %d\n", f.dearer.Load())
	fmt.Fprintf(w, "grosz_offers_pushed_out_total %d\n", f.pushed.Load())
}

// claimed is an impression that a request has taken.
type claimed struct{ key, slot uint64 }

// claimImp takes the i-th imp for this request's exchange, if no other has it.
func (b *Bidder) claimImp(c *bidContext, i int) NoBidReason {
	if b.recalled != nil {
		return b.recalled.offer(i)
	}
	if b.offers == nil || len(b.exchanges) < 2 || c.view.Test {
		return ReasonNone
	}
	imp := &c.view.Imps[i]
	key, slot, life := b.offers.offerKey(c, imp)
	if key == 0 {
		return ReasonNone
	}
	t := terms{c: c, imp: imp}
	floor, ok := t.inBidCurrency(imp.BidFloor, imp.BidFloorCur)
	if rate, known := c.state.Rates.Rate(c.currency, c.state.Rates.Base); ok && known {
		floor = floor.ConvertUp(rate)
	}
	r := b.offers.claim(key, slot, life, c.exchange.number, int64(floor), c.nowMS)
	if r == ReasonNone {
		c.claims = append(c.claims, claimed{key, slot})
	} else {
		c.notOffered = append(c.notOffered, notOffered{i, r})
	}
	return r
}

// unclaim gives back the request's impressions from the n-th on.
func (b *Bidder) unclaim(c *bidContext, n int) {
	for _, x := range c.claims[n:] {
		b.offers.release(x.key, x.slot, c.exchange.number)
	}
	c.claims = c.claims[:n]
}
