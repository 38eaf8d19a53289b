package console

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"log/slog"
	"math"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/reporting/forecast"
)

// ForecastReports tells what a forecast learns from the past. A Reports that
// has it can; without, forecasts are wider.
type ForecastReports interface {
	Landscape(ctx context.Context, now int64) ([]report.Landscape, error)
	Predicted(ctx context.Context, shop uint32, now int64) (report.Predicted, error)
}

func (s *Server) forecastRoutes() {
	register(s, route{Operation: huma.Operation{
		OperationID: "forecast", Method: http.MethodPost, Path: "/api/v1/shops/{shop}/forecast", Tags: []string{"Forecast"},
		Summary: "Forecast what a campaign would bring",
		Description: "For a campaign that does not exist yet, or for changes of one that does (campaign_id; campaign then holds the changes). " +
			"A sample of real requests is answered anew as if it ran. Every number has an interval that holds the true one with 90 %. " +
			"A shop without our pixel gives figures, for a rough estimate. Nothing is stored.",
		Errors: []int{http.StatusServiceUnavailable},
	}, access: accessRead, body: reflect.TypeFor[ForecastRequest]()}, s.forecast)
}

// ForecastRequest asks for a forecast.
type ForecastRequest struct {
	Campaign   *Campaign        `json:"campaign,omitempty" doc:"The campaign as create-campaign takes it; with campaign_id, what is to change of it"`
	CampaignID uint32           `json:"campaign_id,omitempty" doc:"A campaign that exists"`
	Budget     int64            `json:"budget_micros,omitempty" doc:"Budget for all of the days in millionths of the shop's currency, in place of the campaign's"`
	Days       int              `json:"days,omitempty" doc:"Days to forecast, 1 to 90; left out, 30"`
	Figures    *ForecastFigures `json:"figures,omitempty" doc:"Of a shop without our pixel: what it says of itself"`
}

// ForecastFigures is what a shop without our pixel says of itself.
type ForecastFigures struct {
	Visits         float64    `json:"visits" doc:"Visits in a month"`
	ConversionRate float64    `json:"conversion_rate" doc:"Orders by visits: 0.012 is 1.2 %"`
	Basket         money.Nano `json:"basket,omitempty" doc:"What an order is worth on average"`
}

// Range is a number that is not known exactly.
type Range struct {
	Low  float64 `json:"low" doc:"With 5 % it is less"`
	Mid  float64 `json:"mid" doc:"The middle: as likely less as more"`
	High float64 `json:"high" doc:"With 5 % it is more"`
}

// MoneyRange is an amount that is not known exactly, in the shop's currency.
type MoneyRange struct {
	Low  *money.Nano `json:"low"`
	Mid  *money.Nano `json:"mid"`
	High *money.Nano `json:"high" doc:"null: no bound can be said"`
}

// ForecastPoint is what a budget would bring.
type ForecastPoint struct {
	Budget       money.Nano  `json:"budget"`
	Orders       float64     `json:"orders"`
	CostPerOrder *money.Nano `json:"cost_per_order" doc:"null where hardly an order comes"`
}

// Forecast is the answer.
type Forecast struct {
	Basis        string          `json:"basis" enum:"replay,figures" doc:"replay: of sampled requests, through the engine; figures: of the shop's own figures"`
	Days         int             `json:"days"`
	Currency     string          `json:"currency" doc:"The shop's; of all amounts"`
	Reach        Range           `json:"reach" doc:"People who see it, as far as they are known"`
	Impressions  Range           `json:"impressions"`
	Clicks       Range           `json:"clicks"`
	Orders       Range           `json:"orders" doc:"After a click; the middle is an expectation, to a tenth below 10"`
	Revenue      *MoneyRange     `json:"revenue,omitempty" doc:"Of the orders, where the basket is known"`
	Cost         MoneyRange      `json:"cost" doc:"Fee included"`
	CostPerOrder MoneyRange      `json:"cost_per_order" doc:"The middle is the middle cost by the middle number of orders"`
	Budget       *money.Nano     `json:"budget,omitempty" doc:"What may be spent in all of the days; absent without a bound"`
	Curve        []ForecastPoint `json:"curve" nullable:"false" doc:"What less and more money would bring; the answer itself is a point of it"`
	Limits       []string        `json:"limits" nullable:"false" doc:"What keeps it from bringing more: budget, bids, audience"`
	Bids         int             `json:"bids" doc:"Bids of the sample that it rests on; from 750 on it is firm"`
	SampleDays   float64         `json:"sample_days" doc:"Days of traffic that it rests on"`
	Words        Words           `json:"words"`
}

// Words says an answer in sentences for people.
type Words struct {
	EN string `json:"en"`
	PL string `json:"pl"`
}

type forecastInput struct {
	ShopPath
	jsonBody
}

type forecastOutput struct{ Body Forecast }

const maxForecastDays = 90

func (s *Server) forecast(ctx context.Context, in *forecastInput) (*forecastOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var p problems
	q, doc, shop, err := s.forecastQuestion(ctx, in.Shop, raw, &p)
	if err == nil {
		err = p.err()
	}
	if err != nil {
		return nil, err
	}
	if q.Figures != nil {
		return &forecastOutput{figuresForecast(q, doc, &shop.Shop)}, nil
	}
	// The past is asked for while the bidder replays.
	learnt := make(chan forecast.Input, 1)
	past, stop := context.WithCancel(ctx)
	go func() { learnt <- s.experience(past, in.Shop) }()
	bids, err := s.askForecast(ctx, in.Shop, doc)
	if err != nil {
		stop()
	}
	was := <-learnt
	stop()
	if err != nil {
		return nil, err
	}
	input := forecast.Input{
		Landscape: was.Landscape, Clicks: was.Clicks, Orders: was.Orders,
		Bids: bids, Days: float64(q.Days), Budget: float64(budgetOf(q, doc)) / money.NanoUnit,
		Even: doc.Pacing == campaigns.PacingEven || doc.Pacing == campaigns.PacingFront, Seed: seedOf(raw),
	}
	input.Caps = capsOf(&doc.Frequency)
	res := forecast.Replay(input)
	return &forecastOutput{forecastView("replay", &res, q.Days, &shop.Shop)}, nil
}

// forecastQuestion reads the question and makes the campaign that it is about.
func (s *Server) forecastQuestion(ctx context.Context, shopID uint32, raw json.RawMessage, p *problems) (*ForecastRequest, *campaigns.Campaign, *store.Shop, error) {
	var q ForecastRequest
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, nil, nil, failure(http.StatusBadRequest, "the body must be a JSON object")
	}
	document := parts["campaign"]
	delete(parts, "campaign")
	rest, err := json.Marshal(parts)
	if err != nil {
		return nil, nil, nil, err //nolint:wrapcheck // of what was just parsed
	}
	decode(rest, &q, p)
	if q.Days == 0 {
		q.Days = 30
	}
	checkRange(p, "body.days", q.Days, 1, maxForecastDays)
	checkRange(p, "body.budget_micros", q.Budget, 0, int64(maxBudget)/1000)
	if f := q.Figures; f != nil {
		if !(f.Visits > 0 && f.Visits <= 1e10) {
			p.add("body.figures.visits", "must be more than 0 and at most 10000000000")
		}
		if !(f.ConversionRate > 0 && f.ConversionRate <= 1) {
			p.add("body.figures.conversion_rate", "must be more than 0 and at most 1")
		}
		checkAmount(p, "body.figures.basket", f.Basket)
	}
	shop, err := s.store.View().Shop(ctx, shopID)
	if err != nil {
		return nil, nil, nil, err
	}
	doc, err := s.forecastCampaign(ctx, shop, &q, document, p)
	if err == nil && q.Figures != nil && doc.Kind != campaigns.KindRemarketing && budgetOf(&q, doc) == 0 {
		p.add("body.budget_micros", "is missing: without the shop's own visitors only the budget bounds the campaign")
	}
	return &q, doc, &shop, err
}

// forecastCampaign is the campaign that is asked about, checked as if it were
// to be stored, and active.
func (s *Server) forecastCampaign(ctx context.Context, shop store.Shop, q *ForecastRequest, document json.RawMessage, p *problems) (*campaigns.Campaign, error) {
	var inner problems // of the document: the body's campaign
	var doc campaigns.Campaign
	if len(document) == 0 || string(document) == "null" {
		document = json.RawMessage("{}")
		if q.CampaignID == 0 {
			p.add("body.campaign", "is missing: the campaign to forecast, or campaign_id")
			return &doc, nil
		}
	}
	document = datesToMS(document, &inner)
	var old *campaigns.Campaign
	if q.CampaignID != 0 {
		was, err := s.store.View().Campaign(ctx, shop.ID, q.CampaignID)
		if err != nil {
			return nil, err
		}
		if doc, err = patchedCampaign(was, document, &inner); err != nil {
			return nil, err
		}
		old = &was.Campaign
	} else {
		v := Campaign{}
		decode(document, &v, &inner)
		doc = v.Campaign
		doc.ID, doc.ShopID, doc.Version = 0, shop.ID, 0
	}
	doc.Status = campaigns.StatusActive
	if doc.Name == "" {
		doc.Name = "forecast"
	}
	if len(doc.Creatives) == 0 { // what is not drawn yet can be forecast: a banner and a native ad of the shop's own
		doc.Creatives = []campaigns.Creative{{Media: campaigns.MediaBanner, Title: shop.Name, CTA: "…"}, {Media: campaigns.MediaNative, Title: shop.Name, CTA: "…"}}
	}
	view := s.store.View()
	if err := fillAssets(ctx, view, &doc, &inner); err != nil {
		return nil, err
	}
	checkCampaign(&doc, old, &shop.Shop, &inner)
	if err := errors.Join(checkNamed(ctx, view, &doc, &inner), checkLists(ctx, view, &doc, &inner)); err != nil {
		return nil, err
	}
	for i := range doc.Creatives { // new ones have no id before they are stored
		if doc.Creatives[i].ID == 0 {
			doc.Creatives[i].ID = uint32(1_000_000 + i)
		}
	}
	for _, d := range inner.list {
		at := "body.campaign"
		if len(d.Location) > len("body") {
			at += d.Location[len("body"):]
		}
		p.add(at, "%s", d.Message)
	}
	return &doc, nil
}

// budgetOf is the budget for all of the days, nano-units; 0: none.
func budgetOf(q *ForecastRequest, doc *campaigns.Campaign) money.Nano {
	if q.Budget > 0 {
		return money.Nano(q.Budget) * 1000
	}
	least := money.Nano(math.MaxInt64)
	days := int64(q.Days)
	if b := doc.Budget.Total; b > 0 {
		least = b
	}
	if b := doc.Budget.Day; b > 0 && int64(b) < math.MaxInt64/days {
		least = min(least, b*money.Nano(days))
	}
	if b := doc.Budget.Week; b > 0 && int64(b) < math.MaxInt64/days {
		least = min(least, b*money.Nano(days)/7)
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

func capsOf(f *campaigns.Frequency) (caps []forecast.Cap) {
	if f.Impressions > 0 {
		caps = append(caps, forecast.Cap{Impressions: f.Impressions, Within: time.Duration(f.Hours) * time.Hour})
	}
	for _, c := range f.Caps {
		if c.Per != campaigns.PerCreative { // others of the shop's campaigns are not known here
			caps = append(caps, forecast.Cap{Impressions: c.Impressions, Within: time.Duration(c.Hours) * time.Hour})
		}
	}
	return caps
}

// seedOf makes the same question get the same answer.
func seedOf(raw []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(raw) // never fails, by its contract
	return h.Sum64()
}

// askForecast has the bidder answer its sample of requests anew.
func (s *Server) askForecast(ctx context.Context, shop uint32, doc *campaigns.Campaign) (*forecast.Bids, error) {
	if s.explainer == nil {
		return nil, failure(http.StatusServiceUnavailable, "there is no bidder to ask: the console was started without one")
	}
	question, err := json.Marshal(map[string]any{"shop": shop, "campaign": doc})
	if err != nil {
		return nil, err //nolint:wrapcheck // cannot be
	}
	status, body, err := s.explainer.post(ctx, "/internal/forecast", caller(ctx).token, question)
	if err != nil {
		s.log.Warn("bidder does not forecast", slog.Any("err", err))
		return nil, failure(http.StatusServiceUnavailable, "the bidder does not answer: try again later")
	}
	switch status {
	case http.StatusOK:
		var bids forecast.Bids
		if err := json.Unmarshal(body, &bids); err != nil || !bids.Whole() {
			s.log.Warn("bidder's forecast is not readable", slog.Any("err", err))
			return nil, failure(http.StatusServiceUnavailable, "the bidder's answer is not readable: are both of the same version?")
		}
		return &bids, nil
	case http.StatusNotFound:
		var p problems
		p.add("body.figures", "is missing: there are no sampled requests to replay yet (%s); give the shop's own figures for a rough estimate", problemDetail(body))
		return nil, p.err()
	case http.StatusBadRequest:
		var p problems
		p.add("body.campaign", "the bidder refuses it: %s", problemDetail(body))
		return nil, p.err()
	case http.StatusTooManyRequests:
		return nil, failure(http.StatusTooManyRequests, "another forecast is being made: try again in a second")
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, failure(http.StatusServiceUnavailable, "the bidder does not know this key yet: try again in a moment")
	}
	s.log.Warn("bidder does not forecast", slog.Int("status", status))
	return nil, failure(http.StatusServiceUnavailable, "the bidder cannot forecast now: try again later")
}
