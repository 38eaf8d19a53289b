package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// version is a bidder whose answers are looked up by the request's id: a bid
// object's fields, a status, or a no-bid reason.
func version(t *testing.T, answers map[string]string) string {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct{ ID string }
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &req)
		a := answers[req.ID]
		switch {
		case a == "drop":
			panic(http.ErrAbortHandler)
		case a == "400":
			w.WriteHeader(http.StatusBadRequest)
		case a == "junk":
			_, _ = io.WriteString(w, "<html>")
		case a == "" || a[0] != '{':
			w.Header().Set("X-Grosz-Nobid", a)
			w.WriteHeader(http.StatusNoContent)
		default:
			n.Add(1) // ids and markup differ each time
			fmt.Fprintf(w, `{"id":%q,"bidid":"%d","seatbid":[{"bid":[%s]}]}`, req.ID, n.Load(), a)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func bidOf(imp, price, cid, crid string, w int, rest string) string {
	return fmt.Sprintf(`{"id":"b","impid":%q,"price":%s,"cid":%q,"crid":%q,"mtype":1,"w":%d,"h":250,"adm":"x"%s}`, imp, price, cid, crid, w, rest)
}

func TestDiffTellsWhatIsAnsweredDifferently(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	base := bidOf("1", "2.5", "7", "s7-c1-grid-300x250-v1.1", 300, "")
	cases := []struct{ id, old, new, want string }{
		{"same", base, base, ""},
		{"a new version of the creative", base, bidOf("1", "2.50", "7", "s7-c1-single-300x250-v99.2", 300, ""), ""},
		{"both refuse alike", "floor", "floor", ""},
		{"both fail", "drop", "drop", ""},
		{"two bids in another order", base + "," + bidOf("1", "1", "8", "x", 300, ""), bidOf("1", "1", "8", "x", 300, "") + "," + base, ""},
		{"price", base, bidOf("1", "2.51", "7", "s7-c1-grid-300x250-v1.1", 300, ""), "price: 2.50 USD → 2.51 USD"},
		{"campaign", base, bidOf("1", "2.5", "8", "s7-c1-grid-300x250-v1.1", 300, ""), "campaign: 7 → 8"},
		{"creative", base, bidOf("1", "2.5", "7", "s7-c2-grid-300x250-v1.1", 300, ""), "creative: s7-c1 → s7-c2"},
		{"size", base, bidOf("1", "2.5", "7", "s7-c1-grid-300x250-v1.1", 320, ""), "media: mtype 1 300x250 0 s → mtype 1 320x250 0 s"},
		{"deal", base, bidOf("1", "2.5", "7", "s7-c1-grid-300x250-v1.1", 300, `,"dealid":"d"`), "deal:  → d"},
		{"reason", "floor", "size", "reason: floor → size"},
		{"no longer bid on", base, "floor", `imp "1" bid: campaign 7 at 2.50 USD → no bid: floor`},
		{"newly bid on", "", base, `imp "1" bid: no bid → campaign 7 at 2.50 USD`},
		{"one imp more", base, base + "," + bidOf("2", "1", "7", "x", 300, ""), `imp "2" bid: no bid → campaign 7 at 1.00 USD`},
		{"status", "floor", "400", "status: status 204 → status 400"},
		{"no JSON", base, "junk", "status: status 200 → status 200, not a bid response"},
		{"no answer", base, "drop", "no answer: an answer → "},
	}
	older, newer := map[string]string{}, map[string]string{}
	var lines []string
	different := 0
	for _, c := range cases {
		older[c.id], newer[c.id] = c.old, c.new
		lines = append(lines, request(c.id))
		if c.want != "" {
			different++
		}
	}
	var out bytes.Buffer
	cfg := Config{Files: []string{write(t, "a.jsonl", lines...)}, URL: version(t, older), Concurrency: 3}
	r, err := Diff(context.Background(), cfg, version(t, newer), &out)
	require.NoError(t, err)
	require.Equal(t, len(cases), r.Sent)
	require.Equal(t, different, r.Different, out.String())
	require.Equal(t, len(cases)-different, r.Same)
	require.Equal(t, 3, r.Kinds[DiffBid])
	require.ErrorContains(t, r.Err(), "answered differently")
	for i, c := range cases {
		at := fmt.Sprintf("a.jsonl:%d ", i+1)
		if c.want == "" {
			require.NotContains(t, out.String(), at, c.id)
			continue
		}
		require.Contains(t, out.String(), at, c.id)
		require.Contains(t, out.String(), c.want, c.id)
	}

	out.Reset()
	cfg.Show = 1
	r, err = Diff(context.Background(), cfg, cfg.URL, &out)
	require.NoError(t, err)
	require.NoError(t, r.Err(), "a version does not differ from itself")
	r, err = Diff(context.Background(), cfg, version(t, newer), &out)
	require.NoError(t, err)
	require.Len(t, r.Shown, 1)
	require.Contains(t, out.String(), fmt.Sprintf("and %d requests more", different-1))
	_, err = Diff(context.Background(), cfg, "nowhere", &out)
	require.ErrorContains(t, err, "new url")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Diff(ended, cfg, cfg.URL, &out)
	require.ErrorIs(t, err, context.Canceled)
}
