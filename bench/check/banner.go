package check

import (
	"regexp"
	"strings"
)

// Banner ad types (btype) and the attributes of expanding ads.
const (
	btypeTextAd     = 1
	btypeBanner     = 2
	btypeJavaScript = 3
	btypeIframe     = 4

	attrExpandFirst = 3
	attrExpandLast  = 5
)

var (
	scriptTag = regexp.MustCompile(`(?i)<script[\s>]`)
	iframeTag = regexp.MustCompile(`(?i)<iframe[\s>]`)
	imgTag    = regexp.MustCompile(`(?is)<img\s[^>]*>`)
	pixelDim  = regexp.MustCompile(`(?i)(width|height)\s*[=:]\s*["']?[01](px)?\b`)
	imgURL    = regexp.MustCompile(`(?i)src\s*=\s*["']?https?://`)
)

func (j *judge) banner(b *Bid, imp, media obj) {
	adm := strings.TrimSpace(b.AdM)
	if !strings.Contains(adm, "<") || strings.HasPrefix(adm, "{") || isVAST(adm) {
		j.add(RuleMarkup, "mtype 1, and adm is not HTML")
		return
	}
	if !hasPixel(adm) {
		j.add(RuleTracker, "no impression pixel in the markup")
	}
	if m := media.strs("mimes"); len(m) > 0 && !containsFold(m, "text/html") && !containsFold(m, "application/xhtml+xml") && !containsFold(m, "*/*") {
		j.add(RuleMIME, "HTML, and the imp takes %v", m)
	}
	j.bannerType(adm, media.ints("btype"))
	if len(media.ints("expdir")) == 0 {
		for _, a := range b.Attr {
			if a >= attrExpandFirst && a <= attrExpandLast {
				j.add(RuleExpand, "attr %d expands, and the imp gives no expdir", a)
			}
		}
	}
	j.size(b, media)
}

func hasPixel(adm string) bool {
	for _, tag := range imgTag.FindAllString(adm, -1) {
		if imgURL.MatchString(tag) && (pixelDim.MatchString(tag) || strings.Contains(tag, "${AUCTION_")) {
			return true
		}
	}
	return false
}

func (j *judge) bannerType(adm string, blocked []int64) {
	script, frame := scriptTag.MatchString(adm), iframeTag.MatchString(adm)
	kinds := []struct {
		id   int64
		is   bool
		name string
	}{
		{btypeTextAd, !script && !frame && len(imgTag.FindAllString(adm, 2)) == 0, "a text ad"},
		{btypeBanner, !script && !frame, "a plain XHTML banner"},
		{btypeJavaScript, script, "JavaScript"},
		{btypeIframe, frame, "an iframe"},
	}
	for _, k := range kinds {
		if k.is && contains(blocked, k.id) {
			j.add(RuleBType, "btype %d is blocked, and adm is %s", k.id, k.name)
		}
	}
}

// size: what format lists, what w and h say, or a ratio; with no size given
// any goes.
func (j *judge) size(b *Bid, media obj) {
	stated := false
	check := func(f obj) bool {
		if fits, known := formatFits(b, f); known {
			stated = true
			return fits
		}
		return false
	}
	if check(media) {
		return
	}
	for _, f := range media.objs("format") {
		if check(f) {
			return
		}
	}
	if inRange(b, media) {
		return
	}
	if stated {
		j.add(RuleSize, "%dx%d (ratio %d:%d) is none of the imp's sizes", b.W, b.H, b.WRatio, b.HRatio)
	}
}

// formatFits compares with one size; known is false where it states none.
func formatFits(b *Bid, f obj) (fits, known bool) {
	w, h := f.intOr("w", 0), f.intOr("h", 0)
	if w > 0 && h > 0 {
		return b.W == w && b.H == h, true
	}
	wr, hr := f.intOr("wratio", 0), f.intOr("hratio", 0)
	if wr > 0 && hr > 0 {
		ratio := b.W > 0 && b.W*hr == b.H*wr || b.W == 0 && b.WRatio > 0 && b.WRatio*hr == b.HRatio*wr
		return ratio && (b.W == 0 || b.W >= f.intOr("wmin", 0)), true
	}
	return false, false
}

// inRange reads the bounds that 2.5 had: wmin, wmax, hmin, hmax.
func inRange(b *Bid, m obj) bool {
	wmax, hmax := m.intOr("wmax", 0), m.intOr("hmax", 0)
	return wmax > 0 && hmax > 0 && b.W >= m.intOr("wmin", 1) && b.W <= wmax && b.H >= m.intOr("hmin", 1) && b.H <= hmax
}
