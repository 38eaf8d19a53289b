package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
)

// pending takes all documents out of the outbox and returns their keys, but
// for those that say how fresh feeds are.
func (b *bench) pending() []string {
	b.t.Helper()
	ctx := context.Background()
	p, err := b.s.store.Pending(ctx, 1_000_000)
	require.NoError(b.t, err)
	require.NoError(b.t, b.s.store.Sent(ctx, p))
	keys := []string{}
	for i := range p {
		if !strings.HasPrefix(p[i].Key, "feed/") { // how fresh a feed is goes with each
			keys = append(keys, p[i].Key)
		}
	}
	return keys
}

// published is the feed as a bidder that reads the whole topic sees it.
func published(t *testing.T, b *bench, shop uint32) map[string]campaigns.Product {
	t.Helper()
	ctx := context.Background()
	require.NoError(t, b.s.store.EnqueueAll(ctx))
	out := map[string]campaigns.Product{}
	feed, err := b.s.store.View().Feed(ctx, shop)
	require.NoError(t, err)
	live := 0
	for _, key := range b.pending() {
		rec, err := b.s.store.Record(ctx, key)
		require.NoError(t, err)
		if rec.Products == nil || rec.Products.ShopID != shop {
			continue
		}
		live++
		require.Equal(t, feed.Buckets, rec.Products.Buckets)
		require.LessOrEqual(t, len(rec.Products.Items), store.MaxBucketProducts)
		for _, p := range rec.Products.Items {
			if _, twice := out[p.ID]; twice {
				t.Fatalf("product %s is in two buckets", p.ID)
			}
			out[p.ID] = p
		}
	}
	require.Equal(t, feed.Buckets, live)
	return out
}

func TestFeedUpload(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	require.Equal(t, 404, b.call(key, "GET", path+"/feed", "").code)
	body := feedLines(1000, 0).String() + "not json\n" + `{"title": "no id"}` + "\n" + feedLines(1, 5).String()
	a := b.call(key, "PUT", path+"/feed?format=jsonl", body, "Content-Type", "application/x-ndjson")
	require.Equal(t, 200, a.code, a.body)
	var f Feed
	a.into(t, &f)
	require.Equal(t, 1000, f.Products)
	require.Equal(t, FeedReport{Format: "jsonl", Rows: 1003, Accepted: 1000, Rejected: 2, Repeated: 1, Problems: []FeedProblem{
		{Line: 1001, Column: "id", Reason: "is missing"}, {Line: 1002, Column: "id", Reason: "is missing"}}}, f.Report)
	require.JSONEq(t, a.body, b.call(key, "GET", path+"/feed", "").body)
	got := published(t, b, 1)
	require.Len(t, got, 1000)
	require.Equal(t, "15.50", got["p0"].Price.String(), "of a repeated id the last counts")
	require.Equal(t, "PLN", got["p7"].Currency.String())

	tag := a.header.Get("ETag")
	require.Equal(t, 412, b.stream(key, "PUT", path+"/feed", feedLines(1, 0), "If-Match", `"1"`).code)
	require.Equal(t, 200, b.stream(key, "PUT", path+"/feed?dry_run=true", feedLines(5, 0), "If-Match", tag).code)
	require.Equal(t, tag, b.call(key, "GET", path+"/feed", "").header.Get("ETag"), "a dry run changes nothing")
	require.Equal(t, 200, b.stream(key, "PUT", path+"/feed", feedLines(5, 0), "If-Match", tag).code)
}

func TestOnlyChangedBucketsAreSent(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	upload := func(body io.Reader) []string {
		t.Helper()
		a := b.stream(key, "PUT", path+"/feed", body)
		require.Equal(t, 200, a.code, a.body)
		return b.pending()
	}
	b.pending()
	all := upload(feedLines(5000, 0))
	require.Len(t, all, 32)
	require.Empty(t, upload(feedLines(5000, 0)), "the same feed sends nothing")
	changed := strings.Replace(feedLines(5000, 0).String(), `"title":"Shoe 77"`, `"title":"Boot 77"`, 1)
	require.Len(t, upload(strings.NewReader(changed)), 1)
	require.Equal(t, "Boot 77", published(t, b, 1)["p77"].Title)
	b.pending()

	// Slightly fewer products keep the number of buckets; far fewer do not,
	// and those that are gone are sent as gone.
	upload(feedLines(4000, 0))
	require.Len(t, published(t, b, 1), 4000)
	b.pending()
	gone := upload(feedLines(100, 0))
	require.Len(t, gone, 32)
	rec, err := b.s.store.Record(context.Background(), "products/1/31")
	require.NoError(t, err)
	require.True(t, rec.Deleted)
	require.Len(t, published(t, b, 1), 100)
	b.pending()
	upload(feedLines(5000, 1))
	got := published(t, b, 1)
	require.Len(t, got, 5000)
	require.Equal(t, "11.50", got["p4999"].Price.String())
}

func TestBadUploadsChangeNothing(t *testing.T) {
	b := start(t, func(c *Config, _ *Deps) { c.MaxFeedBytes, c.MaxProducts = 200_000, 500 })
	path, key := b.shop()
	require.Equal(t, 200, b.stream(key, "PUT", path+"/feed", feedLines(10, 0)).code)
	tag := b.call(key, "GET", path+"/feed", "").header.Get("ETag")
	b.pending()
	cases := []struct {
		name string
		body io.Reader
		path string
		code int
		want string
	}{
		{"empty", strings.NewReader(""), "/feed", 422, "no good product"},
		{"only bad rows", strings.NewReader("x\ny\n"), "/feed", 422, "body.line[2]"},
		{"too many products", feedLines(501, 0), "/feed", 413, "more than 500 products"},
		{"too many bytes", strings.NewReader(strings.Repeat("x", 199) + strings.Repeat("\nx", 100_001)), "/feed", 413, "larger than 200000 bytes"},
		{"unreadable", strings.NewReader(strings.Repeat("x", 150_000)), "/feed", 422, ""},
		{"breaks off", io.MultiReader(feedLines(20, 3), brokenReader{}), "/feed", 422, "connection lost"},
		{"unknown format", feedLines(1, 0), "/feed?format=yaml", 422, "query.format"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := b.stream(key, "PUT", path+c.path, c.body)
			if c.name == "unreadable" { // one long line of less than a megabyte is a bad row
				c.want = "no good product"
			}
			require.Equal(t, c.code, a.code, a.body)
			require.Contains(t, a.body, c.want)
			require.Equal(t, c.code, a.problem(t).Status)
		})
	}
	require.Equal(t, tag, b.call(key, "GET", path+"/feed", "").header.Get("ETag"))
	require.Empty(t, b.pending())
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection lost") }

func TestOneUploadOfAShopAtATime(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	r, w := io.Pipe()
	first := make(chan answer, 1)
	go func() { first <- b.stream(key, "PUT", path+"/feed", r) }()
	_, err := w.Write(feedLines(1, 0).Bytes()) // returns once it is being read
	require.NoError(t, err)
	require.Equal(t, 409, b.stream(key, "PUT", path+"/feed", feedLines(2, 0)).code)
	require.NoError(t, w.Close())
	a := <-first
	require.Equal(t, 200, a.code, a.body)
	require.Equal(t, 200, b.stream(key, "PUT", path+"/feed", feedLines(2, 0)).code)
}

func TestProductsArePaged(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	require.Equal(t, 200, b.stream(key, "PUT", path+"/feed", feedLines(3000, 0)).code)
	type result struct {
		Items []campaigns.Product
		Next  string
	}
	walk := func(query string, most int) map[string]bool {
		seen := map[string]bool{}
		cursor := ""
		for pages := 0; pages < most; pages++ {
			var p result
			a := b.call(key, "GET", path+"/products?"+query+"&cursor="+cursor, "")
			require.Equal(t, 200, a.code, a.body)
			a.into(t, &p)
			for _, item := range p.Items {
				require.False(t, seen[item.ID], "twice: %s", item.ID)
				seen[item.ID] = true
			}
			if cursor = p.Next; cursor == "" {
				return seen
			}
		}
		t.Fatal("the pages do not end")
		return nil
	}
	require.Len(t, walk("limit=77", 50), 3000)
	require.Len(t, walk("limit=500", 10), 3000)
	require.Equal(t, map[string]bool{"p2999": true}, walk("q=SHOE%202999", 5))
	require.Equal(t, map[string]bool{"p12": true}, walk("id=p12", 2))
	require.Empty(t, walk("id=nosuch", 2))
	require.Empty(t, walk("available=false", 5))
	require.Equal(t, 422, b.call(key, "GET", path+"/products?cursor="+cursorOf("product", "x/y"), "").code)
}

func TestLargeFeed(t *testing.T) {
	const n = 100_000
	b := start(t, nil)
	path, key := b.shop()
	b.pending()
	upload := func(what string, body io.Reader, messages int) {
		begun := time.Now()
		a := b.stream(key, "PUT", path+"/feed", body)
		require.Equal(t, 200, a.code, a.body)
		t.Logf("%s: %d products in %s", what, n, time.Since(begun).Round(time.Millisecond))
		require.Len(t, b.pending(), messages, what)
	}
	first := feedLines(n, 0)
	text := first.String()
	upload("first", first, 512)
	upload("same", strings.NewReader(text), 0)
	upload("one changed", strings.NewReader(strings.Replace(text, fmt.Sprintf(`"Shoe %d"`, n/2), `"Boot"`, 1)), 1)
	require.Len(t, published(t, b, 1), n)
}
