package creatives

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

func TestStaticBannerMarkup(t *testing.T) {
	b := testBanner(300, 250, 0)
	b.Template, b.Image = TemplateImage, `/s7/ab.png`
	b.Links = &Links{ImpURL: []byte("https://bid.example/i?t=x"), ClickURL: []byte("https://bid.example/c?t=x"), WhyURL: []byte("https://bid.example/why?t=x"), HideURL: []byte("https://bid.example/hide?t=x&in=ad"),
		ViewURL: []byte("https://bid.example/v?t=x"), ClickMacro: "${CLICK_URL}", AssetBase: "https://cdn.example/assets"}
	b.Copy.Title = `</style><script>alert("1")</script>`
	html := string(AppendBanner(nil, b))
	require.Contains(t, html, `src="https://cdn.example/assets/s7/ab.png"></a>`)
	require.Contains(t, html, `href="${CLICK_URL}https://bid.example/c?t=x"`)
	require.Contains(t, html, `data-v="https://bid.example/v?t=x"`)
	require.Equal(t, 1, strings.Count(html, "<script>"), "the beacon's only")
	require.Less(t, len(html), 3_600, "with a picture of 150,000 bytes the first load is below 150 KiB")

	b.Image = "javascript:alert(1)"
	require.NotContains(t, string(AppendBanner(nil, b)), "javascript:")
	require.Zero(t, testing.AllocsPerRun(100, func() { buf = AppendBanner(buf[:0], b) }))
}

var buf []byte

func TestFormsAndVersions(t *testing.T) {
	names := func(cr *campaigns.Creative) (out []string) {
		for _, f := range Forms(7, cr) {
			out = append(out, f.Template.String())
		}
		return out
	}
	box := []campaigns.Size{{W: 300, H: 250}}
	strip := []campaigns.Size{{W: 320, H: 50}}
	asset := strings.Repeat("ab", 32)
	for _, c := range []struct {
		name string
		cr   campaigns.Creative
		want []string
	}{
		{"auto", campaigns.Creative{Media: "banner", Sizes: box}, []string{"grid", "single", "logo"}},
		{"auto with room for one", campaigns.Creative{Media: "banner", Sizes: strip}, []string{"single", "logo"}},
		{"carousel", campaigns.Creative{Media: "banner", Sizes: box, Template: "carousel"}, []string{"carousel", "single", "logo"}},
		{"single", campaigns.Creative{Media: "banner", Sizes: box, Template: "single"}, []string{"single", "logo"}},
		{"logo", campaigns.Creative{Media: "banner", Sizes: box, Template: "logo"}, []string{"logo"}},
		{"picture", campaigns.Creative{Media: "banner", Sizes: box, Asset: asset, Image: &campaigns.Image{Path: "/a.png"}}, []string{"image"}},
		{"native", campaigns.Creative{Media: "native"}, []string{"auto"}},
		{"video", campaigns.Creative{Media: "video", Video: &campaigns.Video{W: 640, H: 360}}, []string{"auto"}},
	} {
		require.Equal(t, c.want, names(&c.cr), c.name)
	}
	a := campaigns.Creative{ID: 1, Media: "banner", Sizes: box, Asset: asset, Image: &campaigns.Image{Path: "/s7/x.png"}}
	moved := a
	moved.ID, moved.Image = 2, &campaigns.Image{Path: "/elsewhere.png"}
	require.Equal(t, Forms(7, &a)[0].CRID, Forms(7, &moved)[0].CRID, "the same file, wherever it is served and whichever campaign shows it")
	require.NotEqual(t, Forms(7, &a)[0].CRID, Forms(8, &a)[0].CRID)
	other := a
	other.Asset = strings.Repeat("ab", 31) + "cd" // the crid names its beginning only, the version all of it
	require.NotEqual(t, Forms(7, &a)[0].CRID, Forms(7, &other)[0].CRID)
	require.NotEqual(t, PreviewKey("a", "x"), PreviewKey("b", "x"))
}
