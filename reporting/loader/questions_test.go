package loader

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// TestQuestions tells a small story of one shop, all of it twice, and asks the
// views that are not about the cost of orders.
func TestQuestions(t *testing.T) {
	w := start(t)
	r := w.load(t, "questions", nil)
	shop, at := newShop(), time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	ms, today := at.UnixMilli(), at.Format(time.DateOnly)
	bid := func(typ events.Type, id events.ID, user uint64, cpm money.CPM) events.Event {
		return events.Event{
			EventID: events.EventID(id, typ, 0), Type: typ, TimeMS: ms, BidMS: ms, Day: today, BidID: id, ShopID: shop, CampaignID: 5, CreativeID: 1,
			Exchange: "alpha", Media: "banner", Browser: "firefox", User: user, BidPrice: cpm, Currency: money.MustCurrency("USD"), ShopCurrency: money.MustCurrency("USD"), Rate: money.RateOne,
		}
	}
	tally := func(kind, reason, browser string, campaign uint32, upTo int, n int64) events.Event {
		e := events.Event{EventID: newID(), Type: events.TypeTally, TimeMS: ms, BidMS: ms, Day: today, CampaignID: campaign, Exchange: fmt.Sprint("x", shop), Raw: kind, Reason: reason, Browser: browser, W: upTo, Count: n, Node: "n1"}
		if campaign != 0 {
			e.ShopID = shop
		}
		return e
	}
	var bids, notices []events.Event
	// Ten people are bid for at 2 CPM: four are won at 1, three lost to 2.4; two see it, one clicks.
	for i := range uint64(10) {
		id := newID()
		bids = append(bids, bid(events.TypeBid, id, 100+i, 2_000_000))
		switch {
		case i < 4:
			e := bid(events.TypeBilling, id, 100+i, 2_000_000)
			e.Settles, e.Price, e.PriceStatus, e.Amount, e.ShopAmount = true, 1_000_000, events.PriceOK, 1_000_000, 1_000_000
			notices = append(notices, e, bid(events.TypeImpression, id, 100+i, 2_000_000))
		case i < 7:
			e := bid(events.TypeLoss, id, 100+i, 2_000_000)
			e.LossReason, e.MinToWin = 102, 2_400_000
			notices = append(notices, e)
		}
		if i < 2 {
			notices = append(notices, bid(events.TypeViewable, id, 100+i, 2_000_000))
		}
		if i == 0 {
			e := bid(events.TypeClick, id, 100+i, 2_000_000)
			e.Product = "sofa"
			notices = append(notices, e)
		}
	}
	for i := range uint64(12) { // of 12 visitors who were met, 2 were not bid for
		e := bid(events.TypeSeen, newID(), 100+i, 0)
		e.CampaignID, e.CreativeID, e.Media = 0, 0, ""
		bids = append(bids, e)
	}
	bids = append(bids, tally(events.TallyRefused, "floor", "", 5, 0, 30), tally(events.TallyRefused, "floor", "", 5, 0, 12),
		tally(events.TallyRequests, events.KnownNobody, "edge", 0, 0, 50), tally(events.TallyRequests, events.KnownVisitor, "edge", 0, 0, 25), tally(events.TallyRequests, events.KnownMatched, "edge", 0, 0, 5),
		tally(events.TallyNoBids, "no_campaign", "", 0, 0, 9), tally(events.TallyLatency, "", "", 0, 1000, 99), tally(events.TallyLatency, "", "", 0, 8000, 1))
	var visits []kafka.Message
	for i := range uint64(20) {
		v := events.ShopEvent{EventID: newID(), Type: events.ShopVisit, TimeMS: ms, ReceivedMS: ms, Day: today, ShopID: shop, UID: events.ID{1}, User: 100 + i, Browser: "firefox", Page: i < 15}
		visits = append(visits, shopMessage(v))
	}
	lead := events.ShopEvent{EventID: newID(), Type: events.ShopConversion, Name: "lead", TimeMS: ms + 1000, ReceivedMS: ms + 1000, Day: today, ShopID: shop, UID: events.ID{1}, User: 100, Value: 7 * money.NanoUnit, Currency: money.MustCurrency("USD"), Browser: "firefox"}
	buy := purchase(shop, "o1", at.Add(time.Minute), 100, events.ID{})
	buy.Browser = "firefox"
	visits = append(visits, shopMessage(lead), shopMessage(buy))
	for range 2 {
		w.send(t, events.TopicBids, message(bids...))
		w.send(t, events.TopicEvents, message(notices...))
		w.send(t, events.TopicShopEvents, visits...)
	}
	r.caughtUp(t)

	x := fmt.Sprint("x", shop)
	for _, q := range []struct{ name, want, sql string }{
		{"reach", "20 15 12 12 10 4 2 1 1", fmt.Sprintf("SELECT concat(visitors, ' ', consented, ' ', matched, ' ', seen, ' ', bid_on, ' ', won, ' ', viewable, ' ', clicked, ' ', ordered) FROM grosz.reach WHERE shop = %d AND exchange = 'alpha' AND browser = 'firefox'", shop)},
		{"prices", "2 10 4 3 0.4 2 1 2.4", fmt.Sprintf("SELECT concat(price_from, ' ', bids, ' ', wins, ' ', losses, ' ', win_rate, ' ', bid_cpm, ' ', paid_cpm, ' ', min_to_win_cpm) FROM grosz.price_landscape WHERE shop = %d", shop)},
		{"losses", "outbid 3", fmt.Sprintf("SELECT concat(meaning, ' ', losses) FROM grosz.losses WHERE shop = %d", shop)},
		{"refusals", "floor 42", fmt.Sprintf("SELECT concat(reason, ' ', times) FROM grosz.refusals WHERE shop = %d", shop)},
		{"traffic", "edge 80 30 30 25", "SELECT concat(browser, ' ', requests, ' ', consented, ' ', matched, ' ', visitors) FROM grosz.traffic WHERE exchange = '" + x + "'"},
		{"no bids", "no_campaign 9", "SELECT concat(reason, ' ', times) FROM grosz.no_bids WHERE exchange = '" + x + "'"},
		{"latency", "100 1 1 8", "SELECT concat(answers, ' ', p50_ms, ' ', p90_ms, ' ', p999_ms) FROM grosz.latency WHERE exchange = '" + x + "'"},
		{"frequency", "1 4", fmt.Sprintf("SELECT concat(impressions, ' ', people) FROM grosz.frequency WHERE shop = %d", shop)},
		{"pacing", "0.004", fmt.Sprintf("SELECT toString(max(spent_so_far)) FROM grosz.pacing WHERE shop = %d", shop)},
		{"product", "sofa 1 0.004 1", fmt.Sprintf("SELECT concat(product, ' ', sum(clicks), ' ', sum(spend), ' ', sum(orders)) FROM grosz.cost_by_product WHERE shop = %d GROUP BY product", shop)},
		{"conversions", "lead 0.004 1,order 0.004 1", fmt.Sprintf("SELECT arrayStringConcat(arraySort(groupArray(concat(goal, ' ', s, ' ', n))), ',') FROM (SELECT goal, sum(spend) AS s, sum(conversions) AS n FROM grosz.cost_per_conversion WHERE shop = %d GROUP BY goal)", shop)},
		{"dropped counts bids only", "10 10", fmt.Sprintf("SELECT concat(sum(bids), ' ', sum(recorded)) FROM grosz.dropped WHERE shop = %d", shop)},
	} {
		t.Run(q.name, func(t *testing.T) { require.Equal(t, q.want, w.text(t, q.sql)) })
	}
}
