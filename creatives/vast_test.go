package creatives

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/grosz/grosz/campaigns"
	"github.com/stretchr/testify/require"
)

func testVAST(v VASTVersion) *VAST {
	return &VAST{
		Version: v, AdID: []byte("s7-c12"), ServingID: []byte("0c8a7e3e5f4b4c1d9a2b3c4d5e6f7a8b"), CreativeID: []byte("s7-c12-v3.1"),
		Links: testLinks(), Brand: Brand{Name: "Dom & Ogród", Domain: "meble.example"}, Copy: Copy{Title: "Nowa kolekcja", Lang: "pl"},
		Video:   &campaigns.Video{URL: "/demo/spot15.mp4", MIME: "video/mp4", DurationMS: 15_000, W: 640, H: 360, BitrateKbps: 28, SkipAfterMS: 5000},
		Product: products()[1], Companion: testBanner(300, 250, 3),
	}
}

var versions = []VASTVersion{VAST20, VAST30, VAST40, VAST41, VAST42, VAST43}

// order is the sequence of children that the schemas of VAST prescribe for
// the elements that are written; 4.x of the public XSD differs from 2 and 3.
var order = map[bool]map[string][]string{
	false: {
		"VAST": {"Ad"}, "Ad": {"InLine"},
		"InLine":    {"AdSystem", "AdTitle", "Advertiser", "Error", "Impression", "Creatives"},
		"Creatives": {"Creative"}, "Creative": {"Linear", "CompanionAds"},
		"Linear":      {"Duration", "TrackingEvents", "VideoClicks", "MediaFiles"},
		"VideoClicks": {"ClickThrough", "ClickTracking"},
		"MediaFiles":  {"MediaFile"}, "TrackingEvents": {"Tracking"},
		"CompanionAds": {"Companion"},
		"Companion":    {"StaticResource", "HTMLResource", "CompanionClickThrough", "AltText"},
	},
	true: {
		"VAST": {"Ad"}, "Ad": {"InLine"},
		"InLine":             {"AdSystem", "Error", "Impression", "ViewableImpression", "AdServingId", "AdTitle", "Advertiser", "Creatives"},
		"ViewableImpression": {"Viewable"},
		"Creatives":          {"Creative"}, "Creative": {"CompanionAds", "Linear", "UniversalAdId"},
		"Linear":      {"TrackingEvents", "Duration", "MediaFiles", "VideoClicks"},
		"VideoClicks": {"ClickTracking", "ClickThrough"},
		"MediaFiles":  {"MediaFile"}, "TrackingEvents": {"Tracking"},
		"CompanionAds": {"Companion"},
		"Companion":    {"HTMLResource", "StaticResource", "AltText", "CompanionClickThrough"},
	},
}

// required children and attributes of an element.
var requiredChildren = map[string][]string{
	"VAST": {"Ad"}, "Ad": {"InLine"}, "InLine": {"AdSystem", "AdTitle", "Impression", "Creatives"},
	"Creatives": {"Creative"}, "Linear": {"Duration", "MediaFiles"}, "MediaFiles": {"MediaFile"}, "VideoClicks": {"ClickThrough"},
}
var requiredAttrs = map[string][]string{
	"VAST": {"version"}, "MediaFile": {"delivery", "type", "width", "height"}, "Companion": {"width", "height"},
	"Tracking": {"event"}, "StaticResource": {"creativeType"}, "UniversalAdId": {"idRegistry"},
}

type element struct {
	name     string
	attrs    map[string]string
	children []*element
	text     string
}

func (e *element) find(path ...string) []*element {
	if len(path) == 0 {
		return []*element{e}
	}
	var out []*element
	for _, c := range e.children {
		if c.name == path[0] {
			out = append(out, c.find(path[1:]...)...)
		}
	}
	return out
}

func parseXML(t *testing.T, doc []byte) *element {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(doc))
	root := &element{}
	stack := []*element{root}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err, "%s", doc)
		switch tok := tok.(type) {
		case xml.StartElement:
			e := &element{name: tok.Name.Local, attrs: map[string]string{}}
			for _, a := range tok.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			top := stack[len(stack)-1]
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			stack[len(stack)-1].text += string(tok)
		case xml.Comment, xml.Directive:
			t.Errorf("comment or directive in %s", doc)
		}
	}
	require.Len(t, root.children, 1)
	return root.children[0]
}

// checkVAST holds a document against the structure that its version's schema
// prescribes.
func checkVAST(t *testing.T, doc []byte, v *VAST) *element {
	t.Helper()
	root := parseXML(t, doc)
	require.Equal(t, "VAST", root.name)
	require.Equal(t, v.Version.String(), root.attrs["version"])
	four := v.Version >= VAST40
	var check func(*element)
	check = func(e *element) {
		allowed := order[four][e.name]
		at := 0
		for _, c := range e.children {
			i := slices.Index(allowed, c.name)
			require.GreaterOrEqual(t, i, 0, "<%s> in <%s> of VAST %s", c.name, e.name, v.Version)
			require.GreaterOrEqual(t, i, at, "<%s> comes too late in <%s> of VAST %s", c.name, e.name, v.Version)
			at = i
			check(c)
		}
		for _, name := range requiredChildren[e.name] {
			require.NotEmpty(t, e.find(name), "<%s> without <%s>", e.name, name)
		}
		for _, name := range requiredAttrs[e.name] {
			require.NotEmpty(t, e.attrs[name], "<%s> without %s", e.name, name)
		}
		if e.name == "Creative" && four {
			require.Len(t, e.find("UniversalAdId"), 1)
		}
		if e.name == "Companion" && !four {
			require.Len(t, append(e.find("HTMLResource"), e.find("StaticResource")...), 1, "one resource in each companion of VAST 3")
		}
	}
	check(root)
	require.Equal(t, v.Version >= VAST41, len(root.find("Ad", "InLine", "AdServingId")) == 1)
	for _, u := range root.find("Ad", "InLine", "Creatives", "Creative", "UniversalAdId") {
		require.Equal(t, v.Version == VAST40, u.attrs["idValue"] != "", "idValue is of 4.0 alone")
	}
	return root
}

func TestVASTVersions(t *testing.T) {
	for _, ver := range versions {
		t.Run(ver.String(), func(t *testing.T) {
			v := testVAST(ver)
			v.Links.ClickTrackers = [][]byte{[]byte("https://t.example/c?x=[TIMESTAMP]")}
			doc, why := AppendVAST(nil, v)
			require.Equal(t, VASTRefusedNone, why)
			require.NotContains(t, string(doc), "http://")
			root := checkVAST(t, doc, v)
			inline := root.find("Ad", "InLine")[0]
			require.Equal(t, "Grosz", inline.find("AdSystem")[0].text)
			require.Equal(t, string(v.Links.ImpURL), inline.find("Impression")[0].text)
			require.Equal(t, string(v.Links.ErrorURL)+"&code=[ERRORCODE]", inline.find("Error")[0].text)
			linear := inline.find("Creatives", "Creative", "Linear")[0]
			require.Equal(t, "00:00:15", linear.find("Duration")[0].text)
			require.Equal(t, ver >= VAST30, linear.attrs["skipoffset"] == "00:00:05")
			file := linear.find("MediaFiles", "MediaFile")[0]
			require.Equal(t, "https://dsp.example/assets/demo/spot15.mp4", file.text)
			require.Equal(t, "progressive", file.attrs["delivery"])
			require.Equal(t, string(v.Links.ClickURL)+"&p=fotel%202%2F%C5%BC%C3%B3%C5%82ty", linear.find("VideoClicks", "ClickThrough")[0].text)
			require.Equal(t, string(v.Links.ClickTrackers[0]), linear.find("VideoClicks", "ClickTracking")[0].text)
			events := []string{}
			for _, e := range linear.find("TrackingEvents", "Tracking") {
				events = append(events, e.attrs["event"])
				require.Equal(t, string(v.Links.TrackURL)+"&e="+e.attrs["event"], e.text)
			}
			require.Equal(t, []string{"start", "firstQuartile", "midpoint", "thirdQuartile", "complete"}, events)
			html := inline.find("Creatives", "Creative", "CompanionAds", "Companion", "HTMLResource")[0].text
			b, links := *v.Companion, *v.Links
			links.ImpURL, links.ViewURL = nil, nil
			b.Links = &links
			checkBanner(t, []byte(html), &b)
			require.NotContains(t, html, "https://dsp.example/i?", "the companion's impression is not the video's")
			golden(t, "vast/"+ver.String()+".xml", doc)
		})
	}
}

func TestVASTStaticCompanion(t *testing.T) {
	for _, ver := range versions {
		v := testVAST(ver)
		p := *v.Companion.Products[0].Product
		p.ImageURL = "http://img.meble.example/sofa.JPEG?w=1&h=2"
		v.Companion.Products[0].Product = &p
		doc, why := AppendVAST(nil, v)
		require.Equal(t, VASTRefusedNone, why)
		companions := checkVAST(t, doc, v).find("Ad", "InLine", "Creatives", "Creative", "CompanionAds", "Companion")
		require.Len(t, companions, 2)
		require.Equal(t, "https://img.meble.example/sofa.JPEG?w=1&h=2", companions[1].find("StaticResource")[0].text)
		require.Equal(t, "image/jpeg", companions[1].find("StaticResource")[0].attrs["creativeType"])
		require.Equal(t, p.Title, companions[1].find("AltText")[0].text)
		require.Contains(t, companions[1].find("CompanionClickThrough")[0].text, "&p=sofa-1")
	}
}

func TestVASTOptions(t *testing.T) {
	tests := map[string]struct {
		change func(*VAST)
		want   string
		absent string
	}{
		"namespace":             {func(v *VAST) { v.Namespace = true }, `xmlns="http://www.iab.com/VAST"`, ""},
		"no namespace":          {func(*VAST) {}, `<VAST version="4.2"><Ad`, "xmlns"},
		"milliseconds":          {func(v *VAST) { v.Video.DurationMS = 3_661_045 }, `<Duration>01:01:01.045</Duration>`, ""},
		"not skippable":         {func(v *VAST) { v.Video.SkipAfterMS = 0 }, `<Linear>`, "skipoffset"},
		"skippable at its end":  {func(v *VAST) { v.Video.SkipAfterMS = 15_000 }, `<Linear>`, "skipoffset"},
		"no tracking":           {func(v *VAST) { v.Links.TrackURL = nil }, "<Duration>", "TrackingEvents"},
		"no companion":          {func(v *VAST) { v.Companion = nil }, "<Linear", "Companion"},
		"no clicks":             {func(v *VAST) { v.Links.ClickURL, v.Companion = nil, nil }, "<Linear", "VideoClicks"},
		"no creative id":        {func(v *VAST) { v.CreativeID = nil }, `<UniversalAdId idRegistry="unknown">unknown<`, ""},
		"loopback file in demo": {func(v *VAST) { v.Links.Secure, v.Links.AssetBase = false, "http://127.0.0.1:8080/assets" }, `http://127.0.0.1:8080/assets/demo/spot15.mp4`, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			v := testVAST(VAST42)
			tc.change(v)
			doc, why := AppendVAST(nil, v)
			require.Equal(t, VASTRefusedNone, why)
			require.Contains(t, string(doc), tc.want)
			if tc.absent != "" {
				require.NotContains(t, string(doc), tc.absent)
			}
			checkVAST(t, doc, v)
		})
	}
}

func TestVASTRefusals(t *testing.T) {
	tests := map[string]struct {
		change func(*VAST)
		want   VASTRefusal
	}{
		"no video":      {func(v *VAST) { v.Video = nil }, VASTRefusedFile},
		"bad url":       {func(v *VAST) { v.Video.URL = "ftp://x/y.mp4" }, VASTRefusedFile},
		"no duration":   {func(v *VAST) { v.Video.DurationMS = 0 }, VASTRefusedDuration},
		"no impression": {func(v *VAST) { v.Links.ImpURL = nil }, VASTRefusedImpression},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			v := testVAST(VAST30)
			tc.change(v)
			out, why := AppendVAST([]byte("kept"), v)
			require.Equal(t, tc.want.String(), why.String())
			require.Equal(t, "kept", string(out))
		})
	}
}

func TestPickVAST(t *testing.T) {
	tests := map[string]struct {
		protocols []int32
		want      VASTVersion
		ok        bool
	}{
		"no list":         {nil, VAST30, true},
		"2.0":             {[]int32{2}, VAST20, true},
		"2.0, 3.0":        {[]int32{2, 3, 5, 6}, VAST30, true},
		"up to 4.0":       {[]int32{2, 3, 7, 8}, VAST40, true},
		"4.1":             {[]int32{11}, VAST41, true},
		"4.2":             {[]int32{13, 14}, VAST42, true},
		"4.3, any order":  {[]int32{15, 2}, VAST43, true},
		"wrappers only":   {[]int32{4, 5, 6, 8, 12, 14, 16}, 0, false},
		"VAST 1 or DAAST": {[]int32{1, 9, 10}, 0, false},
		"unknown":         {[]int32{99, -1}, 0, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := PickVAST(tc.protocols)
			require.Equal(t, tc.ok, ok)
			require.Equal(t, tc.want, got)
		})
	}
}

func hostileVAST(s string, ver VASTVersion) *VAST {
	v := testVAST(ver)
	v.AdID, v.ServingID, v.CreativeID = []byte(s+"a"), []byte(s), []byte(s+"c")
	v.Brand, v.Copy = Brand{Name: s, Domain: s, LogoURL: s}, Copy{Title: s, Body: s, CTA: s}
	video := *v.Video
	video.MIME, video.URL = s+"m", "/"+s
	v.Video = &video
	v.Product = &campaigns.Product{ID: s, Title: s}
	v.Companion = hostileBanner(s, 3)
	return v
}

func TestVASTHostile(t *testing.T) {
	for name, s := range hostile {
		for _, ver := range versions {
			t.Run(fmt.Sprintf("%s/%s", name, ver), func(t *testing.T) {
				v := hostileVAST(s, ver)
				if doc, why := AppendVAST(nil, v); why == VASTRefusedNone {
					checkVAST(t, doc, v)
					require.NotContains(t, strings.ReplaceAll(string(doc), string(v.Links.ImpURL), ""), "${")
				}
			})
		}
	}
}

func FuzzVAST(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 2)
	}
	f.Fuzz(func(t *testing.T, s string, ver int) {
		v := hostileVAST(s, versions[((ver%6)+6)%6])
		if doc, why := AppendVAST(nil, v); why == VASTRefusedNone {
			checkVAST(t, doc, v)
		}
	})
}

func TestVASTAllocs(t *testing.T) {
	v := testVAST(VAST42)
	dst, _ := AppendVAST(nil, v)
	require.Zero(t, testing.AllocsPerRun(100, func() { dst, _ = AppendVAST(dst[:0], v) }))
}

func BenchmarkVAST(b *testing.B) {
	v := testVAST(VAST42)
	dst, _ := AppendVAST(nil, v)
	want := len(dst)
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = AppendVAST(dst[:0], v)
	}
	if len(dst) != want {
		b.Fatal("the document changed")
	}
}
