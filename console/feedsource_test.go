package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

const priceDay = 24 * time.Hour

// TestFeedUpdate: rows change what they name and nothing else.
func TestFeedUpdate(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	require.Equal(t, 404, b.stream(key, "PATCH", path+"/feed", strings.NewReader(`{"id":"p1","deleted":true}`)).code, "there is no feed yet")
	require.Equal(t, 200, b.stream(key, "PUT", path+"/feed", feedLines(1000, 0)).code)
	b.pending()
	a := b.call(key, "PATCH", path+"/feed", `{"id":"p1","price":"3.50"}`+"\n"+`{"id":"p2","deleted":true}`+"\n"+`{"id":"nope","price":"1"}`+"\n"+`{"id":"p1","price":"3.25"}`)
	require.Equal(t, 200, a.code, a.body)
	var f Feed
	a.into(t, &f)
	require.Equal(t, 999, f.Products)
	require.Equal(t, FeedReport{Format: "jsonl", Rows: 4, Accepted: 3, Rejected: 1, Problems: []FeedProblem{{Line: 3, Column: "title", Product: "nope", Reason: "is missing"}}}, f.Report)
	require.LessOrEqual(t, len(b.pending()), 3, "only what changed is sent, and that the feed is fresh")
	got := published(t, b, 1)
	require.Len(t, got, 999)
	require.Equal(t, "3.25", got["p1"].Price.String(), "the last row of a product counts")
	require.NotContains(t, got, "p2")
	require.Equal(t, 412, b.stream(key, "PATCH", path+"/feed", strings.NewReader(`{"id":"p1","deleted":true}`), "If-Match", `"1"`).code)
}

// TestPriceHistory: a reduction is told against the lowest price of the 30
// days before it, once 30 days are known.
func TestPriceHistory(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	put := func(price string) money.Nano {
		t.Helper()
		line := fmt.Sprintf(`{"id":"p1","title":"Sofa","price":%q}`+"\n", price)
		require.Equal(t, 200, b.stream(key, "PUT", path+"/feed", strings.NewReader(line)).code)
		return published(t, b, 1)["p1"].Lowest30
	}
	zl := func(n int64) money.Nano { return money.Nano(n) * money.NanoUnit }
	require.Zero(t, put("100"))
	b.clock.Advance(10 * priceDay)
	require.Zero(t, put("80"), "20 of the 30 days are not known")
	b.clock.Advance(20 * priceDay)
	require.Zero(t, put("120"), "dearer is no reduction")
	b.clock.Advance(5 * priceDay)
	require.Equal(t, zl(80), put("90"), "5 days ago it cost 80")
	b.clock.Advance(priceDay)
	require.Equal(t, zl(80), put("90"), "and it still holds")
	b.clock.Advance(30 * priceDay)
	require.Zero(t, put("90"), "a reduction of more than 30 days ago is none any more")
	b.clock.Advance(priceDay)
	require.Equal(t, zl(90), put("70"))
	a := b.call(key, "PATCH", path+"/feed", `{"id":"p1","price":"60"}`)
	require.Equal(t, 200, a.code, a.body)
	require.Equal(t, zl(70), published(t, b, 1)["p1"].Lowest30, "an update has the history too")
}

// TestFeedIsFetched from a URL, again when it is time, and not read anew when
// it did not change.
func TestFeedIsFetched(t *testing.T) {
	var asked, unchanged atomic.Int64
	var broken atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if broken.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if r.Header.Get("If-None-Match") == `"one"` {
			unchanged.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"one"`)
		_, _ = w.Write([]byte(feedLines(50, 0).String()))
	}))
	defer srv.Close()
	b := start(t, func(c *Config, _ *Deps) { c.FetchPrivate = true })
	path, key := b.shop()
	var src FeedSource
	b.call(key, "GET", path+"/feed/source", "").into(t, &src)
	require.Empty(t, src.URL)
	require.Equal(t, 422, b.call(key, "PUT", path+"/feed/source", `{"url":"ftp://x.example/feed"}`).code)
	require.Equal(t, 422, b.call(key, "PUT", path+"/feed/source", `{"url":"https://x.example/feed","every_minutes":1}`).code)
	require.Equal(t, 200, b.call(key, "PUT", path+"/feed/source", fmt.Sprintf(`{"url":%q,"every_minutes":10}`, srv.URL)).code)

	run := func() {
		t.Helper()
		due, err := b.s.store.View().DueSources(t.Context(), b.clock.NowMS(), 10)
		require.NoError(t, err)
		for _, f := range due {
			b.s.fetchFeed(t.Context(), f)
		}
	}
	run()
	require.Len(t, published(t, b, 1), 50)
	first, err := b.s.store.Record(t.Context(), "feed/1")
	require.NoError(t, err)
	require.Equal(t, b.clock.NowMS(), first.Feed.CheckedMS)
	run()
	require.EqualValues(t, 1, asked.Load(), "it is not time")
	b.clock.Advance(11 * time.Minute)
	run()
	require.EqualValues(t, 1, unchanged.Load())
	again, err := b.s.store.Record(t.Context(), "feed/1")
	require.NoError(t, err)
	require.Equal(t, b.clock.NowMS(), again.Feed.CheckedMS, "unchanged is fresh")
	require.Greater(t, again.Version, first.Version)
	broken.Store(true)
	b.clock.Advance(11 * time.Minute)
	run()
	b.call(key, "GET", path+"/feed/source", "").into(t, &src)
	require.Contains(t, src.Problem, "502")
	require.Equal(t, again.Feed.CheckedMS, src.Checked)
	require.Len(t, published(t, b, 1), 50, "the old feed stays")
	require.Equal(t, 204, b.call(key, "DELETE", path+"/feed/source", "").code)
	require.Equal(t, 404, b.call(key, "DELETE", path+"/feed/source", "").code)
}

// TestPrivateAddressesAreNotFetched: a shop's URL does not reach this machine.
func TestPrivateAddressesAreNotFetched(t *testing.T) {
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer srv.Close()
	b := start(t, nil)
	path, key := b.shop()
	for _, u := range []string{srv.URL, "http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/"} {
		require.Equal(t, 422, b.call(key, "PUT", path+"/feed/source", fmt.Sprintf(`{"url":%q}`, u)).code, u)
	}
	require.Zero(t, asked.Load())
}

// TestFeedProgress: who asks while a feed is read sees how far it is.
func TestFeedProgress(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	job, end, err := b.s.uploads.begin(1, "fetch", 5)
	require.NoError(t, err)
	job.products.Store(7)
	var f Feed
	b.call(key, "GET", path+"/feed", "").into(t, &f)
	require.Equal(t, &FeedJob{From: "fetch", State: "reading", Started: 5, Products: 7}, f.Job)
	require.Equal(t, 409, b.stream(key, "PUT", path+"/feed", feedLines(1, 0)).code)
	end()
	require.Equal(t, 404, b.call(key, "GET", path+"/feed", "").code)
}
