package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grosz/grosz/bench/check"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// bidder answers by the request's id: good, below its floor, an error, a
// dropped connection, or no bid with a reason.
func bidder(t *testing.T) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			body = z
		}
		var req struct{ ID string }
		if json.NewDecoder(body).Decode(&req) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		switch req.ID {
		case "good", "cheap":
			price := map[string]string{"good": "2", "cheap": "0.2"}[req.ID]
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"id":%q,"cur":"USD","seatbid":[{"bid":[{"id":"b","impid":"1","price":%s,"crid":"c","cid":"1","adomain":["shop.example"],"mtype":1,"w":300,"h":250,"adm":"<img width=1 src='https://d.example/i?p=${AUCTION_PRICE}'>"}]}]}`, req.ID, price)
		case "error":
			w.WriteHeader(http.StatusInternalServerError)
		case "drop":
			panic(http.ErrAbortHandler)
		default:
			w.Header().Set("X-Grosz-Nobid", "floor, size")
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

func request(id string) string {
	return fmt.Sprintf(`{"id":%q,"imp":[{"id":"1","bidfloor":1,"banner":{"w":300,"h":250}}]}`, id)
}

func write(t *testing.T, name string, lines ...string) string {
	path := filepath.Join(t.TempDir(), name)
	data := []byte(strings.Join(lines, "\n"))
	if strings.HasSuffix(name, ".gz") {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		_, err := z.Write(data)
		require.NoError(t, err)
		require.NoError(t, z.Close())
		data = buf.Bytes()
	}
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func TestRunTellsWhatCameBack(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	srv := bidder(t)
	plain := write(t, "a.jsonl", request("good"), "", request("none"), "{broken", request("cheap"), request("error"), request("drop"))
	packed := write(t, "b.jsonl.gz", request("good"), request("good"))
	var out bytes.Buffer
	r, err := Run(context.Background(), Config{Files: []string{plain, packed}, URL: srv.URL, Gzip: true, Concurrency: 1}, &out)
	require.NoError(t, err)
	require.Equal(t, 8, r.Sent)
	require.Equal(t, 1, r.Malformed)
	require.Equal(t, map[int]int{200: 4, 204: 1, 400: 1, 500: 1}, r.Status)
	require.Equal(t, map[string]int{"banner 300x250": 4}, r.Bids)
	require.Equal(t, 1, r.Refusals["floor"])
	require.Equal(t, 1, r.Refusals["size"])
	require.Equal(t, 1, r.Dropped)
	require.Equal(t, 1, r.Errors5xx)
	require.Equal(t, map[check.Rule]int{check.RuleFloor: 1, check.RuleStatus: 1}, r.Broken)
	require.Equal(t, 5, r.Violations[0].Line)
	require.ErrorContains(t, r.Err(), "2 violations, 1 answers 5xx, 1 dropped")
	require.Contains(t, out.String(), "a.jsonl:5 §3.2.4 floor")
	require.Contains(t, out.String(), "banner 300x250")
}

func TestGoodRunHasNoError(t *testing.T) {
	srv := bidder(t)
	file := write(t, "a.jsonl", request("good"), request("none"))
	start := time.Now()
	r, err := Run(context.Background(), Config{Files: []string{file}, URL: srv.URL, Loops: 10, Limit: 11, Rate: 100}, io.Discard)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Equal(t, 11, r.Sent)
	require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond) // paced
}

func TestMistakesAreNamed(t *testing.T) {
	_, err := Run(context.Background(), Config{URL: "x", Rate: -1, Concurrency: -1}, io.Discard)
	for _, want := range []string{"no file", `url "x"`, "rate", "concurrency"} {
		require.ErrorContains(t, err, want)
	}
	_, err = Run(context.Background(), Config{Files: []string{"/nowhere.jsonl"}, URL: "http://127.0.0.1:1"}, io.Discard)
	require.ErrorContains(t, err, "nowhere.jsonl")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Run(ctx, Config{Files: []string{write(t, "a", "{}")}, URL: "http://127.0.0.1:1"}, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
}

// TestCorpus: the corpus is large and varied enough, has no doubled id, and
// goes through a bidder that never bids without a complaint.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("../corpus/*.jsonl")
	require.NoError(t, err)
	ids, media := map[string]bool{}, map[string]int{}
	for _, f := range files {
		require.NoError(t, eachLine(context.Background(), f, func(l line) bool {
			var req struct {
				ID  any              `json:"id"`
				Imp []map[string]any `json:"imp"`
			}
			err := json.Unmarshal(l.body, &req)
			if filepath.Base(f) == "broken.jsonl" {
				return true
			}
			require.NoError(t, err, "%s:%d", f, l.no)
			id := fmt.Sprint(req.ID)
			require.False(t, ids[id], "%s:%d: id %s again", f, l.no, id)
			ids[id] = true
			for _, imp := range req.Imp {
				for _, kind := range []string{"banner", "video", "native"} {
					if imp[kind] != nil {
						media[kind]++
					}
				}
			}
			return true
		}))
	}
	require.GreaterOrEqual(t, len(ids), 60)
	for kind, least := range map[string]int{"banner": 60, "video": 20, "native": 10} {
		require.GreaterOrEqual(t, media[kind], least, kind)
	}
	var seen atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		seen.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	r, err := Run(context.Background(), Config{Files: files, URL: srv.URL}, io.Discard)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Equal(t, int(seen.Load()), r.Sent)
	require.Greater(t, r.Malformed, 10)
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nc"))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		last := 0
		_ = eachLine(context.Background(), path, func(l line) bool {
			if l.no <= last || bytes.ContainsRune(l.body, '\n') {
				t.Fatalf("line %d after %d: %q", l.no, last, l.body)
			}
			last = l.no
			return true
		})
	})
}
