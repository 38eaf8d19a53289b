package campaigns

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

// market makes campaigns and requests as a busy exchange has them. Shops,
// sites and cities grow with the number of campaigns, so that a request
// concerns a few dozen of them at every size.
type market struct {
	r     *rand.Rand
	n     int
	shops int
}

func newMarket(n int) *market {
	return &market{r: rand.New(rand.NewPCG(1, uint64(n))), n: n, shops: max(n/50, 3)}
}

// popular draws a number below n, small ones more often.
func (k *market) popular(n int) int {
	f := k.r.Float64()
	return int(f * f * float64(n))
}

func (k *market) list(format string, most, universe int) string {
	values := make([]string, 1+k.r.IntN(most))
	for i := range values {
		values[i] = fmt.Sprintf(`"`+format+`"`, k.popular(universe))
	}
	return "(" + strings.Join(values, ", ") + ")"
}

func (k *market) some(p float64, clause string, args ...any) string {
	if k.r.Float64() >= p {
		return ""
	}
	return " and " + fmt.Sprintf(clause, args...)
}

func quotedList(all []string, n int) string {
	return `("` + strings.Join(all[:n], `", "`) + `")`
}

// frame is the clauses that any campaign may have beside its main one.
func (k *market) frame() string {
	devices := []string{"mobile", "desktop", "tablet", "tv"}
	systems := []string{"android", "ios", "windows", "macos", "linux"}
	media := []string{"banner", "video", "native"}
	for _, l := range [][]string{devices, systems, media} {
		k.r.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
	}
	h := k.r.IntN(12)
	return k.some(0.8, `country in ("PL")`) +
		k.some(0.3, `device in %s`, quotedList(devices, 1+k.r.IntN(3))) +
		k.some(0.2, `os in %s`, quotedList(systems, 1+k.r.IntN(4))) +
		k.some(0.2, `media in %s`, quotedList(media, 1+k.r.IntN(2))) +
		k.some(0.2, `exchange in %s`, k.list("x%d", 8, 12)) +
		k.some(0.3, `hour in (%d..%d)`, h, h+11) +
		k.some(0.3, `weekday in (mon..%s)`, []string{"fri", "sat", "sun"}[k.r.IntN(3)]) +
		k.some(0.2, `language in ("pl", "en")`) +
		k.some(0.3, `inventory = "site"`) +
		k.some(0.1, `position in ("above_fold", "header")`) +
		k.some(0.5, `domain not in %s`, k.list("bad%d.example", 40, 3000)) +
		k.some(0.3, `category not in %s`, k.list("IAB25-%d", 4, 7)) +
		k.some(0.2, `not url contains "/adult%d"`, k.r.IntN(20)) +
		k.some(0.1, `not (device = "tv" and hour in (0..6))`)
}

func (k *market) targeting() string {
	frame := k.frame()
	switch d := k.r.IntN(10); {
	case d < 5: // people of the shop
		main := []string{
			fmt.Sprintf("cart_value >= %d PLN and abandoned within %dd", 50*k.r.IntN(20), 1+k.r.IntN(14)),
			fmt.Sprintf(`viewed category "c%d" within 14d`, k.r.IntN(30)),
			fmt.Sprintf("viewed within %dd and views >= %d", 1+k.r.IntN(30), k.r.IntN(9)),
			fmt.Sprintf(`searched "w%d" within 2d`, k.r.IntN(100)),
			fmt.Sprintf("visited within %dd", 1+k.r.IntN(30)),
			fmt.Sprintf("orders > %d and avg_basket > %d PLN", k.r.IntN(4), 100*k.r.IntN(5)),
		}
		return main[k.r.IntN(len(main))] + " and not purchased within 30d" + frame
	case d < 7:
		return "domain in " + k.list("site%d.example", 60, k.n/2) + frame
	case d < 8:
		or := ""
		if k.r.IntN(10) == 0 {
			or = fmt.Sprintf(` or search contains "w%d w%d"`, k.r.IntN(k.n), k.r.IntN(k.n))
		}
		return fmt.Sprintf(`(looking_for in %s%s)`, k.list("w%d", 3, k.n), or) + frame
	case d < 9:
		return `city in ` + k.list("city %d", 5, k.n) + frame
	}
	h := k.r.IntN(18) // the rest of the world, narrowly
	return fmt.Sprintf(`country in ("%s") and exchange in %s and language = "%s" and device = "%s" and hour in (%d..%d) and category not in ("IAB7")`,
		[]string{"DE", "AT", "FR", "PL", "CZ", "US", "IT", "ES", "GB", "SE"}[k.r.IntN(10)], k.list("x%d", 2, 12),
		[]string{"pl", "en", "de", "fr", "it"}[k.r.IntN(5)], []string{"mobile", "desktop", "tv"}[k.r.IntN(3)], h, h+5) + frame
}

func (k *market) input() Input {
	var in Input
	for id := range k.shops {
		in.Shops = append(in.Shops, testShop(uint32(id+1)))
	}
	for id := range k.n {
		in.Campaigns = append(in.Campaigns, campaign(uint32(id+1), uint32(id%k.shops+1), k.targeting()))
	}
	return in
}

func (k *market) facts() *Facts {
	one := func(list ...string) string { return list[k.r.IntN(len(list))] }
	f := &Facts{
		NowMS:    nowMS + k.r.Int64N(7*86400_000),
		Exchange: fmt.Sprintf("x%d", k.popular(12)), Media: one(MediaBanner, MediaBanner, MediaVideo, MediaNative), Inventory: one("site", "app"),
		Domain:   fmt.Sprintf("www.site%d.example", k.popular(k.n/2)),
		Language: one("pl", "pl", "en"), Country: one("POL", "POL", "POL", "DEU"), City: fmt.Sprintf("City %d", k.popular(k.n)),
		Device: one("mobile", "desktop", "tablet"), OS: one("Android", "iOS", "Windows"), Position: one("", "above_fold"),
	}
	f.URL = "https://" + f.Domain + "/news/2026/11/an-article-of-usual-length.html?utm_source=x"
	if k.r.IntN(10) == 0 {
		f.Search = fmt.Sprintf("w%d w%d", k.r.IntN(k.n), k.r.IntN(k.n))
		f.AddText(f.Search)
	}
	f.AddCategory("IAB12")
	f.AddCategory("IAB12-3")
	for range 4 {
		f.AddKeyword(fmt.Sprintf("w%d", k.popular(k.n)))
	}
	shops := map[uint32]bool{}
	for len(shops) < min(k.r.IntN(12), k.shops) {
		shops[uint32(1+k.r.IntN(k.shops))] = true
	}
	for id := range shops {
		f.Profiles = append(f.Profiles, segments.ShopProfile{Shop: id, Profile: k.profile(f.NowMS / 1000)})
	}
	slices.SortFunc(f.Profiles, func(a, b segments.ShopProfile) int { return int(a.Shop) - int(b.Shop) })
	return f
}

func (k *market) profile(now int64) (p segments.Profile) {
	ago := func() uint32 { return uint32(now - k.r.Int64N(20*86400)) }
	p.Last, p.LastView, p.Visits, p.Views = ago(), ago(), 3, uint32(k.r.IntN(12))
	for i := range p.Categories {
		p.Categories[i], p.CategoryAt[i] = segments.CategoryHash(fmt.Sprint("c", k.r.IntN(30))), ago()
	}
	if k.r.IntN(3) == 0 {
		p.LastCart, p.Cart[0], p.CartQty[0] = ago(), 7, 1
		p.CartValue = money.Nano(k.r.IntN(1000)) * money.NanoUnit
	}
	return p
}

func marketOf(tb testing.TB, n int) (*Snapshot, []*Facts, *Matcher, int) {
	k := newMarket(n)
	s := compiled(tb, k.input())
	m := NewMatcher()
	facts := make([]*Facts, 512)
	counts := make([]int, len(facts))
	for i := range facts {
		facts[i] = k.facts()
		counts[i] = len(s.Match(facts[i], m))
	}
	slices.Sort(counts)
	return s, facts, m, counts[len(counts)/2]
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, facts, m, median := marketOf(b, n)
			b.ReportAllocs()
			b.ResetTimer()
			found, rounds := 0, 0
			best := make([]time.Duration, len(facts)) // per request: shows through a busy machine
			for b.Loop() {
				i := rounds % len(facts)
				start := time.Now()
				found += len(s.Match(facts[i], m))
				if d := time.Since(start); rounds < len(facts) || d < best[i] {
					best[i] = d
				}
				rounds++
			}
			slices.Sort(best)
			if found == 0 {
				b.Fatal("nothing ever matches")
			}
			b.ReportMetric(float64(median), "median-matches")
			b.ReportMetric(float64(found)/float64(rounds), "mean-matches")
			b.ReportMetric(float64(best[len(best)/2].Nanoseconds()), "median-best-ns")
			b.ReportMetric(float64(best[len(best)*95/100].Nanoseconds()), "p95-best-ns")
		})
	}
}

// After the change of one campaign everything else is reused.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		in := newMarket(n).input()
		if n == 10_000 {
			in.Buckets = feed(1, 100_000, 1)
		}
		b.Run(fmt.Sprint("first/", n), func(b *testing.B) {
			for b.Loop() {
				compiled(b, in)
			}
		})
		b.Run(fmt.Sprint("changed/", n), func(b *testing.B) {
			c := NewCompiler()
			c.Compile(in)
			i := 0
			for b.Loop() {
				i++
				doc := *in.Campaigns[i%n]
				doc.Version++
				doc.Targeting += fmt.Sprintf(` and domain not in ("new%d.example")`, i)
				in.Campaigns[i%n] = &doc
				if _, problems := c.Compile(in); len(problems) > 0 {
					b.Fatal(problems)
				}
			}
		})
	}
}

func feed(shop uint32, products, version int) []*ProductBucket {
	const size = 250
	n := (products + size - 1) / size
	out := make([]*ProductBucket, n)
	for i := range out {
		out[i] = &ProductBucket{ShopID: shop, Feed: int64(version), Bucket: i, Buckets: n}
	}
	for i := range products {
		b := out[i%n]
		b.Items = append(b.Items, Product{
			ID: fmt.Sprint("p", i), Title: fmt.Sprintf("Grey sofa model %d with %d cushions", i, i%7), Category: fmt.Sprintf("Furniture > Sofas > Line %d", i%50),
			Brand: fmt.Sprint("Brand ", i%300), Price: money.Nano(i+1) * money.NanoUnit, Available: i%10 != 0,
		})
	}
	return out
}

func TestMatchAllocations(t *testing.T) {
	s, facts, m, median := marketOf(t, 2_000)
	if median == 0 {
		t.Fatal("the median request matches nothing")
	}
	f := &Facts{Profiles: make([]segments.ShopProfile, 0, 8)}
	i := 0
	n := testing.AllocsPerRun(1000, func() {
		src := facts[i%len(facts)]
		i++
		profiles := append(f.Profiles[:0], src.Profiles...)
		f.Reset()
		f.NowMS, f.Exchange, f.Media, f.Domain, f.URL, f.Country, f.City = src.NowMS, src.Exchange, src.Media, src.Domain, src.URL, src.Country, "Żary"
		f.Device, f.OS, f.Language, f.Search = src.Device, "iPhone OS 17 something very long indeed", "pl-PL", "Corner SOFA w1 w2"
		f.Profiles = profiles
		f.AddKeywords("w1,w2, Łóżko drewniane")
		f.AddText("some longer text about Żółte sofy")
		f.AddCategory("IAB1-2")
		for _, c := range s.Match(f, m) {
			s.BidCPM(c, m)
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations per request", n)
	}
}

func TestCompileIsFast(t *testing.T) {
	in := newMarket(10_000).input()
	in.Buckets = feed(1, 100_000, 1)
	c := NewCompiler()
	start := time.Now()
	c.Compile(in)
	first := time.Since(start)
	doc := *in.Campaigns[5]
	doc.Targeting = "known"
	in.Campaigns[5] = &doc
	start = time.Now()
	s, _ := c.Compile(in)
	t.Logf("first %v, after one change %v", first, time.Since(start))
	if got := s.Campaigns[5].Targeting; got != "known" {
		t.Fatal(got)
	}
}
