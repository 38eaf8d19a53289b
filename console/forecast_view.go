package console

import (
	"math"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/reporting/forecast"
)

// figuresForecast is a rough estimate from the shop's own figures.
func figuresForecast(q *ForecastRequest, doc *campaigns.Campaign, shop *campaigns.Shop) Forecast {
	cpm := doc.Bid.CPM
	if cpm == 0 {
		cpm = doc.Bid.MaxCPM
	}
	in := forecast.FiguresInput{
		Shop: forecast.Shop{Visits: q.Figures.Visits, ConversionRate: q.Figures.ConversionRate},
		Days: float64(q.Days), Budget: float64(budgetOf(q, doc)) / money.NanoUnit,
		CPM:      float64(cpm)/money.CPMUnit*(1+float64(shop.FeeBPS)/10_000) + float64(shop.FeeCPM)/money.CPMUnit,
		Visitors: doc.Kind == campaigns.KindRemarketing, PerClick: float64(doc.ClickBill(shop.Fee())) / money.NanoUnit,
	}
	in.Seed = uint64(in.Shop.Visits) ^ uint64(cpm)
	res := forecast.Figures(in)
	out := forecastView("figures", &res, q.Days, shop)
	if b := float64(q.Figures.Basket) / money.NanoUnit; b > 0 {
		v := moneyRange(res.Orders.Scale(b))
		out.Revenue = &v
	}
	return out
}

func forecastView(basis string, r *forecast.Result, days int, shop *campaigns.Shop) Forecast {
	out := Forecast{
		Basis: basis, Days: days, Currency: shop.Currency.String(),
		Reach: whole(r.Reach), Impressions: whole(r.Impressions), Clicks: whole(r.Clicks), Orders: few(r.Orders),
		Cost: moneyRange(r.Cost), CostPerOrder: moneyRange(r.CostPerOrder), Curve: []ForecastPoint{}, Limits: r.Limits,
		Bids: r.Bids, SampleDays: math.Round(r.SampleDays*100) / 100, Words: Words(r.Say(shop.Currency.String(), basis == "figures")),
	}
	if r.Budget > 0 {
		out.Budget = amount(r.Budget)
	}
	if out.Limits == nil {
		out.Limits = []string{}
	}
	for _, p := range r.Curve {
		b := amount(p.Budget)
		if b == nil {
			continue
		}
		out.Curve = append(out.Curve, ForecastPoint{Budget: *b, Orders: math.Round(p.Orders*100) / 100, CostPerOrder: amount(p.CostPerOrder)})
	}
	return out
}

func whole(i forecast.Interval) Range {
	return Range{math.Round(i.Low), math.Round(i.Mid), math.Round(i.High)}
}

// few keeps a tenth of small numbers in the middle, which is an expectation:
// 0.6 orders are neither none nor one.
func few(i forecast.Interval) Range {
	out := whole(i)
	if i.Mid < 10 {
		out.Mid = math.Round(i.Mid*10) / 10
	}
	return out
}

func moneyRange(i forecast.Interval) MoneyRange {
	return MoneyRange{amount(i.Low), amount(i.Mid), amount(i.High)}
}

// amount is an estimate as money, to a hundredth; nil where there is none.
func amount(v float64) *money.Nano {
	if math.IsNaN(v) || math.Abs(v) > 9e9 {
		return nil
	}
	n := money.Nano(math.Round(v*100)) * (money.NanoUnit / 100)
	return &n
}
