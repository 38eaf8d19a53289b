package console

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/console/webhook"
)

const webhookJSON = `{"url": "https://hooks.buty.example/grosz", "kinds": ["budget_reached", "no_bids", "feed_stale"]}`

// webhook makes a webhook of a shop and returns its id.
func (b *bench) webhook(shopPath, key string) string {
	b.t.Helper()
	a := b.call(key, "POST", shopPath+"/webhooks", webhookJSON)
	require.Equal(b.t, 201, a.code, a.body)
	var h Webhook
	a.into(b.t, &h)
	require.Contains(b.t, h.Secret, "whsec_")
	list := b.call(key, "GET", shopPath+"/webhooks", "")
	require.NotContains(b.t, list.body, h.Secret, "a secret is shown once")
	return strings.TrimPrefix(webhookSubject(h.ID), "webhook/")
}

func TestWebhookMistakes(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	for name, c := range map[string]struct {
		body  string
		field string
	}{
		"http":            {`{"url": "http://hooks.example/", "kinds": ["no_bids"]}`, "body.url"},
		"a file":          {`{"url": "file:///etc/passwd", "kinds": ["no_bids"]}`, "body.url"},
		"another port":    {`{"url": "https://hooks.example:8443/", "kinds": ["no_bids"]}`, "body.url"},
		"an inner one":    {`{"url": "https://127.0.0.1/", "kinds": ["no_bids"]}`, "body.url"},
		"an inner name":   {`{"url": "https://localhost/", "kinds": ["no_bids"]}`, "body.url"},
		"metadata":        {`{"url": "https://169.254.169.254/", "kinds": ["no_bids"]}`, "body.url"},
		"inner, mapped":   {`{"url": "https://[::ffff:10.0.0.1]/", "kinds": ["no_bids"]}`, "body.url"},
		"no kinds":        {`{"url": "https://hooks.example/"}`, "body.kinds"},
		"a strange kind":  {`{"url": "https://hooks.example/", "kinds": ["x"]}`, "body.kinds[0]"},
		"above what":      {`{"url": "https://hooks.example/", "kinds": ["cost_per_order"]}`, "body.cost_per_order"},
		"a negative cost": {`{"url": "https://hooks.example/", "kinds": ["no_bids"], "cost_per_order": "-1"}`, "body.cost_per_order"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, []string{c.field}, b.call(key, "POST", path+"/webhooks", c.body).problem(t).fields())
		})
	}
	for range 10 {
		b.webhook(path, key)
	}
	require.Equal(t, 409, b.call(key, "POST", path+"/webhooks", webhookJSON).code, "their number is bounded")
}

// ear is a shop's server that hears alerts.
type ear struct {
	mu     sync.Mutex
	code   int
	bodies []string
	signs  []string
}

func (e *ear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bodies, e.signs = append(e.bodies, string(raw)), append(e.signs, r.Header.Get(webhook.SignatureHeader))
	w.WriteHeader(e.code)
}

func TestAlertsAreToldOnceAndTriedAgain(t *testing.T) {
	e := &ear{code: 500}
	srv := httptest.NewServer(e)
	defer srv.Close()
	reports := &fakeReports{reached: testNow - 5000}
	b := start(t, func(c *Config, d *Deps) { c.PrivateWebhooks, d.Reports = true, reports })
	path, key := b.shop()
	a := b.call(key, "POST", path+"/campaigns", strings.Replace(campaignJSON, `"kind"`, `"status": "active", "kind"`, 1))
	require.Equal(t, 201, a.code, a.body)
	a = b.call(key, "POST", path+"/webhooks", `{"url": "`+srv.URL+`", "kinds": ["budget_reached", "cost_per_order"], "cost_per_order": "20"}`)
	require.Equal(t, 201, a.code, a.body)
	var h Webhook
	a.into(t, &h)
	reports.did = map[uint32]report.Activity{1: {Campaign: 1, SpentDay: 49_900_000_000, Bids: 3}}
	reports.parts = []report.Breakdown{{Key: "1", Spend: "3000", Orders: 50}}
	for range 3 { // what goes on is told once
		require.NoError(t, b.s.lookForAlerts(t.Context()))
		require.NoError(t, b.s.deliver(t.Context()))
	}
	require.Len(t, e.bodies, 2)
	kinds := map[string]alert{}
	for i, body := range e.bodies {
		var got alert
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		kinds[got.Kind] = got
		require.Equal(t, webhook.Sign(h.Secret, time.UnixMilli(b.clock.NowMS()), []byte(body)), e.signs[i])
	}
	require.Equal(t, "campaign/1", kinds[AlertBudget].Subject)
	require.Contains(t, kinds[AlertBudget].Text, "has reached its day budget.")
	require.Contains(t, kinds[AlertCostPerOrder].Text, "costs at least 47.4")
	e.mu.Lock()
	e.code = 204
	e.mu.Unlock()
	b.clock.Advance(29 * time.Second)
	require.NoError(t, b.s.deliver(t.Context()))
	require.Len(t, e.bodies, 2, "not yet")
	b.clock.Advance(time.Second)
	require.NoError(t, b.s.deliver(t.Context()))
	require.Len(t, e.bodies, 4)
	var list struct{ Items []Webhook }
	b.call(key, "GET", path+"/webhooks", "").into(t, &list)
	require.Equal(t, "sent", list.Items[0].Last.Status)
	reports.did[1] = report.Activity{Campaign: 1, Bids: 3}
	require.NoError(t, b.s.lookForAlerts(t.Context()))
	reports.did[1] = report.Activity{Campaign: 1, SpentDay: 50_000_000_000, Bids: 3}
	require.NoError(t, b.s.lookForAlerts(t.Context()))
	require.NoError(t, b.s.deliver(t.Context()))
	require.Len(t, e.bodies, 5, "what was over and is back is news")
	require.Equal(t, 200, b.call(b.admin, "PATCH", path, `{"language": "pl"}`).code)
	require.Equal(t, 204, b.call(key, "POST", path+"/webhooks/1/test", "").code)
	require.NoError(t, b.s.deliver(t.Context()))
	require.Contains(t, e.bodies[5], "To jest próba.", "in the shop's language")
}

func TestAlertsAreGivenUp(t *testing.T) {
	e := &ear{code: 302}
	srv := httptest.NewServer(e)
	defer srv.Close()
	b := start(t, func(c *Config, _ *Deps) { c.PrivateWebhooks = true })
	path, key := b.shop()
	require.Equal(t, 201, b.call(key, "POST", path+"/webhooks", `{"url": "`+srv.URL+`", "kinds": ["no_bids"]}`).code)
	require.Equal(t, 204, b.call(key, "POST", path+"/webhooks/1/test", "{}").code)
	for range 30 {
		require.NoError(t, b.s.deliver(t.Context()))
		b.clock.Advance(2 * time.Hour)
	}
	require.Greater(t, len(e.bodies), 5)
	require.Less(t, len(e.bodies), 25)
	var list struct{ Items []Webhook }
	b.call(key, "GET", path+"/webhooks", "").into(t, &list)
	require.Equal(t, "failed", list.Items[0].Last.Status)
	require.Equal(t, "it answered 302", list.Items[0].Last.Note, "redirects are not followed")
}

func TestCampaignStates(t *testing.T) {
	hour := int64(3_600_000)
	for name, c := range map[string]struct {
		patch string
		did   report.Activity
		want  string
		since int64
	}{
		"paused":         {`{"status": "paused"}`, report.Activity{}, StatePaused, testNow},
		"not started":    {`{"start": "2027-01-01T00:00:00Z"}`, report.Activity{}, StateNotStarted, testNow},
		"just started":   {`{}`, report.Activity{}, StateRunning, testNow},
		"day budget":     {`{}`, report.Activity{SpentDay: 49_500_000_000, Bids: 1}, StateDayBudget, 42},
		"total budget":   {`{}`, report.Activity{SpentDay: 49_500_000_000, SpentTotal: 999_000_000_000}, StateTotalBudget, 42},
		"nearly":         {`{}`, report.Activity{SpentDay: 45_000_000_000, Bids: 1, LastWin: testNow}, StateRunning, testNow},
		"spent, no wins": {`{}`, report.Activity{Bids: 1}, StateRunning, testNow},
	} {
		t.Run(name, func(t *testing.T) {
			reports := &fakeReports{did: map[uint32]report.Activity{1: c.did}, reached: 42}
			b := start(t, func(_ *Config, d *Deps) { d.Reports = reports })
			path, key := b.shop()
			require.Equal(t, 201, b.call(key, "POST", path+"/campaigns", strings.Replace(campaignJSON, `"kind"`, `"status": "active", "kind"`, 1)).code)
			require.Equal(t, 200, b.call(key, "PATCH", path+"/campaigns/1", c.patch).code)
			var out struct {
				Items   []CampaignState
				Reports bool
			}
			b.call(key, "GET", path+"/campaign-states", "").into(t, &out)
			require.Len(t, out.Items, 1)
			require.Equal(t, c.want, out.Items[0].State)
			require.Equal(t, c.since, out.Items[0].Since)
			require.True(t, out.Reports)
			if c.want != StateRunning {
				return
			}
			b.clock.Advance(time.Duration(2*hour) * time.Millisecond)
			b.call(key, "GET", path+"/campaign-states", "").into(t, &out)
			if c.did.Bids == 0 {
				require.Equal(t, StateNoBids, out.Items[0].State, "after two quiet hours")
			} else {
				require.Equal(t, StateNoWins, out.Items[0].State)
			}
		})
	}
}

func TestBreakdown(t *testing.T) {
	reports := &fakeReports{parts: []report.Breakdown{{Key: `=cmd|'x'!A1`, Spend: "100", Orders: 10, Revenue: "5"}, {Key: "b.example", Spend: "7.5", Revenue: "0"}}}
	b := start(t, func(_ *Config, d *Deps) { d.Reports = reports })
	path, key := b.shop()
	var out PartsReport
	b.call(key, "GET", path+"/report/breakdown?by=domain&campaign=3", "").into(t, &out)
	require.Equal(t, report.Question{Shop: 1, Campaign: 3, By: "domain", From: "2026-10-24", To: "2026-11-22", Zone: "Europe/Warsaw"}, reports.question)
	require.Equal(t, "10.00", *out.Rows[0].CostPerOrder)
	require.Equal(t, "5.90", *out.Rows[0].Low)
	require.Equal(t, "18.44", *out.Rows[0].High, "the exact Poisson limits for 10 are 5.43 and 16.96")
	require.Nil(t, out.Rows[1].CostPerOrder)
	require.Equal(t, "2.50", *out.Rows[1].Low, "no order: at most 3.00 were to be expected")
	require.Nil(t, out.Rows[1].High)
	a := b.call(key, "GET", path+"/report/breakdown?by=domain&format=csv", "")
	require.Contains(t, a.header.Get("Content-Disposition"), "attachment")
	require.Contains(t, a.body, "\n'=cmd|'x'!A1,", "nothing that a spreadsheet would run")
	require.Equal(t, 422, b.call(key, "GET", path+"/report/breakdown?by=user", "").code)
	b.segment(path, key)
	reports.parts = []report.Breakdown{{Key: "1", Spend: "3", Orders: 1, Revenue: "5"}, {Key: "77", Spend: "1", Revenue: "0"}, {Spend: "9", Revenue: "0"}}
	b.call(key, "GET", path+"/report/breakdown?by=segment", "").into(t, &out)
	require.Equal(t, []string{"CRM", "", ""}, []string{out.Rows[0].Name, out.Rows[1].Name, out.Rows[2].Name}, "a segment that is no more has no name")
	reports.err = io.ErrUnexpectedEOF
	require.Equal(t, 503, b.call(key, "GET", path+"/report/breakdown?by=day", "").code)
}
