package loader

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
)

// A click that was judged to be no person's is kept and counted apart; it is
// no click of the report and wins no order.
func TestJudgedClicksCountNowhere(t *testing.T) {
	w := start(t)
	r := w.load(t, "judged", nil)
	shop, order := newShop(), noon()
	clickOf := func(reason string, before time.Duration, campaign uint32) events.Event {
		e := event(shop, events.TypeClick, newID(), order.Add(-before))
		e.Reason, e.CampaignID, e.User = reason, campaign, 42
		return e
	}
	good := clickOf("", time.Hour, 1)
	double := clickOf("double_click", time.Minute, 2)
	fast := clickOf("too_fast", time.Second, 2)
	w.send(t, events.TopicEvents, message(good), message(double), message(fast))
	w.send(t, events.TopicShopEvents,
		shopMessage(purchase(shop, "by-user", order, 42, events.ID{})), shopMessage(purchase(shop, "by-click-id", order, 0, fast.BidID)))
	r.caughtUp(t)
	require.Equal(t, "by-user:1", w.text(t, "SELECT arrayStringConcat(arraySort(groupArray(concat(order_id, ':', toString(campaign)))), ' ') FROM grosz.attributed_orders WHERE shop = ?", shop),
		"the earlier click that counts wins; a click id of one that does not, nothing")
	require.Equal(t, "1", w.text(t, "SELECT toString(sum(clicks)) FROM grosz.cost_per_order WHERE shop = ?", shop))
	require.Equal(t, "1 2 1 1 0", w.text(t, `SELECT arrayStringConcat([toString(sum(clicks)), toString(sum(invalid_clicks)), toString(sum(double_click)),
		toString(sum(too_fast)), toString(sum(crawler))], ' ') FROM grosz.click_quality WHERE shop = ?`, shop))
}
