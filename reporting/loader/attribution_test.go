package loader

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// touch is a click or impression of a golden case.
type touch struct {
	typ      events.Type
	before   time.Duration // before the order
	user     uint64
	campaign uint32
	bid      int // names the bid, for click ids
	test     bool
}

// sale is an order of a golden case; user 0 is nobody.
type sale struct {
	order   string
	after   time.Duration // after the case's order time
	user    uint64
	clicked int // bid of the click id, 0: none
}

const (
	day   = 24 * time.Hour
	click = events.TypeClick
	view  = events.TypeImpression
)

func TestAttribution(t *testing.T) {
	w := start(t)
	cases := []struct {
		name    string
		touches []touch
		sales   []sale
		want    string // "order:touch/matched_by/campaign", in order of order id
	}{
		{"click exactly 30 days before", []touch{{click, 30 * day, 1, 5, 1, false}}, []sale{{"o", 0, 1, 0}}, "o:click/user/5"},
		{"click a millisecond more", []touch{{click, 30*day + time.Millisecond, 1, 5, 1, false}}, []sale{{"o", 0, 1, 0}}, ""},
		{"view exactly 1 day before", []touch{{view, day, 1, 5, 1, false}}, []sale{{"o", 0, 1, 0}}, "o:view/user/5"},
		{"view a millisecond more", []touch{{view, day + time.Millisecond, 1, 5, 1, false}}, []sale{{"o", 0, 1, 0}}, ""},
		{"click in the order's millisecond", []touch{{click, 0, 1, 5, 1, false}}, []sale{{"o", 0, 1, 0}}, "o:click/user/5"},
		{"order before the touch", []touch{{click, -time.Millisecond, 1, 5, 1, false}, {view, -time.Millisecond, 1, 5, 1, false}}, []sale{{"o", 0, 1, 0}}, ""},
		{"an older click beats a later view", []touch{{click, 20 * day, 1, 5, 1, false}, {view, time.Minute, 1, 6, 2, false}}, []sale{{"o", 0, 1, 0}}, "o:click/user/5"},
		{"a view where the click is too old", []touch{{click, 31 * day, 1, 5, 1, false}, {view, time.Minute, 1, 6, 2, false}}, []sale{{"o", 0, 1, 0}}, "o:view/user/6"},
		{"the last click of two campaigns", []touch{{click, time.Hour, 1, 5, 1, false}, {click, time.Minute, 1, 6, 2, false}}, []sale{{"o", 0, 1, 0}}, "o:click/user/6"},
		{"the last click before the order", []touch{{click, time.Hour, 1, 5, 1, false}, {click, -time.Minute, 1, 6, 2, false}}, []sale{{"o", 0, 1, 0}}, "o:click/user/5"},
		{"a click id of a buyer who is not known", []touch{{click, time.Hour, 9, 5, 1, false}}, []sale{{"o", 0, 0, 1}}, "o:click/click_id/5"},
		{"a click id before the user's later click", []touch{{click, time.Hour, 1, 5, 1, false}, {click, time.Minute, 1, 6, 2, false}}, []sale{{"o", 0, 1, 1}}, "o:click/click_id/5"},
		{"a click id that is too old, then the user's click", []touch{{click, 31 * day, 1, 5, 1, false}, {click, time.Minute, 1, 6, 2, false}}, []sale{{"o", 0, 1, 1}}, "o:click/user/6"},
		{"nobody's touches meet nobody's order", []touch{{click, time.Minute, 0, 5, 1, false}, {view, time.Minute, 0, 5, 1, false}}, []sale{{"o", 0, 0, 0}}, ""},
		{"another user's click", []touch{{click, time.Minute, 2, 5, 1, false}}, []sale{{"o", 0, 1, 0}}, ""},
		{"test events never count", []touch{{click, time.Minute, 1, 5, 1, true}, {view, time.Minute, 1, 5, 1, true}}, []sale{{"o", 0, 1, 1}}, ""},
		{"an order sent again, later", []touch{{click, time.Minute, 1, 5, 1, false}}, []sale{{"o", 0, 1, 0}, {"o", 40 * day, 1, 0}}, "o:click/user/5"},
		{"two orders after one click", []touch{{click, time.Minute, 1, 5, 1, false}}, []sale{{"o1", 0, 1, 0}, {"o2", day, 1, 0}}, "o1:click/user/5 o2:click/user/5"},
	}
	r := w.load(t, "attribution", nil)
	order := time.Now().UTC().Truncate(day).Add(-50 * day)
	shops := make([]uint32, len(cases))
	var touches, sales []kafka.Message
	for i, c := range cases {
		shops[i] = newShop()
		tm, sm := golden(shops[i], order, c.touches, c.sales)
		touches, sales = append(touches, tm...), append(sales, sm...)
	}
	w.send(t, events.TopicShopEvents, sales...) // before their touches: loading order does not matter
	w.send(t, events.TopicEvents, touches...)
	w.send(t, events.TopicEvents, touches...)
	r.caughtUp(t)
	got := w.byShop(t, "SELECT shop, arrayStringConcat(arraySort(groupArray(concat(order_id, ':', touch, '/', matched_by, '/', toString(campaign)))), ' ') FROM grosz.attributed_orders GROUP BY shop")
	orders := w.byShop(t, "SELECT shop, concat(toString(sum(orders)), '/', toString(sumIf(orders, day = ?))) FROM grosz.cost_per_order GROUP BY shop", order.Format(time.DateOnly))
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, got[shops[i]])
			n := strings.Count(c.want, ":")
			require.Equal(t, fmt.Sprintf("%d/%d", n, min(n, 1)), cmp.Or(orders[shops[i]], "0/0"), "orders in all, and on the day first reported")
		})
	}
}

// byShop reads a query of two columns, a shop and a text.
func (w *world) byShop(t testing.TB, sql string, args ...any) map[uint32]string {
	t.Helper()
	rows, err := w.conn.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	defer rows.Close()
	got := make(map[uint32]string)
	for rows.Next() {
		var shop uint32
		var text string
		require.NoError(t, rows.Scan(&shop, &text))
		got[shop] = text
	}
	require.NoError(t, rows.Err())
	return got
}

func golden(shop uint32, order time.Time, touches []touch, sales []sale) (tm, sm []kafka.Message) {
	bids := make(map[int]events.ID)
	for i, c := range touches {
		if _, ok := bids[c.bid]; !ok {
			bids[c.bid] = newID()
		}
		e := event(shop, c.typ, bids[c.bid], order.Add(-c.before))
		e.EventID = events.EventID(e.BidID, c.typ, uint64(i))
		e.BidMS, e.CampaignID, e.User, e.Test = order.Add(-40*day).UnixMilli(), c.campaign, c.user, c.test
		tm = append(tm, message(e))
	}
	for _, s := range sales {
		sm = append(sm, shopMessage(purchase(shop, s.order, order.Add(s.after), s.user, bids[s.clicked])))
	}
	return tm, sm
}

func TestSameOrderIDInTwoShops(t *testing.T) {
	w := start(t)
	a, b := newShop(), newShop()
	r := w.load(t, "two-shops", nil)
	order := noon()
	click := event(a, events.TypeClick, newID(), order.Add(-time.Minute))
	w.send(t, events.TopicEvents, message(click))
	w.send(t, events.TopicShopEvents, shopMessage(purchase(a, "o-1", order, 42, events.ID{})), shopMessage(purchase(b, "o-1", order, 42, click.BidID)))
	r.caughtUp(t)
	require.Equal(t, "1", w.text(t, "SELECT toString(sum(orders)) FROM grosz.cost_per_order WHERE shop = ?", a))
	require.Equal(t, "0", w.text(t, "SELECT toString(sum(orders)) FROM grosz.cost_per_order WHERE shop = ?", b), "another shop's click is not its own")
	require.Equal(t, "2", w.text(t, "SELECT toString(count()) FROM grosz.orders WHERE shop IN (?, ?)", a, b))
}

func TestCostPerOrderNamesAndMoney(t *testing.T) {
	w := start(t)
	shop, bid := newShop(), newID()
	r := w.load(t, "names", nil)
	name := fmt.Sprint("Shop ", shop)
	record := func(v int64, campaign string) string {
		return fmt.Sprintf(`{"key":"campaign/7%d","version":%d,"campaign":{"id":7%d,"shop_id":%d,"name":%q,"status":"active"}}`, shop, v, shop, shop, campaign)
	}
	campaign := uint32(0)
	_, err := fmt.Sscan(fmt.Sprint("7", shop), &campaign)
	require.NoError(t, err)
	w.send(t, events.TopicCampaigns,
		kafka.Message{Key: []byte("s"), Value: fmt.Appendf(nil, `{"key":"shop/%d","version":1,"shop":{"id":%d,"name":%q,"currency":"PLN","time_zone":"Europe/Warsaw"}}`, shop, shop, name)},
		kafka.Message{Key: []byte("c2"), Value: []byte(record(2, "newer"))}, kafka.Message{Key: []byte("c1"), Value: []byte(record(1, "older"))},
		kafka.Message{Key: []byte("c3"), Value: fmt.Appendf(nil, `{"key":"campaign/%d","version":3,"deleted":true}`, campaign)},
		kafka.Message{Key: []byte("gone")})
	order := noon()
	bill, clk := billing(shop, bid, order, 30_000_000), event(shop, events.TypeClick, bid, order)
	bid2 := event(shop, events.TypeBid, bid, order)
	drop := events.Event{EventID: newID(), Type: events.TypeDropped, TimeMS: order.UnixMilli(), Day: order.Format(time.DateOnly), ShopID: shop, Count: 5}
	bill.CampaignID, clk.CampaignID, bid2.CampaignID, drop.CampaignID = campaign, campaign, campaign, campaign
	euro := purchase(shop, "o2", order, 42, events.ID{})
	euro.Currency = money.MustCurrency("EUR")
	w.send(t, events.TopicEvents, message(bill, clk))
	w.send(t, events.TopicBids, message(bid2, bid2, drop))
	w.send(t, events.TopicShopEvents, shopMessage(purchase(shop, "o1", order, 42, bid)), shopMessage(euro))
	r.caughtUp(t)
	require.Equal(t, fmt.Sprintf("(%d,'alpha','USD',1,1,0,1,0.03,2,100,0.015,'PLN',0.12,0.03,0.075,'%s','newer')", campaign, name),
		w.text(t, `SELECT toString((campaign, exchange, currency, bids, wins, impressions, clicks, spend, orders, revenue, assumeNotNull(cost_per_order),
			shop_currency, shop_spend, shop_fee, assumeNotNull(shop_cost_per_order), shop_name, campaign_name)) FROM grosz.cost_per_order WHERE shop = ?`, shop))
	require.Equal(t, "(1,5,6)", w.text(t, "SELECT toString((recorded, dropped, bids)) FROM grosz.dropped WHERE shop = ?", shop))
	require.Equal(t, "3", w.text(t, "SELECT toString(max(version)) FROM grosz.deletions WHERE kind = 'campaign' AND id = ?", campaign))
	require.Equal(t, "['p1'] [2] [50]", w.text(t, "SELECT concat(toString(items.product), ' ', toString(items.quantity), ' ', toString(items.price)) FROM grosz.shop_events FINAL WHERE shop_id = ? AND order_id = 'o1'", shop))
}

func TestRejectionsMoveNoMoney(t *testing.T) {
	w := start(t)
	r := w.load(t, "rejections", nil)
	node := fmt.Sprint("node-", newShop())
	e := events.Event{EventID: newID(), Type: events.TypeRejection, TimeMS: noon().UnixMilli(), Reason: events.RejectForged, Raw: "1.00", Node: node}
	w.send(t, events.TopicEvents, message(e, e))
	r.caughtUp(t)
	require.Equal(t, "('"+noon().Format(time.DateOnly)+"','forged','1.00')", w.text(t, "SELECT toString((day, reason, raw)) FROM grosz.rejections WHERE node = ?", node))
	require.NotEqual(t, "0", w.text(t, "SELECT toString(count()) FROM grosz.freshness WHERE source = 'events' AND last_loaded > now() - 60"))
}

// TestSpendEqualsUniqueSettlements makes random histories of many bids, with
// every event delivered one to four times, in random order and random
// batches, and checks the views against a count in Go.
func TestSpendEqualsUniqueSettlements(t *testing.T) {
	w := start(t)
	r := w.load(t, "property", nil)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	type truth struct {
		spend, fee money.Nano
		wins       int
		clicks     int
	}
	want := make(map[uint32]truth)
	var msgs []kafka.Message
	for range 40 {
		shop := newShop()
		ms, log := history(rnd, shop)
		msgs = append(msgs, ms...)
		var tr truth
		settled, won, seen := map[events.ID]bool{}, map[events.ID]bool{}, map[events.ID]bool{}
		for _, e := range log { // in the order of the log: the first counts
			if e.Test {
				continue
			}
			if e.Settles && !settled[e.BidID] {
				settled[e.BidID] = true
				tr.spend, tr.fee = tr.spend+e.Amount, tr.fee+e.ShopFee
			}
			if e.Type != events.TypeClick && e.Type != events.TypeLoss && !won[e.BidID] {
				won[e.BidID] = true
				tr.wins++
			}
			if e.Type == events.TypeClick && !seen[e.EventID] {
				seen[e.EventID] = true
				tr.clicks++
			}
		}
		want[shop] = tr
	}
	w.send(t, events.TopicEvents, msgs...)
	r.caughtUp(t)
	got := w.byShop(t, "SELECT shop, concat(toString(sum(spend)), ' ', toString(sum(shop_fee)), ' ', toString(sum(wins)), ' ', toString(sum(clicks))) FROM grosz.cost_per_order GROUP BY shop")
	for shop, tr := range want {
		plain := func(n money.Nano) string { return string(money.AppendDecimal(nil, int64(n), 9, 0)) }
		text := fmt.Sprintf("%s %s %d %d", plain(tr.spend), plain(tr.fee), tr.wins, tr.clicks)
		if text == "0 0 0 0" {
			text = "" // only losses or test events: the shop has no row
		}
		require.Equal(t, text, got[shop], "shop %d, seed %d", shop, seed)
	}
}

// history returns a shop's messages and its events in the order of the log.
func history(rnd *rand.Rand, shop uint32) ([]kafka.Message, []events.Event) {
	var all []events.Event
	for range 1 + rnd.IntN(30) {
		var bid events.ID
		for i := range bid {
			bid[i] = byte(rnd.Uint32())
		}
		at := noon().Add(-time.Duration(rnd.IntN(20)) * day)
		for _, typ := range []events.Type{events.TypeWin, events.TypeBilling, events.TypeImpression, events.TypeClick, events.TypeLoss} {
			if rnd.IntN(3) == 0 {
				continue
			}
			test := rnd.IntN(20) == 0
			for range 1 + rnd.IntN(4) {
				e := event(shop, typ, bid, at.Add(time.Duration(rnd.IntN(int(3*day/time.Millisecond)))*time.Millisecond))
				e.BidMS, e.Test = at.UnixMilli(), test
				e.CampaignID = uint32(bid[0] % 3) // the same in every event of the bid
				if typ == events.TypeBilling || (typ == events.TypeImpression && bid[1]%8 == 0) {
					e.Settles, e.Amount = true, money.Nano(rnd.Int64N(5_000_000_000))
					e.ShopFee = e.Amount / 10
				}
				all = append(all, e)
			}
		}
	}
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var msgs []kafka.Message
	for i := 0; i < len(all); {
		n := min(len(all)-i, 1+rnd.IntN(6))
		msgs = append(msgs, message(all[i:i+n]...))
		i += n
	}
	return msgs, all
}

func TestEverythingIsDocumented(t *testing.T) {
	w := start(t)
	require.Empty(t, w.text(t, `SELECT arrayStringConcat(groupArray(concat(table, '.', name)), ' ') FROM system.columns WHERE database = 'grosz' AND comment = ''`), "columns without a comment")
	require.Empty(t, w.text(t, `SELECT arrayStringConcat(groupArray(name), ' ') FROM system.tables WHERE database = 'grosz' AND comment = ''`), "tables without a comment")
	require.Equal(t, "day shop campaign exchange currency bids wins impressions clicks spend orders revenue cost_per_order shop_currency shop_spend shop_fee shop_cost_per_order shop_name campaign_name viewable kept_orders kept_revenue cost_per_kept_order shop_cost_per_kept_order",
		w.text(t, `SELECT arrayStringConcat(groupArray(name), ' ') FROM (SELECT name FROM system.columns WHERE database = 'grosz' AND table = 'cost_per_order' ORDER BY position)`))
	require.Equal(t, "0", w.text(t, `SELECT toString(count()) FROM system.columns WHERE database = 'grosz' AND name = 'uid'`), "the user id stays out")
}
