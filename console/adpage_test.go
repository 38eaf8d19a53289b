package console

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAdPage: the frame shows the ad that is asked for, and neither its texts
// nor whoever asks can do more than that.
func TestAdPage(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	feed := `{"id": "p1", "title": "Red <b>shoes</b>", "url": "https://shop1.example/p1", "image_url": "https://shop1.example/p1.jpg", "price": "19.99"}` + "\n"
	require.Equal(t, 200, b.stream(key, "PUT", path+"/feed", strings.NewReader(feed)).code)
	b.shop()
	cookie := b.signIn(key)
	get := func(shop string, q url.Values) (*http.Response, string) {
		res := b.page("GET", "/console/shops/"+shop+"/ad?"+q.Encode(), cookie, nil)
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, string(raw)
	}
	hostile := url.Values{"w": {"300"}, "h": {"250"}, "title": {`</style><script>alert(1)</script>`}, "body": {`"><img src=x onerror=alert(1)>`}, "cta": {"javascript:alert(1)"}, "image_url": {"javascript:alert(1)"}}
	res, html := get("1", hostile)
	require.Equal(t, 200, res.StatusCode)
	require.NotContains(t, html, "<script>alert")
	require.NotContains(t, html, "<img src=x")
	require.NotContains(t, html, "Red <b>shoes")
	require.NotContains(t, html, `"javascript:`)
	policy := res.Header.Get("Content-Security-Policy")
	require.Contains(t, policy, "; sandbox")
	require.NotContains(t, policy, "allow-")
	require.NotContains(t, policy, "script-src")
	require.Contains(t, policy, "frame-ancestors 'self'")
	require.Equal(t, "SAMEORIGIN", res.Header.Get("X-Frame-Options"))
	_, plain := get("1", url.Values{"w": {"300"}, "h": {"250"}})
	require.Contains(t, plain, "shoes", "with a product of the feed")

	for name, c := range map[string]struct {
		shop string
		q    url.Values
		code int
	}{
		"another's shop":     {"2", url.Values{"w": {"300"}, "h": {"250"}}, 404},
		"one that is not":    {"99", url.Values{"w": {"300"}, "h": {"250"}}, 404},
		"not a number":       {"x", url.Values{"w": {"300"}, "h": {"250"}}, 404},
		"no size":            {"1", url.Values{}, 400},
		"too large":          {"1", url.Values{"w": {"300"}, "h": {"9000"}}, 400},
		"skips too much":     {"1", url.Values{"w": {"300"}, "h": {"250"}, "skip": {"1000000"}}, 400},
		"a long text":        {"1", url.Values{"w": {"300"}, "h": {"250"}, "title": {strings.Repeat("x", 5000)}}, 400},
		"no such file":       {"1", url.Values{"w": {"300"}, "h": {"250"}, "asset": {strings.Repeat("a", 64)}}, 404},
		"every size is fine": {"1", url.Values{"w": {"1"}, "h": {"1"}}, 200},
	} {
		res, _ := get(c.shop, c.q)
		require.Equal(t, c.code, res.StatusCode, name)
	}
	res = b.page("GET", "/console/shops/1/ad?w=300&h=250", "", nil)
	require.Equal(t, http.StatusSeeOther, res.StatusCode, "without a session")
}
