package demo

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
	"github.com/stretchr/testify/require"
)

// fakeConsole keeps shops, keys, feeds and campaigns as the console's API
// does, and checks what it is given.
type fakeConsole struct {
	t      *testing.T
	lists  map[string][]m // by path
	writes int
	last   uint32
}

func (f *fakeConsole) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer admin" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.Method {
	case http.MethodGet:
		f.list(w, r)
	case http.MethodPost:
		f.create(w, r)
	case http.MethodPut:
		rows, err := csv.NewReader(r.Body).ReadAll()
		require.NoError(f.t, err)
		f.writes++
		_ = json.NewEncoder(w).Encode(m{"products": len(rows) - 1})
	}
}

// list gives pages of two.
func (f *fakeConsole) list(w http.ResponseWriter, r *http.Request) {
	all := f.lists[r.URL.Path]
	from := 0
	_, _ = fmt.Sscan(r.FormValue("cursor"), &from)
	to := min(from+2, len(all))
	out := m{"items": all[from:to]}
	if strings.HasSuffix(r.URL.Path, "/keys") {
		out["items"] = all
	} else if to < len(all) {
		out["next"] = fmt.Sprint(to)
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (f *fakeConsole) create(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	require.NoError(f.t, err)
	var doc m
	require.NoError(f.t, json.Unmarshal(raw, &doc))
	f.writes++
	f.last++
	doc["id"] = f.last
	if strings.HasSuffix(r.URL.Path, "/keys") {
		doc["id"], doc["key"] = fmt.Sprint("k", f.last), fmt.Sprint("gz_secret", f.last)
	}
	if strings.HasSuffix(r.URL.Path, "/campaigns") {
		var c campaigns.Campaign
		require.NoError(f.t, json.Unmarshal(raw, &c))
		require.NoError(f.t, c.Check(&campaigns.Shop{ID: 1, Currency: money.MustCurrency("PLN"), TimeZone: "Europe/Warsaw"}), c.Name)
		require.NotContains(f.t, doc, "shop_id")
	}
	f.lists[r.URL.Path] = append(f.lists[r.URL.Path], doc)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(doc)
}

func seeded(t *testing.T) (*fakeConsole, Config, []Shop) {
	f := &fakeConsole{t: t, lists: map[string][]m{}}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	videos, err := WriteVideos(filepath.Join(dir, "assets"))
	require.NoError(t, err)
	require.Len(t, videos, 2)
	for _, v := range videos {
		require.FileExists(t, filepath.Join(dir, "assets", v.URL))
	}
	cfg := Config{Console: srv.URL, AdminKey: "admin", Site: "http://127.0.0.1:8092", Dir: filepath.Join(dir, "d"), Seed: 3, Videos: videos}
	shops, err := Seed(context.Background(), cfg)
	require.NoError(t, err)
	return f, cfg, shops
}

func TestSeedTwiceChangesNothing(t *testing.T) {
	f, cfg, shops := seeded(t)
	require.Len(t, shops, 3)
	kinds := map[string]int{}
	for _, s := range shops {
		require.Equal(t, 10, s.Made, s.Slug) // shop, key, feed, three segments, four campaigns
		require.GreaterOrEqual(t, len(s.Products), 300)
		for _, c := range f.lists[s.path("campaigns")] {
			kinds[c["kind"].(string)]++
			for _, cr := range c["creatives"].([]any) {
				if v, ok := cr.(m)["video"].(m); ok {
					require.Contains(t, v["url"], "http://127.0.0.1:8092/media/")
				}
			}
		}
	}
	require.Equal(t, map[string]int{"remarketing": 3, "intent": 3, "interest": 6}, kinds)
	info, err := os.Stat(filepath.Join(cfg.Dir, keptFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	before := f.writes
	again, err := Seed(context.Background(), cfg)
	require.NoError(t, err)
	require.Equal(t, before, f.writes)
	for i, s := range again {
		require.Zero(t, s.Made)
		require.Equal(t, shops[i].ID, s.ID)
		require.Equal(t, shops[i].Key, s.Key)
	}

	require.NoError(t, os.Remove(filepath.Join(cfg.Dir, keptFile))) // the keys are lost: new ones, and no more shops
	again, err = Seed(context.Background(), cfg)
	require.NoError(t, err)
	for i, s := range again {
		require.Equal(t, shops[i].ID, s.ID)
		require.NotEqual(t, shops[i].Key, s.Key)
	}
}

func TestSeedErrorsNameThePlace(t *testing.T) {
	_, err := Seed(context.Background(), Config{})
	for _, want := range []string{"console", "admin key", "site", "dir"} {
		require.ErrorContains(t, err, want)
	}
	_, cfg, _ := seeded(t)
	cfg.AdminKey = "wrong"
	_, err = Seed(context.Background(), cfg)
	require.ErrorContains(t, err, "status 401")
	require.ErrorContains(t, err, "furniture")
}

func TestFeedsAreSeededAndSound(t *testing.T) {
	for _, c := range concepts() {
		a, b := c.products("http://s", 1), c.products("http://s", 1)
		require.Equal(t, a, b)
		require.NotEqual(t, a, c.products("http://s", 2))
		seen := map[string]bool{}
		for _, p := range a {
			require.False(t, seen[p.ID])
			seen[p.ID] = true
			require.Positive(t, p.Price)
			require.NotEmpty(t, p.Title)
		}
	}
}

func TestSites(t *testing.T) {
	_, _, shops := seeded(t)
	s, err := NewSites(shops, "http://bidder.example/", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	srv := httptest.NewServer(s)
	defer srv.Close()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	web := &http.Client{Jar: jar}
	fetch := func(resp *http.Response, err error) string {
		t.Helper()
		require.NoError(t, err)
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		return string(raw)
	}
	shop := shops[1]
	p := shop.Products[0]
	require.Contains(t, fetch(web.Get(srv.URL+"/")), shop.Name)
	home := fetch(web.Get(srv.URL + "/shoes/"))
	require.Contains(t, home, fmt.Sprintf(`src="http://bidder.example/pixel.js?shop=%d"`, shop.ID))
	require.Contains(t, home, `grosz.push({"type":"visit"})`)
	list := fetch(web.Get(srv.URL + "/shoes/c/bieganie?page=2"))
	require.Contains(t, list, "category_view")
	require.Equal(t, perPage, strings.Count(list, `class="card"`))
	require.Contains(t, fetch(web.Get(srv.URL+"/shoes/p/"+p.ID)), `"product":"`+p.ID+`"`)

	evil := fetch(web.Get(srv.URL + "/shoes/search?q=" + url.QueryEscape(`</script><img src=x onerror=alert(1)>`)))
	require.NotContains(t, evil, "<img src=x")
	require.Equal(t, 2, strings.Count(evil, "</script>"))

	cart := fetch(web.PostForm(srv.URL+"/shoes/cart", url.Values{"add": {p.ID}}))
	require.Contains(t, cart, `"type":"cart_add"`)
	require.Contains(t, cart, "Koszyk (1)")
	thanks := fetch(web.PostForm(srv.URL+"/shoes/buy", nil))
	require.Contains(t, thanks, `"type":"purchase"`)
	require.Contains(t, thanks, `"value":"`+p.Price.String()+`"`)
	require.Contains(t, fetch(web.Get(srv.URL+"/shoes/cart")), "Koszyk jest pusty")
	video := absolute([]campaigns.Video{{URL: "/demo/spot15.mp4"}}, srv.URL+mediaPath)[0].URL
	require.Contains(t, fetch(web.Get(video))[:16], "ftyp")
	for _, missing := range []string{"/nope/", "/media/x.mp4", "/shoes/p/XX", "/shoes/c/xx", "/img/shoes/xx.svg", "/img/shoes/logo.png"} {
		resp, err := web.Get(srv.URL + missing)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusNotFound, resp.StatusCode, missing)
	}
}

// TestPicturesAreXML: every shape and logo is a sound SVG.
// TestFirstLoad: the most products that a banner shows, the logo and the
// markup (below 16 KB, which the renderer's own tests hold) are within the
// 150 KB that a banner may load at first.
func TestFirstLoad(t *testing.T) {
	_, _, shops := seeded(t)
	s, err := NewSites(shops, "http://bidder.example/", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	size := func(path string) int {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, 200, w.Code, path)
		return w.Body.Len()
	}
	const products, markup = 8, 16_000
	for _, shop := range shops {
		worst := 0
		for _, p := range shop.Products {
			u, err := url.Parse(p.ImageURL)
			require.NoError(t, err)
			worst = max(worst, size(u.Path))
		}
		require.Less(t, markup+size("/img/"+shop.Slug+"/wordmark.svg")+products*worst, 150_000, shop.Name)
	}
}

func TestPicturesAreXML(t *testing.T) {
	known := regexp.MustCompile(`<(path|rect|circle)`)
	for _, c := range concepts() {
		require.NoError(t, xml.Unmarshal([]byte(logo(&c)), new(struct{})))
		require.NoError(t, xml.Unmarshal([]byte(wordmark(&c)), new(struct{})))
		for i := range c.lines {
			for k := range 12 {
				svg := picture(&c, &c.lines[i], fmt.Sprint("X-", k))
				require.NoError(t, xml.Unmarshal([]byte(svg), new(struct{})), svg)
				require.Regexp(t, known, svg)
				require.NotContains(t, svg, "%!")
			}
		}
	}
}

func TestPrice(t *testing.T) {
	require.Equal(t, "1\u00a0299,00\u00a0zł", price(1299*money.NanoUnit))
	require.Equal(t, "1\u00a0234\u00a0567,50\u00a0zł", price(1234567*money.NanoUnit+500_000_000))
	require.Equal(t, "89,99\u00a0zł", price(89_990_000_000))
}

func TestTitlesAgree(t *testing.T) {
	for _, c := range []struct{ noun, quality, want string }{
		{"Sofa|f", "welurowy", "Sofa welurowa Mora"}, {"Narożnik|m", "lniany", "Narożnik lniany Mora"},
		{"Krzesło|n", "skandynawski", "Krzesło skandynawskie Mora"}, {"Ława|f", "skandynawski", "Ława skandynawska Mora"},
		{"Trampki|p", "letni", "Trampki letnie Mora"}, {"Buty górskie|p", "lekki", "Buty górskie lekkie Mora"},
		{"Lampa|f", "letni", "Lampa letnia Mora"}, {"Laptop|m|13″", "smukły", "Laptop smukły Mora 13″"},
	} {
		require.Equal(t, c.want, titleOf(c.noun, c.quality, "Mora"))
	}
}
