package apply

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A list from before the console kept what lists hold can be compared with
// nothing: it is named by an export, and uploaded by the file that says more.
func TestListsThatCannotBeReadBack(t *testing.T) {
	sent := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			b, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			sent = r.URL.Path + " " + r.Header.Get("If-Match") + "\n" + string(b)
		case strings.HasSuffix(r.URL.Path, "/entries"):
			w.WriteHeader(http.StatusConflict)
		case strings.HasSuffix(r.URL.Path, "/lists"):
			fmt.Fprint(w, `{"items": [{"name": "old", "version": 3, "entries": 2}]}`)
		case strings.HasSuffix(r.URL.Path, "/shops/1"):
			fmt.Fprint(w, `{"id": 1, "version": 2, "name": "Buty", "currency": "PLN"}`)
		default:
			fmt.Fprint(w, `{"items": []}`)
		}
	}))
	defer srv.Close()
	c := &Client{URL: srv.URL, Key: "k", Shop: 1}
	var out strings.Builder
	require.NoError(t, c.Export(t.Context(), &out, ExportOptions{Lists: t.TempDir()}))
	require.Contains(t, out.String(), "lists:\n  - name: old # its entries were not kept when it was uploaded\n")
	said := ""
	apply := func(text string) Result {
		f, err := Read("shop.yaml", []byte(text), Outside{})
		require.NoError(t, err)
		var told strings.Builder
		r, err := c.Apply(t.Context(), f, Options{Out: &told})
		require.NoError(t, err)
		said = told.String()
		return r
	}
	require.Equal(t, Result{Same: 1}, apply("lists:\n  - name: old\n"))
	require.Empty(t, sent)
	require.Equal(t, Result{Changed: 1}, apply("lists:\n  - {name: old, entries: [b.example, a.example]}\n"))
	require.Contains(t, said, "list \"old\"\n  ~ entries: \"uploaded before lists could be read back\" -> 2\n")
	require.Equal(t, "/api/v1/shops/1/lists/old \"3\"\na.example\nb.example", sent)
}
