package rates

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/money"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const t0 = int64(1_790_000_000_000)

var usd, eur, pln = money.MustCurrency("USD"), money.MustCurrency("EUR"), money.MustCurrency("PLN")

func document(asOf int64, plnPerUSD string) string {
	return fmt.Sprintf(`{"as_of": %d, "base": "USD", "rates": {"PLN": %q, "EUR": "0.5"}}`, asOf, plnPerUSD)
}

// world is a Refresher of a file, with a clock that stands at t0.
type world struct {
	*Refresher
	t     *testing.T
	cfg   Config
	clock *clock.Manual
	log   bytes.Buffer
	told  []*money.Rates
}

func newWorld(t *testing.T, change func(*Config)) *world {
	w := &world{t: t, clock: clock.NewManual(t0)}
	dir := t.TempDir()
	w.cfg = Config{
		File: filepath.Join(dir, "rates.json"), Keep: filepath.Join(dir, "kept.json"), Every: time.Hour, MaxAge: 24 * time.Hour,
		Clock: w.clock, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		OnChange: func(r *money.Rates) { w.told = append(w.told, r) },
	}
	if change != nil {
		change(&w.cfg)
	}
	w.open()
	return w
}

func (w *world) open() {
	r, err := New(w.cfg)
	require.NoError(w.t, err)
	w.Refresher = r
}

func (w *world) write(text string) {
	require.NoError(w.t, os.WriteFile(w.cfg.File, []byte(text), 0o600))
}

// rate is USD to PLN; 0 where it is refused.
func (w *world) rate() money.Rate {
	rate, ok := w.Rates().Rate(usd, pln)
	require.Equal(w.t, ok, rate != 0)
	return rate
}

func TestBeforeAnyRates(t *testing.T) {
	w := newWorld(t, nil)
	require.Zero(t, w.rate())
	same, ok := w.Rates().Rate(pln, pln)
	require.True(t, ok)
	require.Equal(t, money.RateOne, same)
	require.ErrorIs(t, w.Step(t.Context()), os.ErrNotExist)
	require.Zero(t, w.rate())
	var m bytes.Buffer
	w.WriteMetrics(&m)
	require.Contains(t, m.String(), "grosz_rates_refused 1\n")
	require.Contains(t, m.String(), "grosz_rates_errors_total 1\n")
}

func TestRefreshing(t *testing.T) {
	w := newWorld(t, nil)
	w.write(document(t0-1000, "4"))
	require.NoError(t, w.Step(t.Context()))
	require.Equal(t, 4*money.RateOne, w.rate())
	back, ok := w.Rates().Rate(pln, eur)
	require.True(t, ok)
	require.Equal(t, money.RateOne/8, back)

	w.write(document(t0+1000, "4.2"))
	w.clock.Advance(59 * time.Minute)
	require.NoError(t, w.Step(t.Context()))
	require.Equal(t, 4*money.RateOne, w.rate(), "not due yet")
	w.clock.Advance(time.Minute)
	require.NoError(t, w.Step(t.Context()))
	require.Equal(t, money.Rate(4_200_000_000), w.rate())
	w.clock.Advance(time.Hour)
	require.NoError(t, w.Step(t.Context()))
	require.Len(t, w.told, 2, "the same rates again are no change")
	require.Same(t, w.Rates(), w.told[1])
	var m bytes.Buffer
	w.WriteMetrics(&m)
	require.Equal(t, "grosz_rates_age_seconds 7199\ngrosz_rates_age_seconds_max 86400\ngrosz_rates_refused 0\ngrosz_rates_read_total 3\ngrosz_rates_errors_total 0\n", m.String())
}

// TestTooOld: past MaxAge every conversion is refused, without a step too;
// fresh rates end that.
func TestTooOld(t *testing.T) {
	w := newWorld(t, nil)
	w.write(document(t0, "4"))
	require.NoError(t, w.Step(t.Context()))
	w.clock.Set(t0 + 24*time.Hour.Milliseconds())
	require.Equal(t, 4*money.RateOne, w.rate())
	w.clock.Advance(time.Millisecond)
	require.Zero(t, w.rate())
	for _, c := range []money.Currency{usd, eur, pln} {
		for _, d := range []money.Currency{usd, eur, pln} {
			_, ok := w.Rates().Rate(c, d)
			require.Equal(t, c == d, ok, "%v to %v", c, d)
		}
	}
	require.NoError(t, w.Step(t.Context()))
	require.Len(t, w.told, 2)
	require.Same(t, w.Rates(), w.told[1])
	require.Contains(t, w.log.String(), "too old")
	require.True(t, w.Expired())

	w.write(document(w.clock.NowMS(), "4.1"))
	w.clock.Advance(time.Hour)
	require.NoError(t, w.Step(t.Context()))
	require.Equal(t, money.Rate(4_100_000_000), w.rate())
	require.Len(t, w.told, 3)

	ever := newWorld(t, func(c *Config) { c.MaxAge = -1 })
	ever.write(document(t0, "4"))
	require.NoError(t, ever.Step(t.Context()))
	ever.clock.Advance(10_000 * time.Hour)
	require.Equal(t, 4*money.RateOne, ever.rate())
}

func TestJumps(t *testing.T) {
	for _, c := range []struct {
		name, next string
		taken      bool
	}{
		{"half more", "6", true},
		{"more than half more", "6.000000001", false},
		{"a third less", "2.666666667", true},
		{"more than a third less", "2.666666666", false},
		{"a factor of a hundred", "400", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.write(document(t0, "4"))
			require.NoError(t, w.Step(t.Context()))
			w.write(document(t0+1, c.next))
			w.clock.Advance(time.Hour)
			err := w.Step(t.Context())
			if c.taken {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrJump)
			require.ErrorContains(t, err, "PLN for one USD was 4.0, is "+c.next)
			require.Equal(t, 4*money.RateOne, w.rate(), "the last stay")

			w.cfg.Accept = true // after a restart, as the operator asks
			w.open()
			require.Equal(t, 4*money.RateOne, w.rate(), "the kept ones")
			require.NoError(t, w.Step(t.Context()))
			require.NotEqual(t, 4*money.RateOne, w.rate())
			w.write(document(t0+2, "4000"))
			w.clock.Advance(time.Hour)
			require.ErrorIs(t, w.Step(t.Context()), ErrJump, "accepted once, not for ever")
		})
	}
}

func TestAJumpIsSeenThroughAnotherBase(t *testing.T) {
	w := newWorld(t, nil)
	w.write(document(t0, "4"))
	require.NoError(t, w.Step(t.Context()))
	w.clock.Advance(time.Hour)
	w.write(fmt.Sprintf(`{"as_of": %d, "base": "EUR", "rates": {"USD": "2.1", "PLN": 8.2, "CZK": 25}}`, t0+1))
	require.NoError(t, w.Step(t.Context()))
	require.Equal(t, money.Rate(3_904_761_905), w.rate())
	w.clock.Advance(time.Hour)
	w.write(fmt.Sprintf(`{"as_of": %d, "base": "PLN", "rates": {"USD": "0.5", "EUR": "0.122"}}`, t0+2))
	require.ErrorContains(t, w.Step(t.Context()), "USD for one PLN")
}

func TestOlderRatesAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	w.write(document(t0, "4"))
	require.NoError(t, w.Step(t.Context()))
	w.write(document(t0-1, "4.1"))
	w.clock.Advance(time.Hour)
	require.ErrorContains(t, w.Step(t.Context()), "is before that of the last")
	require.Equal(t, 4*money.RateOne, w.rate())
}

// TestAnErrorIsTriedAgainSoon and the last good rates stay meanwhile.
func TestAnErrorIsTriedAgainSoon(t *testing.T) {
	w := newWorld(t, nil)
	w.write(document(t0, "4"))
	require.NoError(t, w.Step(t.Context()))
	w.write(`{"as_of": `)
	w.clock.Advance(time.Hour)
	require.Error(t, w.Step(t.Context()))
	require.Equal(t, 4*money.RateOne, w.rate())
	w.write(document(t0+1, "4.1"))
	w.clock.Advance(retryAfter - 1)
	require.NoError(t, w.Step(t.Context()))
	require.Equal(t, 4*money.RateOne, w.rate())
	w.clock.Advance(time.Millisecond)
	require.NoError(t, w.Step(t.Context()))
	require.Equal(t, money.Rate(4_100_000_000), w.rate())

	w.write(document(t0+2, "4.2"))
	w.clock.Advance(-48 * time.Hour) // the machine's clock was wrong, and is set back
	require.ErrorContains(t, w.Step(t.Context()), "in the future")
	w.clock.Advance(48 * time.Hour)
	require.NoError(t, w.Step(t.Context()))
	require.Equal(t, money.Rate(4_200_000_000), w.rate())
}

func TestKeptOverARestart(t *testing.T) {
	w := newWorld(t, nil)
	w.write(document(t0, "4"))
	require.NoError(t, w.Step(t.Context()))
	require.NoError(t, os.Remove(w.cfg.File))
	w.open()
	require.Equal(t, 4*money.RateOne, w.rate(), "before the first read")
	require.Error(t, w.Step(t.Context()))
	require.Equal(t, 4*money.RateOne, w.rate(), "the source is away")
	require.Same(t, w.Rates(), w.told[len(w.told)-1])
	w.clock.Advance(25 * time.Hour)
	w.open()
	require.Zero(t, w.rate(), "kept ones age as well")

	require.NoError(t, os.WriteFile(w.cfg.Keep, []byte("broken"), 0o600))
	w.open()
	require.Zero(t, w.rate())
	require.Contains(t, w.log.String(), "left out")
	left, err := filepath.Glob(filepath.Join(filepath.Dir(w.cfg.Keep), "*.new-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestKeptNowhereIsNoReasonToRefuse(t *testing.T) {
	w := newWorld(t, nil)
	w.cfg.Keep = filepath.Join(t.TempDir(), "no", "such", "folder")
	w.open()
	w.write(document(t0, "4"))
	require.NoError(t, w.Step(t.Context()))
	require.Equal(t, 4*money.RateOne, w.rate())
	require.Contains(t, w.log.String(), "not kept")
}

func TestParseListsAllMistakes(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"not JSON", "<html>", []string{"rates: invalid character"}},
		{"two documents", document(1, "4") + "{}", []string{"something follows"}},
		{"nothing", "{}", []string{"as_of is missing", "base is missing", "0 currencies"}},
		{"the future", document(t0+maxAhead.Milliseconds()+1, "4"), []string{"is in the future"}},
		{"a float's digits", document(t0, "4.0000000001"), []string{"more than 9 decimal places"}},
		{"an exponent", `{"as_of": 1, "base": "USD", "rates": {"PLN": 4e0}}`, []string{"not a decimal"}},
		{"many at once", `{"as_of": 1, "base": "USD", "rates": {"USD": "2", "PLN": "0", "EUR": "-1", "euro": "1", "chf": 1, "CHF": 1}}`,
			[]string{"USD is the base, yet its rate is 2.0", "PLN: 0.0 is not positive", "EUR: -1.0 is not positive", `"euro" is not a three-letter`, "CHF is there twice"}},
		{"too many", `{"as_of": 1, "base": "USD", "rates": {` + strings.TrimSuffix(many(maxCurrencies+1), ",") + `}}`, []string{"401 currencies"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text), t0)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
	r, err := Parse([]byte(`{"as_of": 1, "base": "usd", "note": 1, "rates": {"USD": 1, "jpy": "150.25"}}`), t0)
	require.NoError(t, err)
	rate, ok := r.Rate(usd, money.MustCurrency("JPY"))
	require.True(t, ok)
	require.Equal(t, money.Rate(150_250_000_000), rate)
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%c%c%c": 1,`, 'A'+i/676, 'A'+i/26%26, 'A'+i%26)
	}
	return b.String()
}

func TestConfigMistakes(t *testing.T) {
	ok := Config{File: "x", Clock: clock.System{}, Log: slog.Default()}
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string // empty: none
	}{
		{"a file", func(*Config) {}, ""},
		{"https", func(c *Config) { c.File, c.URL = "", "https://rates.example/x.json" }, ""},
		{"http on this machine", func(c *Config) { c.File, c.URL = "", "http://127.0.0.1:1/x" }, ""},
		{"http on this machine by IPv6", func(c *Config) { c.File, c.URL = "", "http://[::1]:1/x" }, ""},
		{"neither", func(c *Config) { c.File = "" }, "one of them"},
		{"both", func(c *Config) { c.URL = "https://x" }, "one of them"},
		{"http", func(c *Config) { c.File, c.URL = "", "http://u:secret@rates.example/x" }, "is not https"},
		{"a file's URL", func(c *Config) { c.File, c.URL = "", "file:///etc/passwd" }, "is not https"},
		{"no URL", func(c *Config) { c.File, c.URL = "", "http://u:secret@[::1" }, "not one"},
		{"too often", func(c *Config) { c.Every = time.Millisecond }, "more often"},
		{"kept in its source", func(c *Config) { c.Keep = "x" }, "cannot be the one"},
		{"no clock", func(c *Config) { c.Clock = nil }, "Clock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := ok
			c.change(&cfg)
			_, err := New(cfg)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestFromAURL(t *testing.T) {
	var answer atomic.Value
	answer.Store(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, document(t0, "4")) })
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer.Load().(func(http.ResponseWriter, *http.Request))(w, r)
	}))
	defer s.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	w := newWorld(t, func(c *Config) { c.File, c.URL, c.Client = "", s.URL+"/r", &http.Client{Transport: transport} })
	require.NoError(t, w.Step(t.Context()))
	require.Equal(t, 4*money.RateOne, w.rate())
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   string
	}{
		"an error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "500 Internal"},
		"nothing":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "204 No Content"},
		"too much": {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, maxDocument+1)) }, "more than"},
		"a page":   {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, "invalid character"},
		"away, unencrypted": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}, "is not https"},
		"round and round": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/r", http.StatusFound) }, "more than 3 redirects"},
		"cut off in the text": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			io.WriteString(w, "{")
		}, "unexpected EOF"},
	} {
		answer.Store(c.answer)
		w.clock.Advance(time.Hour)
		require.ErrorContains(t, w.Step(t.Context()), c.want, name)
		require.Equal(t, 4*money.RateOne, w.rate(), name)
	}
}

// TestRunReadsAndEnds: the job's goroutine, on the real ticker.
func TestRunReadsAndEnds(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.OnChange = nil
		c.Every = time.Second
	})
	w.write(document(t0, "4"))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	wait := func(want money.Rate) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if rate, _ := w.Rates().Rate(usd, pln); rate == want {
				return
			}
			require.True(t, time.Now().Before(end), "never became %v", want)
		}
	}
	wait(4 * money.RateOne)
	w.write(document(t0+1, "4.1"))
	w.clock.Advance(time.Second)
	wait(4_100_000_000)
	stop()
	<-done
}

func TestRatesAllocatesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.write(document(t0, "4"))
	require.NoError(t, w.Step(t.Context()))
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if w.Rates().PerBase == nil {
			t.Error("refused")
		}
	}))
}

// TestWhatIsPublishedNeverJumped: whatever documents come, what is published
// moves by at most half at a time, never back in time, and is never too old.
func TestWhatIsPublishedNeverJumped(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		c := clock.NewManual(t0)
		file := filepath.Join(dir, "r")
		r, err := New(Config{File: file, Every: time.Second, MaxAge: time.Hour, Clock: c, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			rt.Fatal(err)
		}
		var last *money.Rates
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			c.Advance(time.Duration(rapid.Int64Range(1, 120).Draw(rt, "minutes")) * time.Minute)
			asOf := c.NowMS() - rapid.Int64Range(-10, 90).Draw(rt, "age")*60_000
			text := document(asOf, money.Rate(rapid.Int64Range(-1e9, 9e9).Draw(rt, "rate")).String())
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				rt.Fatal(err)
			}
			_ = r.Step(t.Context())
			got := r.Rates()
			rate, ok := got.Rate(usd, pln)
			if !ok {
				continue
			}
			if got.AsOfMS < c.NowMS()-time.Hour.Milliseconds() || got.AsOfMS > c.NowMS()+maxAhead.Milliseconds() {
				rt.Fatal("of another time")
			}
			if last != nil {
				if was, _ := last.Rate(usd, pln); jumped(was, rate) || got.AsOfMS < last.AsOfMS {
					rt.Fatalf("from %v to %v", was, rate)
				}
			}
			last = got
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(document(t0, "4")))
	f.Add([]byte(`{"as_of":1,"base":"USD","rates":{"usd":1,"EUR":"0.000000001"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text, t0)
		if err != nil {
			return
		}
		if r.AsOfMS <= 0 || r.AsOfMS > t0+maxAhead.Milliseconds() || r.Base.String() == "" || len(r.PerBase) == 0 {
			t.Fatalf("%q was taken as %+v", text, r)
		}
		for cur, rate := range r.PerBase {
			if rate <= 0 || cur.String() == "" {
				t.Fatalf("%q: %v %v", text, cur, rate)
			}
		}
	})
}
