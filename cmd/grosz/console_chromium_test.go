package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/kafkatest"
)

var (
	onConsole = flag.String("on-console", "", "URL of a console that runs, with the demo, to walk through in place of one of the test's own")
	onData    = flag.String("on-data", "", "its data directory")
)

// marketer is a browser that looks at the console.
type marketer struct {
	heard sync.WaitGroup // goroutines of events
	t     *testing.T
	ctx   context.Context
	base  string

	mu     sync.Mutex
	bad    []string // what the browser complained about
	loaded int64    // bytes of the page
}

// widths of a telephone and of a desk.
var widths = map[string]int64{"phone": 390, "desktop": 1280}

func newMarketer(t *testing.T, base string) *marketer {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("Chromium is not installed: with CI=true the pages must be walked")
		}
		t.Skip("Chromium is not installed: the console's pages were not walked")
	}
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("lang", "en"))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(alloc)
	v := &marketer{t: t, ctx: ctx, base: base}
	t.Cleanup(func() { end(); v.heard.Wait() })
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Func(v.listen)))
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	_, err = chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	require.NoError(t, err)
	return v
}

// listen keeps what a healthy page never says: errors, and what the policy of
// its content has refused; and counts what is loaded.
func (v *marketer) listen(_ context.Context, target *chromedp.Target) error {
	hear(v, target, runtime.ExceptionThrown, func(e runtime.EventExceptionThrown) {
		v.bad = append(v.bad, fmt.Sprintf("%+v", e.ExceptionDetails))
	})
	hear(v, target, runtime.ConsoleAPICalled, func(e runtime.EventConsoleAPICalled) {
		if e.Type == "error" {
			v.bad = append(v.bad, fmt.Sprintf("%s", e.Args[0].Value))
		}
	})
	hear(v, target, network.LoadingFinished, func(e network.EventLoadingFinished) { v.loaded += int64(e.EncodedDataLength) })
	return nil
}

// hear hands every event of a kind to f until the browser ends.
func hear[E any](v *marketer, target *chromedp.Target, of cdp.Event[E], f func(E)) {
	all := cdp.Events(v.ctx, target, of)
	v.heard.Go(func() {
		for e, err := range all {
			if err != nil {
				return
			}
			v.mu.Lock()
			f(e)
			v.mu.Unlock()
		}
	})
}

// do runs actions, with half a minute for each effect that they wait for.
func (v *marketer) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, 3*time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		text, _ := chromedp.Run(v.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		v.t.Fatalf("%s: %v\n%s\n%v", what, err, text, v.bad)
	}
}

func (v *marketer) eval(js string, into any) {
	v.t.Helper()
	if into == nil {
		v.do(js, chromedp.Evaluate[chromedp.Void](js, chromedp.EvalAwaitPromise))
		return
	}
	ctx, cancel := context.WithTimeout(v.ctx, 3*time.Minute)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](js, chromedp.EvalAwaitPromise))
	if err == nil {
		err = json.Unmarshal(got, into)
	}
	require.NoError(v.t, err, js[:min(len(js), 200)])
}

// until waits for a condition in the page.
func (v *marketer) until(what, js string) {
	v.t.Helper()
	kafkatest.Eventually(v.t, what, func() error {
		var ok bool
		v.eval("(() => { try { return Boolean("+js+") } catch { return false } })()", &ok) // false on a page that is just being made
		if !ok {
			var text string
			v.eval(`location.pathname + "\n" + (document.querySelector("main")?.innerText || "").slice(0, 1500)`, &text)
			return fmt.Errorf("not yet: %s", text)
		}
		return nil
	})
}

const settledJS = `document.readyState === "complete" && (!document.body.dataset.csrf || document.body.dataset.page === "lost" || document.body.dataset.ready) && !document.querySelector(".loading, [aria-busy]")`

func (v *marketer) open(path string) {
	v.t.Helper()
	v.do("open "+path, chromedp.Navigate(v.base+path))
	v.until(path+" to be there", settledJS)
}

func (v *marketer) width(name string) {
	_, err := chromedp.Call(v.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: widths[name], Height: 900, DeviceScaleFactor: 1, Mobile: name == "phone",
	})
	require.NoError(v.t, err)
}

// looks takes a screenshot of the page in both widths, and has axe look for
// what keeps people from using it.
func (v *marketer) looks(name string) {
	v.t.Helper()
	for w := range widths {
		v.width(w)
		v.until("the page to be drawn", settledJS)
		var wide int64
		v.eval(`document.documentElement.scrollWidth`, &wide)
		require.LessOrEqual(v.t, wide, widths[w], "%s is wider than a %s", name, w)
		v.axe(name + " on a " + w)
		if *tourShots != "" {
			png, err := chromedp.Run(v.ctx, chromedp.FullScreenshot(100))
			require.NoError(v.t, err)
			require.NoError(v.t, os.WriteFile(filepath.Join(*tourShots, name+"-"+w+".png"), png, 0o600))
		}
	}
	v.width("desktop")
	v.mu.Lock()
	defer v.mu.Unlock()
	require.Empty(v.t, v.bad, "%s: the browser complains", name)
}

func (v *marketer) axe(where string) {
	v.t.Helper()
	source, err := os.ReadFile("../../console/testdata/axe/axe.min.js")
	require.NoError(v.t, err)
	var out string
	v.eval(string(source)+`;axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(x => ({id: x.id, impact: x.impact, help: x.help, nodes: x.nodes.slice(0, 5).map(n => n.html.slice(0, 160) + " :: " + n.failureSummary.slice(0, 200))}))))`, &out)
	var found []map[string]any
	require.NoError(v.t, json.Unmarshal([]byte(out), &found))
	text, err := json.MarshalIndent(found, "", " ")
	require.NoError(v.t, err)
	require.Empty(v.t, found, "%s: %s", where, text)
}

// click presses the element whose text, or accessible name, begins so.
func (v *marketer) click(selector, text string) {
	v.t.Helper()
	q, err := json.Marshal(text)
	require.NoError(v.t, err)
	find := fmt.Sprintf(`[...document.querySelectorAll(%q)].find(n => (n.getAttribute("aria-label") || n.textContent).trim().startsWith(%s) && n.getClientRects().length && !n.disabled)`, selector, q)
	v.until(text+" to press", find)
	v.eval(find+`.click()`, nil)
}

func (v *marketer) put(id, text string) {
	v.t.Helper()
	v.do("empty "+id, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.getElementById(%q).value = "", document.getElementById(%q).focus()`, id, id)),
		chromedp.SendKeys(chromedp.CSS("#"+id), text))
}

// TestMarketersDay walks through a day of a marketer on the demo, in a
// browser: sign in, make a campaign, start it, see it spend, find what costs
// most, cap it, and compare.
func TestMarketersDay(t *testing.T) {
	base, dir := *onConsole, *onData
	if base == "" {
		s := newStack(t)
		s.start(40)
		dir = s.dir
		for i, a := range s.args {
			if a == "--console" {
				base = "http://" + s.args[i+1]
			}
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "admin.key"))
	require.NoError(t, err)
	v := newMarketer(t, base)
	v.signIn(strings.TrimSpace(string(raw)))
	shop := v.chooseShop()
	name := v.newCampaign(shop)
	v.seeSpend(shop, name)
	v.capWorst(shop, name)
	v.otherPages(shop)
	v.inPolish(shop)
	v.signOut(shop)
}

func (v *marketer) signIn(key string) {
	v.t.Helper()
	v.width("desktop")
	v.open("/console/")
	v.looks("signin")
	v.put("key", "gz_admin_wrong")
	v.click("button", "Sign in")
	v.until("the refusal", `document.querySelector("#wrong")`)
	v.looks("signin-wrong")
	v.put("key", key)
	v.click("button", "Sign in")
	v.until("the shops", `document.querySelector("#list table")`)
	v.looks("shops")
	var cookie string
	v.eval(`document.cookie`, &cookie)
	require.NotContains(v.t, cookie, "grosz-session", "scripts must not see the session")
}

// chooseShop opens the shop of the demo that sells furniture.
func (v *marketer) chooseShop() string {
	v.t.Helper()
	v.click("#list a", "Dębowy Kąt")
	v.until("its campaigns", `location.pathname.endsWith("/campaigns") && document.querySelector("#list table")`)
	v.looks("campaigns")
	var path string
	v.eval(`location.pathname`, &path)
	return strings.TrimSuffix(path, "/campaigns")
}

func (v *marketer) newCampaign(shop string) string {
	v.t.Helper()
	name := "Walk " + time.Now().Format("150405.000")
	v.click("a.button", "New campaign")
	v.until("the editor", `document.body.dataset.page === "editor" && document.body.dataset.ready`)
	v.put("name", name)
	v.put("targeting", "vistied within 30d")
	v.until("the mistake to be explained", `document.querySelector("#targeting-says").textContent.includes('did you mean "visited"')`)
	v.put("cpm", "-3")
	v.click("#save", "Save")
	v.until("the mistakes at their fields", `document.querySelectorAll("[aria-invalid=true]").length >= 2`)
	v.looks("editor-wrong")
	v.put("targeting", `not domain in ("nobody.example")`)
	v.until("the check", `document.querySelector("#targeting-says").classList.contains("ok")`)
	v.put("cpm", "14,50")
	v.put("day", "40")
	v.until("what it means", `document.querySelector("#plan").textContent.includes("30 days")`)
	v.eval(`document.querySelector("[id^=title-]").value = "Meble na lata", document.querySelector("[id^=title-]").dispatchEvent(new Event("input", {bubbles: true}))`, nil)
	v.looks("editor")
	v.click("#start-it", "Save and start")
	v.until("the campaign to be saved", `/campaigns\/\d+$/.test(location.pathname)`)
	v.open(shop + "/campaigns")
	v.until("it runs", fmt.Sprintf(`[...document.querySelectorAll("tr")].some(r => r.textContent.includes(%q) && r.textContent.includes("running"))`, name))
	return name
}

// seeSpend waits for the new campaign's first spending in the results.
func (v *marketer) seeSpend(shop, name string) {
	v.t.Helper()
	kafkatest.Eventually(v.t, "the new campaign to spend", func() error {
		v.open(shop + "/results")
		var ok bool
		v.eval(fmt.Sprintf(`(async () => {
			const c = [...document.querySelectorAll("#campaign option")].find(o => o.textContent === %q);
			const r = await fetch("/api/v1/shops/" + document.body.dataset.shop + "/report/breakdown?by=domain&campaign=" + c.value, {headers: {"X-CSRF-Token": document.body.dataset.csrf}});
			const rows = (await r.json()).rows;
			return rows.some(x => Number(x.spend) > 0);
		})()`, name), &ok)
		if !ok {
			return fmt.Errorf("no spend of %s yet", name)
		}
		return nil
	})
	v.until("the charts", `document.querySelectorAll(".chart canvas").length >= 1`)
	v.looks("results")
	v.mu.Lock()
	v.loaded = 0
	v.mu.Unlock()
	_, err := chromedp.Call(v.ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	require.NoError(v.t, err)
	v.open(shop + "/results")
	v.mu.Lock()
	defer v.mu.Unlock()
	require.Less(v.t, v.loaded, int64(300_000), "the heaviest page, in bytes, uncompressed")
	v.t.Logf("results: %d bytes", v.loaded)
}

// capWorst halves the price where the campaign spends most, and sees that the
// change holds and is in the history.
func (v *marketer) capWorst(shop, name string) {
	v.t.Helper()
	v.eval(fmt.Sprintf(`(() => { const s = document.querySelector("#campaign"); s.value = [...s.options].find(o => o.textContent === %q).value; document.querySelector("#filters").requestSubmit(); })()`, name), nil)
	v.until("the campaign's own parts", `new URLSearchParams(location.search).get("campaign") && `+settledJS+` && document.querySelector("#parts table")`)
	v.click("#parts tbody button", "Cap")
	v.until("what will change", `document.querySelector("#cap-diff").textContent.includes("0.5")`)
	v.looks("results-cap")
	v.click("#cap-dialog button.main", "Cap")
	v.until("the change", `!document.querySelector("#cap-dialog").open`)
	v.open(shop + "/changes")
	v.until("the change in the history", `[...document.querySelectorAll("ins")].some(n => n.textContent === "5000")`)
	v.looks("changes")
	// From today on, against the day before: nothing was spent then.
	day := time.Now().Format(time.DateOnly)
	v.open(shop + "/results?by=hour&from=" + day + "&to=" + day)
	v.until("before and after", `/before: PLN/.test(document.querySelector(".sums").textContent)`)
}

func (v *marketer) otherPages(shop string) {
	v.t.Helper()
	v.open(shop + "/segments")
	v.click("#templates button", "Add")
	v.until("a live size", `document.querySelector("#list table")`)
	v.until("it to be live", `/as of|still counting/.test(document.querySelector("#list").textContent)`)
	v.looks("segments")
	v.open(shop + "/products")
	v.until("products", `document.querySelector("#list table")`)
	v.looks("products")
	v.open(shop + "/ads")
	v.looks("ads")
	v.open(shop + "/why")
	v.click("#ask button.main", "Ask")
	v.until("the explanation", `document.querySelector("#answer .box.good, #answer .box.warn")`)
	v.looks("why")
	v.open(shop + "/alerts")
	v.looks("alerts")
	v.open(shop + "/keys")
	v.looks("keys")
	v.open("/console/shops/999/campaigns")
	v.looks("lost")
}

func (v *marketer) inPolish(shop string) {
	v.t.Helper()
	v.open(shop + "/campaigns?lang=pl")
	v.until("Polish", `document.documentElement.lang === "pl" && document.querySelector("h1").textContent === "Kampanie"`)
	v.looks("campaigns-pl")
	v.open(shop + "/results")
	v.looks("results-pl")
	v.open(shop + "/campaigns?lang=en")
}

func (v *marketer) signOut(shop string) {
	v.t.Helper()
	v.click("button", "Sign out")
	v.until("the sign-in page", `document.querySelector("#key")`)
	v.open(shop + "/results")
	v.until("it asks again", `document.querySelector("#key")`)
}
