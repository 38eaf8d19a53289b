package bidder

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/money"
)

// drain takes everything out of the spool and hands each message of a topic
// to fn.
func (w *world) drain(topic uint8, fn func(msg []byte) error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if w.spool.Drained() {
		return
	}
	require.NoError(w.t, w.spool.Ship(ctx, func(_ context.Context, recs []spool.Record) error {
		for _, r := range recs {
			if r.Topic != topic {
				continue
			}
			if err := fn(r.Value); err != nil {
				return err
			}
		}
		cancel()
		return nil
	}))
}

// spooled drains the spool and returns the events of the money topic.
func (w *world) spooled() (out []events.Event) {
	w.t.Helper()
	var dec events.Decoder
	w.drain(kafka.SpoolEvents, func(msg []byte) error {
		return dec.Events(msg, func(_ int, e *events.Event) error { out = append(out, *e); return nil })
	})
	return out
}

func macro(u, price string) string { return strings.ReplaceAll(u, "${AUCTION_PRICE}", price) }

func TestWhatANoticeSettles(t *testing.T) {
	cases := []struct {
		name, price, status string
		amount, disputed    money.Nano // media cost in USD
		settles, test       bool
	}{
		{"a price", "2.5", events.PriceOK, 2_500_000, 0, true, false},
		{"a price as an integer", "2", events.PriceOK, 2_000_000, 0, true, false},
		{"the whole bid", "3.00", events.PriceOK, 3_000_000, 0, true, false},
		{"finer than a micro", "2.12345678", events.PriceOK, 2_123_456, 0, true, false},
		{"zero", "0", events.PriceUnreadable, 3_000_000, 0, true, false},
		{"nothing", "", events.PriceEmpty, 3_000_000, 0, true, false},
		{"the macro itself", "%24%7BAUCTION_PRICE%7D", events.PriceMacro, 3_000_000, 0, true, false},
		{"something else", "YWJjZGVm", events.PriceUnreadable, 3_000_000, 0, true, false},
		{"negative", "-1", events.PriceUnreadable, 3_000_000, 0, true, false},
		{"an exponent", "1e2", events.PriceUnreadable, 3_000_000, 0, true, false},
		{"two points", "1.2.3", events.PriceUnreadable, 3_000_000, 0, true, false},
		{"above the bid", "3.5", events.PriceAboveBid, 3_000_000, 500_000, true, false},
		{"far above the bid", "99999999999", events.PriceAboveBid, 3_000_000, 99_999_999_999_000_000 - 3_000_000, true, false},
		{"out of range", "9999999999999999999999", events.PriceUnreadable, 3_000_000, 0, true, false},
		{"an audit", "AUDIT", events.PriceAudit, 0, 0, false, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, openCampaign(1))
			bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
			u, err := url.Parse(bid.BURL)
			require.NoError(t, err)
			u.RawQuery = "t=" + token(t, bid.BURL) + "&p=" + c.price
			require.Equal(t, 204, w.get(u.String()).StatusCode)
			got := w.spooled()
			require.Len(t, got, 1)
			e := got[0]
			require.Equal(t, events.TypeBilling, e.Type)
			require.Equal(t, c.status, e.PriceStatus)
			require.Equal(t, c.settles, e.Settles)
			require.Equal(t, c.test, e.Test)
			require.Equal(t, c.amount, e.Amount)
			require.Equal(t, c.disputed, e.Disputed)
			require.Equal(t, c.amount*4, e.ShopAmount, "in PLN")
			require.Equal(t, e.ShopAmount/10, e.ShopFee)
			require.Equal(t, bid.ID, e.BidID.String())
			require.Equal(t, "2026-03-10", e.Day)
			state := w.b.book.Account(1).State(dayAt(w.b.location(7), noon).number)
			require.Equal(t, e.ShopAmount+e.ShopFee, state.Used-state.Held)
		})
	}
}

func TestOneEventSettlesWhateverElseComes(t *testing.T) {
	for _, exchange := range []string{"burl", "nurl", "pixel"} {
		t.Run(exchange, func(t *testing.T) {
			w := newWorld(t, openCampaign(1))
			bid := w.bid(exchange, bannerRequest).SeatBid[0].Bid[0]
			pixel := pixelOf(t, bid.AdM)
			for _, u := range []string{bid.LURL, bid.NURL, pixel, bid.BURL, bid.BURL, pixel, bid.NURL, pixel} {
				require.Less(t, w.get(macro(u, "2.00")).StatusCode, 300)
			}
			settled := map[events.ID]money.Nano{}
			for _, e := range w.spooled() {
				if e.Settles {
					settled[e.EventID] = e.Amount
				}
			}
			require.Len(t, settled, 1, "duplicates share one event id")
			for _, amount := range settled {
				require.Equal(t, money.Nano(2_000_000), amount)
			}
			require.EqualValues(t, 0, w.b.book.Stats().Holds)
			state := w.b.book.Account(1).State(0)
			require.Equal(t, money.Nano(8_800_000), state.Used, "8 mPLN and the fee, once")
		})
	}
}

// pixelOf finds the impression URL in a banner's markup.
func pixelOf(t *testing.T, adm string) string {
	t.Helper()
	m := regexp.MustCompile(`src="([^"]*/i\?t=[^"]*)"`).FindStringSubmatch(adm)
	require.Len(t, m, 2, adm)
	return html.UnescapeString(m[1])
}

// clickOf finds a click URL in a banner's markup.
func clickOf(t *testing.T, adm string) string {
	t.Helper()
	m := regexp.MustCompile(`href="([^"]*/c\?t=[^"&]*)"`).FindStringSubmatch(adm)
	require.Len(t, m, 2, adm)
	return html.UnescapeString(m[1])
}

func TestWhoSeesTheAdCannotBillOrLoseIt(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	for _, seen := range []string{pixelOf(t, bid.AdM), clickOf(t, bid.AdM)} {
		for _, path := range []string{"/n/win", "/n/bill", "/n/loss"} {
			w.get("http://bid.example" + path + "?p=0.01&t=" + token(t, seen))
		}
	}
	w.get("http://bid.example/i?p=1&t=" + token(t, clickOf(t, bid.AdM)))
	for _, e := range w.spooled() {
		require.Equal(t, events.TypeRejection, e.Type)
	}
	require.EqualValues(t, 1, w.b.book.Stats().Holds)
	require.Equal(t, 404, w.get("http://bid.example/c?t="+token(t, bid.BURL)).StatusCode, "nor does a notice's token click")
}

func TestAnAuditDoesNotStandInForTheRealNotice(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	w.get(macro(bid.BURL, "AUDIT"))
	w.get(macro(bid.BURL, "2.00"))
	got := w.spooled()
	require.Len(t, got, 2)
	require.NotEqual(t, got[0].EventID, got[1].EventID)
	require.True(t, got[1].Settles)
	require.Equal(t, money.Nano(2_000_000), got[1].Amount)
}

func TestAURLCalledInALoopFillsNoDisk(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	for range 50 {
		w.get(macro(bid.BURL, "2.00"))
		w.get(macro(bid.NURL, "2.00"))
		w.get(macro(pixelOf(t, bid.AdM), "2.00"))
	}
	require.Len(t, w.spooled(), 3)
	w.clock.Advance(events.BillingLifetime + time.Second)
	for range 300 {
		w.get(macro(bid.BURL, "2.00"))
	}
	n := len(w.spooled())
	require.Greater(t, n, 0)
	require.LessOrEqual(t, n, 100)
}

func TestAHoldEndsWithTheLossAndALateBillStillBooks(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	require.EqualValues(t, 1, w.b.book.Stats().Holds)
	lurl := strings.NewReplacer("${AUCTION_LOSS}", "102", "${AUCTION_MIN_TO_WIN}", "3.21").Replace(bid.LURL)
	require.Equal(t, 204, w.get(lurl).StatusCode)
	require.EqualValues(t, 0, w.b.book.Stats().Holds)
	require.Equal(t, 204, w.get(macro(bid.BURL, "1.5")).StatusCode)
	got := w.spooled()
	require.Len(t, got, 2)
	require.Equal(t, 102, got[0].LossReason)
	require.Equal(t, money.CPM(3_210_000), got[0].MinToWin)
	require.True(t, got[1].Late)
	require.True(t, got[1].Settles)
	require.Equal(t, money.Nano(1_500_000), got[1].Amount)
}

func TestAWinRepricesTheHold(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	w.get(macro(bid.NURL, "1.00"))
	require.Equal(t, money.Nano(4_400_000), w.b.book.Account(1).State(0).Held, "4 mPLN and the fee")
}

func TestWhatIsNotOursMovesNoMoney(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	tok := token(t, bid.BURL)
	forged := []byte(tok)
	if forged[40]++; forged[40] > 'z' || forged[40] == '[' || forged[40] == ':' {
		forged[40] = 'A'
	}
	for _, c := range []struct{ tok, reason string }{
		{string(forged), "forged_billing"}, {"", "malformed_billing"}, {"AAAA", "malformed_billing"},
		{strings.Repeat("A", 500), "malformed_billing"}, {tok[:len(tok)-4], "forged_billing"},
	} {
		require.Equal(t, 204, w.get("http://bid.example/n/bill?p=1&t="+c.tok).StatusCode)
		got := w.spooled()
		require.Len(t, got, 1)
		require.Equal(t, events.TypeRejection, got[0].Type)
		require.Equal(t, c.reason, got[0].Reason)
		require.False(t, got[0].Settles)
	}
	w.clock.Advance(events.BillingLifetime + time.Second)
	require.Equal(t, 204, w.get(macro(bid.BURL, "1")).StatusCode)
	got := w.spooled()
	require.Equal(t, "expired_billing", got[0].Reason)
	require.Equal(t, uint32(7), got[0].ShopID, "an expired one says whose it was")
	require.Zero(t, w.b.book.Account(1).State(0).Used-w.b.book.Account(1).State(0).Held)
}

func TestForgedNoticesAreBoundedInTheLog(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	for range 500 {
		w.get("http://bid.example/n/bill?t=AAAAAAAAAAAA&p=1")
	}
	n := len(w.spooled())
	require.Greater(t, n, 0)
	require.LessOrEqual(t, n, 100)
	require.EqualValues(t, 500, w.b.metrics.rejections[events.RejectMalformed].Get())
}

func TestTestTrafficIsNeverBilled(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", strings.Replace(bannerRequest, `"at":2`, `"at":2,"test":1`, 1)).SeatBid[0].Bid[0]
	w.get(macro(bid.BURL, "1"))
	got := w.spooled()
	require.False(t, got[0].Settles)
	require.True(t, got[0].Test)
	require.Zero(t, w.b.book.Account(1).State(0).Used)
}

func TestAClickLeadsToTheShopWithItsID(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	tok := token(t, clickOf(t, bid.AdM))
	cases := []struct{ query, want string }{
		{"", "https://www.sofa.example/?gzclid=" + tok},
		{"&p=a", "https://www.sofa.example/p/a?gzclid=" + tok},
		{"&p=gone", "https://www.sofa.example/?gzclid=" + tok},
		{"&p=https://evil.example", "https://www.sofa.example/?gzclid=" + tok},
	}
	for _, c := range cases {
		res := w.get("http://bid.example/c?t=" + tok + c.query)
		require.Equal(t, 302, res.StatusCode)
		require.Equal(t, c.want, res.Header.Get("Location"))
	}
	got := w.spooled()
	require.Len(t, got, len(cases), "every click is an event of its own")
	require.NotEqual(t, got[0].EventID, got[1].EventID)
	require.Equal(t, "a", got[1].Product)
	require.Equal(t, 404, w.get("http://bid.example/c?t=AAAA").StatusCode)
	require.Equal(t, 200, w.get("http://bid.example/why?t="+tok).StatusCode)
}

func TestAFullSpoolAsksToTryAgain(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	full, err := spool.Open(spool.Config{Dir: t.TempDir(), MaxBytes: 1}, w.b.log)
	require.NoError(t, err)
	defer full.Close()
	w.b.spool = full
	require.Equal(t, 503, w.get(macro(bid.BURL, "1")).StatusCode)
	require.EqualValues(t, 1, w.b.book.Stats().Holds, "nothing was taken, the hold stays")
	require.Equal(t, 302, w.get(clickOf(t, bid.AdM)).StatusCode, "a person is not held up")
}

// TestTheReportedEqualsTheInvoice plays many auctions with every disorder and
// compares what the log's first settling events add up to with the truth.
func TestSettledEqualsTheTruthUnderDisorder(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	var truth money.Nano
	var urls []string
	for i := range 200 {
		bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
		price := money.CPM(500_000 + int64(i)*10_000)
		if i%3 == 0 {
			urls = append(urls, bid.LURL)
			continue
		}
		truth += price.PerImpression()
		for range 1 + i%2 {
			urls = append(urls, macro(bid.BURL, price.String()), macro(bid.NURL, price.String()))
		}
		urls = append(urls, forge(bid))
	}
	for i := range urls { // a fixed shuffle
		j := (i * 7919) % len(urls)
		urls[i], urls[j] = urls[j], urls[i]
	}
	for _, u := range urls {
		require.Equal(t, 204, w.get(u).StatusCode)
	}
	seen := map[events.ID]bool{}
	var settled money.Nano
	for _, e := range w.spooled() {
		if e.Settles && !seen[e.EventID] {
			seen[e.EventID] = true
			settled += e.Amount
		}
	}
	require.Equal(t, truth, settled)
	require.Equal(t, truth.Convert(4*money.RateOne)*11/10, w.b.book.Account(1).State(0).Used)
	require.Zero(t, w.b.book.Stats().Holds)
}

func forge(bid openrtb2.Bid) string {
	return strings.Replace(macro(bid.BURL, "0.01"), "t=AQ", "t=Ag", 1)
}

// What only looks, as HEAD and OPTIONS do, settles nothing and is nobody's click.
func TestWhatOnlyLooksMovesNothing(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	for _, method := range []string{"HEAD", "OPTIONS", "PUT"} {
		for u, want := range map[string]int{macro(bid.BURL, "1"): 405, macro(bid.NURL, "1"): 405, macro(bid.LURL, "1"): 405, pixelOf(t, bid.AdM): 405, clickOf(t, bid.AdM): 302} {
			if u == "" {
				continue // an exchange is asked for the notices that it sends
			}
			req, err := http.NewRequest(method, u, nil)
			require.NoError(t, err)
			res, err := w.http.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, want, res.StatusCode, "%s %s", method, u)
		}
	}
	require.Empty(t, w.spooled())
	require.Equal(t, 204, w.get(macro(bid.BURL, "1")).StatusCode)
	require.Len(t, w.spooled(), 1)
}
