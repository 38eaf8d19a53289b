package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExplainIsTheBiddersToDecide(t *testing.T) {
	var got *http.Request
	var sent string
	answer, status := `{"exchange":"demo","imps":[]}`, 200
	bidder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		got, sent = r, string(raw)
		w.WriteHeader(status)
		_, err = io.WriteString(w, answer)
		assert.NoError(t, err)
	}))
	defer bidder.Close()
	b := start(t, func(c *Config, _ *Deps) { c.Bidder = strings.TrimPrefix(bidder.URL, "http://") })
	mine, myKey := b.shop()
	_, theirKey := b.shop()
	readKey := b.key(mine, "read")
	const body = `{"id":"1","imp":[{"id":"1","banner":{"w":300,"h":250}}]}`

	for name, c := range map[string]struct {
		key, query string
		code       int
		shop       string // that the bidder is asked about
	}{
		"the administrator, everybody":  {b.admin, "?exchange=demo", 200, ""},
		"the administrator, one shop":   {b.admin, "?exchange=demo&shop=2", 200, "2"},
		"the administrator, no shop":    {b.admin, "?exchange=demo&shop=99", 404, "-"},
		"a shop, its own":               {myKey, "?exchange=demo", 200, "1"},
		"a shop, its own by name":       {readKey, "?exchange=demo&shop=1", 200, "1"},
		"a shop, another's":             {myKey, "?exchange=demo&shop=2", 404, "-"},
		"a shop, one that is not there": {myKey, "?exchange=demo&shop=99", 404, "-"},
		"another shop":                  {theirKey, "?exchange=demo", 200, "2"},
		"a key for events":              {b.key(mine, "events"), "?exchange=demo", 403, "-"},
		"no key":                        {"", "?exchange=demo", 401, "-"},
		"no exchange":                   {myKey, "", 422, "-"},
		"a limit of nothing":            {myKey, "?exchange=demo&limit=0", 422, "-"},
		"an unknown parameter":          {myKey, "?exchange=demo&seed=1", 422, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			got = nil
			a := b.call(c.key, "POST", "/api/v1/explain"+c.query, body)
			require.Equal(t, c.code, a.code, a.body)
			if c.shop == "-" {
				require.Nil(t, got, "the bidder is not asked")
				return
			}
			require.Equal(t, answer, a.body)
			require.Equal(t, "application/json", a.header.Get("Content-Type"))
			require.Equal(t, "Bearer "+c.key, got.Header.Get("Authorization"), "with the caller's key, never another one")
			require.Equal(t, body, sent)
			require.Equal(t, c.shop, got.URL.Query().Get("shop"))
			require.Equal(t, "50", got.URL.Query().Get("limit"))
		})
	}

	answer = `{"status":400,"detail":"not an OpenRTB bid request: id is missing"}`
	for said, want := range map[int]int{400: 400, 404: 404, 429: 429, 401: 503, 403: 503, 500: 503, 302: 503} {
		status = said
		a := b.call(b.admin, "POST", "/api/v1/explain?exchange=demo", body)
		require.Equal(t, want, a.problem(t).Status, "the bidder said %d", said)
		if said == 400 {
			require.Contains(t, a.body, "id is missing")
		}
	}
	bidder.Close()
	require.Equal(t, 503, b.call(b.admin, "POST", "/api/v1/explain?exchange=demo", body).code)
	none := start(t, nil)
	require.Equal(t, 503, none.call(none.admin, "POST", "/api/v1/explain?exchange=demo", body).code)
	require.ErrorContains(t, Config{Dir: "x", Addr: "127.0.0.1:0", Bidder: "nowhere"}.Validate(), `bidder "nowhere"`)
}
