package bidder

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// refusalCounts counts refusals by campaign and reason. It is bounded by the
// number of campaigns.
type refusalCounts struct{ byID sync.Map } // campaign id → *[numReasons]atomic.Uint64

func (r *refusalCounts) of(campaign uint32) *[numReasons]atomic.Uint64 {
	v, ok := r.byID.Load(campaign)
	if !ok {
		v, _ = r.byID.LoadOrStore(campaign, new([numReasons]atomic.Uint64))
	}
	return v.(*[numReasons]atomic.Uint64)
}

func (r *refusalCounts) write(w io.Writer) {
	r.byID.Range(func(id, v any) bool {
		for reason := range numReasons {
			if n := v.(*[numReasons]atomic.Uint64)[reason].Load(); n > 0 {
				fmt.Fprintf(w, "grosz_campaign_refused_total{campaign=\"%d\",reason=%q} %d\n", id, reason, n)
			}
		}
		return true
	})
}

func (b *Bidder) campaignRefused(s *State, campaign int32, r NoBidReason) {
	s.refusals[campaign][r].Add(1)
}
