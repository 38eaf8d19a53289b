package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/internal/clock"
)

func TestConfigListsAllThatIsWrong(t *testing.T) {
	err := Config{Addr: "0.0.0.0:80", Brokers: []string{"kafka"}, MaxFeedBytes: -1, MaxProducts: -1, ClickHouse: report.Config{Addr: "x", Protocol: "tcp"}}.Validate()
	for _, want := range []string{"data folder", "wider than loopback", `broker "kafka"`, "feed size", "product limit", `address "x"`, `protocol "tcp"`} {
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, Config{Dir: "d", Addr: "0.0.0.0:80", Wide: true}.Validate())
	require.NoError(t, Config{Dir: "d", Addr: "[::1]:0"}.Validate())
	_, err = New(Config{}, Deps{})
	require.ErrorContains(t, err, "no logger")
}

func TestATakenPortIsAnError(t *testing.T) {
	b := start(t, nil)
	_, err := New(Config{Dir: t.TempDir(), Addr: b.s.Addr().String()}, b.s.deps)
	require.ErrorContains(t, err, b.s.Addr().String())
}

func TestOpenAPI(t *testing.T) {
	b := start(t, nil)
	a := b.call("", "GET", "/openapi.json", "")
	require.Equal(t, 200, a.code)
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]any
		Components struct {
			Schemas map[string]struct {
				Required   []string
				Properties map[string]struct {
					Description string
					ReadOnly    bool
					Ref         string `json:"$ref"`
					Items       *struct{ Ref string }
				}
			}
		}
	}
	a.into(t, &doc)
	require.Equal(t, "3.1.0", doc.OpenAPI)
	require.NotContains(t, a.body, `"sha256"`)
	require.NotContains(t, a.body, `"salt"`)
	for path := range doc.Paths {
		require.True(t, strings.HasPrefix(path, "/api/v1/"), path)
		require.Equal(t, 200, b.call("", "GET", "/docs", "").code)
		require.Contains(t, b.call("", "GET", "/docs", "").body, "<code>"+path+"</code>")
	}
	// What describe.go says is there, and nothing of those documents is unsaid.
	for name, fields := range documented {
		schema, ok := doc.Components.Schemas[name]
		require.True(t, ok, name)
		for field, said := range fields {
			prop, ok := schema.Properties[field]
			require.True(t, ok, "%s.%s", name, field)
			require.Equal(t, said.required, contains(schema.Required, field), "%s.%s", name, field)
			if prop.Ref == "" { // beside a reference a description is not kept
				require.Equal(t, said.text, prop.Description, "%s.%s", name, field)
			}
		}
		for field := range schema.Properties {
			if name == "Campaign" && (field == "created" || field == "updated") {
				continue
			}
			require.Contains(t, fields, field, name)
		}
	}
	require.Equal(t, 200, b.call("", "GET", "/openapi.yaml", "").code)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func TestPagesShowNoData(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	b.campaign(path, key)
	for _, page := range []string{"/", "/docs", "/style.css", "/healthz", "/readyz", "/openapi.json"} {
		a := b.call("", "GET", page, "")
		require.Equal(t, 200, a.code, page)
		require.NotContains(t, a.body, "Buty")
		require.NotContains(t, a.body, b.admin)
		require.NotContains(t, a.body, "<script")
		require.NotContains(t, a.body, b.s.cfg.Dir, "the machine's paths are its own")
		require.Contains(t, a.header.Get("Content-Security-Policy"), "default-src 'none'")
		require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
		require.Less(t, len(a.body), 300_000)
	}
	require.Equal(t, 404, b.call("", "GET", "/nothing", "").problem(t).Status)
	require.Equal(t, 405, b.call("", "DELETE", "/api/v1/shops", "").problem(t).Status)
	require.Equal(t, 404, b.call("", "GET", "/schemas/Shop.json", "").code)
}

func TestHealthSaysWhatIsAway(t *testing.T) {
	reports := &fakeReports{err: errors.New("secret place refused")}
	b := start(t, func(_ *Config, d *Deps) { d.Reports = reports })
	a := b.call("", "GET", "/readyz", "")
	require.Equal(t, 200, a.code, "without reports the API still does its work")
	require.Contains(t, a.body, `{"name":"reports","ok":false,"note":"ClickHouse does not answer"}`)
	require.NotContains(t, a.body, "secret")
	require.Contains(t, b.call("", "GET", "/", "").body, "not working")
}

func TestReport(t *testing.T) {
	cost := "2.5"
	reports := &fakeReports{rows: []report.CostPerOrder{{Day: "2026-11-20", Campaign: 1, Exchange: "demo", Currency: "USD", Bids: 9, Wins: 5, Spend: "5", Orders: 2, CostPerOrder: &cost}}}
	b := start(t, func(_ *Config, d *Deps) { d.Reports = reports })
	path, key := b.shop()
	a := b.call(key, "GET", path+"/report/cost-per-order", "")
	require.Equal(t, 200, a.code, a.body)
	require.Equal(t, []any{uint32(1), "2026-10-24", "2026-11-22"}, []any{reports.shop, reports.from, reports.to})
	require.Contains(t, a.body, `"spend":"5","orders":2,"cost_per_order":"2.5"`)

	// Today is the shop's day, not UTC's.
	b.clock.Set(time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC).UnixMilli())
	b.call(key, "GET", path+"/report/cost-per-order?from=2026-11-23", "")
	require.Equal(t, "2026-11-23", reports.to)

	for query, field := range map[string]string{
		"from=2026-11-02&to=2026-11-01": "query.from", "from=2020-01-01": "query.from", "from=1.1.2026": "query.from", "to=2026-02-30": "query.to", "to=1800-01-01": "query.to",
	} {
		a = b.call(key, "GET", path+"/report/cost-per-order?"+query, "")
		require.Equal(t, 422, a.code, query)
		require.Contains(t, a.problem(t).fields(), field, a.body)
	}
	reports.err = report.ErrTooMuch
	require.Equal(t, 422, b.call(key, "GET", path+"/report/cost-per-order", "").code)
	reports.err = errors.New("connection refused at secret:9000")
	a = b.call(key, "GET", path+"/report/cost-per-order", "")
	require.Equal(t, 503, a.code)
	require.NotContains(t, a.body, "secret")
}

func TestMetricsHaveFewSeries(t *testing.T) {
	set := metrics.NewSet()
	b := start(t, func(_ *Config, d *Deps) { d.Metrics = set })
	path, key := b.shop()
	for i := range 50 {
		b.call(key, "GET", path+"/campaigns/"+strings.Repeat("7", i%8+1), "")
		b.call(key, "BREW"+strings.Repeat("X", i), "/odd"+strings.Repeat("x", i), "")
	}
	var out bytes.Buffer
	set.WritePrometheus(&out)
	require.Contains(t, out.String(), `grosz_console_requests_total{method="GET",route="/api/v1/shops/{shop}/campaigns/{campaign}",code="404"}`)
	require.Less(t, strings.Count(out.String(), "grosz_console_requests_total"), 10, out.String())
}

func TestNoSecretsInTheLog(t *testing.T) {
	var mu sync.Mutex
	var out bytes.Buffer
	b := start(t, func(_ *Config, d *Deps) {
		d.Log = slog.New(slog.NewTextHandler(lockedWriter{&mu, &out}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	path, key := b.shop()
	b.campaign(path, key)
	b.call("gz_aaaaaaaaaaaaa_wrongsecret", "GET", path, "")
	b.stream(key, "PUT", path+"/feed", feedLines(2, 0))
	mu.Lock()
	defer mu.Unlock()
	require.Contains(t, out.String(), "feed uploaded")
	for _, secret := range []string{key, b.admin, "wrongsecret", key[len(key)-20:]} {
		require.NotContains(t, out.String(), secret)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func TestAPanicIsAProblem(t *testing.T) {
	b := start(t, func(_ *Config, d *Deps) { d.Reports = &fakeReports{panics: true} })
	path, key := b.shop()
	a := b.call(key, "GET", path+"/report/cost-per-order", "")
	require.Equal(t, 500, a.problem(t).Status)
	require.NotContains(t, a.body, "broken")

	// A panic in a change gives the writer's turn back and changes nothing.
	before := b.call(key, "GET", path, "").body
	func() {
		defer func() { require.NotNil(t, recover()) }()
		_ = b.s.store.Write(context.Background(), store.Actor{}, func(tx *store.Tx) error {
			shop, err := tx.Shop(context.Background(), 1)
			require.NoError(t, err)
			_, err = tx.UpdateShop(context.Background(), shop.Shop)
			require.NoError(t, err)
			panic("broken change")
		})
	}()
	require.Equal(t, before, b.call(key, "GET", path, "").body)
	require.Equal(t, 200, b.call(key, "PATCH", path, `{"name": "still here"}`).code)
}

// sentTopic is a Writer that keeps what it is given.
type sentTopic struct {
	mu   sync.Mutex
	recs []campaigns.Record
}

func (s *sentTopic) WriteMessages(_ context.Context, msgs ...kafka.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range msgs {
		var r campaigns.Record
		if err := json.Unmarshal(m.Value, &r); err != nil {
			return err
		}
		s.recs = append(s.recs, r)
	}
	return nil
}

func (s *sentTopic) last(key string) (campaigns.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.recs) - 1; i >= 0; i-- {
		if s.recs[i].Key == key {
			return s.recs[i], true
		}
	}
	return campaigns.Record{}, false
}

func TestRunServesPublishesAndEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	topic := &sentTopic{}
	dir := t.TempDir()
	deps := Deps{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: clock.System{}, Writer: topic}
	open := func() (*Server, context.CancelFunc, chan error, string) {
		s, err := New(Config{Dir: dir, Addr: "127.0.0.1:0"}, deps)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		key, err := adminKey(dir)
		require.NoError(t, err)
		return s, cancel, done, key
	}
	s, stop, done, key := open()
	client := &http.Client{Transport: &http.Transport{}}
	post := func(addr, path, body string) *http.Response {
		r, err := http.NewRequest("POST", "http://"+addr+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		res, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res
	}
	require.Equal(t, 201, post(s.Addr().String(), "/api/v1/shops", shopJSON).StatusCode)
	eventually(t, "the shop is published", func() bool { _, ok := topic.last("shop/1"); return ok })

	// The last change goes out even if the end comes with it.
	require.Equal(t, 201, post(s.Addr().String(), "/api/v1/shops/1/campaigns", campaignJSON).StatusCode)
	client.CloseIdleConnections()
	stop()
	require.NoError(t, <-done)
	_, ok := topic.last("campaign/1")
	require.True(t, ok)

	// A start sends everything again.
	topic.mu.Lock()
	topic.recs = nil
	topic.mu.Unlock()
	_, stop, done, _ = open()
	eventually(t, "all is republished", func() bool {
		c, ok := topic.last("campaign/1")
		shop, ok2 := topic.last("shop/1")
		return ok && ok2 && c.Campaign.Name == "Come back" && shop.Shop.Salt != ""
	})
	stop()
	require.NoError(t, <-done)
}
