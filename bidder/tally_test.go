package bidder

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

func TestBrowserOf(t *testing.T) {
	const kit = "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) "
	for ua, want := range map[string]uint8{
		"":                                     events.BrowserUnknown,
		"curl/8":                               events.BrowserUnknown,
		kit + "Chrome/130.0.0.0 Safari/537.36": events.BrowserChrome,
		kit + "Chrome/130.0.0.0 Safari/537.36 Edg/130.0":                events.BrowserEdge,
		kit + "Chrome/130.0.0.0 Safari/537.36 OPR/110.0":                events.BrowserOpera,
		kit + "SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile":             events.BrowserSamsung,
		kit + "Version/17.0 Safari/605.1.15":                            events.BrowserSafari,
		kit + "CriOS/130.0 Mobile/15E148 Safari/604.1":                  events.BrowserChrome,
		kit + "Mobile/15E148":                                           events.BrowserApp,
		"Mozilla/5.0 (Linux; Android 14; wv) Chrome/121.0 Mobile":       events.BrowserApp,
		"Mozilla/5.0 (X11; rv:130.0) Gecko/20100101 Firefox/130.0":      events.BrowserFirefox,
		"Mozilla/5.0 " + strings.Repeat("x", 600) + " Chrome/1 Safari/": events.BrowserUnknown,
	} {
		require.Equal(t, events.BrowserName(want), events.BrowserName(browserOf(ua)), ua)
	}
}

// TestLatencyBuckets: a duration is at most its bucket's bound, and above the
// bound of the bucket before; a bucket is at most a quarter wide.
func TestLatencyBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		us := rapid.Int64Range(0, 20_000_000).Draw(t, "us")
		b := latencyBucket(time.Duration(us) * time.Microsecond)
		require.LessOrEqual(t, us, int64(latencyBound(b)))
		if b > 0 {
			require.Greater(t, us, int64(latencyBound(b-1)))
			require.LessOrEqual(t, float64(latencyBound(b)), 1.26*float64(latencyBound(b-1)+1))
		}
	})
	require.Equal(t, latencyBuckets-1, latencyBucket(24*time.Hour))
}

// gather runs what housekeeping does each minute, without the spool.
func (w *world) gather(left int) (rows []events.Event, t *tallyBatch) {
	t = &tallyBatch{b: w.b, now: w.b.clock.NowMS(), left: left}
	for _, x := range w.b.exchanges {
		x.tally(t)
	}
	w.b.refusals.tally(t)
	t.cut()
	var d events.Decoder
	for _, r := range t.recs {
		if err := d.Events(r.Value, func(_ int, e *events.Event) error { rows = append(rows, *e); return nil }); err != nil {
			panic(err)
		}
	}
	return rows, t
}

func TestTalliesTellWhatWasCountedOnce(t *testing.T) {
	poor := openCampaign(2)
	poor.Budget.Total = 1
	w := newWorld(t, poor, openCampaign(3))
	w.b.asksAll = true // each refusal counts
	const ua = `"device":{"ua":"Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"},`
	ask := func(floor string) {
		w.post("burl", `{"id":"x",`+ua+`"imp":[{"id":"1","bidfloor":`+floor+`,"banner":{"w":300,"h":250}}]}`)
	}
	ask("0.1")
	ask("0.1")
	ask("900")
	count := func(rows []events.Event, raw, reason string, campaign uint32) (n int64) {
		for _, e := range rows {
			require.Equal(t, events.TypeTally, e.Type)
			require.False(t, e.EventID.IsZero())
			if e.Raw == raw && e.Reason == reason && e.CampaignID == campaign {
				require.Equal(t, "burl", e.Exchange)
				require.Equal(t, campaign != 0, e.ShopID != 0)
				n += e.Count
			}
		}
		return n
	}
	rows, minute := w.gather(maxTallies)
	floor := w.b.refusals.floorOf(3, 0, w.b.exchanges["burl"]).Load()
	require.EqualValues(t, 1, floor)
	require.EqualValues(t, 1, count(rows, events.TallyRefused, "floor", 3))
	require.Positive(t, count(rows, events.TallyRefused, "budget", 2)+count(rows, events.TallyRefused, "floor", 2))
	require.EqualValues(t, 3, count(rows, events.TallyLatency, "", 0))
	var chrome int64
	for _, e := range rows {
		if e.Raw == events.TallyRequests && e.Browser == "chrome" {
			chrome += e.Count
		}
	}
	require.EqualValues(t, 3, chrome)

	again, _ := w.gather(maxTallies)
	require.Len(t, again, len(rows), "what could not be recorded stays counted")
	for _, note := range minute.done {
		note()
	}
	none, _ := w.gather(maxTallies)
	require.Empty(t, none)

	ask("900")
	all, _ := w.gather(maxTallies)
	few, m := w.gather(1)
	require.Len(t, few, 1)
	for _, note := range m.done {
		note()
	}
	rest, _ := w.gather(maxTallies)
	require.Len(t, rest, len(all)-1, "bounded, and nothing is lost")
	require.EqualValues(t, 1, count(append(few, rest...), events.TallyLatency, "", 0))
}

func TestSeenOncePerDay(t *testing.T) {
	var s seenToday
	require.True(t, s.first(1, 1, 0, 100, false))
	require.False(t, s.first(1, 1, 0, 100, false))
	require.True(t, s.first(1, 1, 0, 101, false), "another day")
	require.True(t, s.first(1, 2, 0, 100, false), "another shop")
	require.True(t, s.first(1, 1, 1, 100, false), "another exchange")
	require.True(t, s.first(1, 1, 0, 100, true), "matched is told apart")
	require.Zero(t, testing.AllocsPerRun(100, func() { s.first(7, 7, 7, 7, false) }))
}

func TestVisitorsInTheTrafficAreTold(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	uid := segments.UserKey{9, 15: 1}
	shop := w.b.state.Load().Snapshot.Shop(testShop().ID)
	c := newContext([32]byte{1})
	c.state, c.exchange, c.nowMS, c.user = w.b.state.Load(), w.b.exchanges["burl"], w.b.clock.NowMS(), uid
	c.facts.Profiles = append(c.facts.Profiles[:0], segments.ShopProfile{Shop: shop.ID})
	before := w.b.bidLog.Stats().Held
	w.b.noteSeen(c)
	held := w.b.bidLog.Stats().Held
	require.Greater(t, held, before)
	w.b.noteSeen(c)
	require.Equal(t, held, w.b.bidLog.Stats().Held, "once a day")
	require.Equal(t, events.Event{}, c.event)
}
