package campaigns

import (
	"time"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

// Snapshot is everything that shops want at one moment, compiled for the hot
// path. It never changes once made: publish it behind an atomic.Pointer, load
// it once per bid, read it from any number of goroutines.
type Snapshot struct {
	// Version is the caller's, rising.
	Version int64
	// Campaigns is dense: Match answers with indices into it. An index is
	// valid for this Snapshot only.
	Campaigns []*CompiledCampaign

	shops map[uint32]*CompiledShop
	byID  map[uint32]int32
	feeds map[uint32]int64 // when feeds were last checked, by shop, ms UTC
	index index

	approved map[uint32]map[string]approvedSet // by shop and exchange
	margins  map[uint32]*segments.Margins      // of the shops that ask for them
}

// FeedFresh tells whether the shop's products may be shown at nowMS by the
// age of its feed.
func (s *Snapshot) FeedFresh(shop *Shop, nowMS int64) bool {
	return shop.FeedMaxAgeHours <= 0 || nowMS-s.feeds[shop.ID] <= int64(shop.FeedMaxAgeHours)*60*60*1000
}

// CompiledShop is a shop with what the hot path derives from it.
type CompiledShop struct {
	*Shop
	Location *time.Location // of the shop's days and hours
	Salt     segments.Salt  // for segments.Pseudonym
	// Catalogue is never nil; a shop without a feed has an empty one.
	Catalogue *Catalogue
	// Segments are the shop's named segments, nil if it has none.
	Segments *CompiledSegments

	lists map[string]hashSet // uploaded lists, by name
}

// CompiledCampaign is an active campaign, checked and resolved. Prices are in
// the shop's currency.
type CompiledCampaign struct {
	*Campaign
	Shop *CompiledShop
	// Creatives by media; every one of them passed the check.
	Banners, Videos, Natives []*Creative

	expr   *compiledExpr
	boosts []compiledBoost
}

type compiledBoost struct {
	bps  int64
	expr *compiledExpr
}

// Shop returns the shop, or nil.
func (s *Snapshot) Shop(id uint32) *CompiledShop { return s.shops[id] }

// Shops returns how many shops there are.
func (s *Snapshot) Shops() int { return len(s.shops) }

// EachShop calls f for every shop, in no order.
func (s *Snapshot) EachShop(f func(*CompiledShop)) {
	for _, shop := range s.shops {
		f(shop)
	}
}

// Campaign returns the campaign of an id and its dense index, or nil: paused,
// archived and broken campaigns are not in a Snapshot.
func (s *Snapshot) Campaign(id uint32) (*CompiledCampaign, int32) {
	i, ok := s.byID[id]
	if !ok {
		return nil, -1
	}
	return s.Campaigns[i], i
}

// InFlight tells whether the campaign may bid at nowMS by its start and end.
func (c *CompiledCampaign) InFlight(nowMS int64) bool {
	return nowMS >= c.StartMS && (c.EndMS == 0 || nowMS < c.EndMS)
}

// Banner returns the first banner creative that may take w × h (CSS pixels),
// or nil.
func (c *CompiledCampaign) Banner(w, h int) *Creative {
	for _, b := range c.Banners {
		if b.Takes(w, h) {
			return b
		}
	}
	return nil
}

// Takes tells whether a banner may be shown at w × h: in one of its sizes, or
// in any standard size if it names none.
func (c *Creative) Takes(w, h int) bool {
	sizes := c.Sizes
	if len(sizes) == 0 {
		return standardSize(w, h)
	}
	for _, s := range sizes {
		if s.W == w && s.H == h {
			return true
		}
	}
	return false
}

// StandardSizes are the banner sizes of a creative that names none.
func StandardSizes() []Size {
	return []Size{
		{300, 250}, {300, 600}, {160, 600}, {728, 90}, {970, 250}, {320, 50}, {320, 100},
		{336, 280}, {468, 60}, {120, 600}, {250, 250}, {200, 200}, {320, 480}, {480, 320},
	}
}

func standardSize(w, h int) bool {
	switch w {
	case 300:
		return h == 250 || h == 600
	case 320:
		return h == 50 || h == 100 || h == 480
	case 480:
		return h == 320
	case 160, 120:
		return h == 600
	case 728:
		return h == 90
	case 970:
		return h == 250
	case 336:
		return h == 280
	case 468:
		return h == 60
	case 250, 200:
		return h == w
	}
	return false
}

// BidCPM is the campaign's price after the boosts that hold for the facts of
// m's latest Match and what the user's segments multiply, at most MaxCPM as
// the segments raise it, in the shop's currency.
func (s *Snapshot) BidCPM(campaign int32, m *Matcher) money.CPM {
	p, most := s.raised(campaign, m, s.index.prices[campaign].cpm)
	if most > 0 {
		p = min(p, most)
	}
	return p
}

// raised is a price after the boosts and segments that hold, and its bound; a
// bound of 0 is none.
func (s *Snapshot) raised(campaign int32, m *Matcher, p money.CPM) (price, most money.CPM) {
	x := &s.index
	q := &x.prices[campaign]
	for i := range x.boosts[q.from : q.from+q.boosts] {
		b := &x.boosts[int(q.from)+i]
		if m.jump(x.code[b.from:b.end]) {
			p = p.Scale(b.bps)
		}
	}
	most = q.most
	if x.raised {
		p, most = m.withSegments(s.Campaigns[campaign].Shop, p, most)
	}
	return p, most
}

// Tires tells whether the campaign bids less for people who have seen it.
func (s *Snapshot) Tires(campaign int32) bool {
	return s.index.bounds[campaign].made&byWeary != 0
}

// TopCPM is what the campaign's BidCPM never exceeds, and its currency.
func (s *Snapshot) TopCPM(campaign int32) (money.CPM, money.Currency) {
	q := &s.index.bounds[campaign]
	return q.top, q.currency
}
