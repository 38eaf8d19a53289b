package console

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/store"
)

func TestShopLife(t *testing.T) {
	b := start(t, nil)
	a := b.call(b.admin, "POST", "/api/v1/shops", shopJSON)
	require.Equal(t, 201, a.code, a.body)
	var made Shop
	a.into(t, &made)
	require.Equal(t, uint32(1), made.ID)
	require.True(t, made.Active)
	require.Equal(t, etag(made.Version), a.header.Get("ETag"))
	require.NotContains(t, a.body, "salt")

	a = b.call(b.admin, "PATCH", "/api/v1/shops/1", `{"name": "Buty 2", "categories": ["IAB18"], "fee_bps": 1500}`)
	require.Equal(t, 200, a.code, a.body)
	var changed Shop
	a.into(t, &changed)
	require.Equal(t, "Buty 2", changed.Name)
	require.Equal(t, "buty.example", changed.Domain, "a merge patch leaves the rest")
	require.Equal(t, int64(1500), changed.FeeBPS)
	require.Greater(t, changed.Version, made.Version)

	a = b.call(b.admin, "PATCH", "/api/v1/shops/1", `{"categories": null}`)
	require.Equal(t, 200, a.code, a.body)
	require.NotContains(t, a.body, "categories")

	// What the API shows can be sent back as it is.
	a = b.call(b.admin, "PATCH", "/api/v1/shops/1", a.body)
	require.Equal(t, 200, a.code, a.body)

	// The published document has the salt and the valid keys; the API's has not.
	key := b.key("/api/v1/shops/1", "read")
	rec, err := b.s.store.Record(context.Background(), "shop/1")
	require.NoError(t, err)
	require.Len(t, rec.Shop.Salt, 32)
	require.Len(t, rec.Shop.Keys, 1)
	for _, path := range []string{"", "/keys", "/changes"} {
		a = b.call(key, "GET", "/api/v1/shops/1"+path, "")
		require.Equal(t, 200, a.code)
		require.NotContains(t, a.body, rec.Shop.Salt)
		require.NotContains(t, a.body, rec.Shop.Keys[0].SHA256)
		require.NotContains(t, a.body, "sha256")
		require.NotContains(t, a.body, key)
	}
	require.Equal(t, 404, b.call(b.admin, "GET", "/api/v1/shops/77", "").code)
}

func TestShopMistakesAreListedAtOnce(t *testing.T) {
	b := start(t, nil)
	cases := []struct {
		name, body string
		code       int
		fields     []string
	}{
		{"everything missing", `{}`, 422, []string{"body.currency", "body.domain", "body.name", "body.time_zone", "body.url"}},
		{"everything wrong", `{"name": "a\u0007b", "domain": "Buty", "url": "http://buty.example", "logo_url": "javascript:alert(1)", "currency": "ZZZ",
			"time_zone": "Europe/Warszawa", "language": "PL", "fee_bps": 20000, "categories": ["shoes"], "active": "yes", "colour": "red"}`, 422,
			[]string{"body.active", "body.categories[0]", "body.colour", "body.currency", "body.domain", "body.fee_bps", "body.language", "body.logo_url", "body.name", "body.time_zone", "body.url"}},
		{"wrong types", `{"name": 5, "domain": ["x"], "url": {}, "currency": true, "time_zone": 1.5, "fee_bps": 1.5, "categories": "IAB1"}`, 422,
			[]string{"body.categories", "body.currency", "body.domain", "body.fee_bps", "body.name", "body.time_zone", "body.url"}},
		{"url with a user", strings.Replace(shopJSON, "https://", "https://me:secret@", 1), 422, []string{"body.url"}},
		{"name too long", strings.Replace(shopJSON, "Buty", strings.Repeat("ż", 201), 1), 422, []string{"body.name"}},
		{"case of a field", strings.Replace(shopJSON, `"name"`, `"Name"`, 1), 422, []string{"body.Name", "body.name"}},
		{"not an object", `[]`, 400, []string{}},
		{"not JSON", `{"name": }`, 400, []string{}},
		{"trailing", shopJSON + `{}`, 400, []string{}},
		{"empty", ``, 400, []string{}},
		{"not UTF-8", "{\"name\": \"\xff\"}", 400, []string{}},
		{"too deep", strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30), 400, []string{}},
		{"too large", `{"name": "` + strings.Repeat("a", maxBody) + `"}`, 413, []string{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := b.call(b.admin, "POST", "/api/v1/shops", c.body)
			require.Equal(t, c.code, a.code, a.body)
			require.Equal(t, c.fields, a.problem(t).fields(), a.body)
		})
	}
	var shops struct{ Items []Shop }
	b.call(b.admin, "GET", "/api/v1/shops", "").into(t, &shops)
	require.Empty(t, shops.Items)

	a := b.call(b.admin, "POST", "/api/v1/shops", shopJSON, "Content-Type", "text/plain")
	require.Equal(t, 415, a.code)
	require.Equal(t, 415, a.problem(t).Status)
	a = b.call(b.admin, "GET", "/api/v1/shops?limit=0&cursor=!&odd=1", "")
	require.Equal(t, 422, a.code)
	a = b.call(b.admin, "GET", "/api/v1/shops?cursor=bm9uc2Vuc2U", "")
	require.Equal(t, []string{"query.cursor"}, a.problem(t).fields())
}

func TestHTTPIsAllowedToLoopbackOnly(t *testing.T) {
	for url, good := range map[string]bool{
		"http://127.0.0.1:8080/x": true, "http://[::1]/": true, "http://localhost/": true, "https://a.example": true,
		"http://a.example": false, "http://127.0.0.1.a.example/": false, "ftp://a.example": false, "https:///x": false, "https:a.example": false,
		"//a.example": false, "https://a b.example": false, "https://a.example/\n": false,
	} {
		var p problems
		checkURL(&p, "u", url, true)
		require.Equal(t, good, p.err() == nil, url)
	}
}

func TestShopsArePaged(t *testing.T) {
	b := start(t, nil)
	for range 7 {
		b.shop()
	}
	var seen []uint32
	path := "/api/v1/shops?limit=3"
	for pages := 0; pages < 10; pages++ {
		var p struct {
			Items []Shop
			Next  string
		}
		b.call(b.admin, "GET", path, "").into(t, &p)
		for _, s := range p.Items {
			seen = append(seen, s.ID)
		}
		if p.Next == "" {
			break
		}
		path = "/api/v1/shops?limit=3&cursor=" + p.Next
	}
	require.Equal(t, []uint32{1, 2, 3, 4, 5, 6, 7}, seen)
}

func TestOnlyTheAdministratorSetsFeeAndActive(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	a := b.call(key, "PATCH", path, `{"fee_bps": 1, "active": false, "name": "x"}`)
	require.Equal(t, 422, a.code)
	require.Equal(t, []string{"body.active", "body.fee_bps"}, a.problem(t).fields())
	require.Equal(t, 200, b.call(key, "PATCH", path, `{"fee_bps": 0, "active": true, "name": "x"}`).code, "unchanged values may be sent")
}

func TestCurrencyIsFixedOnceThereIsACampaign(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	require.Equal(t, 200, b.call(key, "PATCH", path, `{"currency": "EUR"}`).code)
	b.campaign(path, key)
	a := b.call(key, "PATCH", path, `{"currency": "PLN"}`)
	require.Equal(t, []string{"body.currency"}, a.problem(t).fields())
}

func TestConcurrentEditsWithIfMatch(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	for _, target := range []string{path, b.campaign(path, key)} {
		tag := b.call(key, "GET", target, "").header.Get("ETag")
		var won, lost atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				switch a := b.call(key, "PATCH", target, fmt.Sprintf(`{"name": "n%d"}`, i), "If-Match", tag); a.code {
				case 200:
					won.Add(1)
				case 412:
					lost.Add(1)
				default:
					t.Errorf("got %d: %s", a.code, a.body)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int32(1), won.Load())
		require.Equal(t, int32(7), lost.Load())
		require.Equal(t, 412, b.call(key, "PATCH", target, `{"name": "late"}`, "If-Match", tag).code)
		require.Equal(t, 200, b.call(key, "PATCH", target, `{"name": "any"}`, "If-Match", "*").code)
	}
	tag := b.call(key, "GET", path, "").header.Get("ETag")
	require.Equal(t, 412, b.call(key, "DELETE", path+"/campaigns/1", "", "If-Match", tag).code)
}

func TestConcurrentPatchesOfDifferentFieldsAllHold(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	target := b.campaign(path, key)
	var wg sync.WaitGroup
	for _, patch := range []string{`{"name": "new"}`, `{"budget": {"day": "77"}}`, `{"bid": {"max_cpm": "9"}}`, `{"frequency": {"impressions": 3, "hours": 24}}`, `{"targeting": "viewed"}`} {
		wg.Go(func() {
			if a := b.call(key, "PATCH", target, patch); a.code != 200 {
				t.Errorf("got %d: %s", a.code, a.body)
			}
		})
	}
	wg.Wait()
	var c Campaign
	b.call(key, "GET", target, "").into(t, &c)
	require.Equal(t, "new", c.Name)
	require.Equal(t, "77.00", c.Budget.Day.String())
	require.Equal(t, "1000.00", c.Budget.Total.String(), "siblings of a patched field stay")
	require.Equal(t, "9.00", c.Bid.MaxCPM.String())
	require.Equal(t, 3, c.Frequency.Impressions)
	require.Equal(t, "viewed", c.Targeting)
}

func TestIdempotencyKeys(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	first := b.call(b.admin, "POST", "/api/v1/shops", shopJSON, "Idempotency-Key", "k1")
	again := b.call(b.admin, "POST", "/api/v1/shops", shopJSON, "Idempotency-Key", "k1")
	require.Equal(t, 201, again.code)
	require.Equal(t, first.body, again.body)
	require.Equal(t, " true", first.header.Get("Idempotency-Replayed")+" "+again.header.Get("Idempotency-Replayed"))
	a := b.call(b.admin, "POST", "/api/v1/shops", strings.Replace(shopJSON, "Buty", "Other", 1), "Idempotency-Key", "k1")
	require.Equal(t, []string{"header.Idempotency-Key"}, a.problem(t).fields())

	// The same key text of someone else, or on another route, is another.
	require.Equal(t, 201, b.call(key, "POST", path+"/campaigns", campaignJSON, "Idempotency-Key", "k1").code)
	require.NotEqual(t,
		b.call(b.admin, "POST", path+"/campaigns", campaignJSON, "Idempotency-Key", "k1").body,
		b.call(key, "POST", path+"/campaigns", campaignJSON, "Idempotency-Key", "k1").body)

	// At once from many: one is made.
	var ids sync.Map
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			ids.Store(b.call(key, "POST", path+"/campaigns", campaignJSON, "Idempotency-Key", "k2").body, true)
		})
	}
	wg.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	require.Equal(t, 1, n)

	// A wrong request is not remembered.
	require.Equal(t, 422, b.call(key, "POST", path+"/campaigns", `{}`, "Idempotency-Key", "k3").code)
	require.Equal(t, 201, b.call(key, "POST", path+"/campaigns", campaignJSON, "Idempotency-Key", "k3").code)

	// After a day it is a new request.
	b.clock.Advance(store.IdempotencyTTL + time.Second)
	later := b.call(b.admin, "POST", "/api/v1/shops", shopJSON, "Idempotency-Key", "k1")
	require.NotEqual(t, first.body, later.body)
}

func TestANewKeyIsNowhereInTheDatabase(t *testing.T) {
	b := start(t, nil)
	path, _ := b.shop()
	first := b.call(b.admin, "POST", path+"/keys", `{"scopes": ["read"]}`, "Idempotency-Key", "k")
	var made NewKey
	first.into(t, &made)
	require.Equal(t, first.body, b.call(b.admin, "POST", path+"/keys", `{"scopes": ["read"]}`, "Idempotency-Key", "k").body)
	secret := made.Secret[strings.LastIndex(made.Secret, "_")+1:]
	files, err := filepath.Glob(filepath.Join(b.s.cfg.Dir, "console.db*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NotContains(t, string(raw), secret, f)
	}
}

func TestKeyLife(t *testing.T) {
	b := start(t, nil)
	path, _ := b.shop()
	old := b.key(path, "events", "read")
	fresh := b.key(path, "read")
	require.Equal(t, 200, b.call(old, "GET", path, "").code, "two keys are valid while rotating")
	require.Equal(t, 200, b.call(fresh, "GET", path, "").code)
	require.Equal(t, 403, b.call(fresh, "PATCH", path, `{}`).code)
	require.Equal(t, 403, b.call(b.key(path, "events"), "GET", path, "").code)
	require.Equal(t, 403, b.call(fresh, "POST", path+"/keys", `{"scopes": ["write"]}`).code, "a reader cannot make itself a writer")

	require.Equal(t, 204, b.call(b.admin, "DELETE", path+"/keys/"+keyID(old), "").code)
	require.Equal(t, 401, b.call(old, "GET", path, "").code)
	require.Equal(t, 200, b.call(fresh, "GET", path, "").code)
	require.Equal(t, 404, b.call(b.admin, "DELETE", path+"/keys/nosuch", "").code)
	var keys struct{ Items []Key }
	b.call(fresh, "GET", path+"/keys", "").into(t, &keys)
	require.Len(t, keys.Items, 4)
	revoked := 0
	for _, k := range keys.Items {
		if k.Revoked != 0 {
			revoked++
			require.Equal(t, keyID(old), k.ID)
		}
	}
	require.Equal(t, 1, revoked)

	a := b.call(b.admin, "POST", path+"/keys", `{"scopes": ["root", "read"], "name": "`+strings.Repeat("n", 101)+`"}`)
	require.Equal(t, []string{"body.name", "body.scopes[0]"}, a.problem(t).fields())
	for i := 3; i < 20; i++ {
		b.key(path, "read")
	}
	require.Equal(t, 409, b.call(b.admin, "POST", path+"/keys", `{"scopes": ["read"]}`).code)
}

func TestChangesAreRecorded(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	target := b.campaign(path, key)
	b.call(key, "PATCH", target, `{"status": "active"}`)
	b.call(key, "DELETE", target, "")
	a := b.stream(key, "PUT", path+"/feed", feedLines(3, 0))
	require.Equal(t, 200, a.code, a.body)
	var log struct {
		Items []Change
		Next  string
	}
	b.call(key, "GET", path+"/changes?limit=4", "").into(t, &log)
	var got []string
	for _, c := range log.Items {
		got = append(got, c.Actor[:3]+" "+c.Action+" "+c.Subject)
		require.Equal(t, "192.0.2.1", c.Remote)
		require.Equal(t, int64(testNow), c.At)
	}
	require.Equal(t, []string{"key upload feed/1", "key delete campaign/1", "key update campaign/1", "key create campaign/1"}, got)
	require.Contains(t, string(log.Items[2].Before), `"status":"paused"`)
	require.Contains(t, string(log.Items[2].After), `"status":"active"`)
	b.call(key, "GET", path+"/changes?cursor="+log.Next, "").into(t, &log)
	require.Equal(t, "create", log.Items[1].Action)
	require.True(t, json.Valid(log.Items[1].After))
}
