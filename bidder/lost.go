package bidder

import (
	"fmt"
	"io"
	"sync"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/pacing/plan"
)

// proofs are bids whose ad was seen and whose notice is awaited: from the log,
// so of all nodes. What comes of them says which share of an exchange's notices
// is lost (plan.Lost). Bounded: who finds no place is not asked about, whatever
// comes of the bid, so that nothing is seen askew.
type proofs struct {
	lost   *plan.Lost
	shares []float64 // scratch of who plans

	mu   sync.Mutex
	wait map[uint64]proof  // until they are judged
	late map[uint64]silent // judged to have no notice, which may come yet
	full uint64
	next []uint64 // keys in the order in which they came: those to be judged
}

type proof struct {
	bid      events.ID
	bidMS    int64
	untilMS  int64
	exchange uint16
}

type silent struct {
	atMS     int64
	exchange uint16
}

const (
	proofsMost = 1 << 16 // some 6 MB
	silentMost = 1 << 13
	// proofWaitMS is how long after the bid its ad may be seen, and how much
	// longer than a hold its notice is awaited.
	proofWaitMS = 60 * 60 * 1000
	silentMS    = 24 * 60 * 60 * 1000
	judgedMost  = 4096 // in a round: a second
)

func newProofs(exchanges int) *proofs {
	return &proofs{lost: plan.NewLost(exchanges), shares: make([]float64, exchanges), wait: map[uint64]proof{}, late: map[uint64]silent{}}
}

// proves tells whether an event comes from whoever saw the ad, and settles
// nothing: then the exchange's own notice of the same bid is awaited.
func proves(e *events.Event, settle events.Type) bool {
	if e.Test || e.Settles || e.Type == settle || e.Reason != "" {
		return false
	}
	switch e.Type {
	case events.TypeImpression, events.TypeViewable, events.TypeClick:
		return true
	}
	return false
}

// foldProof takes in an event of the log, of whichever node.
func (b *Bidder) foldProof(e *events.Event) {
	x, p := b.exchanges[e.Exchange], b.proofs
	if x == nil || p == nil {
		return
	}
	switch {
	case e.Type == events.TypeNotices:
		p.lost.Told(int(x.number), plan.NoticeReport{Report: e.EventID.String(), FromMS: e.BidMS, Billed: e.Count, Silent: int64(e.W)})
	case e.Type == events.TypeLoss: // its ad was looked at, not shown: by the exchange's own checks
		p.mu.Lock()
		delete(p.wait, outcomeKey(e.BidID))
		p.mu.Unlock()
	case e.Settles && !e.Test && e.PriceStatus != events.PriceReport:
		p.noticed(e)
	case proves(e, x.SettleType(e.Media)) && e.TimeMS-e.BidMS < proofWaitMS:
		until := e.BidMS + proofWaitMS + x.holdFor(events.MediaCode(e.Media)).Milliseconds()
		if until > b.clock.NowMS() { // else the log is read from far back
			p.await(outcomeKey(e.BidID), proof{bid: e.BidID, bidMS: e.BidMS, untilMS: until, exchange: x.number})
		}
	}
}

func (p *proofs) await(key uint64, a proof) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.wait[key]; known {
		return
	}
	if len(p.next) >= proofsMost {
		p.full++
		return
	}
	p.wait[key] = a
	p.next = append(p.next, key)
}

// noticed takes back what was judged too early.
func (p *proofs) noticed(e *events.Event) {
	key := outcomeKey(e.BidID)
	p.mu.Lock()
	s, known := p.late[key]
	delete(p.late, key)
	p.mu.Unlock()
	if known {
		p.lost.Late(int(s.exchange), e.TimeMS, s.atMS)
	}
}

// judgeProofs looks at the bids whose time is over; housekeeping calls it each
// second, once the log has been read.
func (b *Bidder) judgeProofs(nowMS int64) {
	p := b.proofs
	if !b.ready[2].Load() {
		return
	}
	stats := b.book.Stats()
	forgets := stats.Settled >= stats.MaxSettled-stats.MaxSettled/10 // then a settlement may be unknown
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for ; n < min(len(p.next), judgedMost); n++ {
		key := p.next[n]
		a, waits := p.wait[key]
		if waits && a.untilMS > nowMS {
			break // later ones are due about then, too
		}
		if delete(p.wait, key); !waits || forgets {
			continue
		}
		settled := b.book.Settled(a.bid, a.bidMS)
		p.lost.Shown(int(a.exchange), nowMS, settled)
		if !settled && len(p.late) < silentMost {
			p.late[key] = silent{nowMS, a.exchange}
		}
	}
	p.next = append(p.next[:0], p.next[n:]...)
	for key, s := range p.late {
		if nowMS-s.atMS > silentMS {
			delete(p.late, key)
		}
	}
}

// lostShares is the share of each exchange's notices that do not come.
func (b *Bidder) lostShares(nowMS int64) []float64 {
	p := b.proofs
	for i := range p.shares {
		p.shares[i] = p.lost.Share(i, nowMS)
	}
	return p.shares
}

func (b *Bidder) writeLost(w io.Writer) {
	now, p := b.clock.NowMS(), b.proofs
	for i, x := range b.byNumber {
		reported, shown := p.lost.Evidence(i, now)
		fmt.Fprintf(w, "grosz_notices_lost_share{exchange=%q} %.5f\n", x.Name, p.lost.Share(i, now))
		fmt.Fprintf(w, "grosz_notices_reported{exchange=%q} %.0f\n", x.Name, reported)
		fmt.Fprintf(w, "grosz_notices_shown{exchange=%q} %.0f\n", x.Name, shown)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(w, "grosz_proofs_awaited %d\n", len(p.next))
	fmt.Fprintf(w, "grosz_proofs_awaited_max %d\n", proofsMost)
	fmt.Fprintf(w, "grosz_proofs_forgotten_total %d\n", p.full)
}
