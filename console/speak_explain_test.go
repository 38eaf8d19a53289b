package console

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestExplanationsInPolish: what a bidder says in sentences is said in the
// language asked for, and nothing else of its answer is touched.
func TestExplanationsInPolish(t *testing.T) {
	const (
		english = `{"exchange": "demo",  "reasons": [{"rule":"seat","detail":"our seat is \"7\", wseat is [\"a\" \"b\"] and 3 more, bseat is empty"}],
 "imps":[{"imp":"detail","failing":{"floor":1,"detail":2,"":3},"reasons":[],"campaigns":[
  {"name":"the pod lasts 5 seconds","price":1e-7,"failing":[
   {"rule":"targeting","detail":"empty","pos":3},{"rule":"floor","detail":"3.00 USD is below the floor of 3.20"},
   {"rule":"frequency","detail":"seen 22 times in 24 h, the cap per shop is 3"},{"rule":"new","detail":"the moon is <full>"},{"rule":"dsa"}],
   "value":{"goal":{"state":"bids","detail":"it bids"}}}]}],
 "response":{"reasons":[{"detail":"it bids"}]}} `
		polish = `{"exchange": "demo",  "reasons": [{"rule":"seat","detail":"nasze miejsce to „7”, wseat: [\"a\" \"b\"] i 3 inne, bseat: brak"}],
 "imps":[{"imp":"detail","failing":{"floor":1,"detail":2,"":3},"reasons":[],"campaigns":[
  {"name":"the pod lasts 5 seconds","price":1e-7,"failing":[
   {"rule":"targeting","detail":"empty","pos":3},{"rule":"floor","detail":"3.00 USD to mniej niż cena minimalna 3.20"},
   {"rule":"frequency","detail":"widziana 22 razy w ciągu 24 h, limit to 3, liczony na: sklep"},{"rule":"new","detail":"the moon is <full>"},{"rule":"dsa"}],
   "value":{"goal":{"state":"bids","detail":"licytuje"}}}]}],
 "response":{"reasons":[{"detail":"it bids"}]}} `
	)
	answer, status := english, 200
	bidder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, err := io.WriteString(w, answer)
		assert.NoError(t, err)
	}))
	defer bidder.Close()
	b := start(t, func(c *Config, _ *Deps) { c.Bidder = strings.TrimPrefix(bidder.URL, "http://") })
	path := "/api/v1/explain?exchange=demo"
	for lang, want := range map[string]string{"pl": polish, "en": english, "ja": english} {
		a := b.call(b.admin, "POST", path, `{}`, "Accept-Language", lang)
		require.Equal(t, 200, a.code, a.body)
		require.Equal(t, want, a.body)
		require.True(t, json.Valid([]byte(a.body)))
		require.Contains(t, a.header.Values("Vary"), "Accept-Language")
	}
	require.EqualValues(t, 1, b.s.metrics.unsaid.Get(), "what has no phrase stays as it is, and is counted")
	require.Equal(t, "pl", b.call(b.admin, "POST", path, `{}`, "Accept-Language", "pl").header.Get("Content-Language"))

	answer = english[:200]
	require.Equal(t, 503, b.call(b.admin, "POST", path, `{}`, "Accept-Language", "pl").code, "half an answer")
	answer, status = `{"detail":"no such exchange: \"demo\""}`, 404
	p := b.call(b.admin, "POST", path, `{}`, "Accept-Language", "pl").problem(t)
	require.Equal(t, "licytator tego nie ma albo jeszcze nie ma: nie ma takiej giełdy: „demo”", p.Detail)
}

// Every detail that a bidder has, as it is filled in, in Polish.
func TestDetailsInPolish(t *testing.T) {
	b := start(t, nil)
	for text, want := range map[string]string{
		`our seat is "", wseat is empty, bseat is empty`:                                "nie mamy tu miejsca (seat), wseat: brak, bseat: brak",
		`none of ["EUR" "JPY"] is taken here or has a rate`:                             `nie przyjmujemy tu żadnej z tych walut albo brak kursu: ["EUR" "JPY"]`,
		`the shop's categories are ["IAB18"], bcat is ["IAB18" "IAB25"], acat is empty`: `kategorie sklepu: ["IAB18"], bcat: ["IAB18" "IAB25"], acat: brak`,
		`the ads are in "pl", wlang allows ["en"]`:                                      `reklamy są w języku „pl”, wlang dopuszcza: ["en"]`,
		`the ads are in "", wlang allows ["en"]`:                                        `język reklam nie jest podany, wlang dopuszcza: ["en"]`,
		"the campaign has no banner":                                                    "kampania nie ma reklamy formatu: baner",
		"the campaign has no native":                                                    "kampania nie ma reklamy formatu: reklama natywna",
		"no creative takes 300x250, 2:1 ≥ 300":                                          "żadna reklama nie ma rozmiaru 300x250, 2:1 ≥ 300",
		"no creative takes 640x480 without boxing":                                      "żaden film nie ma rozmiaru 640x480 bez pasów",
		`the imp takes ["video/webm"]`:                                                  `miejsce przyjmuje: ["video/webm"]`,
		"the imp takes streams only":                                                    "miejsce przyjmuje tylko strumienie",
		"the imp wants exactly one of [15 30] seconds":                                  "miejsce wymaga dokładnie jednej z długości [15 30] s",
		"the imp wants 5 to 30 seconds":                                                 "miejsce wymaga od 5 do 30 s",
		"the imp wants 5 to 30 kbit/s":                                                  "miejsce wymaga od 5 do 30 kbit/s",
		"the pod lasts 4 seconds":                                                       "blok reklamowy trwa 4 sekundy",
		"-3ms are left of tmax 5 ms after the network":                                  "z tmax 5 ms zostaje po odliczeniu sieci -3ms",
		"seen 1 times in 24 h, the cap is 1":                                            "widziana 1 raz w ciągu 24 h, limit to 1",
		"an impression takes 0.0132 PLN, 0.005 are free":                                "wyświetlenie wymaga 0.0132 PLN, wolne jest 0.005",
		"an impression takes 0.0132 PLN, no lease of this node has as much left":        "wyświetlenie wymaga 0.0132 PLN, a węzeł nie ma tyle pod ręką",
		"its impressions cost the platform 1.50 PLN more than its clicks brought in 7 days, 1.00 are allowed": "w ciągu 7 dni wyświetlenia kosztowały platformę o 1.50 PLN więcej, niż przyniosły kliknięcia; dozwolone jest 1.00",
		"strict bids with approved creatives only, and has approved none of the campaign's that fits":         "strict licytuje tylko zatwierdzonymi reklamami, a żadnej z pasujących reklam kampanii nie zatwierdziła",
		"badv blocks buty.example":                    "badv nie dopuszcza buty.example",
		"no rate from PLN to the bid's currency":      "brak kursu z PLN na walutę stawki",
		"settlements are still being read from Kafka": "rozliczenia są jeszcze czytane z Kafki",
		"the goals allow at most 1.00 CPM here, the lowest floor seen is 2.00: raise the goal, or narrow the targeting to people who buy": "cele pozwalają tu najwyżej na 1.00 CPM, a najniższa napotkana cena minimalna to 2.00: podnieś cel albo zawęź targetowanie do osób, które kupują",
	} {
		require.Equal(t, want, b.s.speaker.line("pl", text))
	}
	require.Zero(t, b.s.metrics.unsaid.Get())
}
