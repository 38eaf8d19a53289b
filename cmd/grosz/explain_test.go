package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const explained = `{"exchange":"demo","inputs":{"time":"2026-03-10T12:00:00Z","time_ms":1,"node":"n1","config_version":4,"currency":"USD","auction_type":2,
 "deadline_ms":90,"may_profile":true,"known":true,"profiles":[{"shop":7,"visits":2,"views":3,"orders":1,"cart_lines":1,"cart_value":"9.00"}],
 "rates":[{"from":"PLN","to":"USD","rate":"0.25"}]},
 "imps":[{"imp":"1","index":0,"media":"banner","looked":3,"matched":2,"failing":{"floor":1,"targeting":2},"nearest":2,"cut":5,"campaigns":[
 {"id":1,"shop":7,"name":"sofas\u001b[31m","version":1,"outcome":"wins","value":{"currency":"PLN","base":"12.00","boosts":[{"when":"x","bps":15000,"holds":true},{"when":"y","bps":15000,"holds":false}],"cpm":"18.00"},"price":"4.50","floor":"0.50","rate":"0.25"},
 {"id":2,"shop":7,"name":"beds","version":1,"outcome":"fails","failing":[{"rule":"targeting","detail":"country in (\"DE\")"},{"rule":"floor","detail":"3.00 USD is below the floor of 3.50"}],"unexamined":true,"value":{"currency":"PLN","base":"12.00","cpm":"12.00"},"price":"3.00","floor":"3.50","rate":"0.25"}]}],
 "bids":[{"imp":"1","index":0,"media":"banner","campaign":1,"creative":3,"price":"4.50","currency":"USD","w":300,"h":250,"deal":"d"}],"response":{}}`

func TestExplainPrintsWhatTheBidderSays(t *testing.T) {
	var asked *http.Request
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		body, _ = io.ReadAll(r.Body)
		switch {
		case r.URL.Query().Get("exchange") == "none":
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"status":404,"detail":"no such exchange"}`)
		case r.URL.Path == "/internal/samples":
			_, _ = io.WriteString(w, `{"samples":[{"exchange":"demo","time_ms":0,"config_version":4,"response":"{}","replay":"same"},{"exchange":"demo","time_ms":0,"config_version":4,"no_bid":"floor","replay":"different"}]}`)
		default:
			_, _ = io.WriteString(w, explained)
		}
	}))
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "admin.key"), []byte("gz_admin_k\n"), 0o600))
	file := filepath.Join(dir, "request.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"id":"x"}`), 0o600))
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := runExplain(context.Background(), env{out: &out}, append([]string{"--bidder", srv.URL, "--data", dir}, args...))
		return out.String(), err
	}

	text, err := run("--shop", "7", file)
	require.NoError(t, err)
	require.Equal(t, "Bearer gz_admin_k", asked.Header.Get("Authorization"))
	require.Equal(t, "exchange=demo&limit=20&shop=7", asked.URL.RawQuery)
	require.Equal(t, `{"id":"x"}`, string(body))
	for _, want := range []string{
		"configuration 4, node n1", "rate: 1 PLN = 0.25 USD", "shop 7: 2 visits, 3 views",
		"answer: imp 1 gets campaign 1, banner, creative 3 300x250, at 4.50 USD CPM, deal d", "failing: targeting 2, floor 1", "nearest miss: campaign 2",
		"18.00 PLN (1 of 2 boosts)", `targeting: country in ("DE")`, "floor: 3.00 USD is below the floor of 3.50", "could not be asked", "and 5 more",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "\x1b", "names do not drive the terminal")

	text, err = run("--json", file)
	require.NoError(t, err)
	require.JSONEq(t, explained, text)

	text, err = run("--samples")
	require.ErrorContains(t, err, "1 samples replay differently")
	require.Contains(t, text, "no bid: floor")

	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"exchange": {[]string{"--exchange", "none", file}, "no such exchange"},
		"no file":  {[]string{filepath.Join(dir, "z")}, "no such file"},
		"two":      {[]string{file, file}, "one request at a time"},
		"key":      {[]string{"--key-file", filepath.Join(dir, "z"), file}, "--key-file"},
		"numbers":  {[]string{"--limit", "0", file}, "--limit"},
		"bidder":   {[]string{"--bidder", "http://", file}, "--bidder"},
	} {
		_, err := run(c.args...)
		require.ErrorContains(t, err, c.want, name)
	}
}
