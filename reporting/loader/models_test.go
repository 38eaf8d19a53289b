package loader

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
)

// Models apart, windows of the shop's own, statuses and conversions. The news
// and the touches come after the orders, and twice.
func TestAttributionModels(t *testing.T) {
	w := start(t)
	shop := newShop()
	r := w.load(t, "models", nil)
	at := noon()
	touch := func(typ events.Type, campaign uint32, user uint64, before time.Duration, reason string) kafka.Message {
		e := event(shop, typ, newID(), at.Add(-before))
		e.CampaignID, e.User, e.Reason = campaign, user, reason
		return message(e, e)
	}
	const hour = time.Hour
	touches := []kafka.Message{
		// 1: a click, an impression and a seen impression of three campaigns.
		touch(click, 5, 1, 3*hour, ""), touch(view, 6, 1, 2*hour, ""), touch("viewable", 7, 1, hour, ""), touch(click, 8, 1, 10*time.Minute, "double_click"),
		// 2: exactly at the ends of both windows; 3: a millisecond before them.
		touch(click, 5, 2, 48*hour, ""), touch("viewable", 7, 2, 2*hour, ""),
		touch(click, 5, 3, 48*hour+time.Millisecond, ""), touch("viewable", 7, 3, 2*hour+time.Millisecond, ""),
		// 4: seen only.
		touch("viewable", 7, 4, time.Minute, ""),
	}
	goal := events.ShopEvent{EventID: newID(), Type: events.ShopConversion, Name: "lead", TimeMS: at.UnixMilli(), ReceivedMS: at.UnixMilli(),
		Day: at.Format(time.DateOnly), ShopID: shop, UID: events.ID{3}, User: 4, Value: 5_000_000_000, Currency: pln}
	sales := []kafka.Message{shopMessage(goal, goal)}
	for user := range uint64(4) {
		e := purchase(shop, fmt.Sprint("o", user+1), at, user+1, events.ID{})
		e.EventID = events.NamedID(shop, "order", e.OrderID)
		sales = append(sales, shopMessage(e, e))
	}
	news := events.ShopEvent{EventID: newID(), Type: events.ShopOrderStatus, Status: "cancelled", TimeMS: at.Add(hour).UnixMilli(),
		ReceivedMS: at.Add(hour).UnixMilli(), Day: at.Format(time.DateOnly), ShopID: shop, UID: events.ID{9}, User: 2, OrderID: "o2"}
	w.send(t, events.TopicCampaigns, kafka.Message{Key: []byte("s"), Value: fmt.Appendf(nil,
		`{"key":"shop/%d","version":1,"shop":{"id":%d,"name":"W","currency":"PLN","time_zone":"UTC","click_window":172800,"view_window":7200}}`, shop, shop)})
	w.send(t, events.TopicShopEvents, sales...)
	w.send(t, events.TopicEvents, touches...)
	w.send(t, events.TopicShopEvents, shopMessage(news, news))
	r.caughtUp(t)
	require.Equal(t, "lead:viewable/7/placed/true o1:click/5/placed/true o1:impression/6/placed/true o1:viewable/7/placed/true "+
		"o2:click/5/cancelled/false o2:viewable/7/cancelled/false o4:viewable/7/placed/true",
		w.text(t, `SELECT arrayStringConcat(arraySort(groupArray(concat(if(goal = 'order', id, goal), ':', model, '/', toString(campaign), '/', status, '/', toString(kept)))), ' ')
			FROM grosz.attributions WHERE shop = ?`, shop))
	require.Equal(t, "2 1 200 100", w.text(t, `SELECT concat(toString(sum(orders)), ' ', toString(sum(kept_orders)), ' ', toString(sum(revenue)), ' ', toString(sum(kept_revenue)))
		FROM grosz.cost_per_order WHERE shop = ?`, shop), "a cancelled order is an order, and not kept")
	for _, by := range []string{"creative", "device", "domain", "hour", "segment"} {
		require.Equal(t, "2 1", w.text(t, `SELECT concat(toString(sum(orders)), ' ', toString(sum(kept_orders))) FROM grosz.cost_by_`+by+` WHERE shop = ?`, shop), by)
	}
}
