package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/kafkatest"
)

// emptyFeed is how many products the shop of this test has.
const emptyFeed = 100_000

// emptyExchange is the file of docs/marketer.md's 'From nothing'.
const emptyExchange = `name: first
currencies: [PLN]
settle: {banner: billing, native: billing, video: impression}
may_profile: true
`

// client calls the console and the bidder with a key.
type client struct {
	t    testing.TB
	base string
	key  string
}

func (c client) call(method, path, body string, into any) int {
	c.t.Helper()
	kind := "application/json"
	if !strings.HasPrefix(body, "{") {
		kind = "text/csv"
	}
	status, got := c.send(method, path, kind, strings.NewReader(body))
	if into != nil {
		require.Less(c.t, status, 300, "%s %s: %s", method, path, got)
		require.NoError(c.t, json.Unmarshal(got, into), "%s", got)
	}
	return status
}

func (c client) send(method, path, kind string, body io.Reader) (int, []byte) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+path, body)
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Authorization", "Bearer "+c.key)
	res, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return res.StatusCode, got
}

func emptyFeedCSV() io.Reader {
	var b bytes.Buffer
	b.WriteString("id,title,link,image_link,price,availability,brand,product_type\n")
	kinds := []string{"Sofa", "Lampa", "Fotel", "Dywan", "Regał"}
	for i := range emptyFeed {
		k := kinds[i%len(kinds)]
		fmt.Fprintf(&b, "p%d,%s Model%d,https://dom.example/p%d,https://dom.example/p%d.jpg,%d.90 PLN,in stock,Dom,Meble > %s\n", i, k, i, i, i, 100+i%900, k)
	}
	return &b
}

// TestFromEmptyByAPI is 'From nothing' of docs/marketer.md: an empty
// `grosz up` without the demo, and all that a shop needs by API, with a feed
// of 100,000 products. A second shop, made the same way, opens nothing of it.
func TestFromEmptyByAPI(t *testing.T) {
	s := newStack(t)
	s.args = slices.DeleteFunc(s.args, func(a string) bool { return a == "--demo" })
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "exchanges"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "exchanges", "first.yaml"), []byte(emptyExchange), 0o600))
	s.start(1)
	api := "http://" + s.arg("--console") + "/api/v1"
	var admin client
	kafkatest.Eventually(t, "the administrator's key", func() error {
		key, err := os.ReadFile(filepath.Join(s.dir, "admin.key"))
		admin = client{t, api, strings.TrimSpace(string(key))}
		if err == nil && !answers(t.Context(), "http://"+s.arg("--console")+"/openapi.json") {
			err = fmt.Errorf("the console does not answer")
		}
		return err
	})
	shop := func(name string) (path string, write, events client) {
		var made struct{ ID int }
		admin.call("POST", "/shops", `{"name": "`+name+`", "domain": "`+name+`.example", "url": "https://`+name+`.example/", "currency": "PLN", "time_zone": "Europe/Warsaw", "language": "pl"}`, &made)
		path = fmt.Sprint("/shops/", made.ID)
		var key struct{ Key string }
		admin.call("POST", path+"/keys", `{"name": "marketing", "scopes": ["write"]}`, &key)
		write = client{t, api, key.Key}
		write.call("POST", path+"/keys", `{"name": "backend", "scopes": ["events"]}`, &key)
		return path, write, client{t, "http://" + s.bidder + "/api/v1", key.Key}
	}
	path, write, events := shop("dom")
	_, other, otherEvents := shop("inny")

	status, got := write.send("PUT", path+"/feed", "text/csv", emptyFeedCSV())
	require.Equal(t, 200, status, "%s", got)
	var feed struct{ Products int }
	require.NoError(t, json.Unmarshal(got, &feed))
	require.Equal(t, emptyFeed, feed.Products)
	var seg struct{ ID int }
	write.call("POST", path+"/segments", `{"name": "Big carts", "expression": "cart_value >= 500 PLN and not purchased within 7d", "value_bps": 15000, "max_bps": 12000}`, &seg)
	write.call("POST", path+"/campaigns", `{"name": "Carts", "kind": "remarketing", "status": "active", "targeting": "segment \"Big carts\"", "bid": {"cpm": "4", "max_cpm": "5"}, "creatives": [{"media": "banner"}]}`, &seg)
	write.call("POST", path+"/campaigns", `{"name": "Looking", "kind": "intent", "status": "active", "bid": {"cpm": "3"}, "creatives": [{"media": "banner"}]}`, &seg)

	const ifa = "6D92078A-8246-4BA4-AE5B-76104861E7DC"
	send := func(fields string) {
		var a struct{ Accepted int }
		events.call("POST", path+"/events", `{"events": [{"user": {"ifa": "`+ifa+`"}, `+fields+`}]}`, &a)
		require.Equal(t, 1, a.Accepted)
	}
	type answer struct {
		SeatBid []struct {
			Bid []struct {
				Price float64
				CID   string
				ADM   string
			}
		}
	}
	bid := func(more string) (a answer, err error) {
		status, got := (client{t: t, base: "http://" + s.bidder}).send("POST", "/openrtb2/first", "application/json", strings.NewReader(
			`{"id":"r","cur":["PLN"],"imp":[{"id":"1","banner":{"w":300,"h":250}}],`+more+`}`))
		if status != 200 {
			return a, fmt.Errorf("answered %d", status)
		}
		return a, json.Unmarshal(got, &a)
	}
	expect := func(what, more string, price float64, words ...string) {
		t.Helper()
		kafkatest.Eventually(t, what, func() error {
			a, err := bid(more)
			if err != nil || len(a.SeatBid) == 0 || a.SeatBid[0].Bid[0].Price != price {
				return fmt.Errorf("%w: %+v", err, a)
			}
			for _, w := range words {
				if !strings.Contains(a.SeatBid[0].Bid[0].ADM, w) {
					return fmt.Errorf("the ad does not show %q", w)
				}
			}
			return nil
		})
	}
	person := `"app":{"bundle":"com.example.news"},"device":{"ifa":"` + ifa + `"}`
	expect("a search to be met", `"site":{"domain":"news.example","search":"fotele Model77777"}`, 3, "Fotel")
	began := time.Now()
	send(`"type": "cart_add", "product": "p54321", "quantity": 1, "price": "921.90"`)
	expect("the cart in the ad", person, 6, "Lampa Model54321")
	t.Logf("from the cart to the bid: %s", time.Since(began))
	kafkatest.Eventually(t, "the segment's size", func() error {
		var list struct {
			Items []struct {
				Name string
				Size struct {
					Members int
					Ready   bool
				}
			}
		}
		write.call("GET", path+"/segments", "", &list)
		if len(list.Items) != 1 || list.Items[0].Size.Members != 1 || !list.Items[0].Size.Ready {
			return fmt.Errorf("%+v", list)
		}
		return nil
	})

	// The other shop's keys open nothing of it.
	require.Equal(t, 404, other.call("GET", path+"/segments", "", nil))
	require.Equal(t, 404, other.call("GET", path+"/feed", "", nil))
	require.Equal(t, 404, other.call("GET", path+"/report/cost-per-order?from=2026-01-01&to=2026-01-02", "", nil))
	otherEvents.t = t
	require.Equal(t, 401, otherEvents.call("POST", path+"/events", `{"events": []}`, nil))
	require.Equal(t, 401, client{t, events.base, other.key}.call("POST", path+"/campaigns/1/preview", `{}`, nil))

	// A price changes: the ad says the new one within moments.
	var patched struct{ Products int }
	write.call("PATCH", path+"/feed", "id,price\np54321,777.70 PLN\n", &patched)
	require.Equal(t, emptyFeed, patched.Products)
	expect("the new price", person, 6, "777,70")

	send(`"type": "purchase", "order_id": "1", "value": "777.70"`)
	kafkatest.Eventually(t, "the ads to stop", func() error {
		if a, err := bid(person); err == nil {
			return fmt.Errorf("still bid on: %+v", a)
		}
		return nil
	})
}
