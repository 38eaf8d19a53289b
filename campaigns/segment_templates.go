package campaigns

import "github.com/grosz/grosz/internal/money"

// SegmentTemplate is a ready-made segment; a shop takes it as it is, or
// changes it.
type SegmentTemplate struct {
	Template    string `json:"template"` // by which it is asked for
	Name        string `json:"name"`
	Description string `json:"description"`
	Expression  string `json:"expression"`
}

// SegmentTemplates lists the ready-made segments for a shop's currency.
// Amounts are a beginning: only the shop knows what is much.
func SegmentTemplates(cur money.Currency) []SegmentTemplate {
	return []SegmentTemplate{
		{"all_visitors", "All visitors", "Everybody who was in the shop in the last 90 days", "visited within 90d"},
		{"product_viewers", "Product viewers", "Looked at a product in the last 30 days and bought nothing in them", "viewed within 30d and not purchased within 30d"},
		{"cart_abandoners", "Cart abandoners", "Left something in the cart in the last 14 days", "abandoned within 14d"},
		{"close_to_buying", "Close to buying", "Began to check out, filled a cart, or came back to the same product, and bought nothing in the last 7 days",
			"(checkout within 3d or in_cart and visited within 3d or same_product_views >= 3 within 7d) and not purchased within 7d"},
		{"lapsed_buyers", "Lapsed buyers", "Bought, but not in the last 90 days", "days_since_purchase >= 90"},
		{"high_value", "High value", "Three orders, or orders of 1,000 together", "orders >= 3 or revenue >= 1000 " + cur.String()},
		{"bargain_hunters", "Bargain hunters", "Searched for offers or looked at a category of offers in the last 30 days",
			`searched in ("sale", "outlet", "discount", "promotion", "promocja", "wyprzedaż", "rabat", "przecena") within 30d` +
				` or viewed category in ("sale", "outlet", "discount", "special offers", "promocje", "wyprzedaż", "okazje", "przecena") within 30d`},
	}
}

// SegmentTemplatesIn has their names and descriptions in a shop's language,
// where it is one that we speak. The rules are the same.
func SegmentTemplatesIn(language string, cur money.Currency) []SegmentTemplate {
	list := SegmentTemplates(cur)
	if language != "pl" {
		return list
	}
	polish := map[string][2]string{
		"all_visitors":    {"Wszyscy odwiedzający", "Każdy, kto był w sklepie w ostatnich 90 dniach"},
		"product_viewers": {"Oglądający produkty", "Oglądali produkt w ostatnich 30 dniach i nic w nich nie kupili"},
		"cart_abandoners": {"Porzucone koszyki", "Zostawili coś w koszyku w ostatnich 14 dniach"},
		"close_to_buying": {"Blisko zakupu", "Zaczęli składać zamówienie, napełnili koszyk albo wracali do tego samego produktu i nic nie kupili w ostatnich 7 dniach"},
		"lapsed_buyers":   {"Dawni klienci", "Kupili, ale nie w ostatnich 90 dniach"},
		"high_value":      {"Najlepsi klienci", "Trzy zamówienia albo zamówienia za 1000 łącznie"},
		"bargain_hunters": {"Łowcy okazji", "Szukali ofert albo oglądali kategorię z ofertami w ostatnich 30 dniach"},
	}
	for i := range list {
		if t, ok := polish[list[i].Template]; ok {
			list[i].Name, list[i].Description = t[0], t[1]
		}
	}
	return list
}
