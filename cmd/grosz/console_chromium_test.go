package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
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
	v := &marketer{t: t, base: base}
	t.Cleanup(v.heard.Wait) // after the browser's end, which is registered later
	v.ctx = chromium(t, chromedp.Flag("lang", "en"))
	require.NoError(t, chromedp.Do(v.ctx, chromedp.Func(v.listen)))
	_, err := chromedp.Call(v.ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	_, err = chromedp.Call(v.ctx, runtime.Enable, cdp.Empty{})
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

// patience is how long the walk waits for each effect. It is long, for the
// machine may be small and busy: a whole Grosz and a browser share it.
const patience = 3 * time.Minute

// wait tries until cond has come true.
func (v *marketer) wait(what string, cond func() error) {
	v.t.Helper()
	deadline := time.Now().Add(patience)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		err := cond()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(pause)
	}
}

// do runs actions, with some patience for each effect that they wait for.
func (v *marketer) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
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
	ctx, cancel := context.WithTimeout(v.ctx, patience)
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
	v.wait(what, func() error {
		var ok bool
		v.eval("(() => { try { return Boolean("+js+") } catch { return false } })()", &ok) // false on a page that is just being made
		if !ok {
			var text string
			v.eval(`location.pathname + "\n" + (document.querySelector("main")?.innerText || "").slice(0, 1500)`, &text)
			v.mu.Lock()
			defer v.mu.Unlock()
			return fmt.Errorf("not yet: %s\n%v", text, v.bad)
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
		v.glance(name + "-" + w)
	}
	v.width("desktop")
}

// glance does it in the width and the colours that there are.
func (v *marketer) glance(name string) {
	v.t.Helper()
	var wide, room int64
	v.eval(`document.documentElement.scrollWidth`, &wide)
	v.eval(`document.documentElement.clientWidth`, &room)
	require.LessOrEqual(v.t, wide, room, "%s is wider than its screen", name)
	v.axe(name)
	if *tourShots != "" {
		png, err := chromedp.Run(v.ctx, chromedp.FullScreenshot(100))
		require.NoError(v.t, err)
		require.NoError(v.t, os.WriteFile(filepath.Join(*tourShots, name+".png"), png, 0o600))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	require.Empty(v.t, v.bad, "%s: the browser complains", name)
}

// dark looks at the page as those see it who prefer dark colours.
func (v *marketer) dark(name string) {
	v.t.Helper()
	prefer := func(colours string) {
		_, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colours}},
		})
		require.NoError(v.t, err)
	}
	prefer("dark")
	v.glance(name + "-dark")
	prefer("")
}

// axe is given to a page once; it looks at the page, not into the frames of
// ads, which nobody can reach.
func (v *marketer) axe(where string) {
	v.t.Helper()
	var there bool
	v.eval(`Boolean(window.axe)`, &there)
	if !there {
		source, err := os.ReadFile("../../console/testdata/axe/axe.min.js")
		require.NoError(v.t, err)
		v.eval(string(source)+`;0`, nil)
	}
	var out string
	v.eval(`axe.run(document, {resultTypes: ["violations"], iframes: false}).then(r => JSON.stringify(r.violations.map(x => ({id: x.id, impact: x.impact, help: x.help, nodes: x.nodes.slice(0, 5).map(n => n.html.slice(0, 160) + " :: " + n.failureSummary.slice(0, 200))}))))`, &out)
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

// key presses a key, such as kb.Tab, wherever the focus is.
func (v *marketer) key(k string) {
	v.t.Helper()
	v.do("press a key", chromedp.KeyEvent(k))
}

// netJS lets the walk decide how the API answers a page: "stuck" never, "stuck
// forecast" never where the path ends so, "away" as without a network, or with
// documents of sessionStorage by the end of the path, for what this build may
// not have.
const netJS = `(() => {
  const real = window.fetch;
  window.fetch = (where, o) => {
    const path = new URL(where, location.href).pathname;
    if (!path.startsWith("/api/")) return real(where, o);
    const mode = sessionStorage.getItem("net");
    if (mode === "stuck" || mode === "stuck " + path.split("/").pop()) return new Promise(() => {});
    if (mode === "away") return Promise.reject(new TypeError("away"));
    const made = sessionStorage.getItem("made " + path.split("/").pop());
    return made ? Promise.resolve(new Response(made, {status: 200, headers: {"Content-Type": "application/json"}})) : real(where, o);
  };
})()`

func (v *marketer) network(mode string) {
	v.t.Helper()
	v.eval(fmt.Sprintf(`sessionStorage.setItem("net", %q)`, mode), nil)
}

// csv is the file that the page's link leads to, after its type. A small
// machine's ClickHouse may be too busy to make it, and is asked again.
func (v *marketer) csv() (text string) {
	v.t.Helper()
	v.wait("the CSV file", func() error {
		var got struct {
			OK   bool
			Text string
		}
		v.eval(`fetch(document.querySelector("#csv").href, {headers: {"X-CSRF-Token": document.body.dataset.csrf}}).then(async r => ({ok: r.ok, text: r.headers.get("Content-Type") + "\n" + await r.text()}))`, &got)
		if !got.OK {
			return errors.New(got.Text)
		}
		text = got.Text
		return nil
	})
	return text
}

// answers has the API answer a path's end with a document; without one it
// answers itself again.
func (v *marketer) answers(end, doc string) {
	v.t.Helper()
	v.eval(fmt.Sprintf(`sessionStorage.setItem(%q, %s)`, "made "+end, quoteJS(doc)), nil)
}

// api asks the API from the page, as the person signed in, and returns what
// js makes of the answer a.
func (v *marketer) api(method, path, body, js string, into any) {
	v.t.Helper()
	v.eval(fmt.Sprintf(`(async () => {
		const r = await fetch(%q, {method: %q, headers: {"X-CSRF-Token": document.body.dataset.csrf, "Content-Type": "application/json"}, body: %s || undefined});
		const a = r.status === 204 ? null : await r.json();
		if (!r.ok) throw new Error(r.status + " " + JSON.stringify(a));
		return %s;
	})()`, path, method, quoteJS(body), js), into)
}
