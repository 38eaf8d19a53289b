package console

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/segments/rules"
)

// PartReports breaks results down. A Reports that has it can.
type PartReports interface {
	Breakdown(ctx context.Context, q report.Question) ([]report.Breakdown, error)
	Funnel(ctx context.Context, q report.Question) (report.Funnel, error)
	Activity(ctx context.Context, shop uint32, day, week, now int64) (map[uint32]report.Activity, error)
	Reached(ctx context.Context, shop, campaign uint32, since, amount int64) (int64, error)
}

func (s *Server) breakdownRoutes() {
	const path = "/api/v1/shops/{shop}/report/"
	tags := []string{"Reports"}
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[PartsReport](), true, "PartsReport")
	register(s, route{Operation: huma.Operation{
		OperationID: "report-breakdown", Method: http.MethodGet, Path: path + "breakdown", Tags: tags, Summary: "Break results down",
		Description: "What each day, hour, domain … cost and brought. The cost per order has an interval that holds the true one with 90 %, " +
			"orders being rare events that come by chance. format=csv for a file. Domain, device, country, size and segments are known for 30 days.",
		Errors: []int{http.StatusServiceUnavailable},
		Responses: map[string]*huma.Response{"200": {
			Description: "The parts, those that cost most first", Content: map[string]*huma.MediaType{
				"application/json": {Schema: schema}, "text/csv": {Schema: &huma.Schema{Type: huma.TypeString}},
			},
		}},
	}, access: accessRead}, s.breakdown)
	register(s, route{Operation: huma.Operation{
		OperationID: "report-funnel", Method: http.MethodGet, Path: path + "funnel", Tags: tags, Summary: "Read the way from visitors to orders",
		Errors: []int{http.StatusServiceUnavailable},
	}, access: accessRead}, s.funnel)
}

type partsOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

type breakdownInput struct {
	ShopPath
	From     string `query:"from" format:"date" doc:"First day, YYYY-MM-DD; left out, 29 days before the last"`
	To       string `query:"to" format:"date" doc:"Last day; left out, today in the shop's time zone"`
	By       string `query:"by" required:"true" enum:"day,hour,weekhour,campaign,segment,creative,exchange,media,domain,device,country,size" doc:"Dimension; segment: what the person was in at the bid, a row of each"`
	Campaign uint32 `query:"campaign" doc:"Only this campaign"`
	Format   string `query:"format" enum:"json,csv" default:"json" doc:"csv: as a file"`
}

// ResultPart is a part of the results, with what an order cost in it.
type ResultPart struct {
	report.Breakdown
	CostPerOrder *string `json:"cost_per_order" doc:"Spend by orders; null without orders"`
	Low          *string `json:"cost_per_order_low" doc:"Lower end of the 90 % interval"`
	High         *string `json:"cost_per_order_high" doc:"Upper end; null without orders"`
}

// PartsReport is the answer of the breakdown report.
type PartsReport struct {
	From     string       `json:"from"`
	To       string       `json:"to"`
	By       string       `json:"by"`
	Currency string       `json:"currency" doc:"The shop's"`
	Rows     []ResultPart `json:"rows" nullable:"false"`
}

func (s *Server) breakdown(ctx context.Context, in *breakdownInput) (*partsOutput, error) {
	q, currency, err := s.question(ctx, &reportInput{ShopPath: in.ShopPath, From: in.From, To: in.To}, in.Campaign, in.By)
	if err != nil {
		return nil, err
	}
	parts, err := s.partReports()
	if err != nil {
		return nil, err
	}
	rows, err := parts.Breakdown(ctx, q)
	if err != nil {
		return nil, s.reportFailed(ctx, in.Shop, err)
	}
	out := PartsReport{From: q.From, To: q.To, By: in.By, Currency: currency, Rows: make([]ResultPart, len(rows))}
	names, err := s.partNames(ctx, in.Shop, in.By)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		row.Name = names[row.Key]
		out.Rows[i] = partOf(row)
	}
	if in.Format == "csv" {
		name := "grosz-" + in.By + "-" + q.From + "-" + q.To + ".csv"
		return &partsOutput{ContentType: "text/csv; charset=utf-8; header=present", Disposition: `attachment; filename="` + name + `"`, Body: partsCSV(&out)}, nil
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("write a report: %w", err)
	}
	return &partsOutput{ContentType: "application/json", Body: body}, nil
}

// partNames are the names of parts that have numbers, by their keys.
func (s *Server) partNames(ctx context.Context, shop uint32, by string) (map[string]string, error) {
	names := map[string]string{}
	switch by {
	case "segment":
		found, err := s.store.View().Segments(ctx, shop, 0, rules.MaxSlots)
		for _, x := range found {
			names[strconv.FormatUint(uint64(x.ID), 10)] = x.Name
		}
		return names, err
	case "campaign":
		found, err := s.store.View().Campaigns(ctx, shop, store.CampaignFilter{}, 0, report.MaxParts)
		for _, x := range found {
			names[strconv.FormatUint(uint64(x.ID), 10)] = x.Name
		}
		return names, err
	}
	return names, nil
}

// question checks what is asked.
func (s *Server) question(ctx context.Context, in *reportInput, campaign uint32, by string) (report.Question, string, error) {
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return report.Question{}, "", err
	}
	from, to, err := s.days(in, shop.TimeZone)
	if err != nil {
		return report.Question{}, "", err
	}
	return report.Question{Shop: in.Shop, Campaign: campaign, By: by, From: from, To: to, Zone: shop.TimeZone}, shop.Currency.String(), nil
}

func (s *Server) partReports() (PartReports, error) {
	parts, ok := s.reports.(PartReports)
	if !ok {
		return nil, failure(http.StatusServiceUnavailable, "there is no ClickHouse for reports")
	}
	return parts, nil
}

// reportFailed logs why and answers what the caller can do.
func (s *Server) reportFailed(ctx context.Context, shop uint32, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return err
	}
	s.log.Warn("report failed", "shop", shop, "err", err)
	return failure(http.StatusServiceUnavailable, "ClickHouse does not answer: try again later")
}

// partOf adds what an order cost. Two decimals do: it is an estimate.
func partOf(row report.Breakdown) ResultPart {
	p := ResultPart{Breakdown: row}
	spend, ok := new(big.Rat).SetString(row.Spend)
	if !ok {
		return p
	}
	amount, _ := spend.Float64()
	low, high := report.OrderBounds(row.Orders)
	text := func(orders float64) *string {
		if orders <= 0 {
			return nil
		}
		v := strconv.FormatFloat(amount/orders, 'f', 2, 64)
		return &v
	}
	p.CostPerOrder, p.Low, p.High = text(float64(row.Orders)), text(high), text(low)
	return p
}

func partsCSV(r *PartsReport) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.Write([]string{r.By, "name", "campaign", "bids", "wins", "impressions", "clicks", "spend_" + r.Currency, "orders", "revenue_" + r.Currency, "cost_per_order", "cost_per_order_low", "cost_per_order_high"})
	for _, p := range r.Rows {
		u := func(v uint64) string { return strconv.FormatUint(v, 10) }
		opt := func(v *string) string {
			if v == nil {
				return ""
			}
			return *v
		}
		campaign := ""
		if p.Campaign != 0 {
			campaign = u(uint64(p.Campaign))
		}
		_ = w.Write([]string{plainCell(p.Key), plainCell(p.Name), campaign, u(p.Bids), u(p.Wins), u(p.Impressions), u(p.Clicks), p.Spend, u(p.Orders), p.Revenue, opt(p.CostPerOrder), opt(p.Low), opt(p.High)})
	}
	w.Flush() // into memory: cannot fail
	return out.Bytes()
}

// plainCell keeps a spreadsheet from running what an exchange wrote into a
// domain.
func plainCell(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r") {
		return "'" + s
	}
	return s
}

type funnelInput struct {
	ShopPath
	From     string `query:"from" format:"date" doc:"First day, YYYY-MM-DD; left out, 29 days before the last"`
	To       string `query:"to" format:"date" doc:"Last day; left out, today in the shop's time zone"`
	Campaign uint32 `query:"campaign" doc:"Only this campaign; visitors stay the shop's"`
}

type funnelOutput struct {
	Body struct {
		From string `json:"from"`
		To   string `json:"to"`
		report.Funnel
	}
}

func (s *Server) funnel(ctx context.Context, in *funnelInput) (*funnelOutput, error) {
	q, _, err := s.question(ctx, &reportInput{ShopPath: in.ShopPath, From: in.From, To: in.To}, in.Campaign, "")
	if err != nil {
		return nil, err
	}
	parts, err := s.partReports()
	if err != nil {
		return nil, err
	}
	f, err := parts.Funnel(ctx, q)
	if err != nil {
		return nil, s.reportFailed(ctx, in.Shop, err)
	}
	out := new(funnelOutput)
	out.Body.From, out.Body.To, out.Body.Funnel = q.From, q.To, f
	return out, nil
}
