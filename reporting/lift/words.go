package lift

import (
	"fmt"
	"math"
)

// Words is a sentence or two for people.
type Words struct {
	EN string `json:"en"`
	PL string `json:"pl"`
}

func (w Words) and(o Words) Words { return Words{w.EN + " " + o.EN, w.PL + " " + o.PL} }

// Say puts a comparison in words that a shop's owner understands.
func (r *Result) Say(exposed, holdout Group, currency string) Words {
	orders, _ := exposed.sums()
	switch {
	case exposed.Users == 0 || holdout.Users == 0:
		return Words{
			"Nothing can be compared yet: there is nobody who may see the ads, or nobody who is held out.",
			"Nie ma jeszcze czego porównać: nie ma nikogo, kto może zobaczyć reklamy, albo nikogo w grupie kontrolnej.",
		}
	case !r.Ratio.OK:
		return Words{
			fmt.Sprintf("The two groups are not of the sizes they should be (p = %.2g): something other than chance divided them. Do not trust this comparison.", r.Ratio.P),
			fmt.Sprintf("Grupy nie mają takich rozmiarów, jakie powinny (p = %.2g): podzielił je nie tylko przypadek. Temu porównaniu nie należy ufać.", r.Ratio.P),
		}
	case orders == 0 && len(holdout.Buyers) == 0:
		return Words{
			fmt.Sprintf("Nobody has bought yet, neither of the %.0f people who may see the ads nor of the %.0f who are held out: there is nothing to compare.", exposed.Users, holdout.Users),
			fmt.Sprintf("Nikt jeszcze nie kupił: ani z osób, które mogą zobaczyć reklamy (%.0f), ani z grupy kontrolnej (%.0f). Nie ma czego porównać.", exposed.Users, holdout.Users),
		}
	case r.clear() && r.Orders.Mid > 0:
		return r.brought(orders, currency)
	case r.clear():
		return Words{
			fmt.Sprintf("People who may see the ads placed %.0f orders, fewer than the same number of people who are held out would have. Nothing says that the campaign brings orders: these would have been bought anyway.", orders),
			fmt.Sprintf("Osoby, które mogą zobaczyć reklamy, złożyły zamówienia: %.0f, mniej niż tyle samo osób z grupy kontrolnej. Nic nie wskazuje, że kampania przynosi zamówienia: te kupiono by i tak.", orders),
		}
	}
	return r.unclear(orders).and(r.missing(exposed.Users + holdout.Users))
}

// clear tells whether chance alone would hardly bring such a difference.
func (r *Result) clear() bool { return r.P < 0.05 && (r.Orders.Low > 0 || r.Orders.High < 0) }

// brought says what a campaign brought where that is clear.
func (r *Result) brought(orders float64, currency string) Words {
	mid := min(math.Round(r.Orders.Mid), orders)
	low, high := max(math.Floor(r.Orders.Low), 0), min(math.Ceil(r.Orders.High), orders)
	w := Words{
		fmt.Sprintf("Of %.0f orders by people who may see the ads, about %.0f would have been bought anyway. About %.0f came because of the campaign: with 95%% certainty %.0f to %.0f.", orders, orders-mid, mid, low, high),
		fmt.Sprintf("Osoby, które mogą zobaczyć reklamy, złożyły zamówienia: %.0f. Około %.0f z nich kupiono by i tak, bez reklam. Około %.0f przyniosła kampania: z pewnością 95%% od %.0f do %.0f.", orders, orders-mid, mid, low, high),
	}
	if r.Revenue.Low <= 0 {
		return w.and(Words{"How much money that is, cannot be told yet.", "Ile to pieniędzy, nie da się jeszcze powiedzieć."})
	}
	return w.and(Words{
		fmt.Sprintf("They are worth about %.0f %s (%.0f to %.0f).", r.Revenue.Mid, currency, r.Revenue.Low, r.Revenue.High),
		fmt.Sprintf("Są warte około %.0f %s (od %.0f do %.0f).", r.Revenue.Mid, currency, r.Revenue.Low, r.Revenue.High),
	})
}

// unclear says within what bounds it may be. Less than no order is not said.
func (r *Result) unclear(orders float64) Words {
	most := min(max(math.Ceil(r.Orders.High), 0), orders)
	if most <= 0 {
		return Words{
			fmt.Sprintf("People who may see the ads placed %.0f orders. So far nothing says that any of them came because of the campaign: all may have been bought anyway.", orders),
			fmt.Sprintf("Osoby, które mogą zobaczyć reklamy, złożyły zamówienia: %.0f. Na razie nic nie wskazuje, że choć jedno z nich przyniosła kampania: może wszystkie kupiono by i tak.", orders),
		}
	}
	return Words{
		fmt.Sprintf("People who may see the ads placed %.0f orders. How many of them would have been bought anyway cannot be told yet: the campaign may have brought none of them, or up to %.0f.", orders, most),
		fmt.Sprintf("Osoby, które mogą zobaczyć reklamy, złożyły zamówienia: %.0f. Ile z nich kupiono by i tak, jeszcze nie wiadomo: kampania mogła nie przynieść żadnego albo najwyżej %.0f.", orders, most),
	}
}

// missing says how many people more an answer needs.
func (r *Result) missing(people float64) Words {
	switch more := r.Needed - people; {
	case math.IsInf(r.Needed, 0):
		return Words{"More people are needed, and orders of them.", "Potrzeba więcej osób i ich zamówień."}
	case more > 0:
		return Words{
			fmt.Sprintf("About %s more people are needed to see whether the campaign makes a tenth more of them buy; there are %.0f so far.", about(more), people),
			fmt.Sprintf("Aby zobaczyć, czy dzięki kampanii kupuje o jedną dziesiątą osób więcej, potrzeba jeszcze około %s osób; na razie jest ich %.0f.", about(more), people),
		}
	}
	return Words{
		fmt.Sprintf("The %.0f people are enough to see a tenth more buyers: what the campaign adds is probably less.", people),
		fmt.Sprintf("Osób jest dość (%.0f), by zobaczyć o jedną dziesiątą więcej kupujących: kampania dodaje zapewne mniej.", people),
	}
}

// about writes a number with two digits that count.
func about(v float64) string {
	unit := math.Pow(10, max(math.Floor(math.Log10(max(v, 1)))-1, 0))
	return fmt.Sprintf("%.0f", math.Ceil(v/unit)*unit)
}
