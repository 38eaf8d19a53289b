package forecast

import (
	"fmt"
	"math"
	"strings"
)

// Words is a sentence or two for people.
type Words struct {
	EN string `json:"en"`
	PL string `json:"pl"`
}

// Say puts a forecast in words. figures says that it rests on the shop's own
// figures alone.
func (o *Result) Say(currency string, figures bool) Words {
	var en, pl strings.Builder
	money := func(v float64) string {
		if math.IsInf(v, 0) {
			return "?"
		}
		return round(v) + " " + currency
	}
	days := round(o.Days)
	switch {
	case o.Impressions.High < 1:
		fmt.Fprintf(&en, "In %s days this campaign would hardly show an ad.", days)
		fmt.Fprintf(&pl, "Przez %s dni ta kampania prawie nie pokaże reklam.", days)
	default:
		costEN, costPL := money(o.Cost.Low)+" to "+money(o.Cost.High), "od "+money(o.Cost.Low)+" do "+money(o.Cost.High)
		if round(o.Cost.Low) == round(o.Cost.High) {
			costEN, costPL = money(o.Cost.Mid), money(o.Cost.Mid)
		}
		fmt.Fprintf(&en, "In %s days, with a likelihood of 90 %%: %s to %s orders, most likely %s, for %s.",
			days, round(o.Orders.Low), round(o.Orders.High), round(o.Orders.Mid), costEN)
		fmt.Fprintf(&pl, "Przez %s dni, z prawdopodobieństwem 90 %%: od %s do %s zamówień, najpewniej %s; koszt: %s.",
			days, round(o.Orders.Low), round(o.Orders.High), round(o.Orders.Mid), costPL)
		switch {
		case !math.IsInf(o.CostPerOrder.High, 0):
			fmt.Fprintf(&en, " An order would cost %s to %s.", money(o.CostPerOrder.Low), money(o.CostPerOrder.High))
			fmt.Fprintf(&pl, " Zamówienie kosztowałoby %s do %s.", money(o.CostPerOrder.Low), money(o.CostPerOrder.High))
		case !math.IsInf(o.CostPerOrder.Mid, 0):
			fmt.Fprintf(&en, " An order would cost about %s; it may be that none comes.", money(o.CostPerOrder.Mid))
			fmt.Fprintf(&pl, " Zamówienie kosztowałoby około %s; może też nie być żadnego.", money(o.CostPerOrder.Mid))
		default:
			en.WriteString(" It may well be that no order comes.")
			pl.WriteString(" Możliwe, że nie będzie żadnego zamówienia.")
		}
	}
	for _, l := range o.Limits {
		w := limitWords[l]
		en.WriteString(" " + w.EN)
		pl.WriteString(" " + w.PL)
	}
	if figures {
		en.WriteString(" This is a rough estimate from the shop's own figures: with the pixel on its pages it becomes narrower.")
		pl.WriteString(" To zgrubny szacunek z danych podanych przez sklep: z pikselem na stronach będzie dokładniejszy.")
	} else if o.Bids < fewBids {
		fmt.Fprintf(&en, " It rests on only %d bids in the sampled traffic: take it with care.", o.Bids)
		fmt.Fprintf(&pl, " Opiera się tylko na %d ofertach w próbce ruchu: proszę traktować ostrożnie.", o.Bids)
	}
	return Words{en.String(), pl.String()}
}

// fewBids is how many a forecast should rest on.
const fewBids = 750

var limitWords = map[string]Words{
	LimitBudget:   {"The budget limits it: more money would bring more.", "Ogranicza ją budżet: więcej pieniędzy przyniosłoby więcej."},
	LimitBids:     {"Many impressions are lost on price: a higher bid would win more.", "Wiele odsłon przepada przez cenę: wyższa stawka wygrałaby więcej."},
	LimitAudience: {"Hardly more of these people can be reached: a wider targeting would bring more.", "Do większej liczby tych osób prawie nie da się dotrzeć: szersze targetowanie przyniosłoby więcej."},
}

// round writes a number with two digits that count.
func round(v float64) string {
	if v < 10 {
		s := fmt.Sprintf("%.1f", v)
		return strings.TrimSuffix(s, ".0")
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return fmt.Sprintf("%.0f", math.Round(v/unit)*unit)
}
