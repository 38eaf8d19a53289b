package bidder

import (
	"fmt"
	"slices"
	"time"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Bounds of what a shop may send at once.
const (
	maxEventsPerBatch = 1000
	maxItems          = 100
	maxEventText      = 512
	// maxEventAge is how old an event may be that is sent as it happens.
	maxEventAge = 30 * 24 * time.Hour
	// maxVisitAge and maxOrderAge are how old one of a backfill may be: what is
	// older would not be kept.
	maxVisitAge = 90 * 24 * time.Hour
	maxOrderAge = 730 * 24 * time.Hour
)

// eventFields are what each type needs, and may have beside what all may have
// (id, time, user, url, click_id, currency).
type eventFields struct {
	needs string
	may   []string
}

func fieldsOf(t events.ShopType) (eventFields, bool) {
	switch t {
	case events.ShopVisit, events.ShopCheckout, events.ShopOptOut:
		return eventFields{"", nil}, true
	case events.ShopIdentify:
		return eventFields{"user.id", nil}, true
	case events.ShopCategoryView:
		return eventFields{"category", nil}, true
	case events.ShopProductView:
		return eventFields{"product", []string{"category", "price", "quantity"}}, true
	case events.ShopSearch:
		return eventFields{"query", []string{"category"}}, true
	case events.ShopCartAdd, events.ShopCartRemove:
		return eventFields{"product", []string{"category", "price", "quantity"}}, true
	case events.ShopPurchase:
		return eventFields{"order_id", []string{"value", "items", "offline", "product", "quantity", "price"}}, true
	case events.ShopOrderStatus:
		return eventFields{"order_id", []string{"status", "value"}}, true
	case events.ShopConversion:
		return eventFields{"name", []string{"value", "product", "category"}}, true
	}
	return eventFields{}, false
}

// check says what is wrong with an event, and in which field.
func (t *batch) check(in *shopEventIn) *itemError {
	bad := func(field, format string, args ...any) *itemError {
		return &itemError{Field: field, Message: fmt.Sprintf(format, args...)}
	}
	fields, ok := fieldsOf(in.Type)
	if !ok {
		return bad("type", "%q is none of %v", in.Type, events.ShopTypes)
	}
	oldest := maxEventAge
	if t.from.backfill {
		oldest = maxVisitAge
		if in.Type == events.ShopPurchase || in.Type == events.ShopOrderStatus || in.Type == events.ShopConversion {
			oldest = maxOrderAge
		}
	}
	if !inTime(in.TimeMS, t.now, oldest) {
		return bad("time", "%d is not within the last %d days, in ms since 1970 UTC", in.TimeMS, int(oldest.Hours()/24))
	}
	if field, most := in.tooLong(); field != "" {
		return bad(field, "longer than %d bytes", most)
	}
	if in.Price < 0 || in.Value < 0 || in.Quantity < 0 {
		return bad("price", "price, value and quantity must not be negative")
	}
	if in.Currency != (money.Currency{}) && in.Currency != t.shop.Currency {
		return bad("currency", "%s is not the shop's currency %s", in.Currency, t.shop.Currency)
	}
	if len(in.Items) > maxItems {
		return bad("items", "more than %d", maxItems)
	}
	for i := range in.Items {
		it := &in.Items[i]
		switch {
		case len(it.Product) > maxEventText:
			return bad(fmt.Sprintf("items[%d].product", i), "longer than %d bytes", maxEventText)
		case it.Quantity < 0 || it.Price < 0:
			return bad(fmt.Sprintf("items[%d].price", i), "price and quantity must not be negative")
		}
	}
	if fields.needs != "" && in.text(fields.needs) == "" {
		return bad(fields.needs, "an event of type %s needs it", in.Type)
	}
	if in.Type == events.ShopOrderStatus && !slices.Contains(events.OrderStatuses, in.Status) {
		return bad("status", "%q is none of %v", in.Status, events.OrderStatuses)
	}
	if in.Value > 0 && in.Type == events.ShopOrderStatus && in.Status != events.OrderReturned {
		return bad("value", "only what is returned has one: the part that came back")
	}
	for _, field := range [...]string{"offline", "status", "name", "order_id"} {
		if in.has(field) && field != fields.needs && !slices.Contains(fields.may, field) {
			return bad(field, "an event of type %s has none", in.Type)
		}
	}
	return nil
}

func (in *shopEventIn) text(field string) string {
	switch field {
	case "product":
		return in.Product
	case "category":
		return in.Category
	case "query":
		return in.Query
	case "order_id":
		return in.OrderID
	case "status":
		return in.Status
	case "name":
		return in.Name
	case "user.id":
		return in.User.ID
	}
	return ""
}

func (in *shopEventIn) has(field string) bool {
	if field == "offline" {
		return in.Offline
	}
	return in.text(field) != ""
}

// tooLong names a text that is, and how long it may be.
func (in *shopEventIn) tooLong() (field string, most int) {
	for _, f := range [...]struct{ name, text string }{
		{"id", in.ID}, {"product", in.Product}, {"category", in.Category}, {"query", in.Query}, {"order_id", in.OrderID},
		{"name", in.Name}, {"status", in.Status}, {"user.id", in.User.ID},
	} {
		if len(f.text) > maxEventText {
			return f.name, maxEventText
		}
	}
	if len(in.URL) > 4*maxEventText {
		return "url", 4 * maxEventText
	}
	return "", 0
}

func inTime(ms, now int64, oldest time.Duration) bool {
	return ms == 0 || (ms > 0 && ms <= now+events.ClockSkew.Milliseconds() && now-ms <= oldest.Milliseconds())
}
