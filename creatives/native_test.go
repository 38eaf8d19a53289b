package creatives

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/grosz/grosz/campaigns"
	"github.com/stretchr/testify/require"
)

// nativeResponse is the part of OpenRTB Native § 5 that is read back.
type nativeResponse struct {
	Ver    string `json:"ver"`
	Assets []struct {
		ID    int64 `json:"id"`
		Title *struct {
			Text string `json:"text"`
		} `json:"title"`
		Img *struct {
			Type, W, H int
			URL        string
		} `json:"img"`
		Data *struct {
			Type  int
			Value string
		} `json:"data"`
		Video *struct {
			VASTTag string `json:"vasttag"`
		} `json:"video"`
	} `json:"assets"`
	Link struct {
		URL           string   `json:"url"`
		ClickTrackers []string `json:"clicktrackers"`
	} `json:"link"`
	ImpTrackers   []string `json:"imptrackers"`
	EventTrackers []struct {
		Event, Method int
		URL           string
	} `json:"eventtrackers"`
	Privacy string `json:"privacy"`
}

func testNative() *Native {
	return &Native{
		Version: 12, EventImage: true, EventView: true, Privacy: true,
		Assets: []NativeAsset{
			{ID: 1, Kind: AssetTitle, Required: true, MaxLen: 25},
			{ID: 2, Kind: AssetImage, Required: true, ImgType: ImageMain, WMin: 600, HMin: 314},
			{ID: 3, Kind: AssetImage, ImgType: ImageIcon, W: 80, H: 80},
			{ID: 4, Kind: AssetData, Required: true, DataType: DataSponsored, MaxLen: 25},
			{ID: 5, Kind: AssetData, DataType: DataDesc, MaxLen: 90},
			{ID: 6, Kind: AssetData, DataType: DataPrice},
			{ID: 7, Kind: AssetData, DataType: DataCTAText, MaxLen: 15},
			{ID: 8, Kind: AssetData, DataType: DataDisplayURL},
			{ID: 9, Kind: AssetData, DataType: DataDesc2},
			{ID: 10, Kind: AssetData, DataType: 3}, // a rating: not known, not required
			{ID: 11, Kind: AssetData, DataType: DataSalePrice},
		},
		Links: testLinks(), Brand: Brand{Name: "Dom & Ogród", Domain: "meble.example", LogoURL: "https://meble.example/logo.png"},
		Copy: Copy{Body: "Dostawa gratis", Lang: "pl"}, Product: products()[0],
	}
}

func renderNative(t *testing.T, n *Native) nativeResponse {
	t.Helper()
	out, why, id := AppendNative(nil, n)
	require.Equal(t, RefusedNone, why, "%s, asset %d", why, id)
	var got nativeResponse
	if n.Wrap {
		var w struct{ Native nativeResponse }
		require.NoError(t, json.Unmarshal(out, &w), "%s", out)
		got = w.Native
	} else {
		require.NoError(t, json.Unmarshal(out, &got), "%s", out)
	}
	return got
}

func TestNativeAnswersEveryAsset(t *testing.T) {
	n := testNative()
	got := renderNative(t, n)
	require.Equal(t, "1.2", got.Ver)
	ids := map[int64]int{}
	for i, a := range got.Assets {
		ids[a.ID] = i
	}
	require.Len(t, ids, 9, "rating and sale price are left out")
	a := func(id int64) int { return ids[id] }
	require.Equal(t, "Sofa trzyosobowa Nordvik…", got.Assets[a(1)].Title.Text)
	require.Equal(t, 25, utf8.RuneCountInString(got.Assets[a(1)].Title.Text))
	require.Equal(t, n.Product.ImageURL, got.Assets[a(2)].Img.URL)
	require.Equal(t, 600, got.Assets[a(2)].Img.W)
	require.Equal(t, 314, got.Assets[a(2)].Img.H)
	require.Equal(t, "https://meble.example/logo.png", got.Assets[a(3)].Img.URL)
	require.Equal(t, "Dom & Ogród", got.Assets[a(4)].Data.Value)
	require.Equal(t, "Dostawa gratis", got.Assets[a(5)].Data.Value)
	require.Equal(t, "2\u00a0499\u00a0zł", got.Assets[a(6)].Data.Value)
	require.Equal(t, "Sprawdź", got.Assets[a(7)].Data.Value)
	require.Equal(t, "meble.example", got.Assets[a(8)].Data.Value)
	require.Equal(t, "Nordvik", got.Assets[a(9)].Data.Value)
	require.Equal(t, string(n.Links.ClickURL)+"&p=sofa-1", got.Link.URL)
	require.Equal(t, []string{string(n.Links.ImpURL)}, got.ImpTrackers)
	require.Len(t, got.EventTrackers, 2)
	require.Equal(t, string(n.Links.ImpURL), got.EventTrackers[0].URL)
	require.Equal(t, string(n.Links.WhyURL), got.Privacy)
	out, _, _ := AppendNative(nil, n)
	golden(t, "native/full.json", out)
}

func TestNativeVersions(t *testing.T) {
	tests := map[string]struct {
		version int
		wrap    bool
		ver     string
	}{
		"1.0-wrapped": {10, true, "1.0"},
		"1.1":         {11, false, "1.1"},
		"1.1-wrapped": {11, true, "1.1"},
		"1.2":         {12, false, "1.2"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			n := testNative()
			n.Version, n.Wrap = tc.version, tc.wrap
			n.Links.ClickTrackers = [][]byte{[]byte("https://t.example/c?a=1"), []byte("https://t.example/d")}
			got := renderNative(t, n)
			require.Equal(t, tc.ver, got.Ver)
			require.Len(t, got.ImpTrackers, 1)
			require.Len(t, got.Link.ClickTrackers, 2)
			require.Equal(t, tc.version >= 12, len(got.EventTrackers) > 0)
			out, _, _ := AppendNative(nil, n)
			golden(t, "native/"+name+".json", out)
		})
	}
}

func TestNativeRefusals(t *testing.T) {
	one := func(a NativeAsset) []NativeAsset { a.ID, a.Required = 77, true; return []NativeAsset{a} }
	tests := map[string]struct {
		change func(*Native)
		want   Refusal
		id     int64
	}{
		"video without one": {func(n *Native) { n.Assets = one(NativeAsset{Kind: AssetVideo}) }, RefusedVideo, 77},
		"video too long": {func(n *Native) {
			n.Video = testVAST(VAST30)
			n.Assets = one(NativeAsset{Kind: AssetVideo, MaxDurationMS: 10_000})
		}, RefusedVideoLength, 77},
		"rating":                {func(n *Native) { n.Assets = one(NativeAsset{Kind: AssetData, DataType: 3}) }, RefusedData, 77},
		"custom data":           {func(n *Native) { n.Assets = one(NativeAsset{Kind: AssetData, DataType: 501}) }, RefusedData, 77},
		"price without product": {func(n *Native) { n.Product = nil; n.Assets = one(NativeAsset{Kind: AssetData, DataType: DataPrice}) }, RefusedData, 77},
		"price that is cut":     {func(n *Native) { n.Assets = one(NativeAsset{Kind: AssetData, DataType: DataPrice, MaxLen: 3}) }, RefusedData, 77},
		"image too small":       {func(n *Native) { n.ImageW, n.ImageH = 400, 400 }, RefusedImageSize, 2},
		"no image":              {func(n *Native) { n.Product = nil }, RefusedImage, 2},
		"image not https":       {func(n *Native) { p := *n.Product; p.ImageURL = "javascript:x"; n.Product = &p }, RefusedImage, 2},
		"image of another type": {func(n *Native) { n.Assets[1].Required, n.Assets[1].MIMEs = true, []string{"image/png"} }, RefusedImageType, 2},
		"no text":               {func(n *Native) { n.Product, n.Brand = nil, Brand{} }, RefusedTitle, 1},
		"unknown kind":          {func(n *Native) { n.Assets = one(NativeAsset{}) }, RefusedKind, 77},
		"no assets":             {func(n *Native) { n.Assets = nil }, RefusedNoAssets, 0},
		"nothing to answer":     {func(n *Native) { n.Assets = []NativeAsset{{ID: 1, Kind: AssetData, DataType: 4}} }, RefusedNoAssets, 0},
		"no click":              {func(n *Native) { n.Links.ClickURL = nil }, RefusedClick, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			n := testNative()
			tc.change(n)
			out, why, id := AppendNative([]byte("kept"), n)
			require.Equal(t, tc.want.String(), why.String())
			require.Equal(t, tc.id, id)
			require.Equal(t, "kept", string(out))
		})
	}
}

func TestNativeWithoutProductShowsTheShop(t *testing.T) {
	n := testNative()
	n.Product = nil
	n.Copy.Title, n.Copy.ImageURL = "Wielka wyprzedaż", "https://meble.example/hero.jpg"
	got := renderNative(t, n)
	require.Equal(t, "Wielka wyprzedaż", got.Assets[0].Title.Text)
	require.Equal(t, "https://meble.example/hero.jpg", got.Assets[1].Img.URL)
	require.Equal(t, string(n.Links.ClickURL), got.Link.URL)
}

func TestNativeVideo(t *testing.T) {
	n := testNative()
	n.Video = testVAST(VAST40)
	n.Assets = []NativeAsset{{ID: 4, Kind: AssetVideo, Required: true, MinDurationMS: 5000, MaxDurationMS: 15_000}}
	got := renderNative(t, n)
	checkVAST(t, []byte(got.Assets[0].Video.VASTTag), n.Video)
}

func TestNativeHostile(t *testing.T) {
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) { checkNative(t, s, 25) })
	}
}

func checkNative(t *testing.T, s string, limit int) {
	t.Helper()
	n := testNative()
	n.Assets[0].MaxLen = limit
	n.Brand, n.Copy = Brand{Name: s, Domain: s, LogoURL: s}, Copy{Body: s, CTA: s, Lang: s}
	n.Product = &campaigns.Product{ID: s, Title: s, Brand: s, Category: s, ImageURL: "https://x.example/" + s, Price: 1, Currency: pln}
	out, why, _ := AppendNative(nil, n)
	if why != RefusedNone {
		return
	}
	require.True(t, utf8.Valid(out))
	var got nativeResponse
	require.NoError(t, json.Unmarshal(out, &got), "%s", out)
	for _, a := range got.Assets {
		if a.Title != nil && limit > 0 {
			require.LessOrEqual(t, utf8.RuneCountInString(a.Title.Text), limit)
		}
		if a.Img != nil {
			require.Regexp(t, "^https://", a.Img.URL)
		}
	}
}

func FuzzNative(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 25)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) { checkNative(t, s, limit&63) })
}

func TestNativeAllocs(t *testing.T) {
	n := testNative()
	n.Video = testVAST(VAST42)
	n.Assets = append(n.Assets, NativeAsset{ID: 20, Kind: AssetVideo, Required: true})
	dst, why, _ := AppendNative(nil, n)
	require.Equal(t, RefusedNone, why)
	require.Zero(t, testing.AllocsPerRun(100, func() { dst, _, _ = AppendNative(dst[:0], n) }))
}

func BenchmarkNative(b *testing.B) {
	n := testNative()
	dst, _, _ := AppendNative(nil, n)
	want := len(dst)
	b.ReportAllocs()
	for b.Loop() {
		dst, _, _ = AppendNative(dst[:0], n)
	}
	if len(dst) != want {
		b.Fatal("the response changed")
	}
}
