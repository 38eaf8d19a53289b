package bidder

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
)

// visitPage opens a shop's page, with a script in front of the tag, in real
// headless Chromium, and returns what the page shows in the end, and what the
// bidder took. The page's own address is the shop's.
func visitPage(t *testing.T, w *world, script string) (dom string, got []events.ShopEvent) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("Chromium is not installed: with CI=true the pixel's tests must run")
		}
		t.Skip("Chromium is not installed: the pixel was not tested in a browser (apt-get install chromium)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := w.b.Server()
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	defer func() { require.NoError(t, srv.Shutdown()); <-done }()
	base := "http://" + l.Addr().String()
	w.b.urls.plain = newURLSet(base)
	page := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(rw, `<!doctype html><body><pre id="out"></pre><script>
			function out(s) { document.getElementById("out").textContent += s + "\n"; }
			window.grosz = [];
			%s</script><script async src="%s/pixel.js?shop=7"></script></body>`, script, base)
	}))
	defer page.Close()
	shop := *w.in.Shops[0]
	shop.URL, shop.Version = page.URL+"/", shop.Version+1
	w.in.Shops = []*campaigns.Shop{&shop}
	w.in.Version++
	require.Empty(t, w.b.Publish(w.in))

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=8000", "--dump-dom", page.URL+"/start?gzclid=abc-1")
	cmd.WaitDelay = 5 * time.Second
	var diag strings.Builder
	cmd.Stderr = &diag
	b, err := cmd.Output()
	require.NoError(t, err, "%s", diag.String())
	return string(b), w.shopSpooled()
}

func typesOf(list []events.ShopEvent) (out []string) {
	for i := range list {
		out = append(out, string(list[i].Type))
	}
	return out
}

func TestThePixelInABrowser(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	dom, got := visitPage(t, w, `
		grosz.push({type: "product_view", product: "a"});
		grosz.push({type: "cart_add", product: "b", quantity: 1, price: "600"});
		grosz.push(["onProfile", function (who) { out("SEGMENTS " + who.segments.join()); out("FIRST " + who.products[0].id); }]);
		setTimeout(function () { history.pushState({}, "", "/second"); }, 1500);
		setTimeout(function () { history.replaceState({}, "", "/second"); out("VISITOR " + grosz.visitor()); }, 2500);`)
	require.Contains(t, dom, "SEGMENTS known,product_viewer,in_cart", "%s", dom)
	require.Contains(t, dom, "FIRST b")
	require.Regexp(t, `VISITOR [0-9a-f]{32}`, dom)
	links := 0
	got = slices.DeleteFunc(got, func(e events.ShopEvent) bool {
		if e.Type != events.ShopIdentify {
			return false
		}
		links++
		require.Equal(t, events.AliasVisitor, e.Name)
		return true
	})
	require.NotZero(t, links, "our id and the first-party one are joined")
	require.ElementsMatch(t, []string{"visit", "product_view", "cart_add", "visit"}, typesOf(got), "one page by name, one by pushState")
	for i := range got {
		require.Equal(t, got[0].UID, got[i].UID, "one browser")
	}
}

func TestThePixelAsksForConsent(t *testing.T) {
	tcf := func(answer string) string {
		return `window.__tcfapi = function (command, version, f) { setTimeout(function () { f(` + answer + `, true); }, 300); };`
	}
	for _, c := range []struct {
		name, script string
		want         int // visits
	}{
		{"denied", `window.grosz_consent = "denied"; grosz.push({type: "checkout"});`, 0},
		{"pending, then granted", `window.grosz_consent = "pending"; setTimeout(function () { grosz.consent("granted"); }, 1000);`, 1},
		{"pending for ever", `window.grosz_consent = "pending";`, 0},
		{"TCF says yes", tcf(`{gdprApplies: true, eventStatus: "tcloaded", tcString: "C", purpose: {consents: {1: true, 3: true, 4: true}}}`), 1},
		{"TCF without profiles", tcf(`{gdprApplies: true, eventStatus: "useractioncomplete", tcString: "C", purpose: {consents: {1: true}}}`), 0},
		{"GDPR does not apply", tcf(`{gdprApplies: false, eventStatus: "tcloaded"}`), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := shopWorld(t, openCampaign(1))
			dom, got := visitPage(t, w, c.script+`
				setTimeout(function () { out("COOKIE " + document.cookie + "; STORED " + localStorage.length); }, 5000);`)
			visits := 0
			for i := range got {
				if got[i].Type == events.ShopVisit {
					visits++
				}
			}
			require.Equal(t, c.want, visits, "%v", typesOf(got))
			require.Equal(t, c.want > 0, strings.Contains(dom, "grosz_vid="), "%s", dom)
			if c.want == 0 {
				require.Contains(t, dom, "STORED 0")
			}
		})
	}
}
