package storm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Config of a storm. Notices, Keys and Nodes are needed.
type Config struct {
	Notices int    // how many are sent, retries not counted
	Seed    uint64 // the same one gives the same plan
	NowMS   int64
	Keys    *events.Keyring
	// Nodes are the bidders' base URLs, such as http://127.0.0.1:8080.
	Nodes []string
	// RealBids of the bids are won by requests to the nodes, the others' tokens
	// are signed here.
	RealBids int
	// Workers send at once; 0 is 64.
	Workers int
	// Kills are called once each, when that share of the notices is sent.
	Kills []Kill
}

// Kill ends a process, with SIGKILL, at a share of the notices.
type Kill struct {
	At float64
	Do func() error
}

// Validate lists all that is wrong.
func (c *Config) Validate() error {
	var errs []error
	if c.Notices < 100 {
		errs = append(errs, fmt.Errorf("storm: %d notices; at least 100", c.Notices))
	}
	if c.Keys == nil || len(c.Nodes) == 0 || c.NowMS <= 0 {
		errs = append(errs, errors.New("storm: keys, nodes and the time are needed"))
	}
	if c.RealBids < 0 || c.Workers < 0 {
		errs = append(errs, fmt.Errorf("storm: %d real bids, %d workers", c.RealBids, c.Workers))
	}
	return errors.Join(errs...)
}

// bid is one whose notices are sent.
type bid struct {
	tok      events.Token
	exchange uint8
	// notice and view are the tokens' texts of a real bid; minted ones are
	// signed when they are sent.
	notice, view string
	expired      bool
	// amounts are what valid settling notices said it costs: none, one, or
	// several, of which the log takes one.
	amounts []int64
}

func (b *bid) real() bool           { return b.notice != "" }
func (b *bid) settles() events.Type { return events.SettleType(b.tok.SettleOn) }

// What may be wrong with a notice's token.
const (
	tokenGood uint8 = iota
	tokenAltered
	tokenOtherKey
	tokenOtherPurpose
	tokenCut
	numTokens
)

// notice is one call of an exchange.
type notice struct {
	bid   int32
	kind  uint8 // index into kinds
	token uint8
	at    float32 // its place in the order, 0 to 1
	price string
}

var kinds = [...]events.Type{events.TypeWin, events.TypeBilling, events.TypeLoss, events.TypeImpression}

func kindOf(t events.Type) uint8 { return uint8(slices.Index(kinds[:], t)) }

// Counts say what a storm is made of.
type Counts struct {
	Bids, RealBids, Notices                                int
	Doubled, Forged, Late, Expired, Tests, Audits          int
	Provisional, AboveBid, OtherPrice, Ambiguous, Unbilled int
}

// Plan is a storm before it is sent.
type Plan struct {
	cfg     Config
	rng     *rand.Rand
	rogue   *events.Keyring
	bids    []bid
	notices []notice
	Counts  Counts
}

// Shares of the notices, and of the bids.
const (
	doubledShare = 0.20
	forgedShare  = 0.05
	lateShare    = 0.05
)

// New makes the plan. The real bids are asked for by then.
func New(cfg Config, real []Bid) (*Plan, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	rogue, err := events.NewKeyring(events.Key{ID: 1, Secret: secret})
	if err != nil {
		return nil, err
	}
	p := &Plan{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 7)), rogue: rogue}
	for i := 0; len(p.notices) < cfg.Notices; i++ {
		if i < len(real) {
			p.bids = append(p.bids, bid{tok: real[i].tok, exchange: real[i].exchange, notice: real[i].notice, view: real[i].view})
			p.Counts.RealBids++
		} else {
			p.bids = append(p.bids, p.mint())
		}
		p.play(int32(len(p.bids) - 1))
	}
	// The last bid's notices may be too many: its truth goes with them.
	p.notices = p.notices[:cfg.Notices]
	p.count()
	slices.SortFunc(p.notices, func(a, b notice) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return p, nil
}

// mint makes a bid as a node would have made it.
func (p *Plan) mint() bid {
	r := p.rng
	x := uint8(r.IntN(len(exchanges())))
	ex, shop := exchanges()[x], shops()[r.IntN(3)]
	media := events.MediaBanner + uint8(r.IntN(3))
	b := bid{exchange: x, expired: r.IntN(50) == 0, tok: events.Token{
		BidMS: (p.cfg.NowMS - int64(r.IntN(3600_000))) / 1000 * 1000, Media: media, SettleOn: ex.settles[media],
		Test: r.IntN(100) == 0, ShopID: shop.id, CampaignID: 10*shop.id + uint32(r.IntN(2)), Exchange: ex.name,
		Price: money.CPM(1 + r.Int64N(20_000_000)), Currency: money.MustCurrency(ex.currency), ShopCurrency: shop.currency,
		Rate: shop.rate[ex.currency], FeeBPS: shop.fee, User: r.Uint64(),
	}}
	b.tok.CreativeID = b.tok.CampaignID*10 + uint32(media)
	if b.expired {
		b.tok.BidMS -= (events.BillingLifetime + time.Hour).Milliseconds()
	}
	for i := range b.tok.BidID {
		b.tok.BidID[i] = byte(r.Uint32())
	}
	return b
}

// play decides what the exchange calls for a bid.
func (p *Plan) play(i int32) {
	r, b, c := p.rng, &p.bids[i], &p.Counts
	settle := kindOf(b.settles())
	late := short(c.Late, len(p.notices), lateShare)
	lost := !late && r.IntN(25) == 0 // nothing that settles will come
	place := func() float32 { return r.Float32() }
	if late {
		// Lost first, as it was thought; billed long after.
		p.add(notice{bid: i, kind: kindOf(events.TypeLoss), at: r.Float32() * 0.3})
		place = func() float32 { return 0.6 + r.Float32()*0.4 }
	}
	if !lost {
		price := p.price(b)
		p.add(notice{bid: i, kind: settle, at: place(), price: price})
		if late {
			c.Late++
		}
		for short(c.Doubled, len(p.notices), doubledShare) {
			again := price
			if r.IntN(3) == 0 {
				again = p.price(b)
				c.OtherPrice++
			}
			p.add(notice{bid: i, kind: settle, at: place(), price: again})
			c.Doubled++
		}
	}
	if r.IntN(40) == 0 {
		p.add(notice{bid: i, kind: settle, at: r.Float32(), price: "AUDIT"})
		c.Audits++
	}
	for k := range kinds {
		if informs := uint8(k) != settle && kinds[k] != events.TypeLoss; informs && r.IntN(3) == 0 {
			p.add(notice{bid: i, kind: uint8(k), at: place(), price: p.price(b)})
		}
	}
	for short(c.Forged, len(p.notices), forgedShare) {
		p.add(notice{bid: i, kind: settle, token: 1 + uint8(r.IntN(int(numTokens)-1)), at: r.Float32(), price: p.price(b)})
		c.Forged++
	}
}

// short tells whether have is less than its share of n.
func short(have, n int, share float64) bool { return float64(have) < share*float64(n) }

func (p *Plan) add(n notice) { p.notices = append(p.notices, n) }

// price is what stands for the macro: mostly a price up to the bid.
func (p *Plan) price(b *bid) string {
	r := p.rng
	micros := exchanges()[b.exchange].micros
	paid := 1 + r.Int64N(int64(b.tok.Price))
	switch n := r.IntN(100); {
	case n < 84:
	case n < 88:
		return ""
	case n < 91:
		return "${AUCTION_PRICE}"
	case n < 94:
		return [...]string{"abc", "-1", "0", "1e3", "12,5", "NaN", "9999999999999999999999"}[r.IntN(7)]
	default:
		paid = int64(b.tok.Price) + 1 + r.Int64N(1_000_000)
	}
	if micros {
		return fmt.Sprint(paid)
	}
	text := money.CPM(paid).String()
	if r.IntN(8) == 0 {
		text += "0004" // finer than a bid can be: cut off where the sixth place is passed
		if len(text)-indexDot(text) <= 7 {
			return money.CPM(paid).String()
		}
	}
	return text
}

func indexDot(s string) int {
	for i := range len(s) {
		if s[i] == '.' {
			return i
		}
	}
	return len(s)
}

// count works out the truth: what each bid's valid settling notices say.
func (p *Plan) count() {
	c := &p.Counts
	c.Bids, c.Notices = len(p.bids), len(p.notices)
	for i := range p.notices {
		n := &p.notices[i]
		b := &p.bids[n.bid]
		if n.token != tokenGood || b.expired || b.tok.Test || n.price == "AUDIT" || kinds[n.kind] != b.settles() {
			continue
		}
		amount, how := billed(n.price, int64(b.tok.Price), exchanges()[b.exchange].micros)
		switch how {
		case paidAboveBid:
			c.AboveBid++
		case paidUnread:
			c.Provisional++
		}
		if !slices.Contains(b.amounts, amount) {
			b.amounts = append(b.amounts, amount)
		}
	}
	for i := range p.bids {
		b := &p.bids[i]
		if b.expired {
			c.Expired++
		}
		if b.tok.Test {
			c.Tests++
		}
		switch len(b.amounts) {
		case 0:
			c.Unbilled++
		case 1:
		default:
			c.Ambiguous++
		}
	}
}
