package world

import (
	"fmt"
	"strings"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// Campaigns is how many campaigns there are, numbered from 0.
func (w *World) Campaigns() int { return w.cfg.Campaigns }

// Campaign draws a campaign; without ids of its own and of its creatives. Its
// budget does not end: what is measured is bidding.
func (w *World) Campaign(i int) campaigns.Campaign {
	d, shop := w.draw(ofCampaign, i), i%w.shops+1
	c := campaigns.Campaign{
		ShopID: uint32(shop), Status: campaigns.StatusActive,
		Bid:       campaigns.Bid{CPM: cpm(d.logNormal(0.8, 0.6)), MaxCPM: 40 * money.CPMUnit},
		Budget:    campaigns.Budget{Total: 1_000_000_000 * money.NanoUnit},
		Creatives: w.creatives(d, shop),
	}
	c.Kind, c.Targeting = w.targeting(d)
	c.Name = fmt.Sprintf("%s %d", c.Kind, i)
	for range d.IntN(3) {
		c.Bid.Boosts = append(c.Bid.Boosts, campaigns.Boost{When: one(d, boosts...), BPS: int64(8_000 + 1_000*d.IntN(8))})
	}
	if d.chance(0.2) {
		c.Frequency = campaigns.Frequency{Impressions: 5 + d.IntN(20), Hours: 24}
	}
	return c
}

var boosts = []string{"cart_value >= 100 USD", "viewed within 2d", `device in ("mobile")`, "hour in (18..22)", "is_buyer", `position in ("above_fold", "header")`}

// creatives are what most campaigns have: a banner of all sizes or of some, a
// native ad, and two videos of a third of them.
func (w *World) creatives(d *drawer, shop int) []campaigns.Creative {
	host := "https://cdn." + domainOfShop(shop)
	text := campaigns.Creative{
		Title: fmt.Sprintf("%s for you", lines[shop%len(lines)].name), Body: "Delivered within two days, returned for nothing.",
		CTA: one(d, "See more", "To the shop", "Buy now"), ImageURL: host + "/ad.jpg",
	}
	banner, native := text, text
	banner.Media, native.Media = campaigns.MediaBanner, campaigns.MediaNative
	if d.chance(0.3) {
		banner.Sizes = []campaigns.Size{{W: 300, H: 250}, {W: 728, H: 90}, {W: 320, H: 50}}
	}
	out := []campaigns.Creative{banner, native}
	if d.chance(0.35) {
		for _, seconds := range []int64{15, 30} {
			v := text
			v.Media = campaigns.MediaVideo
			v.Video = &campaigns.Video{
				URL: fmt.Sprintf("%s/spot%d.mp4", host, seconds), MIME: "video/mp4", DurationMS: seconds * 1000, W: 1280, H: 720,
				BitrateKbps: 1500, SkipAfterMS: int64(d.IntN(2)) * 5000,
			}
			out = append(out, v)
		}
	}
	return out
}

// targeting draws a main clause and a frame of up to nineteen others.
func (w *World) targeting(d *drawer) (kind, text string) {
	f := &frame{d: d, w: w, thorough: 0.2 + 2*d.Float64()}
	switch k := d.Float64(); {
	case k < 0.50:
		f.add("%s", w.people(d))
		f.may(0.7, "not purchased within %dd", 7*(1+d.IntN(4)))
		kind = campaigns.KindRemarketing
	case k < 0.50+onSites:
		f.add("domain in %s", w.places(d, onSites, w.site, 20+d.popular(200, 3)))
		kind = campaigns.KindInterest
	case k < 0.50+onSites+inApps:
		f.add("bundle in %s", w.places(d, inApps, w.bundle, 20+d.popular(200, 3)))
		kind = campaigns.KindInterest
	case k < 0.88:
		f.add("looking_for in %s", list(d, 4, func() string { return w.word(d.popular(w.words, 2)) }))
		kind = campaigns.KindIntent
	case k < 0.96:
		f.add("city in %s", list(d, 6, func() string { return town(d.popular(w.towns, 1.5)) }))
		kind = campaigns.KindInterest
	default: // a narrow piece of the whole
		h := d.IntN(18)
		f.add(`country in ("%s") and category in ("IAB%d-%d") and hour in (%d..%d) and os = "%s"`,
			one(d, foreign...), 1+d.IntN(25), 1+d.IntN(40), h, h+5, one(d, "android", "ios", "windows"))
		kind = campaigns.KindInterest
	}
	f.attributes()
	f.exclusions()
	return kind, strings.Join(f.clauses, " and ")
}

// people is a clause about who the shop knows.
func (w *World) people(d *drawer) string {
	return one(d,
		fmt.Sprintf("cart_value >= %d USD and abandoned within %dd", 10+10*d.IntN(20), 1+d.IntN(14)),
		fmt.Sprintf(`viewed category "%s" within 14d`, one(d, "Furniture > sofa", "Shoes > boots", "Electronics > laptop", "Toys > train", "Sport > tent")),
		fmt.Sprintf("viewed within %dd and views >= %d", 1+d.IntN(20), 1+d.IntN(6)),
		fmt.Sprintf(`searched "%s" within 7d`, w.word(d.popular(w.words, 2))),
		fmt.Sprintf("visited within %dd", 1+d.IntN(20)),
		fmt.Sprintf("orders >= %d and avg_basket > %d USD", 1+d.IntN(3), 20*d.IntN(8)),
		"in_cart and not checkout within 2d",
	)
}

// frame gathers the clauses of one expression; a thorough marketer writes
// more of them.
type frame struct {
	d        *drawer
	w        *World
	thorough float64
	clauses  []string
}

const maxClauses = 20

func (f *frame) add(format string, args ...any) {
	if len(f.clauses) < maxClauses {
		f.clauses = append(f.clauses, fmt.Sprintf(format, args...))
	}
}

func (f *frame) may(p float64, format string, args ...any) {
	if f.d.chance(p * f.thorough) {
		f.add(format, args...)
	}
}

func (f *frame) attributes() {
	d := f.d
	h := d.IntN(8)
	f.may(0.7, `country in ("PL", "DE")`)
	f.may(0.15, `device in %s`, quoted(some(d, []string{"mobile", "desktop", "tablet", "tv"}, 2, 3)))
	f.may(0.1, `os in %s`, quoted(some(d, []string{"android", "ios", "windows", "macos", "linux"}, 2, 4)))
	f.may(0.15, `media in %s`, quoted(some(d, []string{"banner", "video", "native"}, 1, 2)))
	f.may(0.3, `exchange in ("demo", "x%d", "x%d")`, d.IntN(9), d.IntN(9))
	f.may(0.25, `hour in (%d..%d)`, h, h+15)
	f.may(0.2, `weekday in (mon..%s)`, one(d, "fri", "sat", "sun"))
	f.may(0.2, `language in ("pl", "en", "de")`)
	f.may(0.1, `inventory = "%s"`, one(d, "site", "app"))
	f.may(0.05, `position in ("above_fold", "header")`)
}

// exclusions seldom exclude: they are many, and cost when they are asked.
func (f *frame) exclusions() {
	d, w := f.d, f.w
	f.may(0.6, "domain not in %s", list(d, 40, func() string { return fmt.Sprintf("bad%d.example", d.popular(3000, 2)) }))
	f.may(0.4, "category not in %s", list(d, 5, func() string { return fmt.Sprintf("IAB25-%d", 1+d.IntN(7)) }))
	f.may(0.3, `not url contains "/%s%d"`, one(d, "adult", "bet", "gossip"), d.IntN(20))
	f.may(0.3, "keyword not in %s", list(d, 6, func() string { return w.word(w.words/2 + d.IntN(w.words/2)) }))
	f.may(0.3, "bundle not in %s", list(d, 20, func() string { return fmt.Sprintf("com.bad%d.game", d.IntN(2000)) }))
	f.may(0.2, "city not in %s", list(d, 4, func() string { return town(w.towns/2 + d.IntN(w.towns/2)) }))
	f.may(0.2, `not path prefix "/%s"`, one(d, "forum", "live", "archive"))
	f.may(0.2, `not (device = "tv" and hour in (0..6))`)
	f.may(0.2, `(not inventory = "app" or not bundle = "com.bad%d.game")`, d.IntN(2000))
	f.may(0.1, "orders < %d", 20+d.IntN(10))
}

func quoted(words []string) string { return `("` + strings.Join(words, `", "`) + `")` }

// list is a quoted list of up to most drawn values.
func list(d *drawer, most int, value func() string) string {
	out := make([]string, 1+d.IntN(most))
	for i := range out {
		out[i] = value()
	}
	return quoted(out)
}

// Shares of campaigns that name sites or apps.
const (
	onSites = 0.22
	inApps  = 0.10
)

// places is a list of sites or apps. The few that everybody knows are named by
// about as many campaigns in a world of any size.
func (w *World) places(d *drawer, share float64, name func(int) string, most int) string {
	out := make([]string, 1+d.IntN(most))
	for i := range out {
		out[i] = name(d.popular(w.sites, siteSkew))
	}
	if d.chance(wanted / (share * float64(w.cfg.Campaigns))) {
		for i := range hot {
			out = append(out, name(i))
		}
	}
	return quoted(out)
}
