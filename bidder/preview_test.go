package bidder

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/segments"
)

// withKeys gives the test shop keys of scopes read and events, and another
// shop one of scope write.
func (w *world) withKeys() {
	key := func(text, scope string) campaigns.Key {
		sum := sha256.Sum256([]byte(text))
		return campaigns.Key{ID: text, SHA256: hex.EncodeToString(sum[:]), Scopes: []string{scope}}
	}
	mine, other := *testShop(), *testShop()
	mine.Version, mine.Keys = 2, []campaigns.Key{key("reader", "read"), key("backend", "events")}
	other.ID, other.Domain, other.Keys = 8, "other.example", []campaigns.Key{key("other", "write")}
	w.in.Shops, w.in.Version = []*campaigns.Shop{&mine, &other}, w.in.Version+1
	require.Empty(w.t, w.b.Publish(w.in))
}

func (w *world) preview(key, path, body string) (int, []preview) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://bid.example"+path, strings.NewReader(body))
	require.NoError(w.t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := w.http.Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	var got struct{ Items []preview }
	_ = json.Unmarshal(raw, &got)
	return res.StatusCode, got.Items
}

func TestPreview(t *testing.T) {
	w := knownWorld(t, openCampaign(1))
	w.withKeys()
	const path = "/api/v1/shops/7/campaigns/1/preview"
	status, got := w.preview("reader", path, `{"user":{"uid":"`+knownUID+`"},"sizes":["300x250","320x50"]}`)
	require.Equal(t, 200, status)
	require.Len(t, got, 2)
	require.Equal(t, []previewProduct{{"a", "cart"}, {"b", "viewed"}}, got[0].Products[:2])
	require.Equal(t, "grid", got[0].Template)
	require.Equal(t, "single", got[1].Template)
	require.Contains(t, got[0].HTML, "Sofa a")
	require.NotContains(t, got[0].HTML, "/i?t=", "nobody is billed for a preview")

	status, got = w.preview("reader", path, `{"exchange":"burl","request":`+knownRequest+`,"template":"carousel"}`)
	require.Equal(t, 200, status)
	require.Equal(t, "carousel", got[0].Template)
	require.Equal(t, previewProduct{"a", "cart"}, got[0].Products[0])

	status, got = w.preview("reader", path, `{}`)
	require.Equal(t, 200, status)
	require.Len(t, got, len(campaigns.StandardSizes()))

	for name, c := range map[string]struct {
		key, path, body string
		status          int
	}{
		"no key":               {"", path, `{}`, 401},
		"key of another shop":  {"other", path, `{}`, 401},
		"key for events":       {"backend", path, `{}`, 401},
		"another's campaign":   {"other", "/api/v1/shops/8/campaigns/1/preview", `{}`, 404},
		"no such campaign":     {"reader", "/api/v1/shops/7/campaigns/9/preview", `{}`, 404},
		"not JSON":             {"reader", path, `<`, 400},
		"no such template":     {"reader", path, `{"template":"confetti"}`, 422},
		"a size that is none":  {"reader", path, `{"sizes":["300"]}`, 422},
		"a user that is none":  {"reader", path, `{"user":{"uid":"x"}}`, 422},
		"no such exchange":     {"reader", path, `{"request":{"id":"1"},"exchange":"x"}`, 422},
		"a request that isn't": {"reader", path, `{"request":[],"exchange":"burl"}`, 422},
	} {
		status, _ := w.preview(c.key, c.path, c.body)
		require.Equal(t, c.status, status, name)
	}
	require.Empty(t, w.spooled())
	require.Zero(t, w.b.book.Stats().Holds)
}

// TestProductsOfAnOldFeedAreNotShown, nor those whose page says another price.
func TestFreshnessOfProducts(t *testing.T) {
	w := knownWorld(t, openCampaign(1))
	shop := *w.in.Shops[0]
	shop.Version, shop.FeedMaxAgeHours, shop.PriceMoveBPS = 2, 24, 500
	w.in.Shops = []*campaigns.Shop{&shop}
	feed := func(checked int64) {
		w.in.Feeds = []*campaigns.FeedState{{ShopID: 7, CheckedMS: checked}}
		w.in.Version++
		require.Empty(t, w.b.Publish(w.in))
	}
	feed(noon - 23*3600_000)
	ad := func() string { return w.bid("burl", knownRequest).SeatBid[0].Bid[0].AdM }
	require.Contains(t, ad(), "Sofa a")
	feed(noon - 25*3600_000)
	require.NotContains(t, ad(), "Sofa a")
	require.NotContains(t, ad(), "899", "no price of an old feed")
	feed(noon)

	h, feedPrice := segments.ProductHash("a"), w.in.Buckets[0].Items[0].Price
	dear := feedPrice + feedPrice/10
	for who := byte(1); who <= 2; who++ {
		w.b.pagePrices.saw(7, h, dear, feedPrice, segments.UserKey{who}, noon)
		w.b.pagePrices.saw(7, h, dear, feedPrice, segments.UserKey{who}, noon)
	}
	require.Contains(t, ad(), "Sofa a", "two visitors may be wrong")
	w.b.pagePrices.saw(7, h, dear, feedPrice, segments.UserKey{3}, noon)
	require.NotContains(t, ad(), "Sofa a")
	require.Contains(t, ad(), "Sofa b")
	w.b.pagePrices.saw(7, h, feedPrice, feedPrice, segments.UserKey{4}, noon)
	require.Contains(t, ad(), "Sofa a", "the page says the feed's price again")
	for who := byte(1); who <= 3; who++ {
		w.b.pagePrices.saw(7, h, feedPrice+feedPrice/50, feedPrice, segments.UserKey{who}, noon)
	}
	require.Contains(t, ad(), "Sofa a", "2 percent is within the limit of 5")
}
