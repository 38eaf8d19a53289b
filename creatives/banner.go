package creatives

import (
	"strconv"

	"github.com/grosz/grosz/campaigns"
)

// Banner is what one HTML5 banner shows. Its strings may come from a shop
// unchecked.
type Banner struct {
	// W and H are in CSS pixels.
	W, H     int
	Template Template
	Links    *Links
	Brand    Brand
	Copy     Copy
	// Products in the order of their worth; those without room are left out.
	Products []Choice
	// Image is the address of the uploaded picture that TemplateImage shows.
	Image string
	// Accent is the colour of button and panel, 0xRRGGBB; 0 picks one of a
	// palette by the shop's name.
	Accent uint32
}

// limits of what is worth sending; the style sheet cuts what is visible.
const (
	maxTitle    = 90
	maxBrand    = 40
	maxHeadline = 60
	maxBody     = 140
	maxCTA      = 24
)

// AppendBanner appends a self-contained HTML document of the banner: no
// external script, style or font, one inline script when Links.ViewURL is
// set, impression by pixel.
func AppendBanner(dst []byte, b *Banner) []byte {
	r := render{b: b, l: b.Links, w: wordsOf(b.Copy.Lang)}
	if r.l == nil {
		r.l = &noLinks
	}
	r.fam = familyOf(b.W, b.H)
	t := Pick(b.Template, b.W, b.H, len(b.Products))
	if t == TemplateImage {
		return r.static(dst)
	}
	dst = r.head(dst, t)
	switch t {
	case TemplateGrid:
		dst = r.grid(dst)
	case TemplateSingle:
		dst = r.single(dst)
	case TemplateCarousel:
		dst = r.carousel(dst)
	default:
		dst = r.logo(dst)
	}
	return r.tail(dst)
}

var noLinks Links

// render is one banner being written.
type render struct {
	b   *Banner
	l   *Links
	w   *words
	fam family
	// deals: there is room to say what a discount is against.
	deals bool
	// Where in the buffer the escaped shop-level click URL stands, to copy it
	// from there for every further link.
	clickAt, clickEnd int
}

// palette holds accents that white text reads well on (contrast of at least
// 4.5 to 1).
var palette = [...]uint32{0x0b5cad, 0x6a3fb5, 0x0f766e, 0xb4235a, 0xb3420f, 0x1f6f3a, 0x334155, 0x9b2c2c}

func accentOf(b *Banner) uint32 {
	if b.Accent != 0 {
		return b.Accent & 0xffffff
	}
	h := uint32(2166136261) // FNV-1a: the same shop always has the same colour
	for i := 0; i < len(b.Brand.Name); i++ {
		h = (h ^ uint32(b.Brand.Name[i])) * 16777619
	}
	return palette[h%uint32(len(palette))]
}

// begin begins the document, with a style sheet to be continued.
func (r *render) begin(dst []byte, css string) []byte {
	dst = append(dst, `<!doctype html><html lang="`...)
	dst = append(dst, r.w.lang...)
	dst = append(dst, `"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>`...)
	dst = append(dst, r.w.ad...)
	dst = append(dst, `</title><style>`...)
	return append(dst, css...)
}

func (r *render) head(dst []byte, t Template) []byte {
	dst = r.begin(dst, cssBase)
	if b := r.b; t == TemplateCarousel {
		dst = append(append(dst, styles[TemplateSingle-TemplateGrid][r.fam]...), cssCarousel...)
		dst = append(dst, turnStyles[min(len(b.Products), MaxTurns)]...)
	} else {
		dst = append(dst, styles[t-TemplateGrid][r.fam]...)
	}
	if len(r.l.HideURL) > 0 {
		dst = append(append(dst, cssHide...), hideStyles[r.fam]...)
	}
	r.deals = r.fam == half || r.fam == tower || r.fam == billboard || r.fam == box && t != TemplateGrid && r.b.H >= 200
	dst = r.box(dst)
	dst = append(dst, `;--a:#`...)
	dst = appendColor(dst, accentOf(r.b))
	if t == TemplateGrid {
		dst = r.gridVars(dst)
	}
	return r.boxed(dst)
}

// box ends the style sheet and opens the ad's element up to its height; boxed
// ends the opening.
func (r *render) box(dst []byte) []byte {
	b := r.b
	dst = append(dst, `</style></head><body><div class="gz" style="width:`...)
	dst = strconv.AppendInt(dst, int64(b.W), 10)
	dst = append(dst, `px;height:`...)
	dst = strconv.AppendInt(dst, int64(b.H), 10)
	return append(dst, `px`...)
}

func (r *render) boxed(dst []byte) []byte {
	if len(r.l.ViewURL) > 0 {
		dst = append(dst, `" data-v="`...)
		dst = appendAttr(dst, view(r.l.ViewURL))
	}
	return append(dst, `">`...)
}

// gridVars hands the style sheet the columns and the sizes that depend on the
// numbers.
func (r *render) gridVars(dst []byte) []byte {
	cols, rows := cells(r.b.W, r.b.H)
	n := min(len(r.b.Products), cols*rows, MaxProducts)
	if r.fam == half && n <= 2 {
		cols = 1
	}
	dst = append(dst, `;--n:`...)
	dst = strconv.AppendInt(dst, int64(min(cols, n)), 10)
	if r.b.W < 240 || r.b.H < 240 && r.fam == box {
		dst = append(dst, `;--s:10px`...)
	}
	return dst
}

func appendColor(dst []byte, c uint32) []byte {
	const hex = "0123456789abcdef"
	for shift := 20; shift >= 0; shift -= 4 {
		dst = append(dst, hex[c>>shift&15])
	}
	return dst
}

// tail ends the document: disclosure, impression pixel, viewability beacon.
func (r *render) tail(dst []byte) []byte {
	dst = r.hide(dst)
	if len(r.l.WhyURL) > 0 {
		dst = append(dst, `<a class="w" target="_blank" rel="noopener nofollow" title="`...)
		dst = append(dst, r.w.why...)
		dst = append(dst, `" href="`...)
		dst = append(appendAttr(dst, view(r.l.WhyURL)), `">`...)
		dst = append(dst, r.w.ad...)
		dst = append(dst, `<i>i</i></a>`...)
	} else {
		dst = append(dst, `<span class="w">`...)
		dst = append(append(dst, r.w.ad...), `</span>`...)
	}
	if len(r.l.ImpURL) > 0 {
		dst = append(dst, `<img class="x" width="1" height="1" alt="" src="`...)
		dst = append(appendAttr(dst, view(r.l.ImpURL)), `">`...)
	}
	dst = append(dst, `</div>`...)
	if len(r.l.ViewURL) > 0 {
		dst = append(dst, viewScript...)
	}
	return append(dst, `</body></html>`...)
}

// link opens an anchor of a class to a product, or to the shop.
func (r *render) link(dst []byte, class, product string) []byte {
	dst = append(dst, `<a class="`...)
	dst = append(dst, class...)
	dst = append(dst, `" target="_blank" rel="noopener nofollow sponsored" href="`...)
	if r.clickEnd == 0 {
		at := len(dst)
		dst = r.l.appendClick(dst, "", true)
		r.clickAt, r.clickEnd = at, len(dst)
	} else {
		dst = append(dst, dst[r.clickAt:r.clickEnd]...)
	}
	if product != "" {
		if r.l.ClickMacro != "" && r.l.ClickEncode {
			dst = appendPercentTwice(append(dst, "%26p%3D"...), product)
		} else {
			dst = appendPercent(append(dst, "&amp;p="...), product)
		}
	}
	return append(dst, `">`...)
}

// image appends a picture, or the first letter of its text on a tint where
// there is none that may be loaded.
func (r *render) image(dst []byte, class, url, alt string) []byte {
	at := len(dst)
	dst = append(dst, `<span class="`...)
	dst = append(append(dst, class...), `"><img src="`...)
	out, ok := r.l.appendAsset(dst, url, true)
	if ok {
		out = append(out, `" alt="`...)
		out = appendText(out, alt, maxTitle, html)
		return append(out, `"></span>`...)
	}
	dst = append(append(dst[:at], `<span class="`...), class...)
	dst = append(dst, ` e">`...)
	return append(appendText(dst, initial(alt), 0, html), `</span>`...)
}

// picture is a product's picture, with its discount on it where there is one
// that may be shown.
func (r *render) picture(dst []byte, p *campaigns.Product) []byte {
	dst = r.image(dst, "i", p.ImageURL, p.Title)
	if off := p.Discount(); off > 0 && r.deals {
		dst = append(dst[:len(dst)-len(`</span>`)], `<em>-`...)
		dst = append(strconv.AppendInt(dst, int64(off), 10), `%</em></span>`...)
	}
	return dst
}

// initial is the first character of a text.
func initial(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}

// brand appends the shop's logo, or its name.
func (r *render) brand(dst []byte) []byte {
	if r.b.Brand.LogoURL != "" {
		at := len(dst)
		dst = append(dst, `<img src="`...)
		out, ok := r.l.appendAsset(dst, r.b.Brand.LogoURL, true)
		if ok {
			out = append(out, `" alt="`...)
			out = appendText(out, r.b.Brand.Name, maxBrand, html)
			return append(out, `">`...)
		}
		dst = dst[:at]
	}
	return appendText(dst, r.b.Brand.Name, maxBrand, html)
}

func (r *render) cta(dst []byte) []byte {
	if r.b.Copy.CTA == "" {
		return append(dst, r.w.cta...)
	}
	return appendText(dst, r.b.Copy.CTA, maxCTA, html)
}

// words of a product: title and price.
func (r *render) words(dst []byte, p *campaigns.Product) []byte {
	dst = append(dst, `<span class="d"><span class="t">`...)
	dst = appendText(dst, p.Title, maxTitle, html)
	dst = append(dst, `</span>`...)
	if p.Price > 0 {
		dst = append(dst, `<b>`...)
		dst = append(AppendPrice(dst, p.Price, p.Currency), `</b>`...)
	}
	if off := p.Discount(); off > 0 && r.deals {
		// The lowest price is named as what it is: the law asks for it.
		dst = append(append(append(dst, `<span class="r">`...), r.w.lowest...), `<s>`...)
		dst = append(AppendPrice(dst, p.Lowest30, p.Currency), `</s></span>`...)
	}
	return append(dst, `</span>`...)
}

func (r *render) header(dst []byte) []byte {
	dst = r.link(dst, "h", "")
	dst = append(dst, `<span class="l">`...)
	dst = append(r.brand(dst), `</span>`...)
	if r.b.Copy.Title != "" && (r.fam == half || r.fam == billboard) {
		dst = append(dst, `<span class="k">`...)
		dst = append(appendText(dst, r.b.Copy.Title, maxHeadline, html), `</span>`...)
	}
	return append(dst, `</a>`...)
}

func (r *render) grid(dst []byte) []byte {
	dst = r.header(dst)
	dst = append(dst, `<div class="g">`...)
	for i := range min(len(r.b.Products), Slots(r.b.W, r.b.H)) {
		p := r.b.Products[i].Product
		dst = r.link(dst, "p", p.ID)
		dst = r.picture(dst, p)
		dst = append(r.words(dst, p), `</a>`...)
	}
	dst = append(dst, `</div>`...)
	dst = r.link(dst, "b", "")
	dst = append(dst, `<span>`...)
	return append(r.cta(dst), `</span></a>`...)
}

func (r *render) single(dst []byte) []byte {
	return r.large(r.header(dst), "p", r.b.Products[0].Product)
}

// carousel writes the products over one another; the style sheet shows them
// in turn, without a script.
func (r *render) carousel(dst []byte) []byte {
	dst = append(r.header(dst), `<div class="y">`...)
	for i := range min(len(r.b.Products), MaxTurns) {
		dst = r.large(dst, turnClass[i], r.b.Products[i].Product)
	}
	return append(dst, `</div>`...)
}

var turnClass = [MaxTurns]string{"p y0", "p y1", "p y2", "p y3", "p y4"}

// large is one product, as large as the banner allows.
func (r *render) large(dst []byte, class string, p *campaigns.Product) []byte {
	dst = r.link(dst, class, p.ID)
	dst = r.picture(dst, p)
	dst = append(dst, `<span class="c">`...)
	if p.Brand != "" && r.fam != strip {
		dst = append(dst, `<span class="m">`...)
		dst = append(appendText(dst, p.Brand, maxBrand, html), `</span>`...)
	}
	dst = r.words(dst, p)
	dst = append(dst, `<span class="b"><span>`...)
	return append(r.cta(dst), `</span></span></span></a>`...)
}

func (r *render) logo(dst []byte) []byte {
	b := r.b
	dst = r.link(dst, "p", "")
	if b.Copy.ImageURL != "" {
		at := len(dst)
		dst = append(dst, `<span class="i"><img alt="" src="`...)
		if out, ok := r.l.appendAsset(dst, b.Copy.ImageURL, true); ok {
			dst = append(out, `"></span>`...)
		} else {
			dst = dst[:at]
		}
	}
	dst = append(dst, `<span class="c"><span class="l">`...)
	dst = append(r.brand(dst), `</span>`...)
	dst = append(dst, `<span class="k">`...)
	if b.Copy.Title != "" {
		dst = appendText(dst, b.Copy.Title, maxHeadline, html)
	} else {
		dst = append(dst, r.w.headline...)
	}
	dst = append(dst, `</span>`...)
	if b.Copy.Body != "" && (r.fam == box || r.fam == half || r.fam == billboard || r.fam == tower) {
		dst = append(dst, `<span class="o">`...)
		dst = append(appendText(dst, b.Copy.Body, maxBody, html), `</span>`...)
	}
	dst = append(dst, `</span><span class="b"><span>`...)
	return append(r.cta(dst), `</span></span></a>`...)
}
