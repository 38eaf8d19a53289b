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
