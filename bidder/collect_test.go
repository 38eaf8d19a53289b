package bidder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
)

const shopKey = "gz_k1_secret"

func shopWorld(t *testing.T, camps ...*campaigns.Campaign) *world {
	w := newWorld(t, camps...)
	sum := sha256.Sum256([]byte(shopKey))
	shop := testShop()
	shop.Keys[0].SHA256 = hex.EncodeToString(sum[:])
	other := testShop()
	other.ID, other.Domain, other.URL = 8, "other.example", "https://other.example/"
	w.in.Shops = []*campaigns.Shop{shop, other}
	w.in.Version++
	require.Empty(t, w.b.Publish(w.in))
	return w
}

type batchAnswer struct {
	Accepted int
	Errors   []itemError
	Detail   string
}

func (w *world) send(shop int, key, body string) (int, batchAnswer) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://bid.example/api/v1/shops/%d/events", shop), bytes.NewReader([]byte(body)))
	require.NoError(w.t, err)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := w.http.Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	var a batchAnswer
	require.NoError(w.t, json.Unmarshal(b, &a), "%s", b)
	return res.StatusCode, a
}

// shopSpooled drains the spool into shop events and applies them to the
// profiles, as the follower does.
func (w *world) shopSpooled() (out []events.ShopEvent) {
	w.t.Helper()
	var dec events.Decoder
	w.drain(kafka.SpoolShopEvents, func(msg []byte) error {
		return dec.ShopEvents(msg, func(_ int, e *events.ShopEvent) error {
			out = append(out, *e)
			w.b.profiles.Load().Apply(e)
			return nil
		})
	})
	return out
}

const uid = "0123456789abcdef0123456789abcdef"

func TestShopEventsAreCheckedOneByOne(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	status, a := w.send(7, shopKey, `{"events":[
	 {"type":"product_view","user":{"uid":"`+uid+`"},"product":"a"},
	 {"type":"nonsense","user":{"uid":"`+uid+`"}},
	 {"type":"product_view","user":{"uid":"`+uid+`"}},
	 {"type":"visit"},
	 {"type":"visit","user":{"uid":"xyz"}},
	 {"type":"visit","user":{"ifa":"00000000-0000-0000-0000-000000000000"}},
	 {"type":"visit","user":{"id":"u1"},"time":1},
	 {"type":"visit","user":{"id":"u1"},"colour":"red"},
	 {"type":"purchase","user":{"id":"u1"},"value":"10"},
	 {"type":"purchase","user":{"id":"u1"},"order_id":"o1","value":"-1"},
	 {"type":"purchase","user":{"id":"u1"},"order_id":"o1","value":"10.50","currency":"EUR"},
	 {"type":"purchase","user":{"id":"u1"},"order_id":"o1","value":199.99,"items":[{"product":"a","quantity":1,"price":"199.99"}]}]}`)
	require.Equal(t, 200, status)
	require.Equal(t, 2, a.Accepted)
	var fields []string
	for _, e := range a.Errors {
		fields = append(fields, fmt.Sprintf("%d:%s", e.Index, e.Field))
		require.NotEmpty(t, e.Message)
	}
	require.Equal(t, []string{"1:type", "2:product", "3:user", "4:user.uid", "5:user.ifa", "6:time", "7:colour", "8:order_id", "9:price", "10:currency"}, fields)
	got := w.shopSpooled()
	require.Len(t, got, 2)
	require.Equal(t, events.ShopPurchase, got[1].Type)
	require.EqualValues(t, 199_990_000_000, got[1].Value)
	require.Equal(t, "2026-03-10", got[1].Day)
}

func TestShopEventKeysOpenTheirOwnShopOnly(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	body := `{"events":[{"type":"visit","user":{"id":"u"}}]}`
	for _, c := range []struct {
		shop int
		key  string
	}{{7, ""}, {7, "gz_k1_wrong"}, {8, shopKey}, {99, shopKey}} {
		status, _ := w.send(c.shop, c.key, body)
		require.Equal(t, 401, status, c)
	}
	status, _ := w.send(7, shopKey, `{"events":[]}`)
	require.Equal(t, 400, status)
	status, _ = w.send(7, shopKey, `no`)
	require.Equal(t, 400, status)
	require.Empty(t, w.shopSpooled())
}

func TestTheSameOrderAndEventHaveTheSameIDs(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	body := `{"events":[{"id":"e1","type":"visit","user":{"id":"u"}},{"type":"purchase","order_id":"o1","value":"5","user":{"id":"u"}}]}`
	w.send(7, shopKey, body)
	w.clock.Advance(time.Minute)
	w.send(7, shopKey, body)
	got := w.shopSpooled()
	require.Len(t, got, 4)
	require.Equal(t, got[0].EventID, got[2].EventID)
	require.Equal(t, got[1].EventID, got[3].EventID)
}

func TestAClickIDTiesTheVisitToTheBid(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	w.send(7, shopKey, `{"events":[{"type":"visit","user":{"id":"u"},"click_id":"`+token(t, clickOf(t, bid.AdM))+`"},
	  {"type":"visit","user":{"id":"u"},"click_id":"forged"}]}`)
	got := w.shopSpooled()
	require.Equal(t, bid.ID, got[0].ClickBid.String())
	require.True(t, got[1].ClickBid.IsZero())
}

// remarketing bids only on those who left a cart of 500 PLN or more, and
// twice the price above 1,000.
func remarketing(id uint32) *campaigns.Campaign {
	c := openCampaign(id)
	c.Kind, c.Targeting = campaigns.KindRemarketing, `cart_value >= 500 PLN`
	c.Bid.Boosts = []campaigns.Boost{{When: `cart_value >= 1000 PLN`, BPS: 20_000}}
	return c
}

func personRequest(extra string) string {
	return strings.Replace(bannerRequest, `"at":2`, `"at":2,"user":{"buyeruid":"`+uid+`"}`+extra, 1)
}

func TestRemarketingFollowsTheCart(t *testing.T) {
	w := shopWorld(t, remarketing(1))
	require.Equal(t, "no_campaign", w.noBid("burl", personRequest("")))
	cart := func(product, price string) {
		w.send(7, shopKey, `{"events":[{"type":"cart_add","user":{"uid":"`+uid+`"},"product":"`+product+`","quantity":1,"price":"`+price+`"}]}`)
		w.shopSpooled()
	}
	cart("b", "499.99")
	require.Equal(t, "no_campaign", w.noBid("burl", personRequest("")))
	cart("c", "0.01")
	bid := w.bid("burl", personRequest("")).SeatBid[0].Bid[0]
	require.InDelta(t, 3.0, bid.Price, 0)
	require.Contains(t, bid.AdM, "p=b", "the ad shows what is in the cart")
	cart("d", "900")
	require.InDelta(t, 6.0, w.bid("burl", personRequest("")).SeatBid[0].Bid[0].Price, 0)
	w.send(7, shopKey, `{"events":[{"type":"purchase","user":{"uid":"`+uid+`"},"order_id":"o","value":"1400"}]}`)
	w.shopSpooled()
	require.Equal(t, "no_campaign", w.noBid("burl", personRequest("")), "who bought is left alone")
}

func TestWithoutALegalBasisNobodyIsKnown(t *testing.T) {
	dearer := remarketing(1)
	dearer.Bid.CPM *= 2
	w := shopWorld(t, dearer, openCampaign(2))
	w.send(7, shopKey, `{"events":[{"type":"cart_add","user":{"uid":"`+uid+`"},"product":"b","quantity":1,"price":"900"}]}`)
	w.shopSpooled()
	require.Equal(t, "1", w.bid("burl", personRequest("")).SeatBid[0].Bid[0].CID)
	for _, extra := range []string{
		`,"regs":{"coppa":1}`, `,"regs":{"ext":{"gdpr":1}}`, `,"regs":{"gdpr":1}`, `,"device":{"lmt":1}`,
		`,"device":{"dnt":1}`, `,"regs":{"us_privacy":"1YYN"}`, `,"regs":{"gpp_sid":[7]}`,
	} {
		bid := w.bid("burl", personRequest(extra)).SeatBid[0].Bid[0]
		require.Equal(t, "2", bid.CID, "only the campaign that needs no person: %s", extra)
		w.get(macro(bid.BURL, "1"))
		for _, e := range w.spooled() {
			require.Zero(t, e.User, extra)
		}
	}
}

func TestAFrequencyCapCountsImpressions(t *testing.T) {
	c := openCampaign(1)
	c.Frequency = campaigns.Frequency{Impressions: 2, Hours: 24}
	w := shopWorld(t, c)
	require.Equal(t, "frequency", w.noBid("burl", bannerRequest), "who is nobody cannot be counted")
	for range 2 {
		bid := w.bid("burl", personRequest("")).SeatBid[0].Bid[0]
		w.get(macro(bid.BURL, "1"))
		for _, e := range w.spooled() {
			w.b.fold(&e)
		}
	}
	require.Equal(t, "frequency", w.noBid("burl", personRequest("")))
	w.clock.Advance(25 * time.Hour)
	w.bid("burl", personRequest(""))
}

func TestThePixelKnowsTheBrowserAndTheShopsPages(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	res, err := w.http.Get("http://bid.example/pixel.js?shop=7")
	require.NoError(t, err)
	js, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, string(js), `base = "http://bid.example", shop = "7"`)
	require.Equal(t, 404, w.get("http://bid.example/pixel.js?shop=nope").StatusCode)

	send := func(origin string, cookie *http.Cookie) *http.Response {
		req, err := http.NewRequest(http.MethodPost, "http://bid.example/pixel/events?shop=7", strings.NewReader(`{"events":[{"type":"visit","time":1}]}`))
		require.NoError(t, err)
		req.Header.Set("Origin", origin)
		if cookie != nil {
			req.AddCookie(cookie)
		}
		res, err := w.http.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		return res
	}
	require.Equal(t, 403, send("https://evil.example", nil).StatusCode)
	first := send("https://www.sofa.example", nil)
	require.Equal(t, 200, first.StatusCode)
	require.Equal(t, "https://www.sofa.example", first.Header.Get("Access-Control-Allow-Origin"))
	require.Len(t, first.Cookies(), 1)
	second := send("https://sofa.example", first.Cookies()[0])
	require.Empty(t, second.Cookies(), "known already")
	got := w.shopSpooled()
	require.Len(t, got, 2)
	require.Equal(t, first.Cookies()[0].Value, got[0].UID.String())
	require.Equal(t, got[0].UID, got[1].UID)
	require.NotZero(t, got[0].User)
	require.EqualValues(t, noon, got[0].TimeMS, "a browser's clock may be anything")
}
