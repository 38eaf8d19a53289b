package bidder

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// known is a browser that put product a into the cart and saw b.
const knownUID = "00112233445566778899aabbccddee01"

func knownWorld(t *testing.T, camps ...*campaigns.Campaign) *world {
	w := newWorld(t, camps...)
	uid, ok := segments.UserFromUID(knownUID)
	require.True(t, ok)
	for i, e := range []events.ShopEvent{{Type: events.ShopProductView, Product: "b"}, {Type: events.ShopCartAdd, Product: "a", Quantity: 1, Price: 899_000_000_000}} {
		e.ShopID, e.UID, e.TimeMS, e.ReceivedMS = 7, uid, noon-300_000, noon
		e.EventID = events.NamedID(7, "test", string(rune('a'+i)))
		w.b.profiles.Load().Apply(&e)
	}
	return w
}

const knownRequest = `{"id":"r1","imp":[{"id":"1","banner":{"format":[{"w":300,"h":250}]}}],"site":{"domain":"news.example"},"user":{"buyeruid":"` + knownUID + `"}}`

// clickTokenOf is the token of the ad's 'why this ad' link.
func clickTokenOf(t *testing.T, adm string) string {
	_, rest, ok := strings.Cut(adm, "/why?t=")
	require.True(t, ok)
	text, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(text)
}

// page fetches as a browser with a cookie.
func (w *world) page(method, path string, form url.Values, uid string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://bid.example"+path, strings.NewReader(form.Encode()))
	require.NoError(w.t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "http://bid.example")
	}
	if uid != "" {
		req.Header.Set("Cookie", cookieName+"="+uid)
	}
	res, err := w.http.Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res.StatusCode, string(body)
}

func TestWhyTellsOnlyThePersonWhatTheyDid(t *testing.T) {
	camp := openCampaign(1)
	camp.Kind = campaigns.KindRemarketing
	w := knownWorld(t, camp)
	text := clickTokenOf(t, w.bid("burl", knownRequest).SeatBid[0].Bid[0].AdM)
	status, mine := w.page("GET", "/why?t="+text, nil, knownUID)
	require.Equal(t, 200, status)
	require.Contains(t, mine, "Sofa a")
	require.Contains(t, mine, "Sofa b")
	require.Contains(t, mine, "5 min temu")
	require.Contains(t, mine, "899")
	for name, other := range map[string]string{"nobody": "", "somebody else": "00112233445566778899aabbccddee02"} {
		status, theirs := w.page("GET", "/why?t="+text, nil, other)
		require.Equal(t, 200, status, name)
		require.NotContains(t, theirs, "Sofa a", name)
		require.Contains(t, theirs, "Sofa &amp; Co &lt;b&gt;", name)
	}
	require.NotContains(t, mine, "3.00", "what was bid is the shop's, not the page's")
	status, _ = w.page("GET", "/why?t="+text+"x", nil, knownUID)
	require.Equal(t, 404, status)
}

func TestHideAProductAndTheAd(t *testing.T) {
	w := knownWorld(t, openCampaign(1), openCampaign(2))
	bid := w.bid("burl", knownRequest).SeatBid[0].Bid[0]
	require.Contains(t, bid.AdM, "Sofa a")
	text := clickTokenOf(t, bid.AdM)

	status, _ := w.page("GET", "/hide?t="+text, nil, knownUID)
	require.Equal(t, 405, status, "a link that is fetched hides nothing")
	status, body := w.page("POST", "/hide", url.Values{"t": {text}, "p": {"a"}}, knownUID)
	require.Equal(t, 200, status, body)
	require.Contains(t, body, "Gotowe")
	for range 3 {
		got := w.bid("burl", knownRequest).SeatBid[0].Bid[0]
		require.NotContains(t, got.AdM, "Sofa a")
		require.Contains(t, got.AdM, "Sofa b")
	}
	other := strings.Replace(knownRequest, knownUID, "00112233445566778899aabbccddee02", 1)
	seen := false
	for range 20 {
		seen = seen || strings.Contains(w.bid("burl", other).SeatBid[0].Bid[0].AdM, "Sofa a")
	}
	require.True(t, seen, "what one person hides, others see")

	status, _ = w.page("POST", "/hide", url.Values{"t": {text}}, knownUID)
	require.Equal(t, 200, status)
	for range 5 {
		require.NotEqual(t, bid.CID, w.bid("burl", knownRequest).SeatBid[0].Bid[0].CID, "the hidden campaign does not bid")
	}
	rest := w.bid("burl", knownRequest).SeatBid[0].Bid[0]
	_, _ = w.page("POST", "/hide", url.Values{"t": {clickTokenOf(t, rest.AdM)}}, "")
	require.Equal(t, "hidden", w.noBid("burl", knownRequest))

	hid := map[string]int{}
	var replay []events.Event
	for _, e := range w.spooled() {
		if e.Type == events.TypeHide {
			hid[e.Product]++
			replay = append(replay, e)
			require.False(t, e.Settles)
		}
	}
	require.Equal(t, map[string]int{"a": 1, "": 2}, hid)

	again := knownWorld(t, openCampaign(1), openCampaign(2)) // another node reads the log, twice
	for range 2 {
		for i := range replay {
			again.b.fold(&replay[i])
		}
	}
	require.Equal(t, "hidden", again.noBid("burl", knownRequest))
}

// The button in the ad works where no cookie is sent, from whatever page, for
// the person whom the ad knew; a person whom it did not know has no button.
func TestHideFromWithinTheAd(t *testing.T) {
	w := knownWorld(t, openCampaign(1))
	press := func(adm string) (int, string) {
		_, rest, ok := strings.Cut(adm, `<form method="post" action="`)
		require.True(t, ok)
		to, _, _ := strings.Cut(rest, `"`)
		u, err := url.Parse(html.UnescapeString(to))
		require.NoError(t, err)
		req, err := http.NewRequest("POST", "http://bid.example"+u.RequestURI(), nil)
		require.NoError(t, err)
		req.Header.Set("Origin", "null") // a sandboxed frame
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := w.http.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NotContains(t, res.Header.Get("Content-Security-Policy"), "frame-ancestors")
		return res.StatusCode, string(body)
	}
	adm := w.bid("burl", knownRequest).SeatBid[0].Bid[0].AdM
	status, body := press(strings.Replace(adm, "&amp;in=ad", "", 1))
	require.Equal(t, 403, status, "the other form is for our own page")
	require.NotContains(t, body, "Gotowe")
	status, body = press(adm)
	require.Equal(t, 200, status)
	require.Contains(t, body, "Gotowe")
	require.NotContains(t, body, "Sofa", "what the person did is not for this place")
	require.NotContains(t, body, "<form")
	require.Equal(t, "hidden", w.noBid("burl", knownRequest))
	require.NotContains(t, w.bid("burl", bannerRequest).SeatBid[0].Bid[0].AdM, "<form")
}

func TestHideRefusals(t *testing.T) {
	w := knownWorld(t, openCampaign(1))
	text := clickTokenOf(t, w.bid("burl", knownRequest).SeatBid[0].Bid[0].AdM)
	status, _ := w.page("POST", "/hide", url.Values{"t": {text[:len(text)-2] + "AA"}}, knownUID)
	require.Equal(t, 404, status)
	stranger := clickTokenOf(t, w.bid("burl", bannerRequest).SeatBid[0].Bid[0].AdM)
	status, body := w.page("POST", "/hide", url.Values{"t": {stranger}}, "")
	require.Equal(t, 200, status)
	require.Contains(t, body, whyPolish.Nobody[:20])
	req, err := http.NewRequest("POST", "http://bid.example/hide", strings.NewReader("t="+text))
	require.NoError(t, err)
	req.Header.Set("Origin", "https://evil.example")
	res, err := w.http.Do(req)
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, 403, res.StatusCode)
	n, _, _ := w.b.hidden.Stats()
	require.Zero(t, n)
}

func TestViewableIsAnEventThatMovesNoMoney(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("pixel", bannerRequest).SeatBid[0].Bid[0]
	_, rest, ok := strings.Cut(bid.AdM, `data-v="`)
	require.True(t, ok)
	u, _, _ := strings.Cut(rest, `"`)
	for range 3 {
		require.Equal(t, 200, w.get(html.UnescapeString(u)).StatusCode)
	}
	got := w.spooled()
	require.Len(t, got, 1, "told three times, noted once")
	require.Equal(t, events.TypeViewable, got[0].Type)
	require.False(t, got[0].Settles)
	require.Empty(t, got[0].PriceStatus)
	require.Equal(t, bid.ID, got[0].BidID.String())

	plain := w.bid("pixel", strings.Replace(bannerRequest, `"banner":{`, `"banner":{"btype":[3],`, 1)).SeatBid[0].Bid[0]
	require.NotContains(t, plain.AdM, "<script", "scripts are blocked on this page")
	require.NotContains(t, plain.AdM, "/i/v")
}
