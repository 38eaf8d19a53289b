package sim

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
)

// tracked is what a browser or player would fetch from markup.
type tracked struct {
	impressions []string
	clicks      []string // of video and native the first leads to the landing page
}

var (
	imgSrc = regexp.MustCompile(`(?is)<img\s[^>]*?src\s*=\s*(?:"([^"]*)"|'([^']*)')`)
	aHref  = regexp.MustCompile(`(?is)<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>(.*?)</a>`)
)

// readMarkup finds the URLs in markup of the media type, macros replaced.
func readMarkup(media, adm string) (tracked, error) {
	switch media {
	case "video":
		return readVAST(adm)
	case "native":
		return readNative(adm)
	}
	return tracked{impressions: attributes(imgSrc, adm), clicks: links(adm)}, nil
}

func attributes(re *regexp.Regexp, adm string) []string {
	var out []string
	for _, m := range re.FindAllStringSubmatch(adm, 64) {
		out = append(out, html.UnescapeString(m[1]+m[2]))
	}
	return out
}

// links lists the links by how much is inside them, most first: people click
// what is large.
func links(adm string) []string {
	found := aHref.FindAllStringSubmatch(adm, 64)
	slices.SortStableFunc(found, func(a, b []string) int { return len(b[3]) - len(a[3]) })
	var out []string
	for _, m := range found {
		out = append(out, html.UnescapeString(m[1]+m[2]))
	}
	return out
}

func readVAST(adm string) (tracked, error) {
	var v struct {
		InLine struct {
			Impressions []string `xml:"Impression"`
			Creatives   []struct {
				Through []string `xml:"Linear>VideoClicks>ClickThrough"`
				Track   []string `xml:"Linear>VideoClicks>ClickTracking"`
			} `xml:"Creatives>Creative"`
		} `xml:"Ad>InLine"`
	}
	if err := xml.Unmarshal([]byte(adm), &v); err != nil {
		return tracked{}, fmt.Errorf("VAST: %w", err)
	}
	var t tracked
	t.impressions = trimmed(v.InLine.Impressions)
	for _, c := range v.InLine.Creatives {
		t.clicks = append(t.clicks, trimmed(c.Through)...)
		t.clicks = append(t.clicks, trimmed(c.Track)...)
	}
	return t, nil
}

func trimmed(list []string) []string {
	var out []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func readNative(adm string) (tracked, error) {
	type link struct {
		URL      string   `json:"url"`
		Trackers []string `json:"clicktrackers"`
	}
	type native struct {
		Link        link     `json:"link"`
		ImpTrackers []string `json:"imptrackers"`
		Events      []struct {
			Event  int    `json:"event"`
			Method int    `json:"method"`
			URL    string `json:"url"`
		} `json:"eventtrackers"`
	}
	var w struct {
		native
		Native *native `json:"native"`
	}
	if err := json.Unmarshal([]byte(adm), &w); err != nil {
		return tracked{}, fmt.Errorf("native: %w", err)
	}
	n := w.native
	if w.Native != nil {
		n = *w.Native
	}
	t := tracked{impressions: n.ImpTrackers, clicks: append([]string{n.Link.URL}, n.Link.Trackers...)}
	for _, e := range n.Events {
		if e.Event == 1 && e.Method == 1 {
			t.impressions = append(t.impressions, e.URL)
		}
	}
	return t, nil
}
