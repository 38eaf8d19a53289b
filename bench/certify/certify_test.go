package certify

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSoundBidderPassesEveryRule(t *testing.T) {
	f := newFake(t, "")
	cfg := f.config()
	cfg.Ledger.Wait = 10 * time.Second
	report, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	for _, x := range report.Findings {
		assert.Equal(t, Pass, x.Outcome, "%s: %s [%s] %s", x.Rule, x.Reason, x.Case, x.Request)
		assert.NotEmpty(t, x.Section, x.Rule)
		assert.NotEmpty(t, x.Case, x.Rule)
		assert.NotContains(t, x.Reason, "\n", x.Rule)
	}
	require.NoError(t, report.Err(true))
	assert.Positive(t, report.NoBids)
}

// brokenBy names the breach that breaks a rule, where it is not its own.
func brokenBy(rule string) string {
	switch {
	case rule == ruleExample+"5":
		return "deal_seat"
	case strings.HasPrefix(rule, "example."):
		return "crid"
	}
	return rule
}

// TestEachRuleIsSeenBroken breaks one rule after another; the runs are side by
// side, for they mostly wait.
func TestEachRuleIsSeenBroken(t *testing.T) {
	var wg sync.WaitGroup
	gate := make(chan struct{}, 16)
	for _, x := range allRules() {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			f := newFake(t, brokenBy(x.name))
			defer f.srv.Close()
			report, err := Run(t.Context(), f.config())
			if !assert.NoError(t, err, x.name) {
				return
			}
			got := report.Finding(x.name)
			if assert.NotNil(t, got, x.name) {
				assert.Equal(t, Fail, got.Outcome, "%s: %+v", x.name, got)
				assert.Positive(t, got.Failed, x.name)
				assert.NotEmpty(t, got.Case, x.name)
			}
			assert.ErrorContains(t, report.Err(false), "failed", x.name)
		})
	}
	wg.Wait()
}

func TestBidderThatNeverBidsIsNotCertified(t *testing.T) {
	f := newFake(t, "everything: it never bids")
	cfg := f.config()
	cfg.Ledger.URL = ""
	report, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	require.ErrorContains(t, report.Err(false), "bid on none of")
	assert.Equal(t, Pass, report.Finding("empty_204").Outcome)
	assert.Equal(t, Pass, report.Finding(ruleMalformed).Outcome)
	for _, name := range []string{ruleBanner, "badv", ruleBilling, ruleToken, ruleBooked} {
		assert.Equal(t, NotSeen, report.Finding(name).Outcome, name)
	}
}

func TestTestTrafficMustNotBeBooked(t *testing.T) {
	for _, c := range []struct {
		name, broken string
		want         Outcome
	}{{"sound", "", Pass}, {"books it", ruleTestFree, Fail}} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, c.broken)
			cfg := f.config()
			cfg.Test = true
			report, err := Run(t.Context(), cfg)
			require.NoError(t, err)
			for _, rule := range []string{ruleTestFree, ruleBooked, ruleOnce, ruleDisputed} {
				assert.Equal(t, c.want, report.Finding(rule).Outcome, rule)
			}
		})
	}
}

func TestWhatKeepsItFromRunning(t *testing.T) {
	f := newFake(t, "")
	cfg := f.config()
	cfg.Ledger.Password = "wrong"
	report, err := Run(t.Context(), cfg)
	require.NoError(t, err, "what the notices showed is told all the same")
	require.ErrorContains(t, report.Err(false), "wrong user or password")
	assert.Equal(t, NotSeen, report.Finding(ruleBooked).Outcome)
	assert.Equal(t, Pass, report.Finding(ruleBilling).Outcome)

	f.srv.Close()
	_, err = Run(t.Context(), cfg)
	require.ErrorContains(t, err, "connect to the bidder")
}

func TestConfigListsAllThatIsWrong(t *testing.T) {
	_, err := Run(t.Context(), Config{
		URL: "ftp://x", Currency: "EURO", Timeout: -1, Oversize: maxOversize + 1, NoticesTo: "nowhere",
		Ledger: LedgerConfig{URL: "127.0.0.1:8123", Exchange: "a' OR 1=1"},
	})
	for _, part := range []string{`"ftp://x"`, "currency", "timeout", "oversize", "notices-to", "clickhouse", `exchange "a' OR 1=1"`} {
		require.ErrorContains(t, err, part)
	}
	_, err = Run(t.Context(), Config{URL: "http://127.0.0.1:1"})
	require.ErrorContains(t, err, "has no path")
}

func TestReportForPeopleAndMachines(t *testing.T) {
	f := newFake(t, "floor")
	cfg := f.config()
	cfg.Ledger.URL = ""
	report, err := Run(t.Context(), cfg)
	require.NoError(t, err)

	var short, long bytes.Buffer
	require.NoError(t, report.Print(&short, false))
	require.NoError(t, report.Print(&long, true))
	floor := report.Finding("floor")
	assert.Contains(t, short.String(), "fail      floor                   § 3.2.4")
	assert.Contains(t, short.String(), floor.Request, "the request that shows it")
	assert.NotContains(t, short.String(), report.Finding(ruleBanner).Request)
	assert.Contains(t, long.String(), report.Finding(ruleBanner).Request)

	text, err := report.JSON()
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Len(t, back.Findings, len(allRules()))
	assert.Equal(t, Fail, back.Finding("floor").Outcome)
	assert.JSONEq(t, floor.Request, back.Finding("floor").Request)
}

func TestNoticesGoWhereTheyAreTold(t *testing.T) {
	f := newFake(t, "")
	r := &run{cfg: Config{NoticesTo: f.srv.URL}}
	to, err := r.noticesTo("https://dsp.example/n/burl?t=x&p=1")
	require.NoError(t, err)
	assert.Equal(t, f.srv.URL+"/n/burl?t=x&p=1", to.String())
}

func TestClicksLeadOnlyToTheAdvertiser(t *testing.T) {
	at := func(bidder string) *run {
		u, err := httpURL(bidder)
		require.NoError(t, err)
		return &run{cfg: Config{Landing: []string{"landing.example", "127.0.0.9:99"}}, wire: &wire{url: u}}
	}
	b := fixtureBid()
	for _, c := range []struct {
		name, bidder, location string
		want                   bool
	}{
		{"the advertiser", "https://dsp.example/x", "https://one-shop.example/p/1", true},
		{"below it", "https://dsp.example/x", "http://www.ONE-shop.example/", true},
		{"ends alike", "https://dsp.example/x", "https://evil-one-shop.example/", false},
		{"begins alike", "https://dsp.example/x", "https://one-shop.example.evil.example/", false},
		{"user info", "https://dsp.example/x", "https://one-shop.example@evil.example/", false},
		{"a script", "https://dsp.example/x", "javascript:alert(1)//one-shop.example", false},
		{"relative", "https://dsp.example/x", "/p/1", false},
		{"a host that was named", "https://dsp.example/x", "https://landing.example/", true},
		{"loopback from abroad", "https://dsp.example/x", "http://127.0.0.1:8092/", false},
		{"loopback from loopback", "http://127.0.0.1:8080/x", "http://127.0.0.1:8092/", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, at(c.bidder).leadsTo(c.location, b))
		})
	}
}

func TestAlterationsChangeTheToken(t *testing.T) {
	a, b := "http://x/n?t=AQhUxKz0123456789abcdefghij&p=${AUCTION_PRICE}", "http://x/n?t=AQhUxKz9876543210zyxwvutsrqp&p=${AUCTION_PRICE}"
	got := alterations(a, b)
	require.Len(t, got, 8)
	seen := map[string]bool{}
	for _, x := range got {
		assert.NotEqual(t, a, x.url, x.how)
		assert.True(t, strings.HasSuffix(x.url, "&p=${AUCTION_PRICE}"), x.how)
		assert.False(t, seen[x.url], x.how)
		seen[x.url] = true
	}
	assert.Empty(t, alterations("http://x/n?t=short", b))
	assert.Empty(t, alterations("", ""))
}

func FuzzMarkup(f *testing.F) {
	f.Add(1, `<a href="http://x/c?t=1&amp;d=2"><img src='http://x/i?t=1&p=${AUCTION_PRICE}'></a>`, "http://x/n?t=abcdefghijklmnopqrstuvwxyz")
	f.Add(2, `<VAST><Ad><InLine><Impression>http://x/i</Impression></InLine></Ad></VAST>`, "x")
	f.Add(4, `{"link":{"url":"http://x/c"},"imptrackers":["http://x/i"]}`, "http://x@y/?a=b&c")
	ours := map[string]bool{"x": true}
	f.Fuzz(func(t *testing.T, kind int, adm, notice string) {
		b := fixtureBid()
		b.MType, b.AdM, b.NURL = markupType(kind), adm, notice
		c, _ := callsOf(b, ours) // an error is for the report
		for _, u := range append(append(c.clicks, c.impressions...), c.win) {
			if u != "" && hostOf(u) != "x" {
				t.Errorf("%q is on a host that is not ours", u)
			}
		}
		for _, x := range alterations(notice, notice+"z") {
			if x.token == tokenOf(notice) {
				t.Errorf("%s left the token as it was", x.how)
			}
		}
		oneLine(adm)
	})
}
