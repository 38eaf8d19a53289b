package bidder

import (
	"crypto/hmac"
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

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

const vid = "ffffffffffffffffffffffffffffff01"

func wrongFields(a batchAnswer) (out []string) {
	for _, e := range a.Errors {
		out = append(out, fmt.Sprintf("%d:%s", e.Index, e.Field))
	}
	return out
}

func TestOrderNewsConversionsAndIdentify(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	status, a := w.send(7, shopKey, `{"events":[
	 {"type":"purchase","user":{"id":"c1"},"order_id":"o1","value":"100","offline":true},
	 {"type":"order_status","user":{"id":"c1"},"order_id":"o1","status":"returned","value":"40"},
	 {"type":"conversion","user":{"id":"c1"},"name":"lead","value":"5"},
	 {"type":"identify","user":{"id":"c1","vid":"`+vid+`"}},
	 {"type":"order_status","user":{"id":"c1"},"order_id":"o1","status":"lost"},
	 {"type":"order_status","user":{"id":"c1"},"order_id":"o1","status":"paid","value":"3"},
	 {"type":"order_status","user":{"id":"c1"},"status":"paid"},
	 {"type":"conversion","user":{"id":"c1"}},
	 {"type":"identify","user":{"id":"c1"}},
	 {"type":"identify","user":{"uid":"`+uid+`"}},
	 {"type":"visit","user":{"id":"c1"},"offline":true},
	 {"type":"visit","user":{"vid":"short"}},
	 {"type":"product_view","user":{"id":"c1"},"product":7}]}`)
	require.Equal(t, 200, status)
	require.Equal(t, 4, a.Accepted)
	require.Equal(t, []string{"4:status", "5:value", "6:order_id", "7:name", "8:user", "9:user.id", "10:offline", "11:user.vid", "12:product"}, wrongFields(a))
	got := w.shopSpooled()
	require.True(t, got[0].Offline)
	require.Equal(t, "returned", got[1].Status)
	require.Equal(t, got[0].UID, got[3].Alias)
	require.Equal(t, got[0].User, got[3].AliasUser)
	var p segments.Profile
	require.True(t, w.b.Profiles().LookupShop(got[3].UID, 7, &p), "the browser is the customer")
	require.EqualValues(t, 1, p.Orders)
	require.EqualValues(t, 60_000_000_000, p.Revenue)
	require.Equal(t, segments.NameHash("Lead"), p.Conversions[0])
}

// Nothing of a shop's own id is in the key that another shop's has.
func TestOwnIDsAreSaltedPerShopIsolation(t *testing.T) {
	a, b := segments.SaltOf("a"), segments.SaltOf("b")
	require.NotEqual(t, segments.UserFromShop(a, events.AliasCustomer, "c1"), segments.UserFromShop(b, events.AliasCustomer, "c1"))
	require.NotEqual(t, segments.UserFromShop(a, events.AliasCustomer, "c1"), segments.UserFromShop(a, events.AliasVisitor, "c1"))
}

func TestEventsAreLimitedPerShop(t *testing.T) {
	l := newShopLimiter(100)
	ok, _ := l.take(1, 2000, noon)
	require.True(t, ok)
	ok, wait := l.take(1, 150, noon+500)
	require.False(t, ok)
	require.EqualValues(t, 1, wait)
	ok, _ = l.take(2, 1000, noon+500)
	require.True(t, ok, "another shop's is its own")
	ok, _ = l.take(1, 150, noon+2000)
	require.True(t, ok)
	ok, wait = l.take(1, 1000, noon+2000)
	require.False(t, ok)
	require.EqualValues(t, 10, wait)
	require.EqualValues(t, 2, l.refusals())
	ok, _ = newShopLimiter(-1).take(1, 1<<30, noon)
	require.True(t, ok)
}

func TestAFloodIsToldToWait(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	w.b.fromShops = newShopLimiter(1)
	body := `{"events":[` + strings.TrimSuffix(strings.Repeat(`{"type":"visit","user":{"id":"u"}},`, 1000), ",") + `]}`
	for range 2 {
		status, _ := w.send(7, shopKey, body)
		require.Equal(t, 200, status)
	}
	req, err := http.NewRequest(http.MethodPost, "http://bid.example/api/v1/shops/7/events", strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+shopKey)
	res, err := w.http.Do(req)
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, 429, res.StatusCode)
	require.Equal(t, "1000", res.Header.Get("Retry-After"))
	require.Len(t, w.shopSpooled(), 2000, "nothing of it was taken")
}

func (w *world) sendCSV(body string) (int, batchAnswer) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://bid.example/api/v1/shops/7/events", strings.NewReader(body))
	require.NoError(w.t, err)
	req.Header.Set("Authorization", "Bearer "+shopKey)
	req.Header.Set("Content-Type", "text/csv; charset=utf-8")
	res, err := w.http.Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	var a batchAnswer
	require.NoError(w.t, json.NewDecoder(res.Body).Decode(&a))
	return res.StatusCode, a
}

func TestCSVOfThePast(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	ago := func(d int) string { return time.UnixMilli(noon).UTC().AddDate(0, 0, -d).Format(time.RFC3339) }
	body := "\ufeffType,time,user_id,order_id,value,items,offline,product\r\n" +
		"purchase," + ago(700) + ",c1,o1,120.50,\"a:1:100|b:x:2:10.25\",true,\r\n" +
		"product_view," + ago(80) + ",c1,,,,,a\r\n" +
		"product_view," + ago(100) + ",c1,,,,,a\r\n" +
		"purchase," + ago(731) + ",c1,o2,1,,,\r\n" +
		"purchase,yesterday,c1,o3,1,,,\r\n" +
		"purchase," + ago(1) + ",c1,o4,1,a:b,,\r\n" +
		"visit," + ago(1) + ",,,,,,\r\n" +
		"visit,short\r\n"
	status, a := w.sendCSV(body)
	require.Equal(t, 200, status, a.Detail)
	require.Equal(t, 2, a.Accepted)
	var where []string
	for _, e := range a.Errors {
		where = append(where, fmt.Sprintf("%d:%s", e.Line, e.Field))
	}
	require.Equal(t, []string{"4:time", "5:time", "6:time", "7:items", "8:user", "9:"}, where)
	got := w.shopSpooled()
	require.Len(t, got[0].Items, 2)
	require.Equal(t, "b:x", got[0].Items[1].Product)
	require.True(t, got[0].Offline)
	w.sendCSV(body)
	again := w.shopSpooled()
	require.Equal(t, got[1].EventID, again[1].EventID, "a row that is sent again has the same id")
	var p segments.Profile
	require.True(t, w.b.Profiles().LookupShop(got[0].UID, 7, &p))
	require.EqualValues(t, 1, p.Orders)
	require.EqualValues(t, 1, p.Views)

	for _, c := range []struct{ body, want string }{
		{"", "name the columns"}, {"type,colour\nvisit,red\n", "colour"}, {"user_id\nc1\n", "no column type"}, {"type,user_id\n", "1 to 1000 rows"},
		{"type;user_id\nvisit;c1\n", ""},
	} {
		status, a := w.sendCSV(c.body)
		require.Contains(t, a.Detail, c.want)
		require.Equal(t, c.want == "", status == 200, c.body)
	}
}

// pixelCall is what a page does; the answer's cookies are given back.
func (w *world) pixelCall(path, origin, cookie, body string) (int, string, *http.Response) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://bid.example"+path, strings.NewReader(body))
	require.NoError(w.t, err)
	req.Header.Set("Origin", origin)
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: cookieName, Value: cookie})
	}
	res, err := w.http.Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res.StatusCode, string(b), res
}

const shopOrigin = "https://www.sofa.example"

// A browser that keeps no cookie of ours is one visitor to the shop, and the
// same one when it does keep it later.
func TestTheFirstPartyIDHoldsAVisitorTogether(t *testing.T) {
	w := shopWorld(t, remarketing(1))
	send := func(cookie, event string) string {
		status, body, res := w.pixelCall("/pixel/events?shop=7&vid="+vid, shopOrigin, cookie, `{"events":[`+event+`]}`)
		require.Equal(t, 200, status, body)
		require.Empty(t, res.Cookies())
		return body
	}
	send("", `{"type":"cart_add","product":"b","quantity":1,"price":"400"}`)
	send("", `{"type":"cart_add","product":"c","quantity":1,"price":"200"}`)
	first := w.shopSpooled()
	require.Equal(t, first[0].UID, first[1].UID)
	require.Equal(t, "no_campaign", w.noBid("burl", personRequest("")), "exchanges do not know it yet")

	send(uid, `{"type":"visit"}`)
	got := w.shopSpooled()
	require.Len(t, got, 2)
	require.Equal(t, events.ShopIdentify, got[1].Type)
	w.bid("burl", personRequest(""))
	send(uid, `{"type":"visit"}`)
	require.Len(t, w.shopSpooled(), 1, "once is enough")

	status, _ := w.send(7, shopKey, `{"events":[{"type":"purchase","order_id":"o","value":"600","user":{"vid":"`+vid+`"}}]}`)
	require.Equal(t, 200, status)
	w.shopSpooled()
	require.Equal(t, "no_campaign", w.noBid("burl", personRequest("")), "bought, by the server's word")

	send(uid, `{"type":"opt_out"}`)
	w.shopSpooled()
	for _, key := range []segments.UserKey{first[0].UID, got[1].UID} {
		var p segments.Profile
		require.False(t, w.b.Profiles().LookupShop(key, 7, &p), "who opts out is known under neither id")
	}
}

func TestThePixelIdentifiesWithTheShopsSignature(t *testing.T) {
	w := shopWorld(t, remarketing(1))
	sign := func(key, id string) string {
		secret := sha256.Sum256([]byte(key))
		mac := hmac.New(sha256.New, secret[:])
		mac.Write([]byte(id))
		return hex.EncodeToString(mac.Sum(nil))
	}
	w.send(7, shopKey, `{"events":[{"type":"cart_add","product":"b","quantity":1,"price":"900","user":{"id":"c1"}}]}`)
	w.shopSpooled()
	for _, c := range []struct {
		name, sig string
		ok        bool
	}{
		{"none", "", false}, {"of another key", sign("gz_k1_guess", "c1"), false}, {"of another person", sign(shopKey, "c2"), false}, {"right", sign(shopKey, "c1"), true},
	} {
		_, body, _ := w.pixelCall("/pixel/events?shop=7", shopOrigin, uid, `{"events":[{"type":"identify","user":{"id":"c1","sig":"`+c.sig+`"}}]}`)
		w.shopSpooled()
		require.Equal(t, c.ok, strings.Contains(body, `"accepted":1`), "%s: %s", c.name, body)
		status, _, _ := w.post("burl", personRequest(""))
		require.Equal(t, c.ok, status == 200, c.name)
	}
}

// The pixel's answer tells a page of its own shop about its own visitor, these
// events included, and nobody else anything.
func TestThePixelAnswersWithTheVisitorIsolation(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	other := events.ShopEvent{Type: events.ShopCartAdd, ShopID: 8, Product: "secret", Quantity: 1, Price: 5, TimeMS: noon}
	other.UID, _ = segments.UserFromUID(uid)
	w.b.Profiles().Apply(&other)

	ask := `{"events":[{"type":"cart_add","product":"b","quantity":2,"price":"400"}]}`
	status, body, res := w.pixelCall("/pixel/events?shop=7&profile=1", shopOrigin, uid, ask)
	require.Equal(t, 200, status)
	require.Equal(t, shopOrigin, res.Header.Get("Access-Control-Allow-Origin"))
	var a struct{ Profile visitorProfile }
	require.NoError(t, json.Unmarshal([]byte(body), &a))
	require.Equal(t, []string{"known", "in_cart"}, a.Profile.Segments)
	require.EqualValues(t, 800_000_000_000, a.Profile.Cart)
	require.Equal(t, 1, a.Profile.CartLines)
	require.Len(t, a.Profile.Products, 4)
	require.Equal(t, "b", a.Profile.Products[0].ID)
	require.Equal(t, "cart", a.Profile.Products[0].Why)
	require.NotContains(t, body, "secret")
	require.NotContains(t, body, uid)

	for _, origin := range []string{"", "null", "https://evil.example", "https://other.example", "https://sofa.example.evil.example"} {
		status, body, res := w.pixelCall("/pixel/events?shop=7&profile=1", origin, uid, ask)
		require.Equal(t, 403, status, origin)
		require.NotContains(t, body, "segments")
		require.Empty(t, res.Header.Get("Access-Control-Allow-Origin"))
	}
	_, body, _ = w.pixelCall("/pixel/events?shop=7&profile=1", shopOrigin, uid, `{"events":[]}`)
	require.NotContains(t, body, `"in_cart"`, "not yet from the log")
	require.Contains(t, body, `"segments":[]`)
}

func TestHelloGivesTheBrowserItsIDAndTheSyncs(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	route, err := newSyncRoute("burl", SyncConfig{URL: "https://x.example/s?id=${UID}"})
	require.NoError(t, err)
	w.b.people.routes["burl"] = route
	status, body, res := w.pixelCall("/pixel/hello?shop=7", shopOrigin, "", "")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"syncs":["http://bid.example/sync/burl"]}`, body)
	require.Len(t, res.Cookies(), 1)
	status, _, res = w.pixelCall("/pixel/hello?shop=7", "https://evil.example", "", "")
	require.Equal(t, 403, status)
	require.Empty(t, res.Cookies())
}
