package loader

import (
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// What became of an order, whenever the news is loaded, and however often.
func TestWhatBecameOfOrders(t *testing.T) {
	w := start(t)
	shop := newShop()
	r := w.load(t, "orders", nil)
	at := noon().UTC()
	became := func(order, status string, after time.Duration, back money.Nano) kafka.Message {
		return shopMessage(events.ShopEvent{
			EventID: newID(), Type: events.ShopOrderStatus, TimeMS: at.Add(after).UnixMilli(), ReceivedMS: at.Add(after).UnixMilli(),
			Day: at.Format(time.DateOnly), ShopID: shop, UID: events.ID{9}, User: 42, OrderID: order, Status: status, Value: back,
		})
	}
	var ms []kafka.Message
	ms = append(ms, became("late", "cancelled", time.Hour, 0)) // before its order
	for _, id := range []string{"open", "late", "paid", "back", "part"} {
		e := purchase(shop, id, at, 42, events.ID{})
		e.EventID, e.Value, e.Offline = events.NamedID(shop, "order", id), 90*money.NanoUnit, id == "open"
		ms = append(ms, shopMessage(e))
	}
	ms = append(ms, became("paid", "cancelled", time.Minute, 0), became("paid", "paid", time.Hour, 0),
		became("back", "returned", 2*time.Hour, 0), became("back", "paid", time.Hour, 0), became("part", "paid", time.Minute, 0))
	part := became("part", "returned", time.Hour, 20*money.NanoUnit)
	ms = append(ms, part, part, became("part", "returned", time.Hour, 15*money.NanoUnit))
	w.send(t, events.TopicShopEvents, ms...)
	r.caughtUp(t)
	require.Equal(t, "back:returned/90/0/false late:cancelled/0/0/false open:placed/0/90/true paid:paid/0/90/false part:paid/35/55/false",
		w.text(t, `SELECT arrayStringConcat(arraySort(groupArray(concat(order_id, ':', status, '/', toString(returned), '/', toString(net), '/', toString(offline)))), ' ')
			FROM grosz.orders WHERE shop = ?`, shop))
	require.Equal(t, "1", w.text(t, "SELECT toString(countIf(status_at IS NULL)) FROM grosz.orders WHERE shop = ?", shop))
}
