package bidder

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

const cappedRequest = `{"id":"%d","at":2,"cur":["PLN"],"imp":[%s],"site":{"page":"https://news.example/"},"device":{"ifa":"11112222-3333-4444-5555-666677778888"}}`

// slots are n banners.
func slots(n int) (out string) {
	for i := range n {
		if i > 0 {
			out += ","
		}
		out += fmt.Sprintf(`{"id":"%d","banner":{"w":300,"h":250}}`, i+1)
	}
	return out
}

func cappedWorld(t *testing.T, f campaigns.Frequency) *world {
	c := openCampaign(1)
	c.Frequency = f
	return newWorld(t, c)
}

func TestAStrictCapCountsBidsUnderWay(t *testing.T) {
	w := cappedWorld(t, campaigns.Frequency{Impressions: 3, Hours: 24, Strict: true})
	r := w.bid("burl", fmt.Sprintf(cappedRequest, 1, slots(4)))
	require.Len(t, r.SeatBid[0].Bid, 3, "the fourth slot would be one too many")
	require.Equal(t, "frequency", w.noBid("burl", fmt.Sprintf(cappedRequest, 2, slots(1))))
	// One was lost, one billed.
	require.Equal(t, http.StatusNoContent, w.get(macro(r.SeatBid[0].Bid[0].LURL, "")).StatusCode)
	require.Equal(t, http.StatusNoContent, w.get(macro(r.SeatBid[0].Bid[1].BURL, "1")).StatusCode)
	for _, e := range w.spooled() {
		w.b.fold(&e)
	}
	require.Len(t, w.bid("burl", fmt.Sprintf(cappedRequest, 3, slots(4))).SeatBid[0].Bid, 1)
}

func TestANormalCapTakesAWholePage(t *testing.T) {
	w := cappedWorld(t, campaigns.Frequency{Impressions: 3, Hours: 24})
	for range 4000 { // the exchange's win rate becomes known: about nought
		w.b.book.ReserveClass(w.b.book.Account(99), w.b.randomID(), 1, 1, noon, noon+1, w.b.exchanges["burl"].delayClass(1))
	}
	w.b.book.Learn(1000)
	require.Len(t, w.bid("burl", fmt.Sprintf(cappedRequest, 1, slots(4))).SeatBid[0].Bid, 4)
}

func TestCapsOfShopAndCreative(t *testing.T) {
	for name, c := range map[string]struct {
		caps []campaigns.FrequencyCap
		want int
	}{
		"of the shop":     {[]campaigns.FrequencyCap{{Per: campaigns.PerShop, Impressions: 2, Hours: 168}}, 2},
		"of the creative": {[]campaigns.FrequencyCap{{Per: campaigns.PerCreative, Impressions: 1, Hours: 1}}, 1},
		"the tightest":    {[]campaigns.FrequencyCap{{Per: campaigns.PerCampaign, Impressions: 5, Hours: 1}, {Per: campaigns.PerShop, Impressions: 3, Hours: 1}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := cappedWorld(t, campaigns.Frequency{Strict: true, Caps: c.caps})
			assert.Len(t, w.bid("burl", fmt.Sprintf(cappedRequest, 1, slots(6))).SeatBid[0].Bid, c.want)
			assert.Equal(t, "frequency", w.noBid("burl", fmt.Sprintf(cappedRequest, 2, slots(1))))
			assert.Equal(t, "frequency", w.noBid("burl", `{"id":"nobody","imp":[{"id":"1","banner":{"w":300,"h":250}}],"site":{"page":"https://n.example/"}}`), "who is nobody cannot be counted")
		})
	}
}

func TestFatigueLowersTheBid(t *testing.T) {
	w := cappedWorld(t, campaigns.Frequency{Fatigue: &campaigns.Fatigue{HalfAfter: 1}})
	first := w.bid("burl", fmt.Sprintf(cappedRequest, 1, slots(1))).SeatBid[0].Bid[0]
	require.InDelta(t, 12, first.Price, 1e-9)
	require.Equal(t, http.StatusNoContent, w.get(macro(first.BURL, "12")).StatusCode)
	for _, e := range w.spooled() {
		w.b.fold(&e)
	}
	again := w.bid("burl", fmt.Sprintf(cappedRequest, 2, slots(1))).SeatBid[0].Bid[0]
	require.InDelta(t, 6, again.Price, 1e-5, "half after one")
}

// offeredRequest is one impression through an exchange: same transaction, same slot.
const offeredRequest = `{"id":"%s","cur":["PLN"],"source":{"tid":"%s"},"imp":[{"id":"1","banner":{"w":300,"h":250},"bidfloor":%s,"bidfloorcur":"PLN","ext":{"gpid":"/1/top"}}],"site":{"page":"https://news.example/"}}`

func TestAnImpressionOfManyExchangesIsBidOnOnce(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	w.bid("burl", fmt.Sprintf(offeredRequest, "a", "t1", "1"))
	require.Equal(t, "offered_twice", w.noBid("nurl", fmt.Sprintf(offeredRequest, "b", "t1", "1")))
	w.bid("burl", fmt.Sprintf(offeredRequest, "c", "t1", "1")) // the same exchange may ask again
	w.bid("nurl", fmt.Sprintf(offeredRequest, "d", "t2", "1"))
	require.Equal(t, "floor", w.noBid("burl", fmt.Sprintf(offeredRequest, "e", "t3", "99")))
	w.bid("nurl", fmt.Sprintf(offeredRequest, "f", "t3", "1")) // what was not bid on is free
	w.clock.Advance(offerTransactionMS * 1_000_000)
	w.bid("nurl", fmt.Sprintf(offeredRequest, "g", "t1", "1"))
}

// Where the same slot comes through two exchanges again and again, the dearer
// one is passed over although it is the first to ask.
func TestTheCheapestWayIsTaken(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bids := map[string]int{}
	for n := range 100 {
		tid := fmt.Sprint("t", n)
		dear, cheap := fmt.Sprintf(offeredRequest, "d"+tid, tid, "5"), fmt.Sprintf(offeredRequest, "c"+tid, tid, "1")
		for _, x := range []struct{ exchange, body string }{{"burl", dear}, {"nurl", cheap}} {
			if code, _, _ := w.post(x.exchange, x.body); code == http.StatusOK {
				bids[x.exchange]++
			}
		}
		w.clock.Advance(200_000_000)
	}
	require.Equal(t, 100, bids["burl"]+bids["nurl"], "each once")
	require.Greater(t, bids["nurl"], 85)
}

func TestOffersAreBounded(t *testing.T) {
	f := newOffers()
	for n := range uint64(1_000_000) {
		require.Equal(t, ReasonNone, f.claim(n+1, n*7+1, offerTransactionMS, 0, 1, noon))
	}
	require.Positive(t, f.pushed.Load())
	require.Zero(t, testing.AllocsPerRun(100, func() {
		f.claim(5, 9, offerTransactionMS, 1, 1, noon)
		f.release(5, 9, 1)
	}))
	c := newContext([32]byte{1})
	require.NoError(t, c.view.Parse(fmt.Appendf(nil, offeredRequest, "a", "t1", "1")))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if key, slot, _ := f.offerKey(c, &c.view.Imps[0]); key == 0 || slot == 0 {
			t.Error("the impression has a transaction and a slot")
		}
	}))
}

func BenchmarkClaim(b *testing.B) {
	f := newOffers()
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		n++
		f.claim(n, n%5000, offerTransactionMS, uint16(n%3), 1, noon)
	}
}

// Who pays before is bid for out of leases, as far as the balance goes; a
// deposit and new terms take effect as soon as the log has them.
func TestAPrepaidShopSpendsWhatItPaid(t *testing.T) {
	l := newLeasedNodes(t, 2, 0)
	for _, w := range l.nodes {
		w.in.Shops[0].Prepaid = true
		w.in.Version++
		require.Empty(t, w.b.Publish(w.in))
	}
	l.turn()
	l.turn()
	w := l.nodes[0]
	require.Equal(t, "lease", w.noBid("burl", fmt.Sprintf(leasedRequest, 0)), "nothing was deposited")
	const paid = 13_200_000 * 10 // ten bids
	l.log = append(l.log, termsOf(1, 0), depositOf(1, paid))
	l.read()
	for n := range 60 {
		l.turn()
		for _, w := range l.nodes {
			code, _, _ := w.post("burl", fmt.Sprintf(leasedRequest, n))
			if code != http.StatusOK {
				continue
			}
			bid := w.bid("burl", fmt.Sprintf(leasedRequest, n)).SeatBid[0].Bid[0]
			l.bill(w, bid.BURL, bid.Price)
		}
		for _, w := range l.nodes {
			w.clock.Advance(500_000_000)
		}
	}
	l.turn()
	for _, w := range l.nodes {
		s := w.b.leases.fold.Shop(7)
		require.LessOrEqual(t, s.Billed, money.Nano(paid))
		require.Equal(t, s.Deposited-s.Billed, s.Balance)
	}
	// A payment back, in the same second: leases end at once.
	l.log = append(l.log, depositOf(2, 1000*money.NanoUnit))
	l.read()
	l.turn()
	l.turn()
	w.bid("burl", fmt.Sprintf(leasedRequest, 100))
	l.log = append(l.log, depositOf(3, -1001*money.NanoUnit))
	l.read()
	l.turn()
	for _, w := range l.nodes {
		require.Equal(t, "balance", w.noBid("burl", fmt.Sprintf(leasedRequest, 101)))
	}
	// And credit opens it again.
	l.log = append(l.log, termsOf(2, 500*money.NanoUnit))
	l.read()
	l.turn()
	w.bid("burl", fmt.Sprintf(leasedRequest, 102))
}

func termsOf(version int64, credit money.Nano) events.Event {
	return events.Event{EventID: events.NamedID(7, "terms", fmt.Sprint(version)), Type: events.TypeTerms, TimeMS: noon, ShopID: 7, Version: version,
		Reason: events.TermsPrepaid, LimitTotal: credit, ShopCurrency: pln}
}

func depositOf(n int64, amount money.Nano) events.Event {
	return events.Event{EventID: events.NamedID(7, "deposit", fmt.Sprint(n)), Type: events.TypeDeposit, TimeMS: noon, ShopID: 7, Version: n,
		ShopAmount: amount, ShopCurrency: pln}
}

// Days of a budget follow the shop's clocks: the day that summer time begins on
// has 23 hours, the one it ends on 25, and both are one day of the budget.
func TestBudgetDaysAcrossSummerTime(t *testing.T) {
	warsaw, err := time.LoadLocation("Europe/Warsaw")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		date  string
		hours int64
	}{
		"begins": {"2026-03-29", 23}, "ends": {"2026-10-25", 25}, "none": {"2026-06-01", 24},
	} {
		t.Run(name, func(t *testing.T) {
			noon, err := time.ParseInLocation("2006-01-02 15:04", c.date+" 12:00", warsaw)
			require.NoError(t, err)
			d := dayAt(warsaw, noon.UnixMilli())
			assert.Equal(t, c.hours*hourMS, d.toMS-d.fromMS)
			assert.Equal(t, c.date, d.text)
			numbers := map[int32]bool{}
			for ms := d.fromMS; ms < d.toMS; ms += hourMS / 2 {
				numbers[dayAt(warsaw, ms).number] = true
			}
			assert.Equal(t, map[int32]bool{d.number: true}, numbers)
			assert.Equal(t, d.number+1, dayAt(warsaw, d.toMS).number)
			assert.Equal(t, d.number-1, dayAt(warsaw, d.fromMS-1).number)
		})
	}
}

func TestExplainNamesTheCapThatIsReached(t *testing.T) {
	w := cappedWorld(t, campaigns.Frequency{Caps: []campaigns.FrequencyCap{{Per: campaigns.PerShop, Impressions: 1, Hours: 24}, {Per: campaigns.PerCreative, Impressions: 9, Hours: 24}}})
	first := w.bid("burl", fmt.Sprintf(cappedRequest, 1, slots(1))).SeatBid[0].Bid[0]
	require.Equal(t, http.StatusNoContent, w.get(macro(first.BURL, "12")).StatusCode)
	for _, e := range w.spooled() {
		w.b.fold(&e)
	}
	e, err := w.b.Explain("burl", fmt.Appendf(nil, cappedRequest, 2, slots(1)))
	require.NoError(t, err)
	require.Equal(t, "frequency", e.NoBid)
	require.Contains(t, fmt.Sprint(e.Imps[0].Campaigns[0].Failing), "the cap per shop is 1")
}
