package creatives

import (
	"hash/fnv"
	"strconv"

	"github.com/grosz/grosz/campaigns"
)

// cssStatic is the style sheet of a finished picture: all of it is the link,
// with the disclosure in its corner. Pictures taken by a camera are shown as
// their pixels lie, as their size was checked.
const cssStatic = `body{margin:0}.gz{position:relative;overflow:hidden;background:#fff}.gz .p{display:block}.gz .p img{display:block;width:100%;height:100%;image-orientation:none}` +
	`.gz .w{position:absolute;top:0;right:0;padding:0 5px;border-bottom-left-radius:6px;background:rgba(255,255,255,.92);color:#6b7687;font:9px/14px system-ui,sans-serif;text-decoration:none}.gz .w i{display:inline-block;margin-left:3px;width:9px;height:9px;border:1px solid;border-radius:50%;font:700 7px/7px Arial,sans-serif;text-align:center;vertical-align:1px}` +
	`.gz .x{position:absolute;left:0;top:0;opacity:0;pointer-events:none}`

// static writes the document of a finished picture.
func (r *render) static(dst []byte) []byte {
	b := r.b
	dst = r.begin(dst, cssStatic)
	if len(r.l.HideURL) > 0 {
		dst = append(dst, cssHide...)
	}
	dst = r.boxed(r.box(dst))
	dst = r.link(dst, "p", "")
	dst = append(dst, `<img width="`...)
	dst = strconv.AppendInt(dst, int64(b.W), 10)
	dst = append(dst, `" height="`...)
	dst = strconv.AppendInt(dst, int64(b.H), 10)
	dst = append(dst, `" alt="`...)
	alt := b.Copy.Title
	if alt == "" {
		alt = b.Brand.Name
	}
	dst = appendText(dst, alt, maxTitle, html)
	at := len(dst)
	dst = append(dst, `" src="`...)
	if out, ok := r.l.appendAsset(dst, b.Image, true); ok {
		dst = out
	} else {
		dst = dst[:at]
	}
	return r.tail(append(dst, `"></a>`...))
}

// Version changes with what a creative shows, and with nothing else:
// exchanges approve creatives by their crid.
func Version(cr *campaigns.Creative) int64 {
	h := fnv.New32a()
	for _, s := range []string{cr.Title, cr.Body, cr.CTA, cr.ImageURL, cr.Template} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	if cr.Asset != "" {
		h.Write([]byte(cr.Asset)) // the file itself, wherever it is served
	} else if cr.Video != nil {
		h.Write([]byte(cr.Video.URL))
	}
	return int64(h.Sum32())
}

// Wanted is the template that a creative asks for.
func Wanted(cr *campaigns.Creative) Template {
	if cr.Image != nil {
		return TemplateImage
	}
	t, _ := ParseTemplate(cr.Template)
	return t
}

// Possible lists the templates that a banner of w × h may come to, whatever
// products there are: what must be approved. The last ones need the fewest.
func Possible(dst []Template, want Template, w, h int) []Template {
	for _, n := range [...]int{MaxProducts, 1, 0} {
		t := Pick(want, w, h, n)
		if len(dst) == 0 || dst[len(dst)-1] != t {
			dst = append(dst, t)
		}
	}
	return dst
}

// assetDigits is how many characters of an uploaded file's id a crid names.
const assetDigits = 16

// CRIDOf appends the crid of a creative: AppendCRID's, or for an uploaded file
// one by the file, so that two campaigns that show the same have it approved
// once. version is Version's.
func CRIDOf(dst []byte, shop uint32, cr *campaigns.Creative, version int64, t Template, w, h int) []byte {
	if len(cr.Asset) < assetDigits {
		return AppendCRID(dst, shop, cr.ID, version, t, w, h)
	}
	dst = strconv.AppendUint(append(dst, 's'), uint64(shop), 10)
	dst = append(append(dst, "-a"...), cr.Asset[:assetDigits]...)
	return appendCRIDEnd(dst, version, w, h)
}
