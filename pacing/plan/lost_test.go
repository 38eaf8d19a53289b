package plan

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLostNoticesAreFoundByTheAdsThatWereSeen(t *testing.T) {
	for name, c := range map[string]struct {
		truth    float64
		bids     int
		lo, hi   float64
		reported int64 // billed bids of a report before, a hundredth of them silent
	}{
		"none":                        {0, 20_000, 0, 0, 0},
		"one in a hundred":            {0.01, 20_000, 0.0085, 0.0125, 0},
		"three in a hundred":          {0.03, 20_000, 0.027, 0.034, 0},
		"few bids say little":         {0.03, 60, 0, 0.012, 0},
		"more than is believed":       {0.3, 20_000, 0.04, 0.04, 0},
		"a report decides":            {0.03, 20_000, 0.0095, 0.012, 20_000},
		"a short report does not yet": {0.03, 20_000, 0.027, 0.034, 100},
	} {
		t.Run(name, func(t *testing.T) {
			l, rng := NewLost(2), rand.New(rand.NewPCG(7, 7))
			if c.reported > 0 {
				l.Told(1, NoticeReport{Report: "march", FromMS: monday - dayMS, Billed: c.reported, Silent: c.reported / 100})
			}
			now := int64(monday)
			for range c.bids {
				now += 1000
				l.Shown(1, now, rng.Float64() >= c.truth)
			}
			assert.GreaterOrEqual(t, l.Share(1, now), c.lo)
			assert.LessOrEqual(t, l.Share(1, now), c.hi)
			assert.Zero(t, l.Share(0, now), "another exchange")
			text, err := json.Marshal(l.State(1))
			require.NoError(t, err)
			var s LostState
			require.NoError(t, json.Unmarshal(text, &s))
			again := NewLost(2)
			again.Restore(1, s)
			assert.Equal(t, l.Share(1, now), again.Share(1, now), "after a restart")
		})
	}
}

// A change of the share is followed within days, and a late notice is taken
// back.
func TestLostNoticesFade(t *testing.T) {
	l, now := NewLost(1), int64(monday)
	for i := range 10_000 {
		now += 10_000
		l.Shown(0, now, i%50 != 0)
	}
	require.InDelta(t, 0.021, l.Share(0, now), 0.003)
	for i := range 200 {
		l.Late(0, now, now-int64(i)*1000)
	}
	require.Less(t, l.Share(0, now), 0.002, "they came after all")
	require.Zero(t, NewLost(1).Share(0, now))
}

func TestReportsOfNoticesCountOnceAndGrowOld(t *testing.T) {
	l := NewLost(1)
	for range 3 { // read from the log again and again
		l.Told(0, NoticeReport{Report: "a", FromMS: monday, Billed: 4000, Silent: 80})
		l.Told(0, NoticeReport{Report: "b", FromMS: monday + dayMS, Billed: 4000, Silent: 40})
	}
	n, _ := l.Evidence(0, monday+dayMS)
	require.InDelta(t, 8000, n, 300)
	require.InDelta(t, 0.016, l.Share(0, monday+dayMS), 0.002)
	l.Told(0, NoticeReport{Report: "b", FromMS: monday + dayMS, Billed: 8000, Silent: 0}) // the exchange's final one
	require.InDelta(t, 0.008, l.Share(0, monday+dayMS), 0.002)
	require.Zero(t, l.Share(0, monday+100*dayMS), "too old to say anything of today")
	for i := range 2 * lostReports {
		l.Told(0, NoticeReport{Report: string(rune('A' + i)), FromMS: monday + int64(i)*dayMS, Billed: 10, Silent: 1})
	}
	require.Len(t, l.State(0).Reports, lostReports)
	for _, bad := range []NoticeReport{{Billed: 0}, {Billed: 5, Silent: 6}, {Billed: 5, Silent: -1}} {
		l.Told(0, bad)
	}
	require.Len(t, l.State(0).Reports, lostReports)
}
