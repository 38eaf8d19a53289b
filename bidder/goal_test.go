package bidder

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/bidder/value/learn"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// flatModel predicts the same for everybody: a click in a hundred
// impressions, an order in fifty clicks, worth 200.
func flatModel() *value.Model {
	m := &value.Model{Version: noon - 60_000, Shops: map[uint32]*value.Shop{7: {OrderValue: 200 * int64(money.NanoUnit)}}}
	m.Global[value.Click] = value.Global{Prior: -4.59511985, Table: make(value.Table, 256)}
	m.Global[value.Order] = value.Global{Prior: -3.91202301, Table: make(value.Table, 256)}
	return m
}

func goalCampaign(id uint32, g campaigns.Goal, cpm, most money.CPM) *campaigns.Campaign {
	c := openCampaign(id)
	c.Goal, c.Bid.CPM, c.Bid.MaxCPM = g, cpm, most
	return c
}

func TestTheLeastOfTheGoalsIsBid(t *testing.T) {
	const unit = money.NanoUnit
	cpm := func(units float64) money.CPM { return money.CPM(units * 1e6) }
	for _, c := range []struct {
		name  string
		goal  campaigns.Goal
		cpm   money.CPM
		most  money.CPM
		want  money.CPM // PLN, before the shop's fee of 10 %
		bound string
	}{
		{"a click for 1.10", campaigns.Goal{MaxCPC: 11 * unit / 10}, 0, cpm(50), cpm(10), "max_cpc"},
		{"an order for 55", campaigns.Goal{TargetCPO: 55 * unit}, 0, cpm(50), cpm(10), "target_cpo"},
		{"eight times the turnover", campaigns.Goal{TargetROASBPS: 80_000}, 0, cpm(50), cpm(4.5454), "target_roas"},
		{"a tenth of the turnover", campaigns.Goal{ShareBPS: 1_000}, 0, cpm(50), cpm(3.6363), "share"},
		{"the least of two", campaigns.Goal{MaxCPC: 11 * unit / 10, TargetCPO: 22 * unit}, 0, cpm(50), cpm(4), "target_cpo"},
		{"bid.cpm is less", campaigns.Goal{MaxCPC: 11 * unit / 10}, cpm(3), cpm(50), cpm(3), "cpm"},
		{"max_cpm is less", campaigns.Goal{MaxCPC: 1100 * unit}, 0, cpm(7), cpm(7), "max_cpm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, goalCampaign(1, c.goal, c.cpm, c.most))
			w.b.SetModel(flatModel())
			e, err := w.b.Explain("burl", []byte(bannerRequest))
			require.NoError(t, err)
			got := e.Imps[0].Campaigns[0].Value
			require.NotNil(t, got.Goal)
			assert.InDelta(t, float64(c.want), float64(got.CPM), float64(c.want)/1000)
			assert.Equal(t, c.bound, got.Goal.Bound)
			assert.InDelta(t, 0.01, got.Goal.PClick, 1e-6)
			assert.Equal(t, int64(noon-60_000), got.Goal.Model)
			res := w.bid("burl", bannerRequest)
			assert.InDelta(t, float64(c.want)/4e6, res.SeatBid[0].Bid[0].Price, float64(c.want)/4e9, "what is explained is bid, in USD")
		})
	}
}

func TestWithoutAModelWhatIsUsualIsBelieved(t *testing.T) {
	w := newWorld(t, goalCampaign(1, campaigns.Goal{MaxCPC: 11 * money.NanoUnit, ShareBPS: 10_000}, 0, 50_000_000))
	e, err := w.b.Explain("burl", []byte(bannerRequest))
	require.NoError(t, err)
	g := e.Imps[0].Campaigns[0].Value.Goal
	assert.Equal(t, value.PriorClick, g.PClick)
	assert.Equal(t, value.PriorOrder, g.POrder)
	assert.EqualValues(t, 899*money.NanoUnit, g.OrderValue, "the feed's mean price")
	assert.Zero(t, g.Model)
}

func TestAGoalOutOfReachSaysSo(t *testing.T) {
	w := newWorld(t, goalCampaign(1, campaigns.Goal{MaxCPC: money.NanoUnit / 100}, 0, 50_000_000))
	w.b.SetModel(flatModel())
	body := []byte(`{"id":"r","imp":[{"id":"1","bidfloor":1.5,"banner":{"w":300,"h":250}}],"site":{"domain":"news.example"}}`)
	c := newContext([32]byte{1})
	for range goalAskedLeast {
		require.Equal(t, ReasonFloor, w.bidOnce(c, append([]byte(nil), body...)))
	}
	e, err := w.b.Explain("burl", body)
	require.NoError(t, err)
	g := e.Imps[0].Campaigns[0].Value.Goal
	assert.Equal(t, GoalBelow, g.State)
	assert.Contains(t, g.Detail, "the lowest floor seen is 1.5")
}

func TestTheLogCarriesWhatWasPredictedFrom(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	w.b.SetModel(flatModel())
	c := newContext([32]byte{1})
	c.state, c.exchange, c.nowMS = w.b.state.Load(), w.b.exchanges["burl"], noon
	c.start = w.b.now()
	require.NoError(t, c.view.Parse([]byte(bannerRequest)))
	require.Equal(t, ReasonNone, w.b.bid(c))
	place, own, err := value.ReadFeatures(view(c.learnt.text[c.bids[0].features.from:c.bids[0].features.to]))
	require.NoError(t, err)
	assert.Equal(t, c.learnt.placement, place)
	assert.Equal(t, c.learnt.own, own)
	assert.Contains(t, own, value.Number(value.FieldStranger, 1))
	assert.InDelta(t, 0.01, c.bids[0].click, 1e-6)
	assert.InDelta(t, 0.02, c.bids[0].order, 1e-6)
}

func TestAPacedCampaignBidsItsFactor(t *testing.T) {
	camp := openCampaign(1)
	camp.Pacing, camp.Budget.Day = campaigns.PacingEven, 1000*money.NanoUnit
	w := newWorld(t, camp)
	e, err := w.b.Explain("burl", []byte(bannerRequest))
	require.NoError(t, err)
	assert.Equal(t, 0.25, e.Imps[0].Campaigns[0].Value.Pace)
	assert.Equal(t, 0.75, w.bid("burl", bannerRequest).SeatBid[0].Bid[0].Price, "12 PLN × ¼ at 4 PLN for a USD")
	paced := w.b.state.Load().paces[0]
	for range 3 {
		w.b.countTraffic()
		w.b.plan(0, 1)
		w.clock.Advance(plan.PlanEveryMS * time.Millisecond)
	}
	require.NotNil(t, paced.Report())
	e, err = w.b.Explain("burl", []byte(bannerRequest))
	require.NoError(t, err)
	got := e.Imps[0].Campaigns[0].Value
	assert.Equal(t, paced.K(), got.Pace)
	assert.Equal(t, paced.Report(), got.Plan)
	assert.InDelta(t, 999, got.Plan.Left, 1, "of the budget")
	require.Empty(t, w.b.Publish(w.in))
	assert.Same(t, paced, w.b.state.Load().paces[0], "a change of campaigns does not begin anew")
}

// What another shop's people do changes nothing of a shop's values, but
// through the weights of places that at least K shops made.
func TestModelsAreIsolated(t *testing.T) {
	valueOf := func(teach func(tr *learn.Trainer)) money.CPM {
		tr, err := learn.New(learn.Config{GlobalBits: 12, ShopBits: 10, K: 3})
		require.NoError(t, err)
		place := []value.Feature{value.Text(value.FieldDomain, "news.example"), value.Text(value.FieldExchange, "burl")}
		for range 500 {
			tr.Learn(value.Click, &learn.Example{Shop: 7, Campaign: 1, Placement: place, Own: []value.Feature{value.Number(value.FieldStranger, 1)}}, false, 1)
		}
		teach(tr)
		tr.Advance(noon)
		w := newWorld(t, goalCampaign(1, campaigns.Goal{MaxCPC: 50 * money.NanoUnit}, 0, 500_000_000))
		w.b.SetModel(tr.Model(noon))
		e, err := w.b.Explain("burl", []byte(bannerRequest))
		require.NoError(t, err)
		return e.Imps[0].Campaigns[0].Value.CPM
	}
	others := func(shops ...uint32) func(*learn.Trainer) {
		return func(tr *learn.Trainer) {
			for range 500 {
				for _, s := range shops { // people whom only those shops know, and who click
					tr.Learn(value.Click, &learn.Example{Shop: s, Campaign: s * 10, Placement: []value.Feature{value.Text(value.FieldDomain, "news.example")},
						Own: []value.Feature{value.Number(value.FieldStranger, 1), value.Number(value.FieldCampaign, 1)}}, true, 1)
				}
			}
		}
	}
	alone := valueOf(func(*learn.Trainer) {})
	assert.Equal(t, alone, valueOf(others(8)), "one other shop, K is 3")
	assert.Greater(t, valueOf(others(8, 9)), alone, "places of K shops are everybody's")
}

func TestValueToHoldAllocatesNothing(t *testing.T) {
	if raceEnabled {
		return
	}
	w, terms := goalTerms(t, 20)
	matches := terms.c.matches()
	assert.Zero(t, testing.AllocsPerRun(200, func() { w.valueToHold(terms, matches) }))
}

func goalTerms(tb testing.TB, n int) (*world, *terms) {
	var camps []*campaigns.Campaign
	for i := range n {
		c := goalCampaign(uint32(i+1), campaigns.Goal{TargetCPO: 900_000 * money.NanoUnit, MaxCPC: 100_000 * money.NanoUnit}, 0, 50_000_000)
		c.Pacing, c.Budget.Day = campaigns.PacingEven, 1000*money.NanoUnit
		camps = append(camps, c)
	}
	w := newWorld(tb, camps...)
	tr, err := learn.New(learn.Config{GlobalBits: 18})
	require.NoError(tb, err)
	for i := range 2_000 {
		place := make([]value.Feature, 14)
		for k := range place {
			place[k] = value.Number(value.FieldDomain, uint64(i%50*20+k))
		}
		tr.Learn(value.Click, &learn.Example{Shop: 7, Campaign: 1, Placement: place, Own: place[:8]}, i%50 == 0, 1)
		tr.Learn(value.Order, &learn.Example{Shop: 7, Campaign: 1, Placement: place, Own: place[:8]}, i%90 == 0, 1)
	}
	w.b.SetModel(tr.Model(noon))
	c := newContext([32]byte{1})
	c.state, c.exchange, c.start, c.nowMS = w.b.state.Load(), w.b.exchanges["burl"], w.b.now(), noon
	require.NoError(tb, c.view.Parse([]byte(bannerRequest)))
	require.Equal(tb, ReasonNone, w.b.accept(c))
	w.b.describeRequest(c)
	t := &terms{c: c, imp: &c.view.Imps[0], media: events.MediaBanner}
	require.Equal(tb, ReasonNone, t.open())
	w.b.describeImp(c, 0, t.media)
	return w, t
}

func (w *world) valueToHold(t *terms, matches []int32) {
	t.c.learnt.reset()
	if r := w.b.value(t, matches); r != ReasonNone {
		w.t.Fatal(r)
	}
	best := t.c.takeBest()
	out := bid{imp: 0, campaign: best.campaign, media: t.media, price: best.cpm}
	if r := t.price(&out); r != ReasonNone {
		w.t.Fatal(r)
	}
	if r := w.b.pace(t, &out); r != ReasonNone {
		w.t.Fatal(r)
	}
	w.b.book.Release(out.id)
}
