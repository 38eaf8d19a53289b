package loader

import (
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/grosz/grosz/events"
)

var shopEventsTable = &table{name: "grosz.shop_events", columns: []string{
	"event_id", "type", "time", "received", "day", "shop_id", "user", "click_bid", "product", "category", "query",
	"quantity", "price", "order_id", "value", "currency", "items.product", "items.quantity", "items.price", "url", "browser", "page",
	"offline", "status", "name", "alias_user", "order_event", "node",
	"kafka_partition", "kafka_offset", "seq", "loaded_at",
}}

func shopEventsTarget() *target {
	return &target{topic: events.TopicShopEvents, tables: []*table{shopEventsTable},
		rows: func(d *events.Decoder, line []byte, p place, out emit) error {
			return d.ShopEvents(line, func(_ int, e *events.ShopEvent) error { return shopEventRow(e, p, out) })
		}}
}

// orderEvent is the id of the order's purchase, by which its later news finds
// it even when the order's own id has been erased.
func orderEvent(e *events.ShopEvent) uuid.UUID {
	if e.Type != events.ShopOrderStatus {
		return uuid.UUID{}
	}
	return id(events.NamedID(e.ShopID, "order", e.OrderID))
}

func shopEventRow(e *events.ShopEvent, p place, out emit) error {
	if e.EventID.IsZero() {
		return errNoID
	}
	t, err := at("time", e.TimeMS)
	if err != nil {
		return err
	}
	received := t
	if e.ReceivedMS != 0 {
		if received, err = at("received", e.ReceivedMS); err != nil {
			return err
		}
	}
	day, err := date(e.Day, t)
	if err != nil {
		return err
	}
	products := make([]string, len(e.Items))
	quantities := make([]int64, len(e.Items))
	prices := make([]decimal.Decimal, len(e.Items))
	for i, it := range e.Items {
		products[i], quantities[i], prices[i] = it.Product, it.Quantity, nano(it.Price)
	}
	// The UID stays out of the warehouse: only the shop's pseudonym goes in.
	return put(out, shopEventsTable,
		id(e.EventID), string(e.Type), t, received, day, e.ShopID, e.User, id(e.ClickBid), e.Product, e.Category, e.Query,
		e.Quantity, nano(e.Price), e.OrderID, nano(e.Value), e.Currency.String(), products, quantities, prices, e.URL, e.Browser, e.Page,
		e.Offline, e.Status, e.Name, e.AliasUser, orderEvent(e), e.Node,
		p.partition, p.offset, p.seq, p.loadedAt)
}
