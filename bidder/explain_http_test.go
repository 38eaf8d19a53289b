package bidder

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
)

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// explainServer serves an ExplainAPI of a bidder with two shops, and returns
// how to ask it.
func explainServer(t *testing.T) (w *world, ask func(method, path, key string, body []byte, gzipped bool) (int, []byte)) {
	w = newWorld(t, openCampaign(1))
	shop, other := *w.in.Shops[0], testShop()
	shop.Keys = []campaigns.Key{
		{ID: "r", SHA256: hashOf("gz_r_1"), Scopes: []string{"read"}}, {ID: "e", SHA256: hashOf("gz_e_1"), Scopes: []string{"events"}},
		{ID: "x", SHA256: hashOf("gz_x_1"), Scopes: []string{"write"}, RevokedMS: noon - 1},
	}
	other.ID, other.Name = 8, "Rival"
	rival := openCampaign(2)
	rival.ShopID, rival.Bid.CPM = 8, 99_000_000
	w.in.Shops, w.in.Campaigns = []*campaigns.Shop{&shop, other}, append(w.in.Campaigns, rival)
	require.Empty(t, w.b.Publish(w.in))
	s := w.sampler(8, 1)
	require.Equal(t, ReasonNone, w.sampled(s, newContext([32]byte{1}), bannerRequest))

	api := &ExplainAPI{Bidder: w.b, AdminKeySHA256: hashOf("gz_admin_1"), Samples: s}
	l := fasthttputil.NewInmemoryListener()
	srv := &fasthttp.Server{Handler: api.Handler()}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		<-done
	})
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return l.Dial() }, DisableKeepAlives: true,
	}}
	return w, func(method, path, key string, body []byte, gzipped bool) (int, []byte) {
		req, err := http.NewRequest(method, "http://bid.example"+path, bytes.NewReader(body))
		require.NoError(t, err)
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		if gzipped {
			req.Header.Set("Content-Encoding", "gzip")
		}
		res, err := client.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, got
	}
}

func TestWhoMayAskForAnExplanation(t *testing.T) {
	_, ask := explainServer(t)
	body := []byte(bannerRequest)
	for _, c := range []struct {
		name, method, path, key, body string
		want                          int
	}{
		{"no key", "POST", "/internal/explain?exchange=burl", "", bannerRequest, 401},
		{"a wrong key", "POST", "/internal/explain?exchange=burl", "gz_admin_2", bannerRequest, 401},
		{"a key for events", "POST", "/internal/explain?exchange=burl", "gz_e_1", bannerRequest, 401},
		{"a revoked key", "POST", "/internal/explain?exchange=burl", "gz_x_1", bannerRequest, 401},
		{"another shop", "POST", "/internal/explain?exchange=burl&shop=8", "gz_r_1", bannerRequest, 403},
		{"the own shop", "POST", "/internal/explain?exchange=burl&shop=7", "gz_r_1", bannerRequest, 200},
		{"no such exchange", "POST", "/internal/explain?exchange=z", "gz_admin_1", bannerRequest, 404},
		{"no such shop", "POST", "/internal/explain?exchange=burl&shop=9", "gz_admin_1", bannerRequest, 404},
		{"no request", "POST", "/internal/explain?exchange=burl", "gz_admin_1", "{", 400},
		{"a bad limit", "POST", "/internal/explain?exchange=burl&limit=x", "gz_admin_1", bannerRequest, 400},
		{"a large limit", "POST", "/internal/explain?exchange=burl&limit=10001", "gz_admin_1", bannerRequest, 400},
		{"GET", "GET", "/internal/explain?exchange=burl", "gz_admin_1", "", 405},
		{"samples of a shop", "GET", "/internal/samples", "gz_r_1", "", 403},
		{"another route", "GET", "/internal/", "gz_admin_1", "", 404},
	} {
		status, got := ask(c.method, c.path, c.key, []byte(c.body), false)
		require.Equal(t, c.want, status, "%s: %s", c.name, got)
	}

	status, got := ask("POST", "/internal/explain?exchange=burl", "gz_admin_1", body, false)
	require.Equal(t, 200, status)
	require.Contains(t, string(got), `"campaign":2`)
	status, got = ask("POST", "/internal/explain?exchange=burl", "gz_r_1", body, false)
	require.Equal(t, 200, status)
	require.Contains(t, string(got), `"campaign":1`)
	require.NotContains(t, string(got), "24.75", "the rival's price")
	var e Explanation
	require.NoError(t, json.Unmarshal(got, &e), "what is written can be read")
	require.Equal(t, uint32(7), e.Shop)
	require.Len(t, e.Imps[0].Campaigns, 1)

	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	status, _ = ask("POST", "/internal/explain?exchange=burl", "gz_admin_1", packed.Bytes(), true)
	require.Equal(t, 200, status)
}

func TestSamplesAreListedAndReplayed(t *testing.T) {
	w, ask := explainServer(t)
	var list struct{ Samples []SampleReport }
	status, got := ask("GET", "/internal/samples?replay=1", "gz_admin_1", nil, false)
	require.Equal(t, 200, status)
	require.NoError(t, json.Unmarshal(got, &list))
	require.Len(t, list.Samples, 1)
	s := list.Samples[0]
	require.Equal(t, "same", s.Replay)
	require.JSONEq(t, bannerRequest, s.Request)
	require.Contains(t, s.Answer, `"cid":"2"`)

	require.NoError(t, json.Unmarshal(got, &list))
	w.b.keys = newKeyring(t, 2) // the tokens are signed by another key now
	_, got = ask("GET", "/internal/samples?replay=1", "gz_admin_1", nil, false)
	require.NoError(t, json.Unmarshal(got, &list))
	require.Equal(t, "different", list.Samples[0].Replay)
	require.Contains(t, list.Samples[0].Now, `"cid":"2"`)
}

func newKeyring(t *testing.T, id uint8) *events.Keyring {
	k, err := events.NewKeyring(events.Key{ID: id, Secret: bytes.Repeat([]byte{id}, 32)})
	require.NoError(t, err)
	return k
}
