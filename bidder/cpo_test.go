package bidder

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/bidder/value/learn"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// buyers are a second-price market around a real bidder on a virtual clock:
// what it bids comes from its own features, model, goal and price code. The
// model's chances are off by a factor that it never unlearns; orders come
// hours late; the control alone brings the cost per order to its target.
type buyers struct {
	w       *world
	c       *bidContext
	rng     *rand.Rand
	control *learn.Control
	off     float64 // predicted ÷ true chance of an order
	spread  float64 // of rivals' prices, log
	bodies  [][]byte
	due     map[int64][]int64 // hour an order comes: when its click was

	cost   float64 // PLN, with the fee
	orders int     // whenever they come
}

const (
	cpoTarget  = 11 * money.NanoUnit / 10 // 1.10 PLN an order, fee of a tenth included
	cpoPerHour = 300
	cpoDelayMS = 4 * 3_600_000 // exponential mean from click to order
)

func newBuyers(t *testing.T, seed uint64, off float64) *buyers {
	w := newWorld(t, goalCampaign(1, campaigns.Goal{TargetCPO: cpoTarget}, 0, 400_000_000))
	b := &buyers{w: w, c: newContext([32]byte{byte(seed)}), rng: rand.New(rand.NewPCG(seed, 21)), off: off, spread: 0.5 + 0.1*float64(seed%3), due: map[int64][]int64{}}
	for n := range 40 {
		b.bodies = append(b.bodies, fmt.Appendf(nil,
			`{"id":"%d","at":2,"imp":[{"id":"1","banner":{"w":300,"h":250,"pos":%d}}],"site":{"page":"https://s%d.example/p","domain":"s%d.example"},"device":{"ua":"x","devicetype":%d}}`,
			n, n%4, n%17, n%17, 1+n%5))
	}
	b.control = learn.NewControl(func(ageMS int64) float64 { return 1 - math.Exp(-float64(max(ageMS, 0))/cpoDelayMS) })
	b.control.SetTarget(1, float64(cpoTarget))
	return b
}

// model is what the learner would publish: places that differ, and the
// control's multiplier.
func (b *buyers) model() {
	m := &value.Model{Version: b.w.clock.NowMS(), Shops: map[uint32]*value.Shop{7: {OrderValue: 10 * int64(money.NanoUnit), Control: map[uint32]float32{1: float32(b.control.Multiplier(1))}}}}
	weights := rand.New(rand.NewPCG(5, 5))
	for tg := range value.Target(value.NumTargets) {
		m.Global[tg] = value.Global{Prior: -1.4, Table: make(value.Table, 256)}
		for i := range m.Global[tg].Table {
			m.Global[tg].Table[i] = float32(0.12 * weights.NormFloat64())
		}
	}
	b.w.b.SetModel(m)
}

// ask sends one request through the bidder's stages and returns its price in
// PLN an impression, media cost, and the chance of an order that it expects.
func (b *buyers) ask() (price, expected float64) {
	c := b.c
	c.state, c.exchange, c.start, c.nowMS = b.w.b.state.Load(), b.w.b.exchanges["burl"], time.Now(), b.w.clock.NowMS()
	require.NoError(b.w.t, c.view.Parse(append([]byte(nil), b.bodies[b.rng.IntN(len(b.bodies))]...)))
	if b.w.b.bid(c) == ReasonNone {
		o := &c.bids[0]
		price, expected = float64(o.price)/1e9*4, float64(o.click)*float64(o.order)
	}
	b.w.b.letGo(c)
	c.reset()
	return price, expected
}

func (b *buyers) hour() {
	const stepMS = 3_600_000 / cpoPerHour
	for range cpoPerHour {
		b.w.clock.Advance(stepMS * time.Millisecond)
		now := b.w.clock.NowMS()
		price, expected := b.ask()
		rival := 0.075 * math.Exp(b.spread*b.rng.NormFloat64())
		if price <= rival {
			continue
		}
		gross := rival * 1.1
		b.cost += gross
		b.control.Won(1, now, gross*1e9, expected)
		if b.rng.Float64() < expected/b.off {
			b.orders++
			at := now + int64(cpoDelayMS*b.rng.ExpFloat64())
			b.due[at/3_600_000] = append(b.due[at/3_600_000], now)
		}
	}
	now := b.w.clock.NowMS()
	for h, clicks := range b.due {
		if h < now/3_600_000 {
			for _, at := range clicks {
				b.control.Ordered(1, at, 1)
			}
			delete(b.due, h)
		}
	}
	b.control.Advance(now)
	b.model()
}

// After seven days that began a third off, the week's cost per order is within
// the larger of 5 % and 2/√orders of the target.
func TestCostPerOrderThroughTheBidder(t *testing.T) {
	if raceEnabled {
		return
	}
	worst := 0.0
	for seed, offs := range [][]float64{{1.33, 1 / 1.33}, {1.33}, {1.33}} {
		for _, off := range offs {
			b := newBuyers(t, uint64(seed), off)
			b.model()
			for range 7 * 24 {
				b.hour()
			}
			allowed := math.Max(0.05, 2/math.Sqrt(float64(b.orders)))
			cpo := b.cost / float64(b.orders)
			miss := cpo/(float64(cpoTarget)/1e9) - 1
			t.Logf("seed %d, predictions × %.2f: %d orders at %.3f PLN, %+.1f %% of the target, allowed %.1f %%; multiplier %.2f",
				seed, off, b.orders, cpo, 100*miss, 100*allowed, b.control.Multiplier(1))
			require.Greater(t, b.orders, 300)
			assert.LessOrEqual(t, math.Abs(miss), allowed, "seed %d, × %.2f", seed, off)
			worst = max(worst, math.Abs(miss)/allowed)
		}
	}
	t.Logf("worst: %.2f of what is allowed", worst)
}
