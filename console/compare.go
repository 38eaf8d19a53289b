package console

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/report"
)

// ComparedReports compares results before and after a moment. A Reports that
// has it can.
type ComparedReports interface {
	Compare(ctx context.Context, m report.Moment) (before, after report.Side, err error)
}

// Bounds of a comparison. A week has each hour of it once.
const (
	hourMS        = 60 * 60 * 1000
	compareHours  = 7 * 24
	maxCompare    = 90 * 24
	surelyChanged = 0.05 // chance below which a change is told as one
)

// Verdicts of a comparison.
const (
	verdictLower   = "lower"
	verdictHigher  = "higher"
	verdictUnclear = "unclear"
)

func (s *Server) compareRoutes() {
	register(s, route{Operation: huma.Operation{
		OperationID: "report-before-after", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/report/before-after", Tags: []string{"Reports"},
		Summary: "Compare before and after a moment",
		Description: "What ads cost and brought before a moment, such as that of a change, and since. Money and orders count to the side on which the ad was bid " +
			"and seen; orders that come later are still added. The spans need not be of one length, as a cost per order does not depend on it.",
		Errors: []int{http.StatusServiceUnavailable},
	}, access: accessRead}, s.compare)
}

type compareInput struct {
	ShopPath
	At       int64  `query:"at" required:"true" minimum:"1" doc:"The moment, ms UTC"`
	Hours    int64  `query:"hours" minimum:"1" maximum:"2160" default:"168" doc:"How far to look back, and ahead at most; a week has each hour once"`
	Campaign uint32 `query:"campaign" doc:"Only this campaign"`
	By       string `query:"by" enum:"hour,campaign,segment,creative,exchange,media,domain,device,country,size" doc:"Only a part: its dimension"`
	Key      string `query:"key" maxLength:"255" doc:"And its value, as the key of the breakdown"`
}

// ComparedSide is one side of a comparison.
type ComparedSide struct {
	From int64 `json:"from" doc:"ms UTC"`
	To   int64 `json:"to" doc:"ms UTC"`
	report.Side
	CostPerOrder *string `json:"cost_per_order" doc:"Spend by orders; null without orders"`
	Low          *string `json:"cost_per_order_low" doc:"Lower end of the 90 % interval"`
	High         *string `json:"cost_per_order_high" doc:"Upper end; null without orders"`
}

// Comparison is the answer of the before-and-after report.
type Comparison struct {
	At       int64        `json:"at" doc:"The moment, ms UTC"`
	Currency string       `json:"currency" doc:"The shop's"`
	Before   ComparedSide `json:"before"`
	After    ComparedSide `json:"after"`
	Verdict  string       `json:"verdict" enum:"lower,higher,unclear" doc:"What the cost per order surely is since; unclear while it may be chance"`
	PValue   float64      `json:"p_value" doc:"Chance of so large a difference, or a larger one, when nothing changed"`
}

func (s *Server) compare(ctx context.Context, in *compareInput) (*struct{ Body Comparison }, error) {
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	now := s.clock.NowMS()
	var p problems
	if in.At > now || in.At < now-maxCompare*hourMS {
		p.add("query.at", "must be in the last %d days", maxCompare/24)
	}
	if (in.By == "") != (in.Key == "") {
		p.add("query.key", "by and key go together")
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	from, ok := s.reports.(ComparedReports)
	if !ok {
		return nil, failure(http.StatusServiceUnavailable, "there is no ClickHouse for reports")
	}
	span := in.Hours * hourMS
	m := report.Moment{
		Shop: in.Shop, Campaign: in.Campaign, By: in.By, Key: in.Key, Zone: shop.TimeZone,
		From: in.At - span, At: in.At, To: min(now+1, in.At+span),
	}
	before, after, err := from.Compare(ctx, m)
	if err != nil {
		return nil, s.reportFailed(ctx, in.Shop, err)
	}
	c := Comparison{
		At: in.At, Currency: shop.Currency.String(),
		Before: sideOf(before, m.From, m.At), After: sideOf(after, m.At, m.To),
	}
	a, b := amountOf(before.Spend), amountOf(after.Spend)
	c.PValue = report.SameRate(a, b, before.Orders, after.Orders)
	c.Verdict = verdictUnclear
	if c.PValue <= surelyChanged {
		c.Verdict = verdictHigher
		if float64(after.Orders)*a > float64(before.Orders)*b {
			c.Verdict = verdictLower
		}
	}
	return &struct{ Body Comparison }{c}, nil
}

func sideOf(side report.Side, from, to int64) ComparedSide {
	p := partOf(report.Breakdown{Spend: side.Spend, Orders: side.Orders})
	return ComparedSide{From: from, To: to, Side: side, CostPerOrder: p.CostPerOrder, Low: p.Low, High: p.High}
}

// amountOf is a decimal string as a number to estimate with.
func amountOf(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return v
}
