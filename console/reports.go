package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/report"
)

// maxReportDays bounds a report.
const maxReportDays = 400

func (s *Server) reportRoutes() {
	register(s, route{Operation: huma.Operation{
		OperationID: "report-cost-per-order", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/report/cost-per-order", Tags: []string{"Reports"},
		Summary:     "Read what an order cost",
		Description: "By day, campaign and exchange: bids, wins, impressions, clicks, spend, orders. Days without anything have no row.",
		Errors:      []int{http.StatusServiceUnavailable},
	}, access: accessRead}, s.costPerOrder)
}

type reportInput struct {
	ShopPath
	From string `query:"from" format:"date" doc:"First day, YYYY-MM-DD; left out, 29 days before the last"`
	To   string `query:"to" format:"date" doc:"Last day; left out, today in the shop's time zone"`
}

// CostPerOrderReport is the answer of the cost-per-order report.
type CostPerOrderReport struct {
	From string                `json:"from" doc:"First day"`
	To   string                `json:"to" doc:"Last day"`
	Rows []report.CostPerOrder `json:"rows" nullable:"false"`
}

type reportOutput struct{ Body CostPerOrderReport }

func (s *Server) costPerOrder(ctx context.Context, in *reportInput) (*reportOutput, error) {
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	from, to, err := s.days(in, shop.TimeZone)
	if err != nil {
		return nil, err
	}
	if s.reports == nil {
		return nil, failure(http.StatusServiceUnavailable, "there is no ClickHouse for reports")
	}
	rows, err := s.reports.CostPerOrder(ctx, in.Shop, from, to)
	if errors.Is(err, report.ErrTooMuch) {
		var p problems
		p.add("query.from", "%v", err)
		return nil, p.err()
	}
	if err != nil {
		s.log.Warn("report failed", "shop", in.Shop, "err", err)
		return nil, failure(http.StatusServiceUnavailable, "ClickHouse does not answer: try again later")
	}
	return &reportOutput{CostPerOrderReport{From: from, To: to, Rows: rows}}, nil
}

// days reads the span of a report; the default ends today.
func (s *Server) days(in *reportInput, zone string) (from, to string, err error) {
	var p problems
	last := s.today(zone)
	if in.To != "" {
		last = day(&p, "query.to", in.To)
	}
	first := last.AddDate(0, 0, -29)
	if in.From != "" {
		first = day(&p, "query.from", in.From)
	}
	switch {
	case first.After(last):
		p.add("query.from", "is after the last day")
	case last.Sub(first) >= maxReportDays*24*time.Hour:
		p.add("query.from", "at most %d days can be asked for at once", maxReportDays)
	}
	return first.Format(time.DateOnly), last.Format(time.DateOnly), p.err()
}

func day(p *problems, at, s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil || d.Year() < 2000 || d.Year() > 2149 { // what ClickHouse's Date holds
		p.add(at, "%q is not a day from 2000-01-01 to 2149-12-31, such as 2027-01-31", clip(s))
	}
	return d
}

// today is the date of now in a time zone, as midnight UTC.
func (s *Server) today(zone string) time.Time {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	y, m, d := time.UnixMilli(s.clock.NowMS()).In(loc).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
