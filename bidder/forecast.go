package bidder

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/segments"
)

// ErrNoRequests says that there is no sample to replay.
var ErrNoRequests = errors.New("no sampled requests yet")

// newCampaign is the id of a campaign that does not exist while it is tried.
const newCampaign = math.MaxUint32

// Bounds of a replay.
const (
	forecastTime = 900 * time.Millisecond
	forecastBids = 30_000 // of each of the two passes
	rendered     = 200    // bids whose ads are written, too
	forecastLook = 32     // requests between looks at the time
)

// ForecastBids is what a campaign would have bid on in the sample, in columns:
// one place in each list is one bid.
type ForecastBids struct {
	FromMS   int64    `json:"from"` // of the sample
	ToMS     int64    `json:"to"`
	Sampled  int      `json:"sampled"`  // requests in the sample
	Replayed int      `json:"replayed"` // of them answered anew
	Below    float64  `json:"below"`    // impressions not bid on because the floor was above the value, in full traffic
	Ads      float64  `json:"ads"`      // share of the bids that are sent: whose ad could be written, and not held out
	Markets  []string `json:"markets"`  // exchange/media/currency

	Person []int32   `json:"person"` // number of the person; negative: not known who
	AtMS   []int64   `json:"at"`
	Weight []float64 `json:"weight"` // impressions of full traffic that it stands for
	Market []int32   `json:"market"`
	First  []bool    `json:"first"` // a first-price auction
	Bid    []int64   `json:"bid"`   // micro-CPM of the market's currency
	Floor  []int64   `json:"floor"`
	Gross  []int64   `json:"gross"` // what the bid would cost the shop if it were paid in full, fee included, nano-units
	Click  []float64 `json:"click"` // predicted
	Order  []float64 `json:"order"` // after a click
	// PerClick is what each click is billed where clicks are, fee included,
	// nano-units of the shop's currency. Then Gross is what the platform would
	// pay.
	PerClick int64 `json:"per_click,omitempty"`
}

// ForecastBids answers the sample of requests anew as if the campaign were the
// only one, by the code that answers live ones: targeting, value, the
// exchange's rules, floors. Budget, pacing, caps and flight are not applied:
// who reads it does. It changes nothing. Slow: about a second at most.
func (b *Bidder) ForecastBids(doc *campaigns.Campaign) (*ForecastBids, error) {
	list, lost := b.kept.all()
	if len(list) == 0 {
		return nil, ErrNoRequests
	}
	r, err := b.newReplaying(doc, lost)
	if err != nil {
		return nil, err
	}
	if camp := r.state.Snapshot.Campaigns[0]; camp.PerClick() {
		r.out.PerClick = int64(camp.ClickBill(camp.Shop.Fee()))
	}
	r.out.Sampled, r.out.FromMS, r.out.ToMS = len(list), list[0].TimeMS, list[0].TimeMS
	for _, s := range list {
		r.out.FromMS, r.out.ToMS = min(r.out.FromMS, s.TimeMS), max(r.out.ToMS, s.TimeMS)
	}
	// Who the shop knows is looked at in full; of the others as many people as
	// time allows, in the order of the sample, so that they are one.
	r.pass(list, func(s *RequestSample) bool { return s.knownTo(doc.ShopID) })
	r.pass(list, func(s *RequestSample) bool { return !s.knownTo(doc.ShopID) })
	if r.tried > 0 {
		r.out.Ads = float64(r.tried-r.unwritten) / float64(r.tried)
	}
	r.out.Ads *= 1 - float64(doc.HoldoutBPS)/holdoutParts
	return r.out, nil
}

func (s *RequestSample) knownTo(shop uint32) bool {
	for i := range s.Profiles {
		if s.Profiles[i].Shop == shop {
			return true
		}
	}
	return false
}

// replaying is one replay under way.
type replaying struct {
	*shadow
	live      *Bidder
	shop      uint32
	capped    bool
	c         *bidContext
	out       *ForecastBids
	lost      float64
	exchanges map[string]*Exchange
	people    map[segments.UserKey]int32
	markets   map[string]int32
	nobody    int32
	tried     int
	unwritten int
	end       time.Time
}

func (b *Bidder) newReplaying(doc *campaigns.Campaign, lost float64) (*replaying, error) {
	live := b.state.Load()
	tried := *doc
	if tried.ID == 0 {
		tried.ID = newCampaign
	}
	tried.Status, tried.StartMS, tried.EndMS = campaigns.StatusActive, 0, 0
	tried.HoldoutBPS = 0
	tried.Budget, tried.Pacing, tried.Frequency = campaigns.Budget{}, "", campaigns.Frequency{}
	snap, err := live.Snapshot.OnlyCampaign(&tried)
	if err != nil {
		return nil, fmt.Errorf("forecast: %w", err)
	}
	nobody, err := segments.NewStore(segments.Config{Shards: 1, MaxProfiles: 16, MaxOptOuts: 1, ShopShareBPS: 10_000})
	if err != nil {
		return nil, fmt.Errorf("forecast: %w", err)
	}
	var any *Exchange
	for _, x := range live.Exchanges {
		any = x
	}
	if any == nil {
		return nil, ErrNoRequests
	}
	s := b.shadow(outside{
		snapshot: snap, exchange: any, rates: live.Rates, nowMS: b.clock.NowMS(), seed: [32]byte{1},
		profiles: nobody, frequency: pacing.NewFrequency(0), book: pacing.Config{Classes: 8 * len(live.Exchanges)},
	})
	s.b.leases = nil
	return &replaying{
		shadow: s, live: b, shop: doc.ShopID, capped: doc.Frequency.Capped(), c: s.context(), lost: lost,
		out: &ForecastBids{Ads: 1}, exchanges: map[string]*Exchange{any.Name: s.exchange},
		people: map[segments.UserKey]int32{}, markets: map[string]int32{},
	}, nil
}

// pass replays the samples that are of it until there are bids enough, or no
// time is left. A bid's weight is known only then: what share of the people
// was looked at.
func (r *replaying) pass(list []*RequestSample, of func(*RequestSample) bool) {
	r.end = r.live.now().Add(forecastTime / 2)
	from, reached, below := len(r.out.Bid), 1.0, 0.0
	shares := make([]float64, 0, 1024) // of the bids
	for i, s := range list {
		if !of(s) {
			continue
		}
		if len(r.out.Bid)-from >= forecastBids || (i%forecastLook == 0 && r.live.now().After(r.end)) {
			reached = float64(s.Hash) / math.MaxUint64
			break
		}
		before := len(r.out.Bid)
		refused := r.one(s)
		for range len(r.out.Bid) - before {
			shares = append(shares, s.Share)
		}
		below += float64(refused) / s.Share
		r.out.Replayed++
	}
	for _, share := range shares {
		// Of people above reached none was looked at.
		r.out.Weight = append(r.out.Weight, r.lost/max(min(share, reached), 1e-12))
	}
	r.out.Below += below * r.lost / max(reached, 1e-12)
}

// one answers a sampled request and notes the bids. It returns how many
// impressions were refused for their floor.
func (r *replaying) one(s *RequestSample) (below int) {
	x := r.exchangeOf(s.Exchange)
	if x == nil {
		return 0
	}
	c := r.c
	c.reset()
	c.state, c.exchange, c.nowMS, c.start = r.state, x, s.TimeMS, time.Now().Add(time.Hour)
	if m, ok := r.b.clock.(*clock.Manual); ok {
		m.Set(s.TimeMS)
	}
	if c.view.Parse(s.Request) != nil || (r.capped && s.User.IsZero()) {
		return 0
	}
	if c.at = c.view.At.Or(x.at); !c.pickCurrency() {
		return 0
	}
	c.user, c.basis.Identify, c.basis.Profile = s.User, !s.User.IsZero(), s.Profile
	r.b.describeRequest(c)
	r.own(s)
	for i := range c.view.Imps {
		if r.b.bidImp(c, i) == ReasonFloor {
			below++
		}
	}
	if len(c.bids) == 0 {
		return below
	}
	for i := range c.bids {
		r.note(s, &c.bids[i])
	}
	if r.tried < rendered {
		r.tried += len(c.bids)
		n := len(c.bids)
		if r.b.respond(c) != ReasonNone {
			r.unwritten += n
		} else {
			r.unwritten += n - len(c.bids)
		}
	}
	r.b.letGo(c)
	return below
}

// own gives the request what the campaign's own shop knew of the person then,
// and of no other shop.
func (r *replaying) own(s *RequestSample) {
	f := &r.c.facts
	f.Profiles = f.Profiles[:0]
	for i := range s.Profiles {
		if s.Profiles[i].Shop != r.shop {
			continue
		}
		p := segments.ShopProfile{Shop: r.shop}
		if p.ReadBinary(s.Profiles[i].Packed) == nil {
			f.Profiles = append(f.Profiles, p)
		}
	}
}

func (r *replaying) note(s *RequestSample, o *bid) {
	c, out := r.c, r.out
	t := terms{c: c, imp: &c.view.Imps[o.imp], index: o.imp, media: o.media}
	floor, _ := t.floor(o)
	key := c.exchange.Name + "/" + events.MediaName(o.media) + "/" + c.currency.String()
	market, ok := r.markets[key]
	if !ok {
		market = int32(len(out.Markets))
		r.markets[key], out.Markets = market, append(out.Markets, key)
	}
	person, met := r.people[s.User]
	switch {
	case s.User.IsZero():
		r.nobody--
		person = r.nobody
	case !met:
		person = int32(len(r.people))
		r.people[s.User] = person
	}
	at := c.at
	if o.deal != nil {
		at = o.deal.At.Or(at)
	}
	out.Person, out.AtMS, out.Market = append(out.Person, person), append(out.AtMS, s.TimeMS), append(out.Market, market)
	out.First = append(out.First, at == 1 || at == 3)
	out.Bid, out.Floor, out.Gross = append(out.Bid, int64(o.price)), append(out.Floor, int64(floor)), append(out.Gross, int64(r.paid(o)))
	out.Click, out.Order = append(out.Click, o.click), append(out.Order, o.order)
}

// paid is what the shop would pay for the bid in full, with its fee; or the
// platform, where clicks are billed.
func (r *replaying) paid(o *bid) money.Nano {
	if r.out.PerClick > 0 {
		return gross(o.price.PerImpression(), o.rate, money.Fee{})
	}
	return o.hold
}

// exchangeOf is the shadow's copy of an exchange; nil for one that is no more.
func (r *replaying) exchangeOf(name string) *Exchange {
	if x, ok := r.exchanges[name]; ok {
		return x
	}
	var x *Exchange
	if live := r.live.state.Load().Exchanges[name]; live != nil {
		x = new(Exchange)
		copyPlain(x, live)
	}
	r.exchanges[name] = x
	return x
}
