package creatives

import "strconv"

// Template is the plan of a banner.
type Template uint8

// Templates of a banner.
const (
	TemplateAuto     Template = iota // by the size and by how many products there are
	TemplateGrid                     // several products
	TemplateSingle                   // one product, large
	TemplateLogo                     // the shop alone
	TemplateCarousel                 // several products, one after the other, each as large as a single one
	TemplateImage                    // a finished picture that the shop has uploaded
)

// TemplateVersion is part of every crid: it moves when the markup changes, so
// that exchanges look at the creative again.
const TemplateVersion = 2

// String is the template's name in configuration, reports and crids.
func (t Template) String() string {
	return [...]string{"auto", "grid", "single", "logo", "carousel", "image", "", ""}[t&7]
}

// ParseTemplate reads a name; an empty or unknown one is TemplateAuto and
// false when unknown.
func ParseTemplate(s string) (Template, bool) {
	switch s {
	case "", "auto":
		return TemplateAuto, true
	case "grid":
		return TemplateGrid, true
	case "single":
		return TemplateSingle, true
	case "logo":
		return TemplateLogo, true
	case "carousel":
		return TemplateCarousel, true
	}
	return TemplateAuto, false
}

// Pick is the template that a banner of w × h shows with that many products
// when want was asked for. It is what crid and rendering agree on.
func Pick(want Template, w, h, products int) Template {
	switch {
	case want == TemplateImage:
		return TemplateImage
	case products <= 0 || want == TemplateLogo || w <= 0 || h <= 0:
		return TemplateLogo
	case want == TemplateSingle || products == 1 || Slots(w, h) == 1:
		return TemplateSingle
	case want == TemplateCarousel && turns(familyOf(w, h)):
		return TemplateCarousel
	}
	return TemplateGrid
}

// turns tells whether a shape has room for a carousel.
func turns(f family) bool { return f != strip && f != leader }

// MaxTurns bounds the products of a carousel: each is seen for three seconds,
// twice, and an ad is to stand still after half a minute.
const MaxTurns = 5

// family is a shape of banner: each has its own arrangement.
type family uint8

const (
	box       family = iota // 300x250: header, row of cards, button
	tower                   // 160x600: cards stacked
	half                    // 300x600: cards two by two
	leader                  // 728x90: cards in a line, picture beside text
	strip                   // 320x50: one line
	billboard               // 970x250: brand panel, cards in a line
)

func familyOf(w, h int) family {
	switch {
	case h < 70:
		return strip
	case h < 140 && w >= 2*h:
		return leader
	case w >= 2*h:
		return billboard
	case h >= 400 && w < 220:
		return tower
	case h >= 400:
		return half
	}
	return box
}

// Slots is how many products a grid of w × h holds: ask the choice for so many.
func Slots(w, h int) int {
	cols, rows := cells(w, h)
	return min(cols*rows, MaxProducts)
}

// MaxProducts bounds the products of one banner.
const MaxProducts = 8

func cells(w, h int) (cols, rows int) {
	switch familyOf(w, h) {
	case strip:
		return clamp((w-120)/150, 1, 4), 1
	case leader:
		return clamp((w-230)/150, 1, 4), 1
	case billboard:
		return clamp((w-220)/150, 1, 5), 1
	case tower:
		return 1, clamp((h-90)/155, 1, 4)
	case half:
		return clamp(w/140, 2, 4), clamp((h-130)/200, 1, 4)
	}
	return clamp(w/95, 1, 4), 1
}

func clamp(v, lo, hi int) int { return max(lo, min(v, hi)) }

// AppendCRID appends a creative id that is stable for a creative, template,
// size and version: exchanges approve by it, so it must not change with the
// products shown.
func AppendCRID(dst []byte, shop, creative uint32, version int64, t Template, w, h int) []byte {
	dst = strconv.AppendUint(append(dst, 's'), uint64(shop), 10)
	dst = strconv.AppendUint(append(dst, "-c"...), uint64(creative), 10)
	dst = append(append(dst, '-'), t.String()...)
	return appendCRIDEnd(dst, version, w, h)
}

// appendCRIDEnd appends size, version and the markup's version.
func appendCRIDEnd(dst []byte, version int64, w, h int) []byte {
	dst = strconv.AppendInt(append(dst, '-'), int64(w), 10)
	dst = strconv.AppendInt(append(dst, 'x'), int64(h), 10)
	dst = strconv.AppendInt(append(dst, "-v"...), version, 10)
	return strconv.AppendInt(append(dst, '.'), TemplateVersion, 10)
}
