package bidder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/ledger"
)

// leasedNodes are bidders that share a log; log is all that was in it.
type leasedNodes struct {
	t     *testing.T
	nodes []*world
	log   []events.Event
}

func newLeasedNodes(t *testing.T, n int, budget money.Nano) *leasedNodes {
	c := openCampaign(42)
	c.Budget.Total = budget
	l := &leasedNodes{t: t}
	for i := range n {
		w := newWorld(t, c)
		w.b.seeder = rand.NewChaCha8([32]byte{byte(i + 1)})
		w.b.cfg.Node = fmt.Sprint("n", i+1)
		w.b.leases = newLeaseDesk(w.b)
		l.nodes = append(l.nodes, w)
	}
	return l
}

// turn lets every node's desk work, and then every node read the log.
func (l *leasedNodes) turn() {
	for _, w := range l.nodes {
		w.b.leases.write(w.b.leases.turn(w.clock.NowMS()))
	}
	l.read()
}

func (l *leasedNodes) read() {
	for _, w := range l.nodes {
		l.log = append(l.log, w.spooled()...)
	}
	for _, w := range l.nodes {
		for i := range l.log {
			w.b.fold(&l.log[i])
		}
	}
	l.log = l.log[:0]
}

func (l *leasedNodes) billed() ledger.CampaignState {
	var states []ledger.CampaignState
	for _, w := range l.nodes {
		day := w.b.days.at(w.b.location(7), w.clock.NowMS()).number
		states = append(states, w.b.leases.fold.Campaign(7, 42, day))
	}
	for _, s := range states[1:] {
		require.Equal(l.t, states[0], s, "nodes disagree about the budget")
	}
	return states[0]
}

const leasedRequest = `{"id":"%d","at":2,"imp":[{"id":"1","banner":{"w":300,"h":250}}],"site":{"page":"https://news.example/"},"cur":["PLN"]}`

// bill sends the billing notice of a bid to a node, at the bid's price.
func (l *leasedNodes) bill(w *world, burl string, price float64) {
	res := w.get(macro(burl, fmt.Sprint(price)))
	require.Equal(l.t, http.StatusNoContent, res.StatusCode)
}

// Three nodes spend one budget to its end, each out of its own leases:
// everything that was won is billed, and none of it is over the budget.
func TestNodesShareABudgetByLeases(t *testing.T) {
	const budget = 4 * money.NanoUnit / 10 // thirty bids of 12 PLN CPM, fee included
	l := newLeasedNodes(t, 3, budget)
	require.Equal(t, "lease", l.nodes[0].noBid("burl", fmt.Sprintf(leasedRequest, 0)), "nothing was granted yet")
	won := 0
	for turn := range 200 {
		l.turn()
		for i, w := range l.nodes {
			code, body, _ := w.post("burl", fmt.Sprintf(leasedRequest, turn))
			if code != http.StatusOK {
				continue
			}
			var r openrtb2.BidResponse
			require.NoError(t, json.Unmarshal(body, &r))
			bid := r.SeatBid[0].Bid[0]
			l.bill(l.nodes[(i+turn)%len(l.nodes)], bid.BURL, bid.Price)
			won++
		}
		for _, w := range l.nodes {
			w.clock.Advance(500 * time.Millisecond)
		}
	}
	l.turn()
	s := l.billed()
	assert.LessOrEqual(t, s.Billed, money.Nano(budget))
	assert.Equal(t, money.Nano(won)*13_200_000, s.Billed, "every win is billed to the shop")
	assert.Zero(t, s.House)
	assert.Greater(t, s.Billed, money.Nano(budget)*95/100, "and the budget is not starved: %d wins", won)
}

// A node that dies keeps its leases from the others only until their time is
// over; one that stands still does not bid out of leases that are over.
func TestLeasesOfADeadNodeComeBack(t *testing.T) {
	const budget = 16 * 13_200_000 // two leases
	l := newLeasedNodes(t, 2, budget)
	l.turn()
	l.turn()
	require.Equal(t, money.Nano(budget), l.billed().Leased)
	dead, alive := l.nodes[0], l.nodes[1]
	dead.b.leases = newLeaseDesk(dead.b) // kill -9: it knows of no lease
	for range 8 {
		bid := alive.bid("burl", fmt.Sprintf(leasedRequest, 1)).SeatBid[0].Bid[0]
		l.bill(alive, bid.BURL, bid.Price)
	}
	require.Equal(t, "lease", alive.noBid("burl", fmt.Sprintf(leasedRequest, 2)), "the rest is the dead node's")
	l.nodes = l.nodes[1:]
	for range 400 {
		alive.clock.Advance(5 * time.Second)
		l.turn()
	}
	code, _, _ := alive.post("burl", fmt.Sprintf(leasedRequest, 3))
	assert.Equal(t, http.StatusOK, code, "what the dead node had is back")
}

// At the end, and when a lease's window closes, what is left goes back.
func TestAnEndingNodeGivesItsLeasesBack(t *testing.T) {
	l := newLeasedNodes(t, 2, money.NanoUnit)
	l.turn()
	l.turn()
	before := l.billed()
	require.Positive(t, before.Leased)
	w := l.nodes[0]
	w.b.leases.write(w.b.leases.giveBack())
	l.read()
	after := l.billed()
	assert.Equal(t, before.Leased/2, after.Leased)
	assert.Equal(t, before.Free+before.Leased/2, after.Free)
	require.Equal(t, "lease", w.noBid("burl", fmt.Sprintf(leasedRequest, 9)))
}

func TestLeasesOutliveARestartInTheCheckpoint(t *testing.T) {
	l := newLeasedNodes(t, 1, money.NanoUnit)
	l.turn()
	l.turn()
	var b bytes.Buffer
	require.NoError(t, l.nodes[0].b.leases.snapshot(&b))
	again := newLeaseDesk(l.nodes[0].b)
	require.NoError(t, again.restore(bytes.NewReader(b.Bytes())))
	day := l.nodes[0].b.days.at(l.nodes[0].b.location(7), l.nodes[0].clock.NowMS()).number
	assert.Equal(t, l.billed(), again.fold.Campaign(7, 42, day))
	for cut := range b.Len() {
		require.ErrorIs(t, again.restore(bytes.NewReader(b.Bytes()[:cut])), ledger.ErrDamaged, "cut at %d", cut)
	}
	for i := range b.Len() {
		bad := bytes.Clone(b.Bytes())
		bad[i] ^= 4
		require.ErrorIs(t, again.restore(bytes.NewReader(bad)), ledger.ErrDamaged, "flipped in byte %d", i)
	}
}

// Notices that come when their leases are over, and others have spent what
// came back: the exchange is owed, the shop is billed its budget and no more,
// the house pays the rest, and both nodes say so.
func TestLateWinsBeyondTheBudgetAreTheHouses(t *testing.T) {
	const bidCost = 13_200_000
	const budget = 20 * bidCost
	l := newLeasedNodes(t, 2, budget)
	var late []string
	won := 0
	for turn := range 60 {
		l.turn()
		for i, w := range l.nodes {
			code, body, _ := w.post("burl", fmt.Sprintf(leasedRequest, turn))
			if code != http.StatusOK {
				continue
			}
			var r openrtb2.BidResponse
			require.NoError(t, json.Unmarshal(body, &r))
			bid := r.SeatBid[0].Bid[0]
			won++
			if (turn+i)%2 == 0 {
				late = append(late, bid.BURL)
				continue
			}
			l.bill(w, bid.BURL, bid.Price)
		}
		for _, w := range l.nodes {
			w.clock.Advance(5 * time.Minute)
			for range 64 {
				w.b.book.Sweep(w.clock.NowMS())
			}
		}
	}
	l.turn()
	before := l.billed()
	require.Zero(t, before.House)
	require.Greater(t, len(late), 3)
	for i, u := range late {
		l.bill(l.nodes[i%2], u, 12)
	}
	l.read()
	s := l.billed()
	assert.LessOrEqual(t, s.Billed, money.Nano(budget), "never over the budget")
	assert.Positive(t, s.House, "what did not fit is seen")
	assert.Equal(t, money.Nano(won)*bidCost, s.Billed+s.House+s.House.Fee(1000), "every win has a payer")
}
