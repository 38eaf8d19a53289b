package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/segments"
)

// What the benchmark's sample stands for: one person in fifty, five requests
// of each.
const (
	benchRequests = 10_000_000
	benchShare    = 0.02
	benchEach     = 5
)

// BenchmarkForecastEndToEnd asks the console of a running demo, over HTTP, what
// a campaign would bring that bids on all of a sample that stands for ten
// million requests. The first answer is apart: it waits for ClickHouse, which
// is remembered.
func BenchmarkForecastEndToEnd(b *testing.B) {
	s := newStack(b)
	s.start(5)
	var admin client
	kafkatest.Eventually(b, "the demo's shops", func() error {
		key, err := os.ReadFile(filepath.Join(s.dir, "admin.key"))
		if err != nil {
			return err
		}
		admin = client{b, "http://" + s.arg("--console") + "/api/v1", strings.TrimSpace(string(key))}
		var list struct{ Items []json.RawMessage }
		if !answers(b.Context(), "http://"+s.arg("--console")+"/openapi.json") {
			return fmt.Errorf("the console does not answer")
		}
		status, got := admin.send("GET", "/shops/1/campaigns", "application/json", nil)
		if status != http.StatusOK || json.Unmarshal(got, &list) != nil || len(list.Items) == 0 {
			return fmt.Errorf("no campaign yet")
		}
		return nil
	})
	fillSample(b, s)
	const question = `{"days": 30, "campaign": {"name": "All", "kind": "interest", "targeting": "", "bid": {"cpm": "12"}, "budget": {"day": "400"}, "pacing": "even",
		"frequency": {"impressions": 8, "hours": 24}, "creatives": [{"media": "banner"}]}}`
	var slowest time.Duration
	ask := func() {
		began := time.Now()
		var f struct {
			Basis string
			Bids  int
		}
		admin.call("POST", "/shops/1/forecast", question, &f)
		slowest = max(slowest, time.Since(began))
		require.Equal(b, "replay", f.Basis)
		require.Greater(b, f.Bids, 750, "it is firm")
		b.ReportMetric(float64(f.Bids), "bids")
	}
	ask()
	b.Logf("the first, with what the past teaches: %v", slowest)
	slowest = 0
	b.ResetTimer()
	for b.Loop() {
		ask()
	}
	b.ReportMetric(slowest.Seconds(), "s-slowest")
}

// fillSample writes the sample into the log, as bidders do, and waits until the
// bidder holds it.
func fillSample(b *testing.B, s *stack) {
	b.Helper()
	w := &kafka.Writer{Addr: kafka.TCP(s.arg("--broker")), Topic: events.TopicRequests, RequiredAcks: kafka.RequireAll, BatchBytes: 900_000, BatchTimeout: 10 * time.Millisecond}
	defer func() { require.NoError(b, w.Close()) }()
	now, n := time.Now().UnixMilli(), int(benchRequests*benchShare)
	var batch []kafka.Message
	var lines []byte
	flush := func() {
		batch = append(batch, kafka.Message{Value: lines})
		lines = nil
		if len(batch) >= 3 {
			require.NoError(b, w.WriteMessages(context.Background(), batch...))
			batch = nil
		}
	}
	for i := range n {
		var u segments.UserKey
		binary.LittleEndian.PutUint64(u[:], uint64(i/benchEach)*0x9E3779B97F4A7C15+1)
		share := benchShare
		hash := uint64(float64(binary.LittleEndian.Uint64(u[:])) * share)
		line, err := json.Marshal(bidder.RequestSample{
			TimeMS: now - int64(i)*6*24*3600*1000/int64(n), Exchange: "sim-second", User: u, Hash: hash, Share: benchShare, Profile: true,
			Request: json.RawMessage(fmt.Sprintf(`{"id":"s","at":2,"cur":["PLN","USD","EUR"],"imp":[{"id":"1","banner":{"w":300,"h":250},"bidfloor":%.2f,"tagid":"top"}],`+
				`"site":{"domain":"site%d.example","page":"https://site%d.example/a/%d","cat":["IAB10"]},"device":{"devicetype":2,"os":"linux","ua":"Mozilla/5.0 (X11; Linux x86_64) Chrome/140","geo":{"country":"POL"}}}`,
				0.1+float64(i%40)/20, i%300, i%300, i%977)),
		})
		require.NoError(b, err)
		lines = append(append(lines, line...), '\n')
		if len(lines) >= 250_000 {
			flush()
		}
	}
	flush()
	if len(batch) > 0 {
		require.NoError(b, w.WriteMessages(context.Background(), batch...))
	}
	kept := regexp.MustCompile(`(?m)^grosz_request_samples_kept (\d+)`)
	last := -1
	kafkatest.Eventually(b, "the bidder to hold the sample", func() error {
		res, err := http.Get("http://" + s.arg("--metrics") + "/metrics")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		m := kept.FindSubmatch(text)
		if m == nil {
			return fmt.Errorf("no such metric")
		}
		got, err := strconv.Atoi(string(m[1]))
		if err != nil {
			return err
		}
		defer func() { last = got; time.Sleep(300 * time.Millisecond) }()
		if got < n/4 || got != last {
			return fmt.Errorf("%d of %d are held", got, n)
		}
		b.Logf("%d sampled requests are held, of %d that stand for %d", got, n, benchRequests)
		return nil
	})
}
