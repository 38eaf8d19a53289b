package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file of several batches, with wrong rows and a bidder that asks to wait,
// arrives whole; what is wrong is named by its line.
func TestImportEvents(t *testing.T) {
	const rows = 2500
	var file strings.Builder
	file.WriteString("\ufefftype;user_id;query\n")
	for i := range rows {
		switch i {
		case 5:
			file.WriteString("visit;only two\n")
		case 1500:
			file.WriteString("visit;bad;x\n")
		default:
			fmt.Fprintf(&file, "search;c%d;\"two\nlines\"\n", i)
		}
	}
	calls, got, waits := 0, 0, 1
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; r.Header.Get("Authorization") != "Bearer secret" || r.URL.Path != "/api/v1/shops/7/events" {
			w.WriteHeader(401)
			return
		}
		if waits > 0 {
			waits--
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(429)
			return
		}
		all, err := csv.NewReader(r.Body).ReadAll()
		if err != nil || strings.Join(all[0], ",") != "type,user_id,query" {
			w.WriteHeader(400)
			return
		}
		accepted, wrong := 0, []string{}
		for i, row := range all[1:] {
			if row[1] == "bad" {
				wrong = append(wrong, fmt.Sprintf(`{"index":%d,"field":"user","message":"no"}`, i))
				continue
			}
			accepted++
		}
		got += accepted
		fmt.Fprintf(w, `{"accepted":%d,"errors":[%s]}`, accepted, strings.Join(wrong, ","))
	}))
	defer srv.Close()
	dir := t.TempDir()
	key, events := filepath.Join(dir, "key"), filepath.Join(dir, "events.csv")
	require.NoError(t, os.WriteFile(key, []byte("secret\n"), 0o600))
	require.NoError(t, os.WriteFile(events, []byte(file.String()), 0o600))
	var out, progress bytes.Buffer
	args := []string{"--bidder", srv.URL, "--shop", "7", "--key-file", key}
	require.NoError(t, runImportEvents(t.Context(), env{out: &out, errOut: &progress}, append(args, events)))
	require.Equal(t, rows-2, got)
	require.Equal(t, 4, calls)
	require.Equal(t, "line 12: wrong number of fields\nline 3001: user: no\n", out.String())
	require.Contains(t, progress.String(), "2500 rows: 2498 accepted, 2 wrong")

	got = 0
	require.NoError(t, runImportEvents(t.Context(), env{out: &out, errOut: &progress}, append(args, "--from-line", "4000", events)))
	require.Equal(t, 500, got)
	require.NoError(t, os.WriteFile(key, []byte("other"), 0o600))
	require.ErrorContains(t, runImportEvents(t.Context(), env{out: &out, errOut: &progress}, append(args, events)), "go on with --from-line 2")
	require.Error(t, runImportEvents(t.Context(), env{out: &out, errOut: &progress}, []string{events}), "whose?")
}
