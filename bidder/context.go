package bidder

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/bidder/privacy"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/wanted"
)

// bidContext is everything one request needs, reused from request to request.
// It belongs to one goroutine at a time.
type bidContext struct {
	view       openrtb.Request
	native     openrtb.NativeRequest
	facts      campaigns.Facts
	matcher    *campaigns.Matcher
	matched    bool // the matcher has this request
	rng        *rand.ChaCha8
	hidden     *pacing.Hidden // may be nil in tests, as may be
	shown      *pacing.Shown
	pagePrices *pagePrices
	together   *creatives.Together

	state    *State
	exchange *Exchange
	start    time.Time
	deadline time.Duration // since start
	now      func() time.Time
	nowMS    int64
	at       int32
	browser  uint8 // a code of events
	currency money.Currency
	rates    rateCache
	user     segments.UserKey // zero: nobody we may know
	basis    privacy.Basis    // what may be done with the person

	wanted     []wanted.Signal // of partners
	floors     floors
	learnt     learnt
	audience   audience
	candidates []candidate
	bids       []bid
	claims     []claimed // impressions that other exchanges may not get a bid for
	notOffered []notOffered
	ads        ad // scratch for rendering
	check      selfCheck

	out                  []byte // the response
	adm                  []byte // one ad's markup, before it is escaped into out
	token                []byte // of the notices
	impToken, clickToken []byte
	urls                 []byte
	inflated             []byte // a gzip body, unpacked
	packed               []byte // the response by gzip
	event                events.Event
	oneDeal              [1]string // facts.Deals, where targeting is asked about a single deal
}

// candidate is a campaign that matches an imp, with its price.
type candidate struct {
	campaign int32 // dense index in the snapshot
	cpm      money.CPM
	k        uint32 // of its pace
	tie      uint64
}

// bid is a candidate that goes out.
type bid struct {
	imp      int
	campaign int32
	creative *campaigns.Creative
	media    uint8
	w, h     int
	id       events.ID
	price    money.CPM // in the context's currency
	worth    money.CPM // before it was shaded; 0: it was not asked
	k        uint32    // of its pace
	rate     money.Rate
	hold     money.Nano
	lease    uint64 // what pays for the hold, 0: none
	fee      money.Fee
	user     uint64
	deal     *openrtb.Deal
	vast     creatives.VASTVersion
	ttl      time.Duration // how long the hold stands, which is bid.exp

	features     span    // in the context's learnt.text
	click, order float64 // what was predicted
}

// rateCache remembers this request's rates by shop currency: there are few.
type rateCache struct {
	n    int
	from [4]money.Currency
	rate [4]money.Rate
	back [4]money.Rate
	ok   [4]bool
}

// of returns the rate from the shop's currency into the bid's and back.
func (rc *rateCache) of(rates *money.Rates, shop, bidCur money.Currency) (to, back money.Rate, ok bool) {
	for i := range rc.n {
		if rc.from[i] == shop {
			return rc.rate[i], rc.back[i], rc.ok[i]
		}
	}
	to, ok = rates.Rate(shop, bidCur)
	if ok {
		back, ok = rates.Rate(bidCur, shop)
	}
	if rc.n < len(rc.from) {
		i := rc.n
		rc.from[i], rc.rate[i], rc.back[i], rc.ok[i] = shop, to, back, ok
		rc.n++
	}
	return to, back, ok
}

// ad is the scratch memory of rendering.
type ad struct {
	banner, companion      creatives.Banner
	native                 creatives.Native
	vast                   creatives.VAST
	file                   campaigns.Video
	links, quiet           creatives.Links
	choice                 creatives.ChooseInput
	choices                []creatives.Choice
	cart, viewed, bought   []creatives.Ref
	hidden, together       []uint64
	moved                  movedPrices
	capped                 []uint32 // products that the person has seen too often
	found                  []*campaigns.Product
	crid, serving, assetID []byte
	sample                 []byte      // bid.iurl of an uploaded picture
	refused                NoBidReason // why render wrote nothing
}

func newContext(seed [32]byte) *bidContext {
	return &bidContext{matcher: campaigns.NewMatcher(), rng: rand.NewChaCha8(seed), floors: floors{weight: 1, turn: binary.LittleEndian.Uint64(seed[:])}}
}

// reset forgets the request but keeps the memory.
func (c *bidContext) reset() {
	c.view.Reset()
	c.facts.Reset()
	c.floors.reset()
	c.learnt.reset()
	c.state, c.exchange, c.matched = nil, nil, false
	c.check, c.audience.shop = selfCheck{sent: c.check.sent[:0]}, 0
	c.user, c.basis = segments.UserKey{}, privacy.Basis{}
	c.rates = rateCache{}
	c.oneDeal[0] = ""
	clear(c.wanted)
	c.wanted = c.wanted[:0]
	clear(c.bids)
	c.candidates, c.bids, c.claims, c.notOffered = c.candidates[:0], c.bids[:0], c.claims[:0], c.notOffered[:0]
	if cap(c.out) > 1<<20 {
		c.out = nil
	}
	if cap(c.inflated) > 1<<20 {
		c.inflated = nil
	}
	if cap(c.packed) > 1<<20 {
		c.packed = nil
	}
}

// newID draws a random bid id.
func (c *bidContext) newID() (id events.ID) {
	_, _ = c.rng.Read(id[:])
	return id
}

// expired tells whether the answer would come too late.
func (c *bidContext) expired() bool {
	if c.now == nil {
		return time.Since(c.start) > c.deadline
	}
	return c.now().Sub(c.start) > c.deadline
}
