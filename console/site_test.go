package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// page asks for a page as a browser does.
func (b *bench) page(method, path, cookie string, form url.Values, headers ...string) *http.Response {
	b.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		if headers[i] == "Remote" {
			r.RemoteAddr = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.s.Handler().ServeHTTP(w, r)
	return w.Result()
}

// signIn signs in and returns the cookie as a request has it.
func (b *bench) signIn(key string) string {
	b.t.Helper()
	res := b.page("POST", "/console/sign-in", "", url.Values{"key": {key}})
	require.Equal(b.t, http.StatusSeeOther, res.StatusCode)
	require.Len(b.t, res.Cookies(), 1)
	c := res.Cookies()[0]
	return c.Name + "=" + c.Value
}

func csrfOf(cookie string) string { return csrfToken(strings.SplitN(cookie, "=", 2)[1]) }

func TestSessionCookie(t *testing.T) {
	b := start(t, nil)
	_, key := b.shop()
	for name, c := range map[string]struct {
		host, name string
		secure     bool
	}{
		"loopback":       {"127.0.0.1:8090", plainCookie, false},
		"by its name":    {"localhost:8090", plainCookie, false},
		"elsewhere":      {"console.example", secureCookie, true},
		"looks loopback": {"127.0.0.1.evil.example", secureCookie, true},
	} {
		t.Run(name, func(t *testing.T) {
			res := b.page("POST", "/console/sign-in", "", url.Values{"key": {key}}, "Host", c.host)
			got := res.Cookies()[0]
			require.Equal(t, c.name, got.Name)
			require.Equal(t, c.secure, got.Secure)
			require.True(t, got.HttpOnly)
			require.Equal(t, http.SameSiteStrictMode, got.SameSite)
			require.Equal(t, "/", got.Path)
			require.NotContains(t, got.Value, key)
		})
	}
}

func TestTheDatabaseGivesNoSession(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	b := start(t, func(c *Config, d *Deps) {
		c.Dir = dir
		d.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	path, key := b.shop()
	cookie := b.signIn(key)
	secret := strings.SplitN(cookie, "=", 2)[1]
	require.Equal(t, 200, b.call("", "GET", path, "", "Cookie", cookie).code)
	b.page("POST", "/console/sign-in", "", url.Values{"key": {"gz_wrong_secretsecret"}})
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		if f.Name() == "admin.key" {
			continue
		}
		raw, err := os.ReadFile(dir + "/" + f.Name())
		require.NoError(t, err)
		for what, text := range map[string]string{"key": key, "cookie": secret, "csrf token": csrfOf(cookie)} {
			require.False(t, bytes.Contains(raw, []byte(text)), "%s holds the %s", f.Name(), what)
		}
	}
	for what, text := range map[string]string{"key": key, "cookie": secret, "wrong key": "secretsecret", "csrf token": csrfOf(cookie), "admin key": b.admin} {
		require.NotContains(t, log.String(), text, "the log holds the %s", what)
	}
}

func TestSessionsEnd(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	works := func(cookie string) bool { return b.call("", "GET", path, "", "Cookie", cookie).code == 200 }
	t.Run("when they are not used", func(t *testing.T) {
		cookie := b.signIn(key)
		b.clock.Advance(sessionIdleMS*time.Millisecond - time.Minute)
		require.True(t, works(cookie))
		b.clock.Advance(sessionIdleMS*time.Millisecond - time.Minute)
		require.True(t, works(cookie), "use keeps it")
		b.clock.Advance(sessionIdleMS * time.Millisecond)
		require.False(t, works(cookie))
	})
	t.Run("after half a day of use", func(t *testing.T) {
		cookie := b.signIn(key)
		for range sessionMaxMS/3_600_000 - 1 {
			b.clock.Advance(time.Hour)
			require.True(t, works(cookie))
		}
		b.clock.Advance(time.Hour)
		require.False(t, works(cookie))
	})
	t.Run("when the key is revoked", func(t *testing.T) {
		other := b.key(path, "read")
		cookie := b.signIn(other)
		require.True(t, works(cookie))
		require.Equal(t, 204, b.call(key, "DELETE", path+"/keys/"+keyID(other), "").code)
		require.False(t, works(cookie))
	})
	t.Run("by signing out", func(t *testing.T) {
		cookie := b.signIn(key)
		require.Equal(t, 403, b.page("POST", "/console/sign-out", cookie, url.Values{"csrf": {"made up"}}).StatusCode)
		require.True(t, works(cookie))
		require.Equal(t, 303, b.page("POST", "/console/sign-out", cookie, url.Values{"csrf": {csrfOf(cookie)}}).StatusCode)
		require.False(t, works(cookie))
	})
	t.Run("when there are too many", func(t *testing.T) {
		first := b.signIn(key)
		for range 20 {
			b.clock.Advance(time.Second)
			b.signIn(key)
		}
		require.False(t, works(first))
	})
	require.Equal(t, 401, b.call("", "GET", path, "", "Cookie", plainCookie+"="+strings.Repeat("A", 43)).code, "a made-up one")
}

func TestOtherSitesCannotUseASession(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	cookie := b.signIn(key)
	for name, c := range map[string]struct {
		token string
		code  int
	}{
		"without a token":           {"", 403},
		"with a made-up one":        {strings.Repeat("0", 32), 403},
		"with that of another":      {csrfOf(b.signIn(key)), 403},
		"with the session's itself": {csrfOf(cookie), 201},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.code, b.call("", "POST", path+"/campaigns", campaignJSON, "Cookie", cookie, csrfHeader, c.token).code)
		})
	}
	for name, headers := range map[string][]string{
		"another site":  {"Sec-Fetch-Site", "cross-site"},
		"a sister host": {"Sec-Fetch-Site", "same-site"},
		"by its origin": {"Origin", "https://evil.example"},
		"no origin":     {"Origin", "null"},
	} {
		t.Run("signing in from "+name, func(t *testing.T) {
			res := b.page("POST", "/console/sign-in", "", url.Values{"key": {key}}, headers...)
			require.Equal(t, 403, res.StatusCode)
			require.Empty(t, res.Cookies())
		})
	}
	require.Equal(t, 403, b.page("POST", "/console/sign-out", cookie, url.Values{"csrf": {csrfOf(cookie)}}, "Sec-Fetch-Site", "cross-site").StatusCode)
}

func TestSessionReachesWhatItsKeyReaches(t *testing.T) {
	b := start(t, nil)
	mine, key := b.shop()
	theirs, _ := b.shop()
	read := b.signIn(b.key(mine, "read"))
	require.Equal(t, 200, b.call("", "GET", mine+"/campaigns", "", "Cookie", read).code)
	require.Equal(t, 403, b.call("", "POST", mine+"/campaigns", campaignJSON, "Cookie", read, csrfHeader, csrfOf(read)).code)
	require.Equal(t, 404, b.call("", "GET", theirs+"/campaigns", "", "Cookie", b.signIn(key)).code)
	require.Equal(t, 404, b.page("GET", "/console/shops/2/campaigns", read, nil).StatusCode)
	require.Equal(t, 403, b.page("POST", "/console/sign-in", "", url.Values{"key": {b.key(mine, "events")}}).StatusCode)
	for range paceBurst + 5 {
		b.call("", "GET", mine, "", "Cookie", read)
	}
	require.Equal(t, 429, b.call("", "GET", mine, "", "Cookie", read).code, "a session's requests are bounded")
}

func TestSignInIsLocked(t *testing.T) {
	b := start(t, nil)
	_, key := b.shop()
	try := func(key, remote string) int {
		return b.page("POST", "/console/sign-in", "", url.Values{"key": {key}}, "Remote", remote).StatusCode
	}
	wrong := "gz_" + keyID(key) + "_" + strings.Repeat("a", 52)
	for range lockAfter {
		require.Equal(t, 401, try(wrong, "192.0.2.7:1000"))
	}
	require.Equal(t, 429, try(wrong, "192.0.2.7:1001"))
	require.Equal(t, 429, try(key, "192.0.2.7:1002"), "the right key too: else guessing would go on")
	require.Equal(t, 303, try(key, "192.0.2.8:1000"), "elsewhere it works")
	b.clock.Advance(lockWindowMS * time.Millisecond)
	require.Equal(t, 303, try(key, "192.0.2.7:1003"))
	for i := range lockAfterOfAll {
		require.Equal(t, 401, try(fmt.Sprintf("gz_k%d_x", i), "192.0.2.9:1"))
	}
	require.Equal(t, 429, try(key, "192.0.2.9:2"), "many keys from one address")
	for i := range lockTable + 100 {
		b.s.locks.fail(remoteAddr(fmt.Sprintf("[2001:db8:%x::1]:1", i)), "x", b.clock.NowMS())
	}
	require.LessOrEqual(t, len(b.s.locks.table), lockTable+1)
}

func TestPagesHoldNoInlineCode(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	b.campaign(path, key)
	admin := b.signIn(b.admin)
	pages := []string{"/console/sign-in", "/console/"}
	for _, p := range sitePages() {
		pages = append(pages, "/console/shops/1/"+strings.Replace(p.path, "{campaign}", "1", 1))
	}
	inline := regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\sstyle=|\son\w+=|javascript:|https?://`)
	for _, lang := range languages() {
		for _, p := range pages {
			res := b.page("GET", p+"?lang="+lang, admin, nil)
			raw, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, 200, res.StatusCode, p)
			policy := res.Header.Get("Content-Security-Policy")
			require.NotContains(t, policy, "unsafe")
			require.Contains(t, policy, "script-src 'self';")
			require.Contains(t, policy, "frame-ancestors 'none'")
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			text := strings.NewReplacer(`placeholder="https://`, "", `color-scheme`, "").Replace(string(raw))
			require.Empty(t, inline.FindString(text), p)
			require.NotRegexp(t, `>[a-z]+\.[a-z.-]+<`, text, "%s in %s has a text that is not translated", p, lang)
			require.Contains(t, text, `<html lang="`+lang+`"`)
		}
	}
}

func TestWordsOfBothLanguages(t *testing.T) {
	read := func(lang string) map[string]string {
		raw, err := web.ReadFile("web/words/" + lang + ".json")
		require.NoError(t, err)
		var words map[string]string
		require.NoError(t, json.Unmarshal(raw, &words))
		return words
	}
	en, pl := read("en"), read("pl")
	fills := regexp.MustCompile(`\{\w+`)
	nouns := regexp.MustCompile(`\{\w+\|\|?([^{}]*)\}`)
	forms := func(text string, n int) {
		for _, m := range nouns.FindAllStringSubmatch(text, -1) {
			require.Len(t, strings.Split(m[1], "|"), n, "the forms of a noun in %q", text)
		}
	}
	for key, text := range en {
		require.Contains(t, pl, key)
		a, b := fills.FindAllString(text, -1), fills.FindAllString(pl[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		require.Equal(t, slices.Compact(a), slices.Compact(b), key)
		forms(text, 2)
		forms(pl[key], 3)
	}
	require.Len(t, pl, len(en))
	used := regexp.MustCompile(`\bw\("([\w.-]+)"|\{\{t "([\w.-]+)"`)
	n := 0
	require.NoError(t, fs.WalkDir(web, "web", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(p, "vendor") {
			return err
		}
		raw, err := web.ReadFile(p)
		for _, m := range used.FindAllStringSubmatch(string(raw), -1) {
			n++
			require.Contains(t, en, m[1]+m[2], p)
		}
		return err
	}))
	require.Greater(t, n, 200)
}

func TestAssets(t *testing.T) {
	b := start(t, nil)
	get := func(path string) answer { return b.call("", "GET", path, "") }
	a := get("/console/assets/" + b.s.site.stamp + "/core.js")
	require.Equal(t, 200, a.code)
	require.Contains(t, a.header.Get("Cache-Control"), "immutable")
	require.Contains(t, a.header.Get("Content-Type"), "javascript")
	require.Equal(t, 200, get("/console/assets/"+b.s.site.stamp+"/words/pl.json").code)
	for _, path := range []string{"../site/layout.html", "..%2fsite%2flayout.html", "words/../site/layout.html", "nothing.js", "vendor"} {
		require.NotEqual(t, 200, get("/console/assets/"+path).code, path)
	}
	require.Equal(t, 303, get("/console/shops/1/results").code, "without a session one is sent to sign in")
}
