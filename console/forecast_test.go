package console

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/reporting/lift"
)

// liftingReports knows of a holdout, too.
type liftingReports struct {
	fakeReports
	people []report.LiftBuyers
	of     [2]uint32
}

func (f *liftingReports) Lift(_ context.Context, shop, campaign uint32) ([]report.LiftBuyers, error) {
	f.of = [2]uint32{shop, campaign}
	return f.people, nil
}

const forecastDoc = `{"name":"New","kind":"remarketing","targeting":"visited within 30d","bid":{"cpm":"12"},"budget":{"day":"100"}}`

func TestForecastByReplay(t *testing.T) {
	var sent struct {
		Shop     uint32
		Campaign map[string]any
	}
	var key string
	status, answer := 200, `{"from":0,"to":172800000,"sampled":9,"replayed":9,"below":0,"ads":1,"markets":["demo/banner/USD"],"person":[0,1,1],"at":[1,2,90000000],
		"weight":[1000,1000,1000],"market":[0,0,0],"first":[true,true,true],"bid":[3000000,3000000,3000000],"floor":[500000,500000,500000],"gross":[13200000,13200000,13200000],"click":[0.01,0.01,0.01],"order":[0.05,0.05,0.05]}`
	bidder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.NoError(t, json.Unmarshal(raw, &sent))
		assert.Equal(t, "/internal/forecast", r.URL.Path)
		key = r.Header.Get("Authorization")
		w.WriteHeader(status)
		_, err = io.WriteString(w, answer)
		assert.NoError(t, err)
	}))
	defer bidder.Close()
	b := start(t, func(c *Config, _ *Deps) { c.Bidder = strings.TrimPrefix(bidder.URL, "http://") })
	mine, myKey := b.shop()
	_, theirKey := b.shop()
	const path = "/api/v1/shops/1/forecast"
	require.Equal(t, "/api/v1/shops/1", mine)

	a := b.call(myKey, "POST", path, `{"campaign":`+forecastDoc+`,"days":7}`)
	require.Equal(t, 200, a.code, a.body)
	var f Forecast
	require.NoError(t, json.Unmarshal([]byte(a.body), &f))
	require.Equal(t, "replay", f.Basis)
	require.Equal(t, 7, f.Days)
	require.True(t, f.Impressions.Low <= f.Impressions.Mid && f.Impressions.Mid <= f.Impressions.High && f.Impressions.High > 0, f.Impressions)
	require.NotEmpty(t, f.Curve)
	require.NotEmpty(t, f.Words.PL)
	require.Equal(t, "Bearer "+myKey, key)
	require.EqualValues(t, 1, sent.Shop)
	require.Equal(t, "active", sent.Campaign["status"])
	require.Equal(t, a.body, b.call(myKey, "POST", path, `{"campaign":`+forecastDoc+`,"days":7}`).body, "the same again")

	require.Equal(t, 404, b.call(theirKey, "POST", path, `{"campaign":`+forecastDoc+`}`).code)
	for name, c := range map[string]struct {
		body string
		at   []string
	}{
		"nothing":               {`{}`, []string{"body.campaign"}},
		"of the campaign":       {`{"campaign":{"kind":"x","bid":{"cpm":"-1"},"targeting":"foo bar"}}`, []string{"body.campaign.bid.cpm", "body.campaign.kind", "body.campaign.targeting"}},
		"days":                  {`{"campaign":` + forecastDoc + `,"days":91}`, []string{"body.days"}},
		"a field that is not":   {`{"campaign":` + forecastDoc + `,"budget":3}`, []string{"body.budget"}},
		"budget":                {`{"campaign":` + forecastDoc + `,"budget_micros":-1}`, []string{"body.budget_micros"}},
		"figures":               {`{"campaign":` + forecastDoc + `,"figures":{"visits":0,"conversion_rate":2}}`, []string{"body.figures.conversion_rate", "body.figures.visits"}},
		"strangers, no budget":  {`{"campaign":{"name":"n","kind":"interest","bid":{"cpm":"12"}},"figures":{"visits":10,"conversion_rate":0.1}}`, []string{"body.budget_micros"}},
		"a holdout of too many": {`{"campaign":{"name":"n","kind":"interest","bid":{"cpm":"12"},"holdout_bps":5001}}`, []string{"body.campaign.holdout_bps"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.call(myKey, "POST", path, c.body).problem(t)
			require.Equal(t, 422, p.Status)
			var at []string
			for _, e := range p.Errors {
				at = append(at, e.Location)
			}
			require.Equal(t, c.at, at)
		})
	}
	require.Equal(t, 404, b.call(myKey, "POST", path, `{"campaign_id":99}`).code)
	require.Contains(t, b.call(myKey, "GET", "/api/v1/shops/1/campaigns", "").body, `"items":[]`, "nothing was stored")

	answer = `{"detail":"no sampled requests yet"}`
	for said, want := range map[int]int{404: 422, 400: 422, 429: 429, 401: 503, 500: 503} {
		status = said
		require.Equal(t, want, b.call(myKey, "POST", path, `{"campaign":`+forecastDoc+`}`).problem(t).Status, "the bidder said %d", said)
	}
	status, answer = 200, `{"bid":[1],"market":[5]}`
	require.Equal(t, 503, b.call(myKey, "POST", path, `{"campaign":`+forecastDoc+`}`).code)
}

func TestForecastFromFigures(t *testing.T) {
	b := start(t, nil)
	_, key := b.shop()
	a := b.call(key, "POST", "/api/v1/shops/1/forecast", `{"campaign":`+forecastDoc+`,"budget_micros":3000000000,"figures":{"visits":40000,"conversion_rate":0.012,"basket":"180"}}`)
	require.Equal(t, 200, a.code, a.body)
	var f Forecast
	require.NoError(t, json.Unmarshal([]byte(a.body), &f))
	require.Equal(t, "figures", f.Basis)
	require.NotNil(t, f.Revenue)
	require.Contains(t, f.Words.EN, "rough estimate")
	require.Greater(t, f.Orders.High, 2*max(f.Orders.Low, 1), "wide")
	require.Equal(t, 503, b.call(key, "POST", "/api/v1/shops/1/forecast", `{"campaign":`+forecastDoc+`}`).code, "no bidder to ask")
}

func TestLift(t *testing.T) {
	reports := &liftingReports{people: []report.LiftBuyers{
		{Held: false, WouldWin: true, People: 4400}, {Held: false, People: 4400}, {Held: true, WouldWin: true, People: 470}, {Held: true, People: 500},
		{Held: false, WouldWin: true, Orders: 1, Revenue: 100, People: 180}, {Held: false, Orders: 2, Revenue: 150, People: 20}, {Held: true, Orders: 1, Revenue: 90, People: 10},
	}}
	b := start(t, func(_ *Config, d *Deps) { d.Reports = reports })
	_, key := b.shop()
	_, theirs := b.shop()
	made := b.call(key, "POST", "/api/v1/shops/1/campaigns", `{"name":"n","kind":"interest","bid":{"cpm":"12"},"holdout_bps":1000}`)
	require.Equal(t, 201, made.code, made.body)
	a := b.call(key, "GET", "/api/v1/shops/1/campaigns/1/lift", "")
	require.Equal(t, 200, a.code, a.body)
	var l Lift
	require.NoError(t, json.Unmarshal([]byte(a.body), &l))
	require.Equal(t, [2]uint32{1, 1}, reports.of)
	require.Equal(t, 0.1, l.Share)
	require.EqualValues(t, 9000, l.Exposed.Users)
	require.EqualValues(t, 980, l.Holdout.Users)
	require.EqualValues(t, 220, l.Exposed.Orders)
	require.InDelta(t, 220-9000*10.0/980, l.LiftOrders.Mid, 0.01)
	require.True(t, l.SampleRatio.OK)
	require.EqualValues(t, 4580, l.Predicted.Exposed.Users)
	require.NotNil(t, l.NeededUsers)
	require.InDelta(t, lift.Needed(10.0/980, 0.1, 0.1), *l.NeededUsers, 1, "of all, not of the predicted alone")
	require.Contains(t, l.Words.EN, "anyway")
	require.Equal(t, 404, b.call(theirs, "GET", "/api/v1/shops/1/campaigns/1/lift", "").code)
	require.Equal(t, 404, b.call(key, "GET", "/api/v1/shops/1/campaigns/7/lift", "").code)
}

func (f *fakeReports) Lift(_ context.Context, shop, _ uint32) ([]report.LiftBuyers, error) {
	f.shop = shop
	return nil, f.err
}

// A forecast reads: it comes while somebody else's change is under way.
func TestForecastWaitsForNoChange(t *testing.T) {
	b := start(t, nil)
	_, key := b.shop()
	held, let := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- b.s.store.Write(context.Background(), store.Actor{Name: "admin"}, func(*store.Tx) error {
			close(held)
			<-let
			return nil
		})
	}()
	<-held
	a := b.call(key, "POST", "/api/v1/shops/1/forecast", `{"campaign":`+forecastDoc+`,"figures":{"visits":40000,"conversion_rate":0.012}}`)
	close(let)
	require.NoError(t, <-done)
	require.Equal(t, 200, a.code, a.body)
}
