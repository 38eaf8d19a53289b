package creatives

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
	"github.com/stretchr/testify/require"
	nethtml "golang.org/x/net/html"
)

func mustCurrency(s string) money.Currency { return money.MustCurrency(s) }
func nano(v int64) money.Nano              { return money.Nano(v) }

func decodeXML(t *testing.T, doc []byte, to any) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.Strict = true
	require.NoError(t, d.Decode(to), "%s", doc)
}

func walk(n *nethtml.Node, visit func(*nethtml.Node)) {
	visit(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, visit)
	}
}

func countTags(n *nethtml.Node, tag string) (count int) {
	walk(n, func(n *nethtml.Node) {
		if n.Type == nethtml.ElementNode && n.Data == tag {
			count++
		}
	})
	return count
}

func TestBannerGolden(t *testing.T) {
	tests := map[string]*Banner{
		"grid-300x250":   testBanner(300, 250, 6),
		"grid-728x90":    testBanner(728, 90, 6),
		"grid-970x250":   testBanner(970, 250, 6),
		"single-320x50":  testBanner(320, 50, 6),
		"single-300x600": testBanner(300, 600, 1),
		"logo-160x600":   testBanner(160, 600, 0),
	}
	bare := testBanner(300, 250, 1)
	bare.Links, bare.Copy = &Links{ClickURL: []byte("https://d.example/c?t=1")}, Copy{}
	tests["single-no-calls"] = bare
	for name, b := range tests {
		t.Run(name, func(t *testing.T) { golden(t, "banner/"+name+".html", AppendBanner(nil, b)) })
	}
}

// TestBannerRules holds what every banner must have, in every size and
// template.
func TestBannerRules(t *testing.T) {
	for _, z := range sizes {
		for name, b := range variants(z.W, z.H) {
			t.Run(fmt.Sprintf("%s-%dx%d", name, z.W, z.H), func(t *testing.T) {
				doc := AppendBanner(nil, b)
				require.Less(t, len(doc), 5<<10+512*(1+len(b.Products)), "markup is to stay small")
				require.NotContains(t, string(doc), "http://")
				require.NotContains(t, string(doc), "]]>")
				checkBanner(t, doc, b)
			})
		}
	}
}

// checkBanner parses a banner as a browser does and refuses whatever could
// only have come from data.
func checkBanner(t *testing.T, doc []byte, b *Banner) {
	t.Helper()
	root, err := nethtml.Parse(bytes.NewReader(doc))
	require.NoError(t, err)
	pixels, links, hides := 0, 0, 0
	walk(root, func(n *nethtml.Node) {
		if n.Type == nethtml.DocumentNode || n.Type == nethtml.DoctypeNode {
			return
		}
		if n.Type == nethtml.CommentNode {
			t.Errorf("a comment: %q", n.Data)
		}
		if n.Type != nethtml.ElementNode {
			return
		}
		if !slices.Contains([]string{"html", "head", "body", "meta", "title", "style", "script", "div", "a", "span", "b", "i", "img", "em", "s", "form", "button"}, n.Data) {
			t.Errorf("element <%s>", n.Data)
		}
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" && n.Data != "div" {
				t.Errorf("attribute %s on <%s>", a.Key, n.Data)
			}
		}
		switch n.Data {
		case "script", "style":
			want := strings.TrimSuffix(strings.TrimPrefix(viewScript, "<script>"), "</script>")
			if n.Data == "script" && n.FirstChild.Data != want {
				t.Errorf("script %q", n.FirstChild.Data)
			}
			if len(n.Attr) > 0 {
				t.Errorf("<%s> has attributes", n.Data)
			}
		case "form":
			if attr["method"] != "post" || attr["action"] != string(b.Links.HideURL) || attr["target"] != "" {
				t.Errorf("form %v", attr)
			}
		case "button":
			hides++
			if attr["aria-label"] == "" || len(attr) != 2 {
				t.Errorf("button %v", attr)
			}
		case "a":
			links++
			if !strings.HasPrefix(attr["href"], string(b.Links.ClickURL)) && attr["href"] != string(b.Links.WhyURL) {
				t.Errorf("link to %q", attr["href"])
			}
			if attr["target"] != "_blank" || !strings.Contains(attr["rel"], "noopener") {
				t.Errorf("link without target and rel: %v", attr)
			}
		case "img":
			if _, ok := attr["alt"]; !ok {
				t.Error("picture without alt")
			}
			if attr["src"] == string(b.Links.ImpURL) {
				pixels++
			} else if !strings.HasPrefix(attr["src"], "https://") {
				t.Errorf("picture %q", attr["src"])
			}
		}
	})
	if (len(b.Links.HideURL) > 0) != (hides == 1) {
		t.Errorf("%d buttons to hide the ad", hides)
	}
	if len(b.Links.ImpURL) > 0 && pixels != 1 {
		t.Errorf("%d impression pixels", pixels)
	}
	if links < 2 {
		t.Errorf("%d links", links)
	}
}

func TestBannerLinksEachProduct(t *testing.T) {
	doc := string(AppendBanner(nil, testBanner(300, 250, 6)))
	for _, p := range []string{"&amp;p=sofa-1\"", "&amp;p=fotel%202%2F%C5%BC%C3%B3%C5%82ty\"", "&amp;p=lampa-3\""} {
		require.Contains(t, doc, p)
	}
	require.NotContains(t, doc, "stolik-4", "four products do not fit")
	require.Contains(t, doc, "p=${AUCTION_PRICE}", "the exchange's macro must survive")
}

func TestBannerHostile(t *testing.T) {
	for name, s := range hostile {
		for _, n := range []int{0, 1, 3} {
			t.Run(fmt.Sprintf("%s/%d products", name, n), func(t *testing.T) {
				b := hostileBanner(s, n)
				checkBanner(t, AppendBanner(nil, b), b)
			})
		}
	}
}

func hostileBanner(s string, n int) *Banner {
	b := testBanner(300, 250, n)
	b.Brand = Brand{Name: s, Domain: s, LogoURL: s}
	b.Copy = Copy{Title: s, Body: s, CTA: s, ImageURL: "https://x.example/" + s, Lang: s}
	for i := range b.Products {
		b.Products[i].Product = &campaigns.Product{ID: s, Title: s, Category: s, Brand: s, URL: s, ImageURL: []string{s, "https://x.example/" + s, "https://" + s}[i%3], Price: 1, Currency: pln, Available: true}
	}
	return b
}

func FuzzBanner(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 300, 250, 3)
	}
	f.Add("x", 0, -1, 0)
	f.Fuzz(func(t *testing.T, s string, w, h, n int) {
		b := hostileBanner(s, ((n%7)+7)%7)
		b.W, b.H = w%5000, h%5000
		checkBanner(t, AppendBanner(nil, b), b)
	})
}

func TestPickTemplate(t *testing.T) {
	tests := map[string]struct {
		want     Template
		w, h, n  int
		got      Template
		slotsFit int
	}{
		"several":            {TemplateAuto, 300, 250, 3, TemplateGrid, 3},
		"one":                {TemplateAuto, 300, 250, 1, TemplateSingle, 3},
		"none":               {TemplateAuto, 300, 250, 0, TemplateLogo, 3},
		"asked for one":      {TemplateSingle, 300, 250, 3, TemplateSingle, 3},
		"asked, but nothing": {TemplateGrid, 300, 250, 0, TemplateLogo, 3},
		"no room for two":    {TemplateGrid, 320, 50, 3, TemplateSingle, 1},
		"leaderboard":        {TemplateAuto, 728, 90, 4, TemplateGrid, 3},
		"half page":          {TemplateAuto, 300, 600, 4, TemplateGrid, 4},
		"a carousel":         {TemplateCarousel, 300, 250, 3, TemplateCarousel, 3},
		"no room to turn":    {TemplateCarousel, 728, 90, 3, TemplateGrid, 3},
		"one has no turn":    {TemplateCarousel, 300, 250, 1, TemplateSingle, 3},
		"no size":            {TemplateAuto, 0, 0, 4, TemplateLogo, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.got, Pick(tc.want, tc.w, tc.h, tc.n))
			require.Equal(t, tc.slotsFit, Slots(tc.w, tc.h))
		})
	}
	require.Equal(t, "s7-c12-grid-300x250-v3.2", string(AppendCRID(nil, 7, 12, 3, TemplateGrid, 300, 250)))
	for _, name := range []string{"auto", "grid", "carousel", "single", "logo"} {
		got, ok := ParseTemplate(name)
		require.True(t, ok)
		require.Equal(t, name, got.String())
	}
	_, ok := ParseTemplate("confetti")
	require.False(t, ok)
}

func TestBannerAllocs(t *testing.T) {
	for _, n := range []int{0, 1, 6} {
		b := testBanner(300, 600, n)
		dst := AppendBanner(nil, b)
		require.Zero(t, testing.AllocsPerRun(100, func() { dst = AppendBanner(dst[:0], b) }), "%d products", n)
	}
}

func BenchmarkBanner(b *testing.B) {
	for _, z := range []campaigns.Size{{W: 300, H: 250}, {W: 728, H: 90}, {W: 300, H: 600}, {W: 320, H: 50}} {
		b.Run(fmt.Sprintf("%dx%d", z.W, z.H), func(b *testing.B) {
			in := testBanner(z.W, z.H, 6)
			dst := AppendBanner(nil, in)
			want := len(dst)
			b.ReportAllocs()
			b.SetBytes(int64(want))
			for b.Loop() {
				dst = AppendBanner(dst[:0], in)
			}
			if len(dst) != want {
				b.Fatal("the banner changed")
			}
		})
	}
}

// TestDiscountsAreAgainstTheLowestPrice: nothing is called reduced but against
// the lowest price of 30 days, which is then named as that.
func TestDiscountsAreAgainstTheLowestPrice(t *testing.T) {
	const zl = money.NanoUnit
	tests := map[string]struct {
		price, list, lowest money.Nano
		w, h, n             int
		off                 string // empty: no discount is shown
	}{
		"below the lowest":            {749 * zl, 999 * zl, 899 * zl, 300, 600, 1, "-16%"},
		"rounded down":                {501 * zl, 999 * zl, 1000 * zl, 300, 600, 1, "-49%"},
		"only the shop's list price":  {749 * zl, 999 * zl, 0, 300, 600, 1, ""},
		"was cheaper in the 30 days":  {749 * zl, 999 * zl, 699 * zl, 300, 600, 1, ""},
		"as low as it was":            {749 * zl, 999 * zl, 749 * zl, 300, 600, 1, ""},
		"no room for the whole truth": {749 * zl, 999 * zl, 899 * zl, 320, 50, 1, ""},
		"nor in a crowded grid":       {749 * zl, 999 * zl, 899 * zl, 300, 250, 3, ""},
		"less than a percent":         {999 * zl, 0, 1000 * zl, 300, 600, 1, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := testBanner(tc.w, tc.h, tc.n)
			p := *b.Products[0].Product
			p.Price, p.ListPrice, p.Lowest30 = tc.price, tc.list, tc.lowest
			b.Products[0].Product = &p
			doc := string(AppendBanner(nil, b))
			if tc.off == "" {
				require.NotContains(t, doc, "<em>")
				require.NotContains(t, doc, "<s>")
				return
			}
			require.Contains(t, doc, "<em>"+tc.off+"</em>")
			require.Contains(t, doc, "Najniższa z 30 dni: <s>"+string(AppendPrice(nil, tc.lowest, pln))+"</s>")
			require.NotContains(t, doc, string(AppendPrice(nil, 999*zl, pln)), "the list price is no lowest price")
		})
	}
}
