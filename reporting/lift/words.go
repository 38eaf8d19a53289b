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

// Say puts a comparison in words.
func (r *Result) Say(exposed, holdout Group, currency string) Words {
	orders, _ := exposed.sums()
	switch {
	case exposed.Users == 0 || holdout.Users == 0:
		return Words{
			"Nothing can be compared yet: nobody was bid for, or nobody is held out.",
			"Nie ma jeszcze czego porównać: nie licytowano dla nikogo albo nikogo nie wyłączono do grupy kontrolnej.",
		}
	case !r.Ratio.OK:
		return Words{
			fmt.Sprintf("The two groups are not of the sizes they should be (p = %.2g): something other than chance divided them. Do not trust this comparison.", r.Ratio.P),
			fmt.Sprintf("Grupy nie mają takich rozmiarów, jakie powinny (p = %.2g): podzielił je nie tylko przypadek. Temu porównaniu nie należy ufać.", r.Ratio.P),
		}
	}
	anyway := min(max(orders-r.Orders.Mid, 0), orders)
	w := Words{
		fmt.Sprintf("Of %.0f orders by the people bid for, about %.0f would have been bought anyway; about %.0f came because of the campaign (95 %%: %.0f to %.0f), worth %.0f %s (%.0f to %.0f).",
			orders, anyway, r.Orders.Mid, r.Orders.Low, r.Orders.High, r.Revenue.Mid, currency, r.Revenue.Low, r.Revenue.High),
		fmt.Sprintf("Z %.0f zamówień osób, dla których licytowano, około %.0f i tak byłoby złożonych; około %.0f przyniosła kampania (95 %%: od %.0f do %.0f), o wartości %.0f %s (od %.0f do %.0f).",
			orders, anyway, r.Orders.Mid, r.Orders.Low, r.Orders.High, r.Revenue.Mid, currency, r.Revenue.Low, r.Revenue.High),
	}
	if r.P >= 0.05 {
		w.EN += " That may be chance."
		w.PL += " To może być przypadek."
		if !math.IsInf(r.Needed, 0) && exposed.Users+holdout.Users < r.Needed {
			w.EN += fmt.Sprintf(" To see a tenth more buyers, about %.0f people are needed; there are %.0f.", r.Needed, exposed.Users+holdout.Users)
			w.PL += fmt.Sprintf(" Aby zobaczyć o jedną dziesiątą więcej kupujących, potrzeba około %.0f osób; jest %.0f.", r.Needed, exposed.Users+holdout.Users)
		}
	}
	return w
}
