package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// TestMarketersDay walks through a day of a marketer on the demo, in a
// browser: sign in, make a campaign with a forecast, start it, see it spend,
// find what costs most, by place and by audience segment, cap both, compare
// before and after; then every other page, in every state that it has and in
// both languages. At the end an analyst asks the demo's warehouse.
func TestMarketersDay(t *testing.T) {
	base, dir := *onConsole, *onData
	var s *stack
	if base == "" {
		s = newStack(t)
		s.start(40)
		base, dir = "http://"+s.arg("--console"), s.dir
	}
	raw, err := os.ReadFile(filepath.Join(dir, "admin.key"))
	require.NoError(t, err)
	v := newMarketer(t, base)
	_, err = chromedp.Call(v.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: netJS})
	require.NoError(t, err)
	v.signIn(strings.TrimSpace(string(raw)))
	shop := v.chooseShop()
	v.addAudience(shop)
	name := v.newCampaign()
	v.seeSpend(shop, name)
	id := v.capWorst(name)
	v.beforeAndAfter(shop, id)
	v.capSegment(shop, id)
	v.reachBudget(shop, name, id)
	v.otherPages(shop)
	v.webhook(shop)
	v.lists(shop)
	v.statement(shop)
	v.keyboard(shop)
	v.withoutAnswers(shop)
	v.emptyShop()
	v.weights(shop, id)
	v.inPolish(shop, id)
	v.signOut(shop)
	if s != nil {
		s.analystAsks()
	}
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
	v.key(kb.Enter)
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
	v.dark("campaigns")
	var path string
	v.eval(`location.pathname`, &path)
	return strings.TrimSuffix(path, "/campaigns")
}

// addAudience takes a ready-made segment that whoever is in another one is in,
// too: as soon as the campaign meets a visitor there are two to compare.
func (v *marketer) addAudience(shop string) {
	v.t.Helper()
	v.open(shop + "/segments")
	v.click("#templates button", "Add: Wszyscy")
	v.until("the segment", `document.querySelector("#list").textContent.includes("Wszyscy")`)
	v.open(shop + "/campaigns")
}

func (v *marketer) newCampaign() string {
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
	v.until("the mistakes to go as they are mended", `!document.querySelector("[aria-invalid], .wrong, #trouble *")`)
	v.put("day", "400")
	v.until("what it means", `document.querySelector("#plan").textContent.includes("30 days")`)
	v.eval(`document.querySelector("[id^=title-]").value = "Meble na lata", document.querySelector("[id^=title-]").dispatchEvent(new Event("input", {bubbles: true}))`, nil)
	v.until("the ad as it is rendered", `document.querySelector("#ads iframe").src.includes("Meble")`)
	v.forecast()
	v.looks("editor")
	v.dark("editor")
	v.click("#start-it", "Save and start")
	v.until("the campaign to be saved", `/campaigns\/\d+$/.test(location.pathname)`)
	v.click(".crumbs a", "Campaigns")
	v.until("it runs", fmt.Sprintf(`[...document.querySelectorAll("tr")].some(r => r.textContent.includes(%q) && r.textContent.includes("running"))`, name))
	return name
}

// forecastDoc is an answer of the forecast, to see it drawn in any build.
const forecastDoc = `{"basis": "replay", "days": 30, "reach": {"low": 8100, "mid": 9300, "high": 10800}, "impressions": {"low": 71000, "mid": 82000, "high": 95500},
	"clicks": {"low": 410, "mid": 520, "high": 660}, "orders": {"low": 14, "mid": 24, "high": 37}, "cost": {"low": "1010.00", "mid": "1150.00", "high": "1200.00"},
	"cost_per_order": {"low": "31.10", "mid": "47.90", "high": "80.20"}, "limits": ["budget"],
	"curve": [{"budget": "300", "orders": 9, "cost_per_order": "33.30"}, {"budget": "600", "orders": 15, "cost_per_order": "40.00"}, {"budget": "1200", "orders": 24, "cost_per_order": "50.00"}, {"budget": "2400", "orders": 33, "cost_per_order": "72.70"}],
	"words": {"en": "1,150 PLN a month probably bring 24 orders.", "pl": "1150 PLN miesięcznie da zapewne 24 zamówienia."}}`

// forecast sees what the campaign will bring, while it is typed: first what the
// console itself says, where it has forecasts, then an answer with all parts.
func (v *marketer) forecast() {
	v.t.Helper()
	var has bool
	v.api("GET", "/openapi.json", "", `Boolean(a.paths["/api/v1/shops/{shop}/forecast"])`, &has)
	if has {
		v.ownForecast()
		var text string
		v.eval(`document.querySelector("#forecast").innerText`, &text)
		v.t.Logf("the forecast says: %s", strings.ReplaceAll(text, "\n", " "))
		v.looks("editor-forecast")
	}
	v.answers("forecast", forecastDoc)
	if !has { // the page has been told that there is none, and asks no more
		v.eval(`(async () => { const f = await import("/console/assets/" + document.body.dataset.stamp + "/forecast.js?again"); f.forecast(document.querySelector("#forecast"), {}); })()`, nil)
	} else {
		v.put("day", "401")
	}
	v.until("a whole forecast", `document.querySelector("#forecast .words")?.textContent.includes("24 orders") && document.querySelector("#forecast canvas")`)
	v.answers("forecast", "")
}

// ownForecast waits for figures of the console's own. The first of the demo's
// requests may not be in the sample yet: then the page is made to ask again.
func (v *marketer) ownForecast() {
	v.t.Helper()
	const asked = `document.querySelector("#forecast .sums, #forecast .box") && !document.querySelector("#forecast[aria-busy]")`
	budgets, turn := [...]string{"400", "399"}, 0
	v.until("the forecast to be asked for", asked)
	v.wait("figures of the console's own forecast", func() error {
		var text string
		v.eval(`document.querySelector("#forecast .sums") ? "" : document.querySelector("#forecast").innerText || "nothing"`, &text)
		if text == "" {
			return nil
		}
		turn++
		v.eval(`document.querySelector("#forecast").replaceChildren()`, nil)
		v.put("day", budgets[turn%2])
		v.until("the next forecast", asked)
		return fmt.Errorf("the forecast says: %s", text)
	})
}

// seeSpend waits for the new campaign's first spending in the results.
func (v *marketer) seeSpend(shop, name string) {
	v.t.Helper()
	v.open(shop + "/results")
	var id string
	v.eval(fmt.Sprintf(`[...document.querySelectorAll("#campaign option")].find(o => o.textContent === %q).value`, name), &id)
	v.wait("the new campaign to spend in two places", func() error {
		var places int
		v.eval(fmt.Sprintf(`fetch("/api/v1/shops/" + document.body.dataset.shop + "/report/breakdown?by=domain&campaign=%s").then(async r => r.ok ? (await r.json()).rows.filter(x => x.key && Number(x.spend) > 0).length : 0)`, id), &places)
		if places < 2 {
			return fmt.Errorf("%s spent in %d places yet", name, places)
		}
		return nil
	})
	v.open(shop + "/results")
	v.reported("the charts", `document.querySelectorAll(".chart canvas").length >= 1`)
	v.looks("results")
	v.dark("results")
}

// capWorst finds where the campaign pays most for what it gets, halves its
// price there, and returns the campaign's id.
func (v *marketer) capWorst(name string) string {
	v.t.Helper()
	v.eval(fmt.Sprintf(`(() => { const s = document.querySelector("#campaign"); s.value = [...s.options].find(o => o.textContent === %q).value; document.querySelector("#filters").requestSubmit(); })()`, name), nil)
	v.reported("the campaign's weakest part", `new URLSearchParams(location.search).get("campaign") && `+settledJS+` && document.querySelector("#parts tr.worst, #parts tr.weakest")`)
	v.click("#parts tr.worst button, #parts tr.weakest button", "Cap")
	v.until("what will change", `document.querySelector("#cap-diff").textContent.includes("0.5")`)
	v.looks("results-cap")
	v.click("#cap-dialog button.main", "Cap")
	v.until("the change", `!document.querySelector("#cap-dialog").open`)
	var id string
	v.eval(`new URLSearchParams(location.search).get("campaign")`, &id)
	return id
}

// beforeAndAfter compares what an order cost before the cap and since, once
// something was spent on both sides, and finds the cap in the history.
func (v *marketer) beforeAndAfter(shop, id string) {
	v.t.Helper()
	v.reported("the comparison", settledJS+` && /capped/.test(document.querySelector("#compare-at").selectedOptions[0]?.textContent) && document.querySelectorAll("#compare-sides .versus").length === 2`)
	v.wait("spending on both sides", func() error {
		var sides []string
		v.eval(`[...document.querySelectorAll("#compare-sides section:first-child [data-spend]")].map(n => n.dataset.spend)`, &sides)
		if len(sides) == 2 && isMore(sides[0]) && isMore(sides[1]) {
			return nil
		}
		v.click("#compare-again", "Count again")
		v.reported("the count", `!document.querySelector("#compare-sides[aria-busy]") && document.querySelector("#compare-again")`)
		return fmt.Errorf("before and after: %v", sides)
	})
	v.answers("lift", `{"share": 0.1, "exposed": {"users": 9000, "orders": 150, "revenue": "30000"}, "holdout": {"users": 1000, "orders": 11, "revenue": "2000"},
		"lift_orders": {"low": 3, "mid": 51, "high": 98}, "lift_revenue": {"low": "500", "mid": "12000", "high": "24000"}, "p_value": 0.04, "sample_ratio": {"ok": true, "p": 0.7}, "needed_users": 21000,
		"words": {"en": "About 99 of the 150 would have bought anyway.", "pl": "Około 99 ze 150 kupiłoby i tak."}}`)
	v.open(shop + "/results?campaign=" + id)
	v.until("who would have bought anyway", `!document.querySelector("#lift").hidden && document.querySelector("#lift").textContent.includes("bought anyway")`)
	v.looks("results-compare")
	v.answers("lift", "")
	v.open(shop + "/changes")
	v.until("the change in the history", `[...document.querySelectorAll("ins")].some(n => n.textContent === "50%")`)
	v.looks("changes")
}

// reported waits for a report. A small machine's ClickHouse may be too busy to
// answer one: then the walk does as a person would, and tries again.
func (v *marketer) reported(what, js string) {
	v.t.Helper()
	v.until(what, `(document.querySelectorAll(".box.bad[role=alert] button").forEach(b => b.click()), `+js+`)`)
}

func isMore(amount string) bool { return strings.Trim(amount, "0.") != "" }

// reachBudget bounds the campaign by less than it has spent, and sees that it
// is told, and since when.
func (v *marketer) reachBudget(shop, name, id string) {
	v.t.Helper()
	v.open(shop + "/campaigns/" + id)
	v.put("total", "0,02")
	v.click("#save", "Save")
	v.until("it is saved", `document.querySelector("#dirty").textContent.startsWith("Saved")`)
	v.wait("the reason, and since when", func() error {
		v.open(shop + "/campaigns")
		var state string
		v.eval(fmt.Sprintf(`[...document.querySelectorAll("#list tr")].find(r => r.textContent.includes(%q))?.querySelector(".pill")?.textContent`, name), &state)
		if strings.HasPrefix(state, "limited by total budget since ") {
			return nil
		}
		return errors.New(state)
	})
	v.looks("campaigns-limited")
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
	v.click("#source button", "Set an address")
	v.until("the form", `document.querySelector("#source-dialog").open`)
	v.put("s-url", "https://127.0.0.1/feed.xml")
	v.click("#source-dialog button.main", "Save")
	v.until("an address inside to be refused", `document.querySelector("#source-dialog [aria-invalid=true], #source-dialog .box.bad")`)
	v.key(kb.Escape)
	v.until("the form to be closed", `!document.querySelector("#source-dialog").open`)
	v.looks("products")
	v.open(shop + "/ads")
	v.until("the gallery", `document.querySelectorAll("#list iframe").length && document.querySelector("#list video, #list .preview")`)
	v.looks("ads")
	v.open(shop + "/why")
	v.network("away")
	v.click("#ask button.main", "Ask")
	v.until("it says what failed", `document.querySelector("#answer .box.bad[role=alert] button")`)
	v.network("")
	v.click("#answer button", "Try again")
	v.reported("the explanation", `document.querySelector("#answer .box.good, #answer .box.warn")`)
	v.looks("why")
	v.open(shop + "/keys")
	v.looks("keys")
	v.open("/console/shops/999/campaigns")
	v.looks("lost")
}

// statement reads this month's; the media cost is there because something was
// spent.
func (v *marketer) statement(shop string) {
	v.t.Helper()
	v.wait("the month's media cost", func() error {
		v.open(shop + "/statement")
		var text string // or that the ledger cannot be asked now
		v.eval(`document.querySelector("#statement").innerText`, &text)
		if !strings.Contains(text, "Media cost") {
			return errors.New(text)
		}
		return nil
	})
	require.Contains(v.t, v.csv(), "closing_balance")
	v.looks("statement")
}

// keyboard does without a mouse: skip to the content, open a dialog, leave it,
// and be where one was.
func (v *marketer) keyboard(shop string) {
	v.t.Helper()
	v.open(shop + "/keys")
	v.key(kb.Tab)
	v.until("the skip link first", `document.activeElement.classList.contains("skip")`)
	v.key(kb.Enter)
	v.until("the content", `document.activeElement.id === "main"`)
	v.key(kb.Tab)
	v.until("the page's first button", `document.activeElement.id === "new"`)
	v.key(kb.Enter)
	v.until("the dialog, with the focus in it", `document.querySelector("#make").open && document.querySelector("#make").contains(document.activeElement)`)
	v.glance("keys-dialog")
	v.key(kb.Escape)
	v.until("the focus back where it was", `!document.querySelector("#make").open && document.activeElement.id === "new"`)
	var hidden int
	v.eval(`[...document.querySelectorAll("a, button, input, select, textarea, summary")].filter(n => n.tabIndex > 0).length`, &hidden)
	require.Zero(v.t, hidden, "the order of the page is the order of the keys")
}

// withoutAnswers sees a page wait, fail, and recover.
func (v *marketer) withoutAnswers(shop string) {
	v.t.Helper()
	v.network("stuck")
	v.do("open", chromedp.Navigate(v.base+shop+"/campaigns"))
	v.until("it says that it loads", `document.querySelector("#list .loading") && document.querySelector("#list[aria-busy=true]")`)
	v.glance("campaigns-loading")
	v.network("away")
	v.open(shop + "/campaigns")
	v.until("it says what failed", `document.querySelector("#list .box.bad[role=alert] button")`)
	v.looks("campaigns-failed")
	v.network("")
	v.click("#list button", "Try again")
	v.until("the campaigns", `document.querySelector("#list table")`)
}

// emptyShop is a new one: each page says what is not there, and what to do.
func (v *marketer) emptyShop() {
	v.t.Helper()
	var id int
	v.api("POST", "/api/v1/shops", fmt.Sprintf(`{"name": "Pusty", "domain": "pusty%d.example", "url": "https://pusty.example/", "currency": "PLN", "time_zone": "Europe/Warsaw"}`, time.Now().UnixNano()), `a.id`, &id)
	v.width("phone")
	for _, p := range []string{"campaigns", "results", "segments", "products", "ads", "alerts", "keys", "statement"} {
		v.open(fmt.Sprintf("/console/shops/%d/%s", id, p))
		v.until("it says that there is nothing", `document.querySelector(".empty b")`)
		v.glance("empty-" + p)
	}
	v.ownFigures(fmt.Sprintf("/console/shops/%d", id))
	v.width("desktop")
	v.api("PATCH", fmt.Sprintf("/api/v1/shops/%d", id), `{"active": false}`, `0`, nil)
}

func (v *marketer) signOut(shop string) {
	v.t.Helper()
	v.click("button", "Sign out")
	v.until("the sign-in page", `document.querySelector("#key")`)
	v.open(shop + "/results")
	v.until("it asks again", `document.querySelector("#key")`)
}
