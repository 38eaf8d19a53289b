package world

import (
	"fmt"
	"strings"
)

// siteSkew is how unequal sites are: by what campaigns name, and by traffic.
const siteSkew = 1.45

// Everybody knows the first few sites and apps: so much of the traffic is
// theirs, and so many campaigns want them.
const (
	hot      = 3
	hotShare = 0.03
	wanted   = 330.0
)

// site is the domain of a site by its rank.
func (w *World) site(i int) string { return fmt.Sprintf("site%d.example", i) }

// bundle is an app by its rank.
func (w *World) bundle(i int) string { return fmt.Sprintf("com.app%d.example", i) }

func town(i int) string { return fmt.Sprintf("Town %d", i) }

// word is a word that people look for; letters only.
func (w *World) word(i int) string {
	const consonants, vowels = "bcdfghklmnprstvz", "aeiou"
	var b strings.Builder
	for n := i + 80; n > 0; n /= 80 {
		b.WriteByte(consonants[n%80/5])
		b.WriteByte(vowels[n%5])
	}
	return b.String()
}

// foreign are countries beside the home market.
var foreign = []string{"DE", "AT", "FR", "CZ", "US", "IT", "ES", "GB", "SE"}

var foreign3 = map[string]string{"DE": "DEU", "AT": "AUT", "FR": "FRA", "CZ": "CZE", "US": "USA", "IT": "ITA", "ES": "ESP", "GB": "GBR", "SE": "SWE"}

// machine is a device as requests describe it.
type machine struct {
	ua, os, osv, make, model string
	kind, w, h               int
}

var browsers = []machine{
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", "Windows", "10", "", "", 2, 1920, 1080},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.%d Safari/605.1.15", "macOS", "15.1", "Apple", "Mac", 2, 2560, 1440},
	{"Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Mobile Safari/537.36", "Android", "15", "Google", "Pixel 8", 4, 412, 915},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.%d Mobile/15E148 Safari/604.1", "iOS", "18.5", "Apple", "iPhone", 4, 393, 852},
	{"Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", "Android", "14", "Samsung", "SM-X710", 5, 800, 1280},
}

var phones = []machine{
	{"Mozilla/5.0 (Linux; Android 15; Pixel 8 Build/AP%d) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36", "Android", "15", "Google", "Pixel 8", 4, 412, 915},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", "iOS", "18.5", "Apple", "iPhone16,2", 4, 430, 932},
}

// iabOf are a site's or an app's categories, the same at every visit.
func (w *World) iabOf(i int) []string {
	d := w.draw(ofSite, i)
	top := 1 + d.IntN(24)
	return []string{fmt.Sprintf("IAB%d", top), fmt.Sprintf("IAB%d-%d", top, 1+d.IntN(9))}
}

// page writes site or app into a request, and returns its rank.
func (w *World) page(d *drawer, req m, u *user) {
	i := d.popular(w.sites, siteSkew)
	if d.chance(hotShare) {
		i = d.IntN(hot)
	}
	publisher := m{"id": fmt.Sprintf("pub-%d", i), "name": fmt.Sprintf("Publisher %d", i), "domain": fmt.Sprintf("publisher%d.example", i)}
	var keywords []string
	for range d.IntN(6) {
		keywords = append(keywords, w.word(d.popular(w.words, 2)))
	}
	at := m{"id": fmt.Sprintf("p-%d", i), "name": fmt.Sprintf("Place %d", i), "cat": w.iabOf(i), "publisher": publisher, "privacypolicy": 1}
	if len(keywords) > 0 {
		at["keywords"] = strings.Join(keywords, ",")
	}
	at["content"] = m{"language": one(d, "pl", "pl", "en"), "title": "How to choose a " + w.word(d.IntN(w.words)), "livestream": 0}
	if u.ifa != "" {
		at["bundle"], at["ver"], at["paid"] = w.bundle(i), "3.2.1", 0
		at["storeurl"] = "https://store.example/apps/details?id=" + w.bundle(i)
		req["app"] = at
		return
	}
	domain := w.site(i)
	at["domain"] = domain
	at["page"] = fmt.Sprintf("https://www.%s/%s/2026/11/%d-an-article-of-usual-length.html?utm_source=x", domain, one(d, "news", "sport", "forum", "home"), 1000+d.IntN(90000))
	at["ref"] = "https://search.example/?q=" + w.word(d.IntN(w.words))
	at["mobile"] = d.IntN(2)
	if d.chance(0.05) {
		at["search"] = w.word(d.popular(w.words, 2))
	}
	req["site"] = at
}
