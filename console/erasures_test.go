package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/report"
)

// Erasures answers with rows of the shop that is asked about.
func (f *fakeReports) Erasures(_ context.Context, shop uint32, id string, limit int) ([]report.ErasureRow, error) {
	f.shop = shop
	if limit != 50 {
		return nil, fmt.Errorf("limit %d is not the default", limit)
	}
	if id == "ffffffffffffffffffffffffffffffff" {
		return nil, f.err
	}
	return []report.ErasureRow{
		{ID: "a2", Type: "erase", TimeMS: 2000, Shop: shop, Reason: "shop"},
		{ID: "a1", Type: "erase", TimeMS: 1000, Shop: shop, Reason: "console", OptOut: true},
		{ID: "a1", Type: "erased", TimeMS: 1001, Node: "n1", Profiles: 1},
		{ID: "a1", Type: "erased", TimeMS: 1500, Node: "clickhouse", ShopEvents: 3, Events: 2},
	}, f.err
}

// fakeBidder takes erasures.
type fakeBidder struct {
	addr, key, path, body string
	status                int
	answer                string
	asked                 int
}

func erasingBidder(t *testing.T) *fakeBidder {
	f := &fakeBidder{status: 202, answer: `{"id":"00112233445566778899aabbccddeeff","time":5}`}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		f.asked++
		f.key, f.path, f.body = r.Header.Get("Authorization"), r.URL.String(), string(raw)
		w.WriteHeader(f.status)
		_, err = io.WriteString(w, f.answer)
		assert.NoError(t, err)
	}))
	t.Cleanup(srv.Close)
	f.addr = strings.TrimPrefix(srv.URL, "http://")
	return f
}

func TestErasuresAreTakenByABidder(t *testing.T) {
	bidder, reports := erasingBidder(t), &fakeReports{}
	b := start(t, func(c *Config, d *Deps) { c.Bidder, d.Reports = bidder.addr, reports })
	mine, key := b.shop()
	for name, c := range map[string]struct {
		key, path, body string
		code            int
		sent            string
	}{
		"a shop, by its own id":       {key, mine + "/erasures", `{"user":{"id":"anna"}}`, 202, `{"shop":1,"user":{"id":"anna"}}`},
		"a shop, by advertising id":   {key, mine + "/erasures", `{"user":{"ifa":"6D92"}}`, 202, `{"shop":1,"user":{"ifa":"6D92"}}`},
		"a shop, nobody":              {key, mine + "/erasures", `{"user":{}}`, 422, ""},
		"a shop, two names":           {key, mine + "/erasures", `{"user":{"id":"anna","uid":"x"}}`, 422, ""},
		"a shop, everywhere":          {key, "/api/v1/erasures", `{"user":{"ifa":"6D92"}}`, 404, ""},
		"a shop's key that may read":  {b.key(mine, "read"), mine + "/erasures", `{"user":{"id":"anna"}}`, 403, ""},
		"a shop wants an opt-out":     {key, mine + "/erasures", `{"user":{"id":"anna"},"opt_out":true}`, 422, ""},
		"the administrator":           {b.admin, "/api/v1/erasures", `{"user":{"uid":"00"},"opt_out":true}`, 202, `{"opt_out":true,"user":{"uid":"00"}}`},
		"the administrator at a shop": {b.admin, mine + "/erasures", `{"user":{"id":"anna"}}`, 202, `{"shop":1,"user":{"id":"anna"}}`},
		"a shop's id, everywhere":     {b.admin, "/api/v1/erasures", `{"user":{"id":"anna"}}`, 422, ""},
		"no such shop":                {b.admin, "/api/v1/shops/99/erasures", `{"user":{"id":"anna"}}`, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bidder.asked = 0
			a := b.call(c.key, "POST", c.path, c.body)
			require.Equal(t, c.code, a.code, a.body)
			if c.sent == "" {
				require.Zero(t, bidder.asked)
				return
			}
			require.JSONEq(t, c.sent, bidder.body)
			require.Equal(t, "Bearer "+c.key, bidder.key)
			require.Equal(t, "/internal/erasures", bidder.path)
			var got ErasureAnswer
			a.into(t, &got)
			require.Equal(t, ErasureAnswer{"00112233445566778899aabbccddeeff", 5}, got)
		})
	}
	for said, want := range map[int]int{400: 400, 401: 503, 404: 503, 429: 429, 503: 503} {
		bidder.status, bidder.answer = said, `{"detail":"why"}`
		require.Equal(t, want, b.call(key, "POST", mine+"/erasures", `{"user":{"id":"anna"}}`).problem(t).Status)
	}
	bidder.status, bidder.answer = 202, "no JSON"
	require.Equal(t, 500, b.call(key, "POST", mine+"/erasures", `{"user":{"id":"anna"}}`).code)
}

func TestReceiptsStandBehindTheirWish(t *testing.T) {
	reports := &fakeReports{}
	b := start(t, func(_ *Config, d *Deps) { d.Reports = reports })
	mine, key := b.shop()
	a := b.call(key, "GET", mine+"/erasures", "")
	require.Equal(t, 200, a.code)
	require.Equal(t, uint32(1), reports.shop)
	var got list[Erasure]
	a.into(t, &got)
	require.Len(t, got.Items, 2)
	require.Empty(t, got.Items[0].Receipts)
	require.Equal(t, []ErasureReceipt{{Node: "n1", Time: 1001, Profiles: 1}, {Node: "clickhouse", Time: 1500, ShopEvents: 3, Events: 2}}, got.Items[1].Receipts)
	require.EqualValues(t, 1000+30*24*3600*1000, got.Items[1].RawUntil)
	require.Equal(t, 200, b.call(b.admin, "GET", "/api/v1/erasures?id=ffffffffffffffffffffffffffffffff", "").code)
	require.Zero(t, reports.shop)
	require.Equal(t, 422, b.call(b.admin, "GET", "/api/v1/erasures?id=x", "").code)
	reports.err = errors.New("away")
	require.Equal(t, 503, b.call(key, "GET", mine+"/erasures", "").code)
	require.Equal(t, 503, b.call(key, "POST", mine+"/erasures", `{"user":{"id":"anna"}}`).code, "no bidder")
}
