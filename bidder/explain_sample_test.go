package bidder

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/privacy"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/segments"
)

// sampler takes every request of the exchange that may be kept.
func (w *world) sampler(size, oneIn int) *Sampler {
	w.t.Helper()
	s, err := w.b.NewSampler(SampleConfig{Size: size, OneIn: oneIn, MayLog: func(*Exchange) bool { return true }})
	require.NoError(w.t, err)
	return s
}

// sampled runs one request through the stages as server.go does, behind the
// sampler, and keeps its holds.
func (w *world) sampled(s *Sampler, c *bidContext, body string) NoBidReason {
	w.t.Helper()
	c.state, c.exchange, c.start, c.nowMS = w.b.state.Load(), w.b.exchanges["burl"], time.Now(), w.clock.NowMS()
	if err := c.view.Parse([]byte(body)); err != nil || c.view.ID == "" {
		c.reset()
		return ReasonMalformed
	}
	r := s.bid(w.b, c, []byte(body))
	c.reset()
	return r
}

// TestASampleReplaysToTheSameBytes plays the corpora with a person whom the
// shop knows, budgets that run out on the way and caps that are reached, and
// replays after all of it, when nothing is as it was.
func TestASampleReplaysToTheSameBytes(t *testing.T) {
	w := market(t)
	s, c := w.sampler(4096, 1), newContext([32]byte{3})
	user := segments.UserFromIFA(explainedIFA)
	person := func(line string) string {
		return strings.Replace(line, `{"id":`, `{"device":{"ifa":"`+explainedIFA+`","devicetype":4},"id":`, 1)
	}
	answers := map[NoBidReason]int{}
	var last []*Sample
	for round := range 4 {
		for i, line := range corpus(t, "banner", "video", "native", "rules", "standard", "odd") {
			if i%2 == 0 && !strings.Contains(line, `"device"`) {
				line = person(line)
			}
			answers[w.sampled(s, c, line)]++
			w.clock.Advance(time.Second)
		}
		w.b.frequency.Add(segments.Pseudonym(w.b.state.Load().Snapshot.Shop(7).Salt, user), 2, w.clock.NowMS())
		w.b.profiles.Load().Apply(&events.ShopEvent{
			ShopID: 7, UID: user, Type: events.ShopProductView, Product: string(rune('a' + round)), TimeMS: w.clock.NowMS(), EventID: events.ID{byte(round + 1)},
		})
	}
	require.Greater(t, answers[ReasonNone], 100, "%v", answers)
	require.Greater(t, len(answers), 4, "%v", answers)
	w.b.profiles.Load().Apply(&events.ShopEvent{ShopID: 7, UID: user, Type: events.ShopOptOut, TimeMS: w.clock.NowMS()})
	w.clock.Advance(100 * time.Hour)
	last = s.ring
	require.Greater(t, len(last), 250)
	known := 0
	for _, p := range last {
		known += len(p.Profiles)
		got, err := w.b.Replay(p)
		require.NoError(t, err)
		require.Equal(t, p.Reason, got.Reason, "%s", p.Request)
		require.Equal(t, string(p.Answer), string(got.Answer), "%s", p.Request)
		require.True(t, got.Same)
	}
	require.Positive(t, known, "a person was known")
}

// TestEveryInputCounts changes one input of a sample at a time: the replay
// must come out differently, or the input would be kept for nothing.
func TestEveryInputCounts(t *testing.T) {
	w := newWorld(t,
		with(1, func(c *campaigns.Campaign) { c.Budget.Total = 20_000_000 }),
		with(2, func(c *campaigns.Campaign) {
			c.Bid.CPM, c.Frequency = 11_000_000, campaigns.Frequency{Impressions: 1, Hours: 1}
		}),
		with(3, func(c *campaigns.Campaign) { c.Bid.CPM, c.Targeting = 10_000_000, `visited within 30d` }),
	)
	user := segments.UserFromIFA(explainedIFA)
	w.b.profiles.Load().Apply(&events.ShopEvent{ShopID: 7, UID: user, Type: events.ShopVisit, TimeMS: noon - 1000})
	w.b.book.Settle(pacing.Settlement{BidID: events.ID{1}, Campaign: 1, Amount: 10_000_000, Day: 1, BidMS: noon})
	w.b.frequency.Add(segments.Pseudonym(w.b.state.Load().Snapshot.Shop(7).Salt, user), 2, noon-1000)
	s := w.sampler(1, 1)
	body := `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250}}],"device":{"ifa":"` + explainedIFA + `"}}`
	require.Equal(t, ReasonNone, w.sampled(s, newContext([32]byte{3}), body))
	again := func(change func(p *Sample)) Replayed {
		p := *takeSample(s)
		change(&p)
		got, err := w.b.Replay(&p)
		require.NoError(t, err)
		return got
	}
	same := again(func(*Sample) {})
	require.True(t, same.Same)
	require.Contains(t, string(same.Answer), `"cid":"3"`, "1 has no budget left, 2 was seen too often")
	for name, change := range map[string]func(p *Sample){
		"seed":     func(p *Sample) { p.Seed[0]++ },
		"time":     func(p *Sample) { p.TimeMS += 1000 },
		"profiles": func(p *Sample) { p.Profiles = nil },
		"budget":   func(p *Sample) { p.Counts = counts(p, 1, func(n *SampledCount) { n.Used = 0 }) },
		"seen":     func(p *Sample) { p.recalled = changed(p, func(r *recalled) { r.people = nil }) },
		"basis":    func(p *Sample) { p.recalled = changed(p, func(r *recalled) { r.basis = privacy.Basis{} }) },
		"imp passed over": func(p *Sample) {
			p.recalled = changed(p, func(r *recalled) { r.refused = []notOffered{{0, ReasonOffered}} })
		},
		"request": func(p *Sample) { p.Request = []byte(strings.Replace(body, `"x"`, `"y"`, 1)) },
	} {
		require.False(t, again(change).Same, name)
	}
}

// takeSample returns a copy of the only sample; its configuration with it.
func takeSample(s *Sampler) *Sample { return takeSampleOf(s.ring[0]) }

func takeSampleOf(p *Sample) *Sample {
	out := &Sample{
		Exchange: p.Exchange, Request: p.Request, TimeMS: p.TimeMS, Version: p.Version, Seed: p.Seed, Answer: p.Answer, Reason: p.Reason,
		Profiles: p.Profiles, Counts: p.Counts, exchange: p.exchange, rates: p.rates, user: p.user, recalled: p.recalled,
	}
	out.snapshot.Store(p.snapshot.Load())
	return out
}

// changed is what a sample recalls, changed in one thing.
func changed(p *Sample, change func(r *recalled)) *recalled {
	r := *p.recalled
	change(&r)
	return &r
}

func counts(p *Sample, campaign uint32, change func(n *SampledCount)) (out []SampledCount) {
	for _, n := range p.Counts {
		if n.Campaign == campaign {
			change(&n)
		}
		out = append(out, n)
	}
	return out
}

func TestWhatMayNotBeKeptIsNot(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	c := newContext([32]byte{3})
	banner := `"imp":[{"id":"1","banner":{"w":300,"h":250}}]`
	for name, body := range map[string]string{
		"gdpr":      `{"id":"x",` + banner + `,"regs":{"gdpr":1},"user":{"buyeruid":"u"}}`,
		"coppa":     `{"id":"x",` + banner + `,"regs":{"coppa":1}}`,
		"lmt":       `{"id":"x",` + banner + `,"device":{"lmt":1,"ifa":"` + explainedIFA + `"}}`,
		"very long": `{"id":"x",` + banner + `,"ext":"` + strings.Repeat("x", sampleMaxBody) + `"}`,
	} {
		s := w.sampler(8, 1)
		require.Equal(t, ReasonNone, w.sampled(s, c, body), name)
		require.Empty(t, s.All(noon), name)
		_, left := s.Counts()
		require.Equal(t, uint64(1), left, name)
	}
	s := w.sampler(8, 1)
	s.cfg.MayLog = func(*Exchange) bool { return false }
	require.Equal(t, ReasonNone, w.sampled(s, c, bannerRequest))
	require.Empty(t, s.All(noon))

	none, err := w.b.NewSampler(SampleConfig{})
	require.NoError(t, err)
	require.Nil(t, none, "no exchange allows it")
	require.Equal(t, ReasonNone, w.sampled(none, c, bannerRequest))
	require.Empty(t, none.All(noon))
	require.Zero(t, none.Forget(segments.UserFromIFA(explainedIFA)))
	none.Expire(noon)
	for _, bad := range []SampleConfig{{OneIn: -1}, {Size: 1 << 20}} {
		_, err := w.b.NewSampler(bad)
		require.Error(t, err)
	}
}

func TestTheRingIsBoundedAgesAndForgets(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	s, c := w.sampler(4, 1), newContext([32]byte{3})
	ids := func() (out []string) {
		for _, p := range s.All(w.clock.NowMS()) {
			require.NoError(t, c.view.Parse(p.Request))
			out = append(out, strings.Clone(c.view.ID))
		}
		return out
	}
	send := func(n int, ifa string) {
		body := fmt.Sprintf(`{"id":"%d","imp":[{"id":"1","banner":{"w":300,"h":250}}],"device":{"ifa":%q}}`, n, ifa)
		require.Equal(t, ReasonNone, w.sampled(s, c, body))
	}
	for n := range 6 {
		send(n, fmt.Sprintf("6ba7b810-9dad-11d1-80b4-%012d", n%3))
	}
	require.Equal(t, []string{"2", "3", "4", "5"}, ids())
	require.Equal(t, 2, s.Forget(segments.UserFromIFA("6ba7b810-9dad-11d1-80b4-000000000002")))
	require.Equal(t, []string{"3", "4"}, ids())
	w.clock.Advance(23 * time.Hour)
	for n := 6; n < 9; n++ {
		send(n, "")
	}
	require.Equal(t, []string{"4", "6", "7", "8"}, ids())
	w.clock.Advance(2 * time.Hour)
	require.Equal(t, []string{"6", "7", "8"}, ids())
	send(9, "")
	require.Equal(t, []string{"6", "7", "8", "9"}, ids())
}

// TestASampleOutlivesOneChangeOfConfiguration and not two: snapshots are
// large.
func TestASampleOutlivesOneChangeOfConfiguration(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	s, c := w.sampler(8, 1), newContext([32]byte{3})
	require.Equal(t, ReasonNone, w.sampled(s, c, bannerRequest))
	first := s.All(noon)[0]
	for version := int64(2); version < 4; version++ {
		got, err := w.b.Replay(first)
		require.NoError(t, err)
		require.True(t, got.Same)
		w.in.Version = version
		w.in.Campaigns = []*campaigns.Campaign{with(1, func(c *campaigns.Campaign) { c.Bid.CPM = 9_000_000 })}
		require.Empty(t, w.b.Publish(w.in))
		require.Equal(t, ReasonNone, w.sampled(s, c, bannerRequest))
	}
	_, err := w.b.Replay(first)
	require.ErrorIs(t, err, ErrSampleGone)
}

// TestSamplingWhileBidding: many goroutines bid, one replays and explains.
func TestSamplingWhileBidding(t *testing.T) {
	w := market(t)
	s := w.sampler(16, 2)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			c := newContext([32]byte{byte(g)})
			for range 200 {
				w.sampled(s, c, bannerRequest)
			}
		})
	}
	for range 20 {
		for _, p := range s.All(noon) {
			_, err := w.b.Replay(p)
			require.NoError(t, err)
		}
		explain(t, w.b, bannerRequest)
	}
	wg.Wait()
	require.Len(t, s.All(noon), 16)
}

// TestNotBeingSampledAllocatesNothing holds the sampler to the hot path's
// budget.
func TestNotBeingSampledAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Log("not measured under the race detector")
		return
	}
	w := newWorld(t, many(100)...)
	s, c := w.sampler(8, 1<<30), newContext([32]byte{1})
	run := func() {
		c.state, c.exchange, c.start, c.nowMS = w.b.state.Load(), w.b.exchanges["burl"], time.Now(), w.clock.NowMS()
		_ = c.view.Parse(bidBodies["banner"])
		if s.bid(w.b, c, bidBodies["banner"]) != ReasonNone {
			t.Fatal("no bid")
		}
		w.b.letGo(c)
		c.reset()
	}
	for range 200 {
		run()
	}
	require.LessOrEqual(t, testing.AllocsPerRun(500, run), 0.5, "the log's buffers may grow now and then, nothing else")
}

func BenchmarkSample(b *testing.B) {
	w := newWorld(b, many(100)...)
	s, c := w.sampler(256, 1), newContext([32]byte{1})
	b.ReportAllocs()
	for b.Loop() {
		if w.sampled(s, c, bannerRequest) != ReasonNone {
			b.Fatal("no bid")
		}
	}
}
