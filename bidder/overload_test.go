package bidder

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
)

// steps is a clock that moves on by the next step at each reading.
type steps struct {
	at   time.Time
	step []time.Duration
}

func (s *steps) now() time.Time {
	if len(s.step) > 0 {
		s.at, s.step = s.at.Add(s.step[0]), s.step[1:]
	}
	return s.at
}

// TestNoAnswerLeavesAfterItsDeadline makes each stage in turn the one in
// which the time runs out. The clock is read at the start, in accept, before
// the imp, before the response and after it.
func TestNoAnswerLeavesAfterItsDeadline(t *testing.T) {
	const late = 91 * time.Millisecond // of tmax 100, 10 are the network's
	request := strings.Replace(bannerRequest, `"at":2`, `"at":2,"tmax":100`, 1)
	for read, stage := range []string{"accept", "imp", "before the response", "after the response"} {
		t.Run(stage, func(t *testing.T) {
			w := newWorld(t, openCampaign(1))
			s := &steps{at: time.Unix(0, 0), step: make([]time.Duration, read+2)}
			s.step[read+1] = late
			w.b.now = s.now
			require.Equal(t, "no_time", w.noBid("burl", request))
			require.Zero(t, w.b.book.Stats().Holds, "what is not sent holds nothing")
			require.Zero(t, w.b.bidLog.Stats().Held, "nor is it logged")
		})
	}
	t.Run("just in time", func(t *testing.T) {
		w := newWorld(t, openCampaign(1))
		s := &steps{at: time.Unix(0, 0), step: []time.Duration{0, late - time.Millisecond}}
		w.b.now = s.now
		w.bid("burl", request)
	})
	t.Run("the exchange waits less than tmax", func(t *testing.T) {
		w := newWorld(t, openCampaign(1))
		s := &steps{at: time.Unix(0, 0), step: []time.Duration{0, 4991 * time.Millisecond}}
		w.b.now = s.now
		require.Equal(t, "no_time", w.noBid("burl", strings.Replace(bannerRequest, `"at":2`, `"at":2,"tmax":60000`, 1)))
	})
}

// testGate is a gate whose pressure the test decides.
func testGate(maxWork int) (g *gate, delay *time.Duration, look func()) {
	g = newGate(maxWork, 10*time.Millisecond)
	delay = new(time.Duration)
	g.delay = func() time.Duration { return *delay }
	now := int64(0)
	return g, delay, func() { now += int64(lookEvery); g.look(now) }
}

func TestRequestsInWorkAreBounded(t *testing.T) {
	g, _, _ := testGate(3)
	now := time.Unix(0, 1)
	for range 3 {
		require.True(t, g.enter(now))
	}
	require.False(t, g.enter(now))
	require.EqualValues(t, 1, g.full.Load())
	g.leave()
	require.True(t, g.enter(now))
}

func TestTheShareFollowsThePressure(t *testing.T) {
	g, delay, look := testGate(1000)
	*delay = 9 * time.Millisecond
	look()
	require.Zero(t, g.share.Load(), "below the target")
	*delay = 20 * time.Millisecond
	look()
	look()
	require.Zero(t, g.share.Load(), "it must last")
	look()
	require.EqualValues(t, shedScale/4, g.share.Load(), "twice the target or more: in the largest steps")
	*delay = 12 * time.Millisecond
	look()
	require.EqualValues(t, shedScale/4+shedScale*3/4/5/4, g.share.Load(), "a fifth above it: in a fifth of that")
	*delay = 10 * time.Millisecond
	look()
	require.EqualValues(t, shedScale/4+shedScale*3/4/5/4, g.share.Load(), "at the target it stays")
	*delay = time.Second
	before := g.share.Load()
	for range 50 {
		look()
		require.GreaterOrEqual(t, g.share.Load(), before, "it rises")
		before = g.share.Load()
	}
	require.EqualValues(t, shedMost, before, "up to nine in ten: the rest shows whether it helps")
	*delay = 0
	for range 30 {
		look()
		require.LessOrEqual(t, g.share.Load(), before, "it falls")
		before = g.share.Load()
	}
	require.Zero(t, before)
}

func TestLateAnswersArePressure(t *testing.T) {
	g, _, look := testGate(1000)
	for range 3 {
		for range 100 {
			require.True(t, g.enter(time.Unix(0, 0)))
			g.leave()
		}
		g.late.Add(3)
		look()
	}
	require.NotZero(t, g.share.Load())
	never := newGate(1, -1)
	never.delay = func() time.Duration { t.Error("asked"); return time.Hour }
	require.True(t, never.enter(time.Now()))
}

func TestAPauseIsWithoutPressure(t *testing.T) {
	g, delay, look := testGate(1000)
	*delay = time.Second
	for range 30 {
		look()
	}
	require.EqualValues(t, shedMost, g.share.Load())
	*delay = 0
	g.look(g.next.Load() + int64(30*lookEvery))
	require.Zero(t, g.share.Load(), "who comes after a quiet time is not turned away for what was before it")
}

func TestTheShareIsShedExactly(t *testing.T) {
	g, _, _ := testGate(1000)
	g.target = -1
	for _, tenths := range []uint32{1, 3, 5, 9} {
		g.share.Store(shedScale / 10 * tenths)
		shed := uint32(0)
		for range 1000 {
			if g.enter(time.Unix(0, 0)) {
				g.leave()
			} else {
				shed++
			}
		}
		require.InDelta(t, 100*tenths, shed, 2)
	}
}

func TestTheSchedulersDelayIsRead(t *testing.T) {
	var s schedulerDelay
	require.Zero(t, s.last(), "nothing to compare with")
	for range 100 {
		done := make(chan struct{})
		go func() { close(done) }()
		<-done
	}
	require.GreaterOrEqual(t, s.last(), time.Duration(0))
	if !raceEnabled {
		require.Zero(t, testing.AllocsPerRun(20, func() { s.last() }))
	}
}

func TestOverloadIsAnsweredBeforeParsing(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	w.b.gate.max = 0
	require.Equal(t, "overload", w.noBid("burl", "this is not even JSON"))
	w.b.gate.max = 1
	w.bid("burl", bannerRequest)
	w.bid("burl", bannerRequest)
	require.Zero(t, w.b.gate.work.Load())
	var out bytes.Buffer
	w.b.WriteMetrics(&out)
	require.Contains(t, out.String(), `grosz_requests_shed_total{cause="in_work"} 1`)
	require.Contains(t, out.String(), `grosz_no_bid_total{exchange="burl",reason="overload"} 1`)
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "br, gzip": true, "gzip;q=0.5": true, "deflate,gzip; q=1.0,br": true,
		"gzip;q=0": false, "gzip; q=0.000": false, "br": false, "identity": false, "gzipped": false, ",;,": false,
	} {
		require.Equal(t, want, acceptsGzip([]byte(header)), header)
	}
}

func TestAnswersArePackedWhenAsked(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	ask := func(encoding, request string) (*http.Response, []byte) {
		req, err := http.NewRequest(http.MethodPost, "http://bid.example/openrtb2/burl", strings.NewReader(request))
		require.NoError(t, err)
		req.Header.Set("Accept-Encoding", encoding)
		res, err := w.http.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, body
	}
	for range 3 { // writers are used again
		res, packed := ask("gzip", bannerRequest)
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
		z, err := gzip.NewReader(bytes.NewReader(packed))
		require.NoError(t, err)
		text, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Contains(t, string(text), `"id":"r1"`)
		require.Less(t, len(packed), len(text)/2)
	}
	res, plain := ask("identity", bannerRequest)
	require.Empty(t, res.Header.Get("Content-Encoding"))
	require.Contains(t, string(plain), `"id":"r1"`)
	res, none := ask("gzip", `{"id":"x"}`)
	require.Equal(t, 204, res.StatusCode)
	require.Empty(t, none)
	require.Empty(t, res.Header.Get("Content-Encoding"))
}

func TestBodiesByGzip(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	send := func(encoding string, body []byte) int {
		req, err := http.NewRequest(http.MethodPost, "http://bid.example/openrtb2/burl", bytes.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Encoding", encoding)
		res, err := w.http.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		return res.StatusCode
	}
	good, bomb := packed(bannerRequest), packed(strings.Repeat(" ", 50<<20))
	exact := packed(bannerRequest + strings.Repeat(" ", 1<<20-len(bannerRequest)))
	for range 2 {
		require.Equal(t, 200, send("gzip", good))
		require.Equal(t, 200, send("GZIP", good))
		require.Equal(t, 200, send("identity", []byte(bannerRequest)))
		require.Equal(t, 200, send("gzip", exact), "as large as may be")
		require.Equal(t, 413, send("gzip", bomb))
		require.Equal(t, 400, send("gzip", good[:len(good)/2]))
		require.Equal(t, 400, send("gzip", []byte(bannerRequest)))
		require.Equal(t, 400, send("gzip", nil))
		require.Equal(t, 415, send("br", good))
		require.Equal(t, 415, send("deflate", good))
		require.Equal(t, 415, send("gzip, gzip", packed(string(good))))
	}
}

// packed is text by gzip.
func packed(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.Bytes()
}

func BenchmarkInflate(b *testing.B) {
	body := packed(bannerRequest + strings.Repeat(" ", 2000))
	var f inflater
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = f.inflate(dst[:0], body, 1<<20); err != nil || len(dst) != 2000+len(bannerRequest) {
			b.Fatal(err)
		}
	}
}

func BenchmarkGate(b *testing.B) {
	g := newGate(0, 0)
	b.ReportAllocs()
	for b.Loop() {
		if g.enter(time.Now()) {
			g.leave()
		}
	}
}
