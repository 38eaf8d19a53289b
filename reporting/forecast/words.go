package forecast

import (
	"fmt"
	"math"
	"regexp"
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
	inEN, inPL := round(o.Days)+" days", round(o.Days)+" dni"
	if o.Days == 1 {
		inEN, inPL = "1 day", "1 dzień"
	}
	switch {
	case o.Impressions.High < 1:
		fmt.Fprintf(&en, "In %s this campaign would hardly show an ad.", inEN)
		fmt.Fprintf(&pl, "Przez %s ta kampania prawie nie pokaże reklam.", inPL)
	default:
		ordersEN, ordersPL := round(o.Orders.Low)+" to "+round(o.Orders.High)+" orders", "od "+round(o.Orders.Low)+" do "+round(o.Orders.High)+" zamówień"
		switch {
		case o.Orders.High == 0:
			ordersEN, ordersPL = "no order", "żadnego zamówienia"
		case o.Orders.Low == o.Orders.High && o.Orders.High == 1:
			ordersEN, ordersPL = "1 order", "1 zamówienie"
		}
		costEN, costPL := money(o.Cost.Low)+" to "+money(o.Cost.High), "od "+money(o.Cost.Low)+" do "+money(o.Cost.High)
		if round(o.Cost.Low) == round(o.Cost.High) {
			costEN, costPL = money(o.Cost.Mid), money(o.Cost.Mid)
		}
		fmt.Fprintf(&en, "In %s, with a likelihood of 90%%: %s, about %s in the middle, for %s.", inEN, ordersEN, round(o.Orders.Mid), costEN)
		fmt.Fprintf(&pl, "Przez %s, z prawdopodobieństwem 90%%: %s, pośrodku około %s; koszt: %s.", inPL, ordersPL, round(o.Orders.Mid), costPL)
		switch {
		case !math.IsInf(o.CostPerOrder.High, 0):
			perEN, perPL := money(o.CostPerOrder.Low)+" to "+money(o.CostPerOrder.High), "od "+money(o.CostPerOrder.Low)+" do "+money(o.CostPerOrder.High)
			if round(o.CostPerOrder.Low) == round(o.CostPerOrder.High) {
				perEN, perPL = money(o.CostPerOrder.Mid), money(o.CostPerOrder.Mid)
			}
			fmt.Fprintf(&en, " An order would cost %s.", perEN)
			fmt.Fprintf(&pl, " Zamówienie kosztowałoby %s.", perPL)
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
		bidsEN, bidsPL := "bids", "ofertach"
		if o.Bids == 1 {
			bidsEN, bidsPL = "bid", "ofercie"
		}
		fmt.Fprintf(&en, " It rests on only %d %s in the sampled traffic: take it with care.", o.Bids, bidsEN)
		fmt.Fprintf(&pl, " Opiera się tylko na %d %s w próbce ruchu: proszę traktować ostrożnie.", o.Bids, bidsPL)
	} else if o.SampleDays < 1 {
		en.WriteString(" It rests on less than a day of traffic, so nobody knows yet how days differ: take it with care.")
		pl.WriteString(" Opiera się na ruchu z mniej niż jednej doby, więc nie wiadomo jeszcze, jak różnią się dni: proszę traktować ostrożnie.")
	}
	return Words{thousands(en.String(), ",", 4), thousands(comma.ReplaceAllString(pl.String(), "$1,$2"), "\u00a0", 5)}
}

// whole finds numbers without their fractions.
var whole = regexp.MustCompile(`\d{4,}`)

// thousands sets a separator into numbers of least digits or more.
func thousands(text, separator string, least int) string {
	return whole.ReplaceAllStringFunc(text, func(n string) string {
		if len(n) < least {
			return n
		}
		for i := len(n) - 3; i > 0; i -= 3 {
			n = n[:i] + separator + n[i:]
		}
		return n
	})
}

// comma finds the decimal points, which are commas in Polish.
var comma = regexp.MustCompile(`(\d)\.(\d)`)

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
