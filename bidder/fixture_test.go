package bidder

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/money"
)

// noon is 2026-03-10 12:00 UTC, 13:00 in Warsaw.
const noon = 1_773_144_000_000

var pln = money.MustCurrency("PLN")

// world is a bidder without Kafka: one shop, an exchange per settling event.
type world struct {
	t     testing.TB
	b     *Bidder
	clock *clock.Manual
	spool *spool.Spool
	http  *http.Client
	in    campaigns.Input
	// violation is told what the self-check drops; by default the test fails.
	violation func(rule, request string)
}

func testShop() *campaigns.Shop {
	return &campaigns.Shop{
		ID: 7, Version: 1, Name: "Sofa & Co <b>", Domain: "sofa.example", URL: "https://www.sofa.example/", Currency: pln,
		TimeZone: "Europe/Warsaw", Language: "pl", FeeBPS: 1000, Categories: []string{"IAB10-6"}, Active: true,
		Salt: "00112233445566778899aabbccddeeff",
		Keys: []campaigns.Key{{ID: "k1", SHA256: "", Scopes: []string{"events"}}},
	}
}

// openCampaign is run of network, in all three media, at 12 PLN CPM.
func openCampaign(id uint32) *campaigns.Campaign {
	return &campaigns.Campaign{
		ID: id, ShopID: 7, Version: 1, Name: "open", Kind: campaigns.KindInterest, Status: campaigns.StatusActive,
		Bid: campaigns.Bid{CPM: 12_000_000},
		Creatives: []campaigns.Creative{
			{ID: 1, Media: "banner", Title: "Sofas", CTA: "Look"},
			{ID: 2, Media: "native", Title: "Sofas for you", Body: "Soft ones.", CTA: "Look", ImageURL: "https://cdn.sofa.example/a.jpg"},
			{ID: 3, Media: "video", Title: "Sofas", Video: &campaigns.Video{
				URL: "/spot15.mp4", MIME: "video/mp4", DurationMS: 15_000, W: 640, H: 360, BitrateKbps: 300,
			}},
		},
	}
}

func testProducts() *campaigns.ProductBucket {
	p := &campaigns.ProductBucket{ShopID: 7, Feed: 1, Buckets: 1}
	for _, id := range []string{"a", "b", "c", "d"} {
		p.Items = append(p.Items, campaigns.Product{
			ID: id, Title: "Sofa " + id, Category: "Sofas", URL: "https://www.sofa.example/p/" + id,
			ImageURL: "https://cdn.sofa.example/" + id + ".jpg", Price: 899 * money.NanoUnit, Currency: pln, Available: true,
		})
	}
	return p
}

func newWorld(t testing.TB, camps ...*campaigns.Campaign) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := spool.Open(spool.Config{Dir: t.TempDir()}, log)
	require.NoError(t, err)
	keys, err := events.NewKeyring(events.Key{ID: 1, Secret: bytes.Repeat([]byte{1}, 32)})
	require.NoError(t, err)
	exchanges := make([]*Exchange, 0, 3)
	for name, settle := range map[string]string{"burl": "billing", "nurl": "win", "pixel": "impression"} {
		cfg := ExchangeConfig{Name: name, Seat: "seat-1", TimeoutMS: 5000, MayProfile: true, MayLog: true}
		cfg.Settle.Banner, cfg.Settle.Video, cfg.Settle.Native = settle, settle, settle
		x, err := NewExchange(cfg)
		require.NoError(t, err)
		exchanges = append(exchanges, x)
	}
	w := &world{t: t, clock: clock.NewManual(noon), spool: s}
	w.violation = func(rule, request string) { t.Errorf("self-check dropped a bid on %s: %s", request, rule) }
	w.b, err = New(Config{Node: "n1", PublicURL: "http://bid.example", Brokers: []string{"127.0.0.1:1"}, Seed: [32]byte{9},
		ShedDelay: -1, OnViolation: func(rule, request string) { w.violation(rule, request) },
	}, Deps{
		Clock: w.clock, Keys: keys, Spool: s, Exchanges: exchanges, Log: log,
		Rates: &money.Rates{Base: usd, PerBase: map[money.Currency]money.Rate{pln: 4 * money.RateOne}},
	})
	require.NoError(t, err)
	w.in = campaigns.Input{Version: 1, Shops: []*campaigns.Shop{testShop()}, Campaigns: camps, Buckets: []*campaigns.ProductBucket{testProducts()}}
	require.Empty(t, w.b.Publish(w.in))
	for i := range w.b.ready {
		w.b.ready[i].Store(true)
	}
	w.serve()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return w
}

func (w *world) serve() {
	l := fasthttputil.NewInmemoryListener()
	srv := w.b.Server()
	go srv.Serve(l)
	w.http = &http.Client{
		Timeout:       10 * time.Second,
		Transport:     &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return l.Dial() }},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	w.t.Cleanup(func() { l.Close() })
}

// post sends a bid request and returns the status and body.
func (w *world) post(exchange, body string) (int, []byte, http.Header) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://bid.example/openrtb2/"+exchange, bytes.NewReader([]byte(body)))
	require.NoError(w.t, err)
	req.Header.Set("X-Grosz-Debug", "1")
	res, err := w.http.Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res.StatusCode, got, res.Header
}

// bid expects a bid and returns the response.
func (w *world) bid(exchange, body string) openrtb2.BidResponse {
	w.t.Helper()
	status, got, h := w.post(exchange, body)
	require.Equal(w.t, 200, status, "no bid: %s", h.Get("X-Grosz-Nobid"))
	var r openrtb2.BidResponse
	require.NoError(w.t, json.Unmarshal(got, &r), "%s", got)
	require.NotEmpty(w.t, r.SeatBid)
	require.NotEmpty(w.t, r.SeatBid[0].Bid)
	return r
}

// noBid expects none and returns why.
func (w *world) noBid(exchange, body string) string {
	w.t.Helper()
	status, got, h := w.post(exchange, body)
	require.Equal(w.t, 204, status, "%s", got)
	require.Empty(w.t, got)
	return h.Get("X-Grosz-Nobid")
}

func (w *world) get(u string) *http.Response {
	w.t.Helper()
	res, err := w.http.Get(u)
	require.NoError(w.t, err)
	res.Body.Close()
	return res
}

// token takes the t parameter out of a URL.
func token(t testing.TB, u string) string {
	p, err := url.Parse(u)
	require.NoError(t, err)
	return p.Query().Get("t")
}

const bannerRequest = `{"id":"r1","imp":[{"id":"1","banner":{"format":[{"w":300,"h":250}]},"bidfloor":0.5}],
 "site":{"domain":"news.example","page":"https://news.example/a"},"cur":["USD"],"at":2}`
