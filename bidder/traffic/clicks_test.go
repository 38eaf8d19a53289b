package traffic

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
)

const noon = 1_773_144_000_000

func bidID(n int) (id events.ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(n+1)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(n+1)*0xbf58476d1ce4e5b9)
	return id
}

func TestVerdicts(t *testing.T) {
	type step struct {
		after  time.Duration // since the bid
		do     string
		from   Reason
		notWon bool
		want   Verdict
	}
	sec := time.Second
	for name, steps := range map[string][]step{
		"a person":               {{sec, "show", 0, false, 0}, {3 * sec, "click", 0, false, ClickOK}},
		"at once after the bid":  {{50 * time.Millisecond, "click", 0, false, ClickTooFast}},
		"at once after it shows": {{5 * sec, "show", 0, false, 0}, {5*sec + 99*time.Millisecond, "click", 0, false, ClickTooFast}},
		"just slow enough":       {{5 * sec, "show", 0, false, 0}, {5*sec + 100*time.Millisecond, "click", 0, false, ClickOK}},
		"shown elsewhere":        {{sec, "click", 0, false, ClickOK}},
		"a double click":         {{sec, "click", 0, false, ClickOK}, {sec + 200*time.Millisecond, "click", 0, false, ClickRepeated}},
		"a nervous finger":       {{sec, "click", 0, false, ClickOK}, {9 * sec, "click", 0, false, ClickRepeated}, {18 * sec, "click", 0, false, ClickRepeated}, {28 * sec, "click", 0, false, ClickOK}},
		"many":                   {{11 * sec, "click", 0, false, ClickOK}, {22 * sec, "click", 0, false, ClickOK}, {33 * sec, "click", 0, false, ClickOK}, {44 * sec, "click", 0, false, ClickTooMany}},
		"a day later":            {{11 * sec, "click", 0, false, ClickOK}, {25 * time.Hour, "click", 0, false, ClickOK}},
		"a crawler":              {{sec, "click", Crawler, true, ClickCrawler}},
		"a data centre":          {{sec, "click", DataCentre, false, ClickDataCentre}},
		"a lost bid":             {{sec, "lose", 0, false, 0}, {3 * sec, "click", 0, false, ClickNotWon}},
		"known elsewhere":        {{sec, "click", 0, true, ClickNotWon}},
		"a loss that was none":   {{sec, "lose", 0, false, 0}, {2 * sec, "show", 0, false, 0}, {3 * sec, "click", 0, false, ClickOK}},
		"a loss after it showed": {{sec, "show", 0, false, 0}, {2 * sec, "lose", 0, false, 0}, {3 * sec, "click", 0, false, ClickOK}},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewClicks(ClicksConfig{})
			for _, s := range steps {
				now := noon + s.after.Milliseconds()
				switch s.do {
				case "show":
					c.Shown(bidID(1), now)
				case "lose":
					c.Lost(bidID(1), now)
				default:
					require.Equal(t, s.want, c.Judge(Click{Bid: bidID(1), BidMS: noon, NowMS: now, From: s.from, NotWon: s.notWon}), "after %s", s.after)
				}
			}
			require.Equal(t, ClickOK, c.Judge(Click{Bid: bidID(2), BidMS: noon, NowMS: noon + 1000}), "another bid is another matter")
		})
	}
	require.Empty(t, ClickOK.String(), "it is the event's reason")
	require.Equal(t, "double_click", ClickRepeated.String())
	require.Equal(t, "unknown", Verdict(99).String())
}

// TestNoMoreThanMostCount: whatever comes in whatever order, a bid counts at
// most three times, and never twice within ten seconds.
func TestNoMoreThanMostCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewClicks(ClicksConfig{Max: 64})
		last, n, now := int64(0), 0, int64(noon)
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			now += rapid.Int64Range(0, 15_000).Draw(t, "wait")
			if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				c.Shown(bidID(1), now)
				continue
			}
			if c.Judge(Click{Bid: bidID(1), BidMS: noon, NowMS: now}) == ClickOK {
				n++
				require.True(t, last == 0 || now-last >= 10_000)
				last = now
			}
		}
		require.LessOrEqual(t, n, 3)
	})
}

func TestTheGuardIsBoundedAndClicksStayLongest(t *testing.T) {
	c := NewClicks(ClicksConfig{Max: 1024})
	require.Equal(t, ClickOK, c.Judge(Click{Bid: bidID(0), BidMS: noon, NowMS: noon + 1000}))
	for i := range 100_000 {
		c.Shown(bidID(i+1), noon+2000+int64(i))
	}
	n, most := c.Remembered()
	require.Equal(t, 1024, most)
	require.LessOrEqual(t, n, most)
	require.Equal(t, ClickRepeated, c.Judge(Click{Bid: bidID(0), BidMS: noon, NowMS: noon + 3000}))
}

func TestJudgingDoesNotAllocate(t *testing.T) {
	c := NewClicks(ClicksConfig{Max: 1024})
	i := 0
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		i++
		c.Shown(bidID(i), noon)
		c.Judge(Click{Bid: bidID(i), BidMS: noon, NowMS: noon + 1000})
	}))
}

func BenchmarkJudge(b *testing.B) {
	c := NewClicks(ClicksConfig{})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		if v := c.Judge(Click{Bid: bidID(i), BidMS: noon, NowMS: noon + 1000}); v != ClickOK {
			b.Fatal(v)
		}
	}
}
