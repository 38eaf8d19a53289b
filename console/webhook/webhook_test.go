package webhook

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestInsideIsNotReached(t *testing.T) {
	hit := false
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer srv.Close()
	port := srv.URL[strings.LastIndex(srv.URL, ":"):]
	c := New(false)
	for _, url := range []string{
		srv.URL, "https://localhost" + port, "https://[::1]" + port, "https://[::ffff:127.0.0.1]" + port, "https://127.1" + port, "https://2130706433" + port, "https://0x7f000001" + port,
		"https://0.0.0.0" + port, "http://8.8.8.8/", "https://8.8.8.8:8443/", "https://169.254.169.254/latest/meta-data/", "gopher://127.0.0.1/", "https://",
	} {
		err := c.Call(t.Context(), url, "s", time.Unix(1, 0), []byte("{}"))
		require.Error(t, err, url)
		require.NotContains(t, err.Error(), "127.0.0.1", "an error tells nothing of our network")
	}
	require.False(t, hit)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	hits := 0
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		http.Redirect(w, r, srv.URL+"/inner", http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	require.ErrorContains(t, New(true).Call(t.Context(), srv.URL, "s", time.Unix(1, 0), []byte("{}")), "307")
	require.Equal(t, 1, hits)
}

func TestSign(t *testing.T) {
	require.Equal(t, "t=1795341600,v1=", Sign("whsec_a", time.UnixMilli(1795341600000), []byte(`{"a":1}`))[:16])
	require.NotEqual(t, Sign("a", time.Unix(1, 0), []byte("x")), Sign("b", time.Unix(1, 0), []byte("x")))
	require.NotEqual(t, Sign("a", time.Unix(1, 0), []byte("x")), Sign("a", time.Unix(2, 0), []byte("x")))
}
