package loader

import (
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

// isolationHistory is what may be told of one shop: bids, notices, clicks,
// visits, orders, customers who are identified. Pseudonyms, order ids and
// campaigns have few values, so that those of two shops are often the same.
// claims are bids, of other shops too, that orders say they were clicked.
func isolationHistory(rnd *rand.Rand, shop uint32, start time.Time, bids, claims []events.ID) (notices, behaviour []kafka.Message) {
	at := func() time.Time { return start.Add(time.Duration(rnd.IntN(72*60)) * time.Minute) }
	user := func() uint64 { return 1 + rnd.Uint64N(4) }
	for i, id := range bids {
		who, campaign := user(), 1+rnd.Uint32N(3)
		for _, typ := range []events.Type{events.TypeWin, events.TypeBilling, events.TypeImpression, events.TypeClick, events.TypeLoss, events.TypeViewable} {
			if rnd.IntN(3) == 0 {
				continue
			}
			e := event(shop, typ, id, at())
			if typ == events.TypeBilling {
				e = billing(shop, id, at(), money.Nano(1+rnd.Int64N(1e9)))
			}
			e.EventID, e.User, e.CampaignID, e.BidMS = events.EventID(id, typ, uint64(i)), who, campaign, start.UnixMilli()
			notices = append(notices, message(e))
		}
	}
	rnd.Shuffle(len(notices), func(i, j int) { notices[i], notices[j] = notices[j], notices[i] })
	for i := range 12 {
		// Told again, an order is of the same person, and so of the same partition:
		// which telling is the first then does not hang on the shop's number.
		order := rnd.IntN(8)
		p := purchase(shop, fmt.Sprint("o", order), at(), uint64(1+order%4), events.ID{})
		p.Value = money.Nano(1+rnd.IntN(5)) * 100 * money.NanoUnit
		if rnd.IntN(2) == 0 {
			p.ClickBid = claims[rnd.IntN(len(claims))]
		}
		visit := events.ShopEvent{
			EventID: events.NamedID(shop, "e", fmt.Sprint(i)), Type: events.ShopProductView, Product: "p1", TimeMS: p.TimeMS, ReceivedMS: p.TimeMS, Day: p.Day,
			ShopID: shop, UID: events.ID{1, byte(p.User)}, User: p.User,
		}
		known := visit
		known.EventID, known.Type, known.Product, known.Name = events.NamedID(shop, "i", fmt.Sprint(i)), events.ShopIdentify, "", events.AliasCustomer
		known.Alias, known.AliasUser = events.ID{2, 1}, 1+rnd.Uint64N(4)
		news := visit
		news.EventID, news.Type, news.Product, news.OrderID = events.NamedID(shop, "s", fmt.Sprint(i)), events.ShopOrderStatus, "", fmt.Sprint("o", rnd.IntN(8))
		news.Status = events.OrderStatuses[rnd.IntN(len(events.OrderStatuses))]
		behaviour = append(behaviour, shopMessage(p), shopMessage(visit), shopMessage(known), shopMessage(news))
	}
	return notices, behaviour
}

// TestReportsIsolation: the same history is told of two shops; around one of
// them others have theirs, with the same pseudonyms, campaigns and order ids,
// and orders that claim its clicks. Every view that names a shop says the same
// of both.
func TestReportsIsolation(t *testing.T) {
	w := start(t)
	r := w.load(t, "isolation", nil)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const rounds = 8
	when := noon().Add(-5 * day)
	type pair struct{ among, alone uint32 }
	var pairs []pair
	ids := func(n int) (out []events.ID) {
		for range n {
			out = append(out, newID())
		}
		return out
	}
	var notices, behaviour []kafka.Message
	tell := func(m, b []kafka.Message) { notices, behaviour = append(notices, m...), append(behaviour, b...) }
	for i := range uint64(rounds) {
		p := pair{newShop(), newShop()}
		pairs = append(pairs, p)
		mine, copied, theirs := ids(10), ids(10), ids(10)
		// The one among others claims their clicks, too; the one alone, bids
		// that nobody made.
		tell(isolationHistory(rand.New(rand.NewPCG(seed, i)), p.among, when, mine, append(mine[:10:10], theirs...)))
		tell(isolationHistory(rand.New(rand.NewPCG(seed, i)), p.alone, when, copied, append(copied[:10:10], ids(10)...)))
		tell(isolationHistory(rand.New(rand.NewPCG(seed, 1000+i)), newShop(), when, theirs, append(theirs[:10:10], mine...)))
	}
	// Each shop's in the order that they were made: the first in the log counts.
	w.send(t, events.TopicEvents, notices...)
	w.send(t, events.TopicShopEvents, behaviour...)
	r.caughtUp(t)

	// When rows were inserted ("at") hangs on the batches, not on the shop.
	rows, err := w.conn.Query(t.Context(), `SELECT v.name, any(c.name), arrayStringConcat(groupArrayIf(k.name, NOT match(k.type, 'UUID') AND k.name NOT IN ('shop', 'shop_id', 'at')), ', ')
		FROM system.tables AS v INNER JOIN system.columns AS c ON c.database = v.database AND c.table = v.name AND c.name IN ('shop', 'shop_id')
		INNER JOIN system.columns AS k ON k.database = v.database AND k.table = v.name
		WHERE v.database = 'grosz' AND v.engine = 'View' GROUP BY v.name ORDER BY v.name`)
	require.NoError(t, err)
	type view struct{ name, shop, columns string }
	var views []view
	for rows.Next() {
		var v view
		require.NoError(t, rows.Scan(&v.name, &v.shop, &v.columns))
		views = append(views, v)
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	filled := 0
	for _, v := range views {
		t.Run(v.name, func(t *testing.T) {
			sql := fmt.Sprintf("SELECT %s, arrayStringConcat(arraySort(groupArray(toString((%s)))), '\\n') FROM grosz.%s GROUP BY %[1]s", v.shop, strings.TrimSuffix(v.columns, ", ")+", 0", v.name)
			got := w.byShop(t, sql)
			for _, p := range pairs {
				require.Equal(t, got[p.alone], got[p.among], "%v", p)
				if got[p.alone] != "" {
					filled++
					break
				}
			}
		})
	}
	require.GreaterOrEqual(t, filled, 5, "of %d views too few have rows at all", len(views))
}
