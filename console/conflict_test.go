package console

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTwoPeopleAtOnce: of two who read the same thing and both change it, the
// second hears of the first, whatever it is.
func TestTwoPeopleAtOnce(t *testing.T) {
	text := []string{"Content-Type", "text/plain"}
	for name, c := range map[string]struct {
		make    func(b *bench, path, key string) string // returns what is changed
		method  string
		bodies  [2]string
		headers []string
	}{
		"a feed's source": {func(b *bench, path, key string) string {
			b.call(key, "PUT", path+"/feed/source", `{"url": "https://feeds.shop.example/a.xml"}`)
			return path + "/feed/source"
		}, "PUT", [2]string{`{"url": "https://feeds.shop.example/b.xml"}`, `{"url": "https://feeds.shop.example/c.xml"}`}, nil},
		"a list": {func(b *bench, path, key string) string {
			b.call(key, "PUT", path+"/lists/blocked", "a.example", text...)
			return path + "/lists/blocked"
		}, "PUT", [2]string{"b.example", "c.example"}, text},
		"a webhook": {func(b *bench, path, key string) string {
			a := b.call(key, "POST", path+"/webhooks", `{"url": "https://hooks.shop.example/a", "kinds": ["no_bids"]}`)
			require.Equal(t, 201, a.code, a.body)
			return path + "/webhooks/1"
		}, "PATCH", [2]string{`{"url": "https://hooks.shop.example/b"}`, `{"url": "https://hooks.shop.example/c"}`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, nil)
			path, key := b.shop()
			at := c.make(b, path, key)
			read := b.call(key, "GET", at, "")
			require.Equal(t, 200, read.code, read.body)
			tag := read.header.Get("ETag")
			require.Equal(t, etag(versionIn(t, read)), tag)
			with := func(more ...string) []string { return append(append([]string{}, c.headers...), more...) }

			first := b.call(key, c.method, at, c.bodies[0], with("If-Match", tag)...)
			require.Equal(t, 200, first.code, first.body)
			require.NotEqual(t, tag, first.header.Get("ETag"))
			second := b.call(key, c.method, at, c.bodies[1], with("If-Match", tag)...)
			require.Equal(t, 412, second.code, second.body)
			require.Contains(t, second.problem(t).Detail, first.header.Get("ETag"), "it hears of what there is")
			require.Equal(t, 412, b.call(key, "DELETE", at, "", "If-Match", tag).code)
			now := b.call(key, "GET", at, "")
			require.Equal(t, first.header.Get("ETag"), now.header.Get("ETag"), "the first change stands")

			require.Equal(t, 200, b.call(key, c.method, at, c.bodies[1], with("If-Match", first.header.Get("ETag"))...).code, "once it was read again")
			require.Equal(t, 200, b.call(key, c.method, at, c.bodies[0], with()...).code, "who asks for no condition gets none")
			require.Equal(t, 204, b.call(key, "DELETE", at, "", "If-Match", "*").code)
			require.Contains(t, []int{404, 412}, b.call(key, c.method, at, c.bodies[1], with("If-Match", tag)...).code, "it is gone")
		})
	}
}

func versionIn(t *testing.T, a answer) int64 {
	t.Helper()
	var doc struct{ Version int64 }
	require.NoError(t, json.Unmarshal([]byte(a.body), &doc))
	return doc.Version
}

// TestTwoPeopleMakeTheSame: who believes to be the first is told otherwise.
func TestTwoPeopleMakeTheSame(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	for at, body := range map[string]string{"/lists/blocked": "a.example", "/feed/source": `{"url": "https://feeds.shop.example/a.xml"}`} {
		kind := "application/json"
		if strings.HasPrefix(at, "/lists") {
			kind = "text/plain"
		}
		put := func(name, value string) answer {
			return b.call(key, "PUT", path+at, body, "Content-Type", kind, name, value)
		}
		require.Equal(t, 412, put("If-Match", `"1"`).code, "there is none to match")
		require.Equal(t, 412, put("If-Match", "*").code)
		require.Equal(t, 200, put("If-None-Match", "*").code)
		again := put("If-None-Match", "*")
		require.Equal(t, 412, again.code)
		require.Contains(t, again.problem(t).Detail, "it is there already")
	}
	a := b.call(key, "GET", path+"/feed/source", "")
	require.NotEmpty(t, a.header.Get("ETag"))
	require.Equal(t, 204, b.call(key, "DELETE", path+"/feed/source", "").code)
	a = b.call(key, "GET", path+"/feed/source", "")
	require.Equal(t, 200, a.code)
	require.Empty(t, a.header.Get("ETag"), "there is none")
}

// TestAWebhookChanges: what the patch leaves out stays, the secret too.
func TestAWebhookChanges(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	a := b.call(key, "POST", path+"/webhooks", `{"url": "https://hooks.shop.example/a", "kinds": ["no_bids", "cost_per_order"], "cost_per_order": "40"}`)
	require.Equal(t, 201, a.code, a.body)
	before, err := b.s.store.View().Webhook(t.Context(), 1, 1)
	require.NoError(t, err)
	a = b.call(key, "PATCH", path+"/webhooks/1", `{"cost_per_order": "55.50"}`)
	require.Equal(t, 200, a.code, a.body)
	require.NotContains(t, a.body, "whsec_")
	after, err := b.s.store.View().Webhook(t.Context(), 1, 1)
	require.NoError(t, err)
	require.Equal(t, before.Secret, after.Secret)
	require.Equal(t, before.URL, after.URL)
	require.Equal(t, before.Kinds, after.Kinds)
	require.EqualValues(t, 55_500_000_000, after.CostPerOrder)
	require.Greater(t, after.Version, before.Version)
	for body, field := range map[string]string{
		`{"cost_per_order": null}`: "body.cost_per_order", `{"kinds": []}`: "body.kinds", `{"url": "https://127.0.0.1/"}`: "body.url", `{"secret": 4}`: "body.secret",
	} {
		require.Contains(t, b.call(key, "PATCH", path+"/webhooks/1", body).problem(t).fields(), field)
	}
	require.Contains(t, b.call(key, "GET", path+"/changes?subject=webhook/1", "").body, `"action":"update"`)
	require.Equal(t, 404, b.call(key, "PATCH", path+"/webhooks/2", `{}`).code)
}
