package certify

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/grosz/grosz/bench/check"
)

// calls are the URLs that a bid asks an exchange, a browser or a player to
// call, with their macros still in them.
type calls struct {
	win, billing, loss string
	impressions        []string
	clicks             []string
}

var (
	imageSource = regexp.MustCompile(`(?is)<img\s[^>]*?src\s*=\s*(?:"([^"]*)"|'([^']*)')`)
	anchor      = regexp.MustCompile(`(?is)<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')`)
)

// maxURLs bounds what is read from one ad's markup.
const maxURLs = 64

func attributes(re *regexp.Regexp, adm string) []string {
	var out []string
	for _, found := range re.FindAllStringSubmatch(adm, maxURLs) {
		out = append(out, html.UnescapeString(found[1]+found[2]))
	}
	return out
}

// callsOf reads a bid. Only URLs on hosts of the bidder's own are kept: a
// certification calls nobody else.
func callsOf(b check.Bid, ours map[string]bool) (calls, error) {
	c := calls{win: b.NURL, billing: b.BURL, loss: b.LURL}
	var err error
	switch b.MType {
	case 1:
		for _, u := range attributes(imageSource, b.AdM) {
			if strings.Contains(u, "${AUCTION_") {
				c.impressions = append(c.impressions, u)
			}
		}
		c.clicks = attributes(anchor, b.AdM)
	case 2:
		err = c.vast(b.AdM)
	case 4:
		err = c.native(b.AdM)
	}
	for _, u := range []*string{&c.win, &c.billing, &c.loss} {
		if !onHost(*u, ours) {
			*u = ""
		}
	}
	c.impressions, c.clicks = keep(c.impressions, ours), keep(c.clicks, ours)
	return c, err
}

func keep(in []string, ours map[string]bool) []string {
	var out []string
	for _, u := range in {
		if u = strings.TrimSpace(u); onHost(u, ours) {
			out = append(out, u)
		}
	}
	return out
}

// onHost tells whether a URL is on one of the hosts. Macros are no part of a
// valid URL's host, and "${" none of its path, so it is cut by hand.
func onHost(raw string, ours map[string]bool) bool {
	rest, ok := strings.CutPrefix(raw, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(raw, "http://"); !ok {
			return false
		}
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return ours[rest]
}

// hostOf is the host and port of an absolute http(s) URL.
func hostOf(raw string) string {
	_, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

func (c *calls) vast(adm string) error {
	var v struct {
		Impressions []string `xml:"Ad>InLine>Impression"`
		Through     []string `xml:"Ad>InLine>Creatives>Creative>Linear>VideoClicks>ClickThrough"`
	}
	if err := xml.Unmarshal([]byte(adm), &v); err != nil {
		return fmt.Errorf("VAST: %w", err)
	}
	c.impressions, c.clicks = v.Impressions, v.Through
	return nil
}

func (c *calls) native(adm string) error {
	type body struct {
		Link struct {
			URL string `json:"url"`
		} `json:"link"`
		Trackers []string `json:"imptrackers"`
		Events   []struct {
			Event  int    `json:"event"`
			Method int    `json:"method"`
			URL    string `json:"url"`
		} `json:"eventtrackers"`
	}
	var w struct {
		body
		Native *body `json:"native"`
	}
	if err := json.Unmarshal([]byte(adm), &w); err != nil {
		return fmt.Errorf("native: %w", err)
	}
	n := w.body
	if w.Native != nil {
		n = *w.Native
	}
	c.impressions, c.clicks = n.Trackers, []string{n.Link.URL}
	for _, e := range n.Events {
		if e.Event == 1 && e.Method == 1 && len(c.impressions) == 0 {
			c.impressions = append(c.impressions, e.URL)
		}
	}
	return nil
}

// fill replaces the macros of § 4.4.
func fill(raw string, b check.Bid, requestID, price string) string {
	return strings.NewReplacer(
		"${AUCTION_ID}", requestID, "${AUCTION_BID_ID}", b.ID, "${AUCTION_IMP_ID}", b.ImpID, "${AUCTION_SEAT_ID}", b.Seat,
		"${AUCTION_AD_ID}", b.AdID, "${AUCTION_PRICE}", price, "${AUCTION_CURRENCY}", "", "${AUCTION_MBR}", "",
		"${AUCTION_LOSS}", "102", "${AUCTION_MIN_TO_WIN}", price, "${AUCTION_MULTIPLIER}", "1", "${AUCTION_IMP_TS}", "1790000000000",
	).Replace(raw)
}
