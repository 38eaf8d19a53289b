package console

import (
	"context"
	"math"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/reporting/lift"
)

// LiftReports tells who was bid for and who was held out. A Reports that has
// it can.
type LiftReports interface {
	Lift(ctx context.Context, shop, campaign uint32) ([]report.LiftBuyers, error)
}

func (s *Server) liftRoutes() {
	register(s, route{Operation: huma.Operation{
		OperationID: "read-lift", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/campaigns/{campaign}/lift", Tags: []string{"Reports"},
		Summary: "Read what a campaign changed",
		Description: "Compares people who were bid for with people of the campaign's holdout (holdout_bps), of the last 30 days, from the first bid on. " +
			"exposed and holdout are everybody for whom a bid was, or would have been, made; predicted are those of them whose first bid was likely to win.",
		Errors: []int{http.StatusServiceUnavailable},
	}, access: accessRead}, s.lift)
}

// LiftGroup is one side of the comparison.
type LiftGroup struct {
	Users   uint64      `json:"users"`
	Buyers  uint64      `json:"buyers" doc:"Of them who bought"`
	Orders  uint64      `json:"orders" doc:"Whoever brought them; not the cancelled ones"`
	Revenue *money.Nano `json:"revenue" doc:"Of the orders, in the shop's currency"`
}

// LiftRatio tells whether the groups are of the sizes they should be.
type LiftRatio struct {
	OK bool    `json:"ok" doc:"false: p is below 0.001; do not trust the comparison"`
	P  float64 `json:"p"`
}

// LiftEffect is a comparison.
type LiftEffect struct {
	Exposed     LiftGroup  `json:"exposed"`
	Holdout     LiftGroup  `json:"holdout"`
	LiftOrders  Range95    `json:"lift_orders" doc:"Orders that there would not have been, with a 95 % interval"`
	LiftRevenue MoneyRange `json:"lift_revenue"`
	P           float64    `json:"p_value" doc:"How likely such a difference in buyers is by chance alone"`
	SampleRatio LiftRatio  `json:"sample_ratio"`
}

// Range95 is a number with its 95 % interval.
type Range95 struct {
	Low  float64 `json:"low"`
	Mid  float64 `json:"mid"`
	High float64 `json:"high"`
}

// Lift is what a campaign changed.
type Lift struct {
	LiftEffect
	Campaign    uint32     `json:"campaign"`
	Currency    string     `json:"currency"`
	Share       float64    `json:"share" doc:"Of the people that are held out"`
	Predicted   LiftEffect `json:"predicted" doc:"Only those whose first bid was likely to win: fewer people, a clearer effect"`
	NeededUsers *float64   `json:"needed_users" doc:"People in both groups for an 80 % chance of seeing a tenth more buyers; null: not to be said yet"`
	Words       Words      `json:"words"`
}

type liftOutput struct{ Body Lift }

func (s *Server) lift(ctx context.Context, in *CampaignPath) (*liftOutput, error) {
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	camp, err := s.store.View().Campaign(ctx, in.Shop, in.Campaign)
	if err != nil {
		return nil, err
	}
	reports, ok := s.reports.(LiftReports)
	if !ok {
		return nil, failure(http.StatusServiceUnavailable, "there is no ClickHouse for reports")
	}
	rows, err := reports.Lift(ctx, in.Shop, in.Campaign)
	if err != nil {
		return nil, s.reportFailed(ctx, in.Shop, err)
	}
	share := float64(camp.HoldoutBPS) / 10_000
	out := Lift{Campaign: in.Campaign, Currency: shop.Currency.String(), Share: share}
	exposed, holdout := liftGroups(rows, false)
	res := lift.Compare(exposed, holdout, share, uint64(in.Campaign))
	out.LiftEffect = effectView(&res, exposed, holdout)
	out.Words = Words(res.Say(exposed, holdout, out.Currency))
	if !math.IsInf(res.Needed, 0) {
		needed := res.Needed
		out.NeededUsers = &needed
	}
	exposed, holdout = liftGroups(rows, true)
	res = lift.Compare(exposed, holdout, share, uint64(in.Campaign))
	out.Predicted = effectView(&res, exposed, holdout)
	return &liftOutput{out}, nil
}

// liftGroups puts the rows into two groups.
func liftGroups(rows []report.LiftBuyers, predicted bool) (exposed, holdout lift.Group) {
	for _, r := range rows {
		if predicted && !r.WouldWin {
			continue
		}
		g := &exposed
		if r.Held {
			g = &holdout
		}
		g.Users += float64(r.People)
		if r.Orders == 0 {
			continue
		}
		for range r.People {
			g.Buyers = append(g.Buyers, lift.Buyer{Orders: float64(r.Orders), Revenue: r.Revenue})
		}
	}
	return exposed, holdout
}

func effectView(r *lift.Result, exposed, holdout lift.Group) LiftEffect {
	return LiftEffect{
		Exposed: groupView(exposed), Holdout: groupView(holdout),
		LiftOrders:  Range95{hundredth(r.Orders.Low), hundredth(r.Orders.Mid), hundredth(r.Orders.High)},
		LiftRevenue: MoneyRange{amount(r.Revenue.Low), amount(r.Revenue.Mid), amount(r.Revenue.High)},
		P:           r.P, SampleRatio: LiftRatio{r.Ratio.OK, r.Ratio.P},
	}
}

func hundredth(v float64) float64 { return math.Round(v*100) / 100 }

func groupView(g lift.Group) LiftGroup {
	out := LiftGroup{Users: uint64(g.Users), Buyers: uint64(len(g.Buyers))}
	sum := 0.0
	for _, b := range g.Buyers {
		out.Orders += uint64(b.Orders)
		sum += b.Revenue
	}
	out.Revenue = amount(sum)
	return out
}
