package fetch

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grosz/grosz/internal/publicip"
	"github.com/stretchr/testify/require"
)

func TestURLsThatAreNotFetched(t *testing.T) {
	c := New(Config{})
	for _, raw := range []string{
		"ftp://shop.example/feed", "file:///etc/passwd", "https:opaque", "https://", "https://user:pw@shop.example/", "https://shop.example:22/",
		"http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest/", "http://[::ffff:10.0.0.1]/", "gopher://x.example", "",
	} {
		_, err := c.Get(t.Context(), raw, Validators{})
		require.Error(t, err, raw)
	}
	require.NoError(t, c.Check("https://shop.example/feed.xml?a=b"))
}

// TestNamesOfPrivateAddresses: a name that resolves to this machine is found
// out when it is dialled, whatever it looks like.
func TestNamesOfPrivateAddresses(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secret") }))
	defer srv.Close()
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	require.NoError(t, err)
	c := New(Config{})
	c.http.CheckRedirect = nil
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:"+port+"/", nil)
	require.NoError(t, err)
	res, err := c.http.Do(req)
	if res != nil {
		res.Body.Close()
	}
	require.ErrorIs(t, err, publicip.Err)
}

// TestRedirectsAreLookedAt: a public server must not lead us inside. Here all
// is on this machine, so the client's own check of the target is asked.
func TestRedirectsAreLookedAt(t *testing.T) {
	c := New(Config{})
	from, err := http.NewRequest(http.MethodGet, "https://shop.example/feed", nil)
	require.NoError(t, err)
	for target, want := range map[string]bool{
		"https://cdn.example/feed": true, "http://cdn.example/feed": false, "https://10.0.0.1/": false, "https://cdn.example:6379/": false, "file:///etc/passwd": false,
	} {
		to, err := http.NewRequest(http.MethodGet, target, nil)
		require.NoError(t, err)
		err = c.http.CheckRedirect(to, []*http.Request{from})
		require.Equal(t, want, err == nil, "%s: %v", target, err)
	}
	require.Error(t, c.http.CheckRedirect(from, []*http.Request{from, from, from, from, from, from}))
}

func TestGet(t *testing.T) {
	var seen http.Header
	reply := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "id\n1\n") }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Last-Modified", "Sun, 22 Nov 2026 10:00:00 GMT")
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		reply(w, r)
	}))
	defer srv.Close()
	c := New(Config{AllowPrivate: true, MaxBytes: 1000, Timeout: 3 * time.Minute})

	a, err := c.Get(t.Context(), srv.URL, Validators{})
	require.NoError(t, err)
	text, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	require.NoError(t, a.Body.Close())
	require.Equal(t, "id\n1\n", string(text))
	require.Equal(t, "gzip", seen.Get("Accept-Encoding"))

	again, err := c.Get(t.Context(), srv.URL, a.Validators)
	require.NoError(t, err)
	require.True(t, again.Unchanged)
	require.Equal(t, "Sun, 22 Nov 2026 10:00:00 GMT", seen.Get("If-Modified-Since"))

	for name, h := range map[string]http.HandlerFunc{
		"too large, said": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1001)) },
		"too large, not said": func(w http.ResponseWriter, _ *http.Request) {
			for range 5 {
				_, _ = w.Write(make([]byte, 400))
				w.(http.Flusher).Flush()
			}
		},
		"an error":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"round in circles": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) },
	} {
		reply = h
		a, err := c.Get(t.Context(), srv.URL+"/y", Validators{})
		if err == nil {
			_, err = io.Copy(io.Discard, a.Body)
			require.NoError(t, a.Body.Close())
		}
		require.Error(t, err, name)
	}
	reply = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 1000)) }
	a, err = c.Get(t.Context(), srv.URL, Validators{})
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, a.Body)
	require.NoError(t, err)
	require.EqualValues(t, 1000, n, "exactly as much as allowed")
	require.NoError(t, a.Body.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Get(ctx, srv.URL, Validators{})
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, strings.Contains(err.Error(), "more than"))
}
