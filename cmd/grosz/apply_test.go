package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The exit code tells what came of it; the key comes from a file or the
// environment, and -f is short for --file.
func TestApplyExitCodes(t *testing.T) {
	var many string
	for i := range 300 {
		many += fmt.Sprintf("b%d.example\n", i)
	}
	settings, patched := `{"id": 7, "version": 3, "name": "Buty", "currency": "PLN", "language": "pl", "active": true}`, 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer secret":
			w.WriteHeader(401)
			fmt.Fprint(w, `{"status": 401, "detail": "no such key"}`)
		case r.Method == http.MethodPatch:
			patched++
			if r.Header.Get("If-Match") != `"3"` {
				w.WriteHeader(412)
			}
			fmt.Fprint(w, settings)
		case r.Method == http.MethodPost:
			w.WriteHeader(201)
			fmt.Fprint(w, `{"id": 5, "secret": "whsec_told_once"}`)
		case r.URL.Path == "/api/v1/shops/7/lists/big/entries":
			fmt.Fprint(w, strings.Repeat("a", 5)+".example\n"+many)
		case r.URL.Path == "/api/v1/shops/7/lists":
			fmt.Fprint(w, `{"items": [{"name": "big", "version": 4, "entries": 301, "sum": "ab"}]}`)
		case r.URL.Path == "/api/v1/shops":
			fmt.Fprintf(w, `{"items": [%s]}`, settings)
		case r.URL.Path == "/api/v1/shops/7":
			fmt.Fprint(w, settings)
		default:
			fmt.Fprint(w, `{"items": []}`)
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	key, same := write("key", "secret\n"), write("same.yaml", "shop: 7\nsettings: {language: pl}\n")
	other, wrong := write("other.yaml", "settings: {language: en}\ncampaigns: []\n"), write("wrong.yaml", "settings:\n  langauge: en\n")
	hook, beside := write("hook.yaml", "webhooks:\n  - {url: \"https://hooks.example/?t=${T}\", kinds: [no_bids]}\n"), filepath.Join(dir, "beside")
	secrets := filepath.Join(dir, "secrets")
	for _, c := range []struct {
		name    string
		args    []string
		environ []string
		code    int
		says    string
	}{
		{"the same", []string{"apply", "-f", same, "--key-file", key}, nil, exitSame, "1 the same"},
		{"would change", []string{"apply", "-f", other, "--key-file", key, "--dry-run"}, nil, exitChanged, `~ language: "pl" -> "en"`},
		{"changed", []string{"apply", "--file", other}, []string{"GROSZ_API_KEY=secret"}, exitChanged, "1 changed"},
		{"exported", []string{"export", "--key-file", key}, nil, exitSame, "shop: 7\nsettings:\n  name: Buty\n"},
		{"the same by its flag", []string{"apply", "--export", "--key-file", key}, nil, exitSame, "shop: 7\n"},
		{"a wrong file", []string{"apply", "-f", wrong, "--key-file", key}, nil, exitFailed, wrong + ":2: settings.langauge: there is no such field"},
		{"another shop", []string{"apply", "-f", same, "--key-file", key, "--shop", "8"}, nil, exitFailed, "is of shop 7"},
		{"a wrong key", []string{"apply", "-f", same}, []string{"GROSZ_API_KEY=guess"}, exitFailed, "no such key"},
		{"no key", []string{"apply", "-f", same}, nil, exitFailed, "--key-file"},
		{"no file", []string{"apply", "--key-file", key}, nil, exitFailed, "grosz apply -f shop.yaml"},
		{"a secret without a place", []string{"apply", "-f", hook, "--key-file", key}, []string{"T=t1"}, exitFailed, "--secrets FILE"},
		{"a variable that is not there", []string{"apply", "-f", hook, "--key-file", key}, nil, exitFailed, hook + ":2: webhooks[0].url: the environment has no variable T"},
		{"a secret kept", []string{"apply", "-f", hook, "--key-file", key, "--secrets", secrets}, []string{"T=t1"}, exitChanged, "webhook \"https://hooks.example/***\": new"},
		{"lists beside the file", []string{"export", "--key-file", key, "--lists", beside}, nil, exitSame, "file: " + beside + "/big.txt\n"},
		{"lists of an apply", []string{"apply", "-f", same, "--key-file", key, "--lists", beside}, nil, exitFailed, "--lists is for --export"},
		{"a wrong flag", []string{"apply", "--dry"}, nil, exitFailed, "no such flag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			args := c.args
			if c.name != "a wrong flag" {
				args = append(args, "--console", srv.URL)
			}
			err := run(t.Context(), args, env{c.environ, &out, &out, nil})
			code, said := 0, out.String()
			var exit *exitError
			if errors.As(err, &exit) {
				code, said = exit.code, said+exit.Error()
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, c.code, code, said)
			require.Contains(t, said, c.says)
			require.NotContains(t, said, "guess")
		})
	}
	require.Equal(t, 1, patched)
	kept, err := os.ReadFile(secrets)
	require.NoError(t, err)
	require.Equal(t, `{"secret":"whsec_told_once","url":"https://hooks.example/***","webhook":5}`+"\n", string(kept))
	info, err := os.Stat(secrets)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	list, err := os.ReadFile(filepath.Join(beside, "big.txt"))
	require.NoError(t, err)
	require.Equal(t, 301, strings.Count(string(list), "\n"))
}
