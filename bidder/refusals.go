package bidder

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/pacing/plan"
)

// refusalCounts counts refusals by campaign and reason. It is bounded by the
// number of campaigns.
type refusalCounts struct {
	byID  sync.Map                  // campaign id → *[numReasons]atomic.Uint64
	goals sync.Map                  // campaign id → *goalCounts
	paces sync.Map                  // campaign id → *pacer
	saved map[uint32]plan.LiveState // of before a restart

	// Most are for the floor, a few dozen a request: those counts stand beside
	// each other, so that they stay in the processor's cache.
	mu     sync.Mutex
	floors map[uint32]*atomic.Uint64
	room   []atomic.Uint64
}

// floorOf is where a campaign's refusals for the floor are counted.
func (r *refusalCounts) floorOf(campaign uint32) *atomic.Uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.floors[campaign]; c != nil {
		return c
	}
	if r.floors == nil {
		r.floors = make(map[uint32]*atomic.Uint64)
	}
	if len(r.room) == 0 {
		r.room = make([]atomic.Uint64, 1024)
	}
	c := &r.room[0]
	r.room = r.room[1:]
	r.floors[campaign] = c
	return c
}

func (r *refusalCounts) of(campaign uint32) *[numReasons]atomic.Uint64 {
	v, ok := r.byID.Load(campaign)
	if !ok {
		v, _ = r.byID.LoadOrStore(campaign, new([numReasons]atomic.Uint64))
	}
	return v.(*[numReasons]atomic.Uint64)
}

// goalOf counts how a campaign with goals fares.
func (r *refusalCounts) goalOf(campaign uint32) *goalCounts {
	v, _ := r.goals.LoadOrStore(campaign, new(goalCounts))
	return v.(*goalCounts)
}

func (r *refusalCounts) write(w io.Writer) {
	r.byID.Range(func(id, v any) bool {
		for reason := range numReasons {
			n := v.(*[numReasons]atomic.Uint64)[reason].Load()
			if reason == ReasonFloor {
				n = r.floorOf(id.(uint32)).Load()
			}
			if n > 0 {
				fmt.Fprintf(w, "grosz_campaign_refused_total{campaign=\"%d\",reason=%q} %d\n", id, reason, n)
			}
		}
		return true
	})
}

func (b *Bidder) campaignRefused(s *State, campaign int32, r NoBidReason) {
	if r == ReasonFloor {
		s.floors[campaign].Add(1)
		return
	}
	s.refusals[campaign][r].Add(1)
}
