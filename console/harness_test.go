package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/money"
)

// testNow is where test clocks stand: 2026-11-22 10:00 UTC.
const testNow = 1_795_341_600_000

// bench is a console on a real database with what a test asks of it.
type bench struct {
	t     *testing.T
	s     *Server
	clock *clock.Manual
	admin string
}

// start makes a console in a folder; change may alter config and deps.
func start(t *testing.T, change func(*Config, *Deps)) *bench {
	t.Helper()
	clk := clock.NewManual(testNow)
	cfg := Config{Dir: t.TempDir(), Addr: "127.0.0.1:0"}
	deps := Deps{
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: clk, Version: "test",
		ReadFeed: readLines, ReadDelta: readDeltas, Reports: &fakeReports{},
	}
	if change != nil {
		change(&cfg, &deps)
	}
	s, err := New(cfg, deps)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	raw, err := os.ReadFile(filepath.Join(cfg.Dir, "admin.key"))
	require.NoError(t, err)
	return &bench{t: t, s: s, clock: clk, admin: strings.TrimSpace(string(raw))}
}

// readLines is a small reader of JSON lines; the real ones are of another
// room.
func readLines(ctx context.Context, r io.Reader, opts FeedOptions, take func(campaigns.Product) error) (FeedReport, error) {
	rep := FeedReport{Format: "jsonl"}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if err := ctx.Err(); err != nil {
			return rep, err
		}
		rep.Rows++
		p := campaigns.Product{Currency: opts.Currency, Available: true}
		if err := json.Unmarshal(sc.Bytes(), &p); err != nil || p.ID == "" {
			rep.Rejected++
			rep.Problems = append(rep.Problems, FeedProblem{Line: rep.Rows, Column: "id", Reason: "is missing"})
			continue
		}
		if err := take(p); err != nil {
			return rep, err
		}
	}
	return rep, sc.Err()
}

type fakeReports struct {
	rows     []report.CostPerOrder
	err      error
	panics   bool
	shop     uint32
	from, to string

	parts    []report.Breakdown
	did      map[uint32]report.Activity
	reached  int64
	asked    [3]int64
	question report.Question
	moment   report.Moment
	sides    []report.Side
}

func (f *fakeReports) CostPerOrder(_ context.Context, shop uint32, from, to string) ([]report.CostPerOrder, error) {
	if f.panics {
		panic("broken report")
	}
	f.shop, f.from, f.to = shop, from, to
	return f.rows, f.err
}

func (f *fakeReports) Ping(context.Context) error { return f.err }

// answer is what a request got.
type answer struct {
	code   int
	header http.Header
	body   string
}

// into reads the answer's JSON.
func (a answer) into(t *testing.T, to any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), to), a.body)
}

// problem is the part of problem+json that tests look at.
type problem struct {
	Status int
	Title  string
	Detail string
	Code   string
	Errors []struct{ Location, Message, Code string }
}

func (a answer) problem(t *testing.T) problem {
	t.Helper()
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"), a.body)
	var p problem
	a.into(t, &p)
	require.Equal(t, a.code, p.Status)
	require.NotEqual(t, codeUnknown, p.Code, "no phrase says %q", p.Detail)
	for _, e := range p.Errors {
		require.NotEqual(t, codeUnknown, e.Code, "no phrase says %q", e.Message)
	}
	return p
}

// fields are the locations that a problem names.
func (p problem) fields() []string {
	out := []string{}
	for _, e := range p.Errors {
		out = append(out, e.Location)
	}
	return out
}

// call sends a request through the real handler. headers are name, value,
// name, value …
func (b *bench) call(key, method, path, body string, headers ...string) answer {
	return b.stream(key, method, path, strings.NewReader(body), headers...)
}

func (b *bench) stream(key, method, path string, body io.Reader, headers ...string) answer {
	r := httptest.NewRequest(method, path, body)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.s.Handler().ServeHTTP(w, r)
	return answer{code: w.Code, header: w.Header(), body: w.Body.String()}
}

const shopJSON = `{"name": "Buty", "domain": "buty.example", "url": "https://buty.example/", "currency": "PLN", "time_zone": "Europe/Warsaw"}`

const campaignJSON = `{"name": "Come back", "kind": "remarketing", "targeting": "visited within 30d", "bid": {"cpm": "4.50"},
	"budget": {"total": "1000", "day": "50"}, "creatives": [{"media": "banner"}]}`

// shop makes a shop and a key of it with all scopes.
func (b *bench) shop() (path, key string) {
	b.t.Helper()
	a := b.call(b.admin, "POST", "/api/v1/shops", shopJSON)
	require.Equal(b.t, 201, a.code, a.body)
	var s Shop
	a.into(b.t, &s)
	path = fmt.Sprintf("/api/v1/shops/%d", s.ID)
	return path, b.key(path, "write")
}

func (b *bench) key(shopPath string, scopes ...string) string {
	b.t.Helper()
	body, err := json.Marshal(KeyRequest{Scopes: scopes})
	require.NoError(b.t, err)
	a := b.call(b.admin, "POST", shopPath+"/keys", string(body))
	require.Equal(b.t, 201, a.code, a.body)
	var k NewKey
	a.into(b.t, &k)
	return k.Secret
}

// campaign makes a campaign and returns its path.
func (b *bench) campaign(shopPath, key string) string {
	b.t.Helper()
	a := b.call(key, "POST", shopPath+"/campaigns", campaignJSON)
	require.Equal(b.t, 201, a.code, a.body)
	var c Campaign
	a.into(b.t, &c)
	return fmt.Sprintf("%s/campaigns/%d", shopPath, c.ID)
}

// feedLines makes n products as JSON lines, the price telling a round.
func feedLines(n, round int) *bytes.Buffer {
	var out bytes.Buffer
	for i := range n {
		fmt.Fprintf(&out, `{"id":"p%d","title":"Shoe %d","url":"https://buty.example/p%d","image_url":"https://buty.example/p%d.jpg","price":"%d.50"}`+"\n", i, i, i, i, 10+round)
	}
	return &out
}

// eventually waits for an effect.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, 3*time.Minute, 10*time.Millisecond, what)
}

// readDeltas is a small reader of updates as JSON lines.
func readDeltas(_ context.Context, r io.Reader, opts FeedOptions, take func(FeedDelta) error) (FeedReport, error) {
	rep := FeedReport{Format: "jsonl"}
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		rep.Rows++
		rep.Accepted++
		var row struct {
			ID      string
			Price   *money.Nano
			Deleted bool
		}
		if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
			return rep, err
		}
		err := take(FeedDelta{Line: rep.Rows, ID: row.ID, Deleted: row.Deleted, Apply: func(old *campaigns.Product) (campaigns.Product, string, string) {
			if old == nil {
				return campaigns.Product{}, "title", "is missing"
			}
			p := *old
			if row.Price != nil {
				p.Price, p.Lowest30 = *row.Price, 0
			}
			return p, "", ""
		}})
		if err != nil {
			return rep, err
		}
	}
	return rep, sc.Err()
}
