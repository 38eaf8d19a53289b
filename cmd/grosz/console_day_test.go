package main

import (
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// capSegment finds the audience segment that is weakest in the campaign, halves
// its price, and compares what an order cost in it, and in all, before and
// since.
func (v *marketer) capSegment(shop, id string) {
	v.t.Helper()
	v.open(shop + "/results?campaign=" + id)
	v.click("#by button", "Audience segment")
	const weak = `document.querySelector("#parts tr.worst, #parts tr.weakest")`
	v.wait("the weakest segment", func() error {
		var found bool
		v.eval(`Boolean(`+weak+`?.querySelector("button"))`, &found)
		if found {
			return nil
		}
		v.click("#filters button", "Show") // fewer than two segments have been bid on yet
		v.reported("the parts", settledJS)
		return fmt.Errorf("not among %s", v.text("#parts"))
	})
	v.looks("results-segments")
	var name string
	v.eval(weak+`.querySelector("th").firstChild.textContent`, &name)
	v.click("#parts tr.worst button, #parts tr.weakest button", "Cap: "+name)
	v.until("the rule", fmt.Sprintf(`document.querySelector("#cap-diff").textContent === %s`, quoteJS(fmt.Sprintf("+ segment %q × 0.5", name))))
	v.until("the campaign", fmt.Sprintf(`document.querySelector("#cap-campaign").value === %q`, id))
	v.looks("results-segment-cap")
	v.click("#cap-dialog button.main", "Cap")
	v.until("the change", `!document.querySelector("#cap-dialog").open`)
	v.reported("the comparison", settledJS+fmt.Sprintf(` && document.querySelector("#compare-at").selectedOptions[0]?.textContent.includes(%s) && document.querySelectorAll("#compare-sides .versus").length === 2`, quoteJS(name+" capped")))
	v.wait("what the campaign cost before and since", func() error {
		var spent []string // of all: before, since; of the segment: before, since
		v.eval(`[...document.querySelectorAll("#compare-sides [data-spend]")].map(n => n.dataset.spend)`, &spent)
		if len(spent) == 4 && isMore(spent[0]) && isMore(spent[1]) && isMore(spent[2]) {
			return nil
		}
		v.click("#compare-again", "Count again")
		v.reported("the count", `!document.querySelector("#compare-sides[aria-busy]") && document.querySelector("#compare-again")`)
		return fmt.Errorf("spent: %v", spent)
	})
	text := v.text("#compare-sides")
	require.Contains(v.t, text, "Only "+name)
	require.Equal(v.t, 2, strings.Count(text, "Before"), text)
	require.Regexp(v.t, `surely costs (less|more) since|Too few orders to tell yet`, text)
	var bps int
	v.api("GET", "/api/v1"+strings.TrimPrefix(shop, "/console")+"/campaigns/"+id, "", `a.bid.boosts.find(b => b.when.startsWith("segment")).bps`, &bps)
	require.Equal(v.t, 5000, bps)
	v.looks("results-segment-compare")
	csv := v.csv()
	require.Regexp(v.t, `^text/csv[^\n]*\nsegment,name,`, csv)
	require.Contains(v.t, csv, name)
}

// text is what a part of the page shows.
func (v *marketer) text(selector string) string {
	v.t.Helper()
	var text string
	v.eval(fmt.Sprintf(`document.querySelector(%q)?.innerText || ""`, selector), &text)
	return text
}

// webhook has alerts sent to an address that cannot be reached from here, asks
// for a test, and hears why it did not come.
func (v *marketer) webhook(shop string) {
	v.t.Helper()
	v.open(shop + "/alerts")
	v.click("#new", "New webhook")
	v.until("the form", `document.querySelector("#make").open`)
	v.put("f-url", "http://hooks.buty.example/grosz")
	v.click("#kinds label", "an order costs surely more")
	v.click("#make button.main", "Create")
	v.until("both mistakes at their fields", `document.querySelectorAll("#make [aria-invalid=true]").length === 2`)
	v.looks("alerts-wrong")
	v.put("f-url", "https://hooks.buty.example/grosz")
	v.put("f-cpo", "40,50")
	v.click("#make button.main", "Create")
	v.until("the secret, once", `document.querySelector("#secret").open && document.querySelector("#secret-text").textContent.startsWith("whsec_")`)
	v.looks("alerts-secret")
	v.click("#secret button.main", "Done")
	v.until("it to be gone", `!document.querySelector("#secret-text").textContent && /more than PLN\s40\.50/.test(document.querySelector("#list").innerText)`)
	v.click("#list button", "Send a test")
	v.wait("the call's fate", func() error {
		v.open(shop + "/alerts")
		if text := v.text("#list"); !strings.Contains(text, "test, ") {
			return fmt.Errorf("the page says: %s", text)
		}
		return nil
	})
	v.looks("alerts")
	v.click("#list button", "Edit")
	v.until("the form, filled in", `document.querySelector("#make").open && document.querySelector("#f-url").value.startsWith("https://hooks") && document.querySelector("#f-cpo").value === "40.50"`)
	v.put("f-cpo", "45,5")
	var version int64 // somebody else is faster
	v.api("GET", "/api/v1"+strings.TrimPrefix(shop, "/console")+"/webhooks", "", `a.items[0].id`, &version)
	v.api("PATCH", fmt.Sprintf("/api/v1%s/webhooks/%d", strings.TrimPrefix(shop, "/console"), version), `{"cost_per_order": "42"}`, `a.version`, &version)
	v.click("#make button.main", "Save")
	v.until("to be told of the other change", `/Somebody else has changed this/.test(document.querySelector("#make .box.bad")?.textContent) && /more than PLN\s42\.00/.test(document.querySelector("#list").innerText)`)
	v.looks("alerts-conflict")
	v.click("#make button[data-close]", "Cancel")
	v.click("#list button", "Edit")
	v.until("what the other made of it", `document.querySelector("#make").open && document.querySelector("#f-cpo").value === "42.00"`)
	v.put("f-cpo", "45,5")
	v.click("#make button.main", "Save")
	v.until("the change", `!document.querySelector("#make").open && /more than PLN\s45\.50/.test(document.querySelector("#list").innerText)`)
	v.eval(`window.confirm = () => true`, nil)
	v.click("#list button", "Delete")
	v.until("it to be deleted", `document.querySelector("#list .empty")`)
}

// lists keeps sites and apps where no ad is to be shown.
func (v *marketer) lists(shop string) {
	v.t.Helper()
	v.open(shop + "/segments")
	v.until("that there is none", `document.querySelector("#lists .empty")`)
	add := func(name, entries string) {
		v.click("#new-list", "New list")
		v.put("l-name", name)
		v.put("l-entries", entries)
		v.click("#list-dialog button.main", "Save")
	}
	add("a b", "spam.example")
	v.until("the mistake at its field", `document.querySelector("#list-dialog #l-name[aria-invalid=true]")`)
	v.put("l-name", "blocked")
	v.click("#list-dialog button.main", "Save")
	v.until("the list", `!document.querySelector("#list-dialog").open && document.querySelector("#lists td")?.textContent === "1"`)
	add("blocked", "other.example")
	v.until("that there is one of the name", `/Somebody else has changed this/.test(document.querySelector("#list-dialog .box.bad")?.textContent)`)
	v.click("#list-dialog button[data-close]", "Cancel")
	v.click("#lists button", "Replace")
	v.put("l-entries", "spam.example\ncom.example.game")
	v.click("#list-dialog button.main", "Save")
	v.until("both", `!document.querySelector("#list-dialog").open && document.querySelector("#lists td")?.textContent === "2"`)
	v.looks("segments-lists")
	v.eval(`window.confirm = () => true`, nil)
	v.click("#lists button", "Delete")
	v.until("it to be gone", `document.querySelector("#lists .empty")`)
}

// wrongInPolish sees what the API refuses in the language of the page.
func (v *marketer) wrongInPolish(shop, id string) {
	v.t.Helper()
	v.open(shop + "/campaigns/new?copy=" + id)
	v.until("a copy", `document.querySelector("#name").value.endsWith("(kopia)") && !document.querySelector("#copy").getClientRects().length`)
	v.network("stuck forecast")
	v.put("day", "500")
	v.until("the forecast to be asked for", `document.querySelector("#forecast[aria-busy]")`)
	v.put("cpm", "-3")
	v.until("nobody to wait for it any more", `!document.querySelector("#forecast[aria-busy]")`)
	v.network("")
	v.put("targeting", "vistied within 30d")
	v.click("#save", "Zapisz")
	v.until("the mistakes in Polish", `/wynosić najwyżej/.test(document.querySelector("#cpm").closest(".amount").parentElement.textContent) && /nie jest warunkiem/.test(document.querySelector("#targeting-says").textContent)`)
	v.looks("editor-wrong-pl")
	v.put("targeting", "visited within 30d")
	v.put("cpm", "3")
	v.click("#save", "Zapisz") // what is not saved would hold the browser back
	v.until("the copy to be saved", `/campaigns\/\d+$/.test(location.pathname) && document.querySelector("#copy").getClientRects().length`)
}

// ownFigures is the forecast of a shop that has no pixel yet: it says what it
// knows of itself, and gets a rough idea that says it is one.
func (v *marketer) ownFigures(shop string) {
	v.t.Helper()
	v.open(shop + "/campaigns/new")
	v.put("targeting", "visited within 30d")
	v.put("cpm", "12")
	v.put("day", "100")
	v.until("to be asked for the shop's own figures", `document.querySelector("#figures")?.getClientRects().length && !document.querySelector("#forecast[aria-busy]")`)
	v.put("fig-visits", "40 000")
	v.click("#fig-do", "Estimate")
	v.until("the mistake at its field", `document.querySelector("#fig-rate[aria-invalid=true]") && !document.querySelector("#fig-visits[aria-invalid]")`)
	v.put("fig-rate", "1,2")
	v.put("fig-basket", "180")
	v.click("#fig-do", "Estimate")
	v.until("a rough idea", `/rough estimate from the shop's own figures/.test(document.querySelector("#forecast .words")?.textContent) && !document.querySelector("#figures [aria-invalid]")`)
	v.until("its revenue too", `document.querySelector("#forecast .sums").textContent.includes("Revenue")`)
	v.put("day", "200")
	v.until("the figures to stay", `document.querySelector("#fig-visits").value === "40 000" && document.querySelector("#plan").textContent.includes("6,000") && !document.querySelector("#forecast[aria-busy]")`)
	v.glance("editor-figures")
	v.put("name", "Początek") // what is not saved would hold the browser back
	v.click("#save", "Save")
	v.until("the campaign to be saved", `/campaigns\/\d+$/.test(location.pathname)`)
	v.click("#shelve", "Archive")
	v.until("it to be in the archive", `document.querySelector("#state").textContent === "archived"`)
	v.click("#shelve", "Take out of the archive")
	v.until("it to be out of it, paused", `document.querySelector("#state").textContent.startsWith("paused")`)
}

// inPolish looks at every page in the other language: what is not translated
// shows as its key.
func (v *marketer) inPolish(shop, id string) {
	v.t.Helper()
	v.open("/console/?lang=pl")
	v.until("Polish", `document.documentElement.lang === "pl" && document.querySelector("h1").textContent === "Sklepy"`)
	v.looks("shops-pl")
	v.open(shop + "/campaigns")
	v.until("Polish", `document.querySelector("h1").textContent === "Kampanie"`)
	for _, p := range append(shopPages(), "campaigns/"+id, "results?by=segment&campaign="+id) {
		v.open(shop + "/" + p)
		if p == "why" {
			v.click("#ask button.main", "Zapytaj")
			v.reported("the explanation", `document.querySelector("#answer .box.good, #answer .box.warn")`)
			var english []string // what the bidder says beside a rule, but for predicates
			v.eval(`[...document.querySelectorAll("#answer li .sub")].filter(e => !e.querySelector("code")).map(e => e.textContent).filter(s => /\b(the|are|is|of|than|whose|nobody)\b/.test(s))`, &english)
			require.Empty(v.t, english, "details of an explanation")
		}
		v.reported("no mistake", settledJS+` && !document.querySelector(".box.bad")`)
		// A key of a text, where a text should be: forecast.reach, state.running.
		var keys []string
		v.eval(`(document.body.innerText.match(/\b(nav|title|state|kind|editor|plan|forecast|check|media|ad|results|by|funnel|cap|segments|products|ads|why|reason|outcome|changes|action|alerts?|delivery|keys|scope|goal|billing|limit|compare|verdict|change|lift|source|statement|span|subject|lists)\.[a-z_.-]+[a-z]\b/g) || []).filter(k => !/\.(pl|com|example|xml)$/.test(k))`, &keys)
		require.Empty(v.t, keys, "%s shows keys in place of texts", p)
		v.looks(strings.NewReplacer("/"+id, "-one", "/", "-", "?by=segment&campaign="+id, "-segments").Replace(p) + "-pl")
	}
	v.wrongInPolish(shop, id)
	v.open(shop + "/campaigns?lang=en")
}

// shopPages are all pages of a shop that are in its menu, and the editor.
func shopPages() []string {
	return []string{"campaigns", "campaigns/new", "results", "segments", "products", "ads", "why", "changes", "alerts", "keys", "statement"}
}

// weights holds every page to 300 KB, uncompressed and with nothing cached.
func (v *marketer) weights(shop, id string) {
	v.t.Helper()
	v.cache(false)
	paths := []string{"/console/"}
	for _, p := range append(shopPages(), "campaigns/"+id, "results?by=segment&campaign="+id) {
		paths = append(paths, shop+"/"+p)
	}
	for _, p := range paths {
		v.mu.Lock()
		v.loaded = 0
		v.mu.Unlock()
		v.open(p)
		v.mu.Lock()
		n := v.loaded
		v.mu.Unlock()
		require.Less(v.t, n, int64(300_000), "bytes of %s", p)
		v.t.Logf("%s: %d bytes", p, n)
	}
	v.cache(true)
}

func (v *marketer) cache(on bool) {
	_, err := chromedp.Call(v.ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: !on})
	require.NoError(v.t, err)
}
