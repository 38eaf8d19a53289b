package creatives

import (
	"strconv"

	"github.com/grosz/grosz/campaigns"
)

// AssetKind is what a native request asks for in one asset.
type AssetKind uint8

// Kinds of asset. An asset of the zero kind cannot be answered.
const (
	AssetUnknown AssetKind = iota
	AssetTitle
	AssetImage
	AssetData
	AssetVideo
)

// Image asset types (OpenRTB Native 1.2 § 7.5).
const (
	ImageIcon = 1
	ImageLogo = 2 // deprecated
	ImageMain = 3
)

// Data asset types (OpenRTB Native 1.2 § 7.4) that Grosz answers.
const (
	DataSponsored  = 1
	DataDesc       = 2
	DataPrice      = 6
	DataSalePrice  = 7
	DataDesc2      = 10
	DataDisplayURL = 11
	DataCTAText    = 12
)

// NativeAsset is one asset of a parsed native request.
type NativeAsset struct {
	ID       int64
	Kind     AssetKind
	Required bool
	MaxLen   int // of a title or data, in characters; 0 is no limit
	ImgType  int // 0 is taken for the main image
	DataType int
	// W and H are what the request wishes of an image, WMin and HMin the least
	// it takes; pixels, 0 when absent.
	W, H, WMin, HMin int
	// MIMEs are the types of images that it takes; empty means any.
	MIMEs []string
	// MinDurationMS and MaxDurationMS bound a video; 0 is no bound.
	MinDurationMS, MaxDurationMS int64
}

// Native is what one native ad shows, and for which request.
type Native struct {
	// Version of the request: 10 is 1.0, 11 is 1.1, 12 is 1.2.
	Version int
	// Wrap puts the response into {"native": …}: the rule up to 1.0, and what
	// some exchanges ask for later.
	Wrap bool
	// EventImage and EventView say that the request's eventtrackers offer
	// method 1 (image) for event 1 (impression) and event 2 (viewable, MRC
	// 50 %).
	EventImage, EventView bool
	// Privacy says that the request supports a privacy link.
	Privacy bool
	Assets  []NativeAsset

	Links *Links
	Brand Brand
	Copy  Copy
	// Product is shown where there is one; nil shows the shop by Copy.
	Product *campaigns.Product
	// ImageW and ImageH are the main image's size, 0 when not known: it is
	// then taken to satisfy the request, and its size not claimed beyond what
	// was asked.
	ImageW, ImageH int
	// Video answers video assets.
	Video *VAST

	scratch []byte
}

// Refusal says why a native request cannot be answered.
type Refusal uint8

// Refusals. RefusedNone means that there is an answer.
const (
	RefusedNone      Refusal = iota
	RefusedNoAssets          // the request asks for nothing that Grosz has
	RefusedKind              // a required asset of a kind that is not known
	RefusedTitle             // a required title, and there is no text
	RefusedImage             // a required image, and there is none
	RefusedImageSize         // a required image larger than what there is
	RefusedData              // a required data type that Grosz has not
	RefusedVideo             // a required video, and there is none
	RefusedVideoLength
	RefusedClick     // no click URL: native's link is required
	RefusedImageType // a required image of types that its URL tells not to be one of
)

// String is the refusal's name in reports.
func (r Refusal) String() string {
	return [...]string{"none", "no_assets", "asset_kind", "no_title", "no_image", "image_too_small", "no_data", "no_video", "video_length", "no_click_url", "image_type"}[r]
}

// AppendNative appends the JSON of a native response (OpenRTB Native § 5), not
// yet escaped for bid.adm. When a required asset cannot be answered, dst comes
// back as it was with the reason and that asset's id.
func AppendNative(dst []byte, n *Native) ([]byte, Refusal, int64) {
	at := len(dst)
	if n.Links == nil || len(n.Links.ClickURL) == 0 {
		return dst, RefusedClick, 0
	}
	if n.Wrap {
		dst = append(dst, `{"native":`...)
	}
	dst = append(dst, `{"ver":"`...)
	switch {
	case n.Version >= 12:
		dst = append(dst, "1.2"...)
	case n.Version == 11:
		dst = append(dst, "1.1"...)
	default:
		dst = append(dst, "1.0"...)
	}
	dst = append(dst, `","assets":[`...)
	first := len(dst)
	for i := range n.Assets {
		a := &n.Assets[i]
		mark := len(dst)
		if mark > first {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":`...)
		dst = strconv.AppendInt(dst, a.ID, 10)
		out, why := n.asset(dst, a)
		if why == RefusedNone {
			dst = append(out, '}')
			continue
		}
		if a.Required {
			return dst[:at], why, a.ID
		}
		dst = dst[:mark]
	}
	if len(dst) == first {
		return dst[:at], RefusedNoAssets, 0
	}
	dst = n.calls(append(dst, `],`...))
	if n.Wrap {
		dst = append(dst, '}')
	}
	return append(dst, '}'), RefusedNone, 0
}

func (n *Native) asset(dst []byte, a *NativeAsset) ([]byte, Refusal) {
	switch a.Kind {
	case AssetTitle:
		return n.title(dst, a)
	case AssetImage:
		return n.image(dst, a)
	case AssetData:
		return n.data(dst, a)
	case AssetVideo:
		return n.video(dst, a)
	}
	return dst, RefusedKind
}

func (n *Native) title(dst []byte, a *NativeAsset) ([]byte, Refusal) {
	text := n.Copy.Title
	if n.Product != nil && n.Product.Title != "" {
		text = n.Product.Title
	}
	if text == "" {
		text = n.Brand.Name
	}
	if text == "" {
		return dst, RefusedTitle
	}
	dst = append(dst, `,"title":{"text":"`...)
	return append(appendText(dst, text, a.MaxLen, quoted), `"}`...), RefusedNone
}

func (n *Native) image(dst []byte, a *NativeAsset) ([]byte, Refusal) {
	main := n.Copy.ImageURL
	if n.Product != nil && n.Product.ImageURL != "" {
		main = n.Product.ImageURL
	}
	url, w, h := main, n.ImageW, n.ImageH
	if (a.ImgType == ImageIcon || a.ImgType == ImageLogo) && n.Brand.LogoURL != "" {
		url, w, h = n.Brand.LogoURL, 0, 0
	}
	if w > 0 && w < a.WMin || h > 0 && h < a.HMin {
		return dst, RefusedImageSize
	}
	if !imageTaken(url, a.MIMEs) {
		return dst, RefusedImageType
	}
	out, ok := n.Links.appendAsset(append(dst, `,"img":{"url":"`...), url, false)
	if !ok {
		return dst, RefusedImage
	}
	out = append(out, '"')
	if w == 0 || h == 0 {
		// Not known: say the size it is meant to be drawn at.
		w, h = max(a.W, a.WMin), max(a.H, a.HMin)
	}
	if n.Version >= 12 && a.ImgType > 0 {
		out = strconv.AppendInt(append(out, `,"type":`...), int64(a.ImgType), 10)
	}
	if w > 0 && h > 0 {
		out = strconv.AppendInt(append(out, `,"w":`...), int64(w), 10)
		out = strconv.AppendInt(append(out, `,"h":`...), int64(h), 10)
	}
	return append(out, '}'), RefusedNone
}

func (n *Native) data(dst []byte, a *NativeAsset) ([]byte, Refusal) {
	out := append(dst, `,"data":{`...)
	if n.Version >= 12 {
		out = append(out, `"type":`...)
		out = append(strconv.AppendInt(out, int64(a.DataType), 10), ',')
	}
	out = append(out, `"value":"`...)
	mark := len(out)
	switch a.DataType {
	case DataSponsored:
		out = appendText(out, n.Brand.Name, a.MaxLen, quoted)
	case DataDesc:
		out = n.description(out, a.MaxLen)
	case DataDesc2:
		out = n.second(out, a.MaxLen)
	case DataPrice, DataSalePrice:
		// A sale price tells of a discount, which the feed does not prove: it
		// is answered only where it must be.
		if n.Product != nil && n.Product.Price > 0 && (a.DataType == DataPrice || a.Required) {
			out = AppendPrice(out, n.Product.Price, n.Product.Currency)
			if a.MaxLen > 0 && len(out)-mark > a.MaxLen && runes(out[mark:]) > a.MaxLen {
				return dst, RefusedData // half a price is a wrong price
			}
		}
	case DataDisplayURL:
		out = appendText(out, n.Brand.Domain, a.MaxLen, quoted)
	case DataCTAText:
		if n.Copy.CTA != "" {
			out = appendText(out, n.Copy.CTA, a.MaxLen, quoted)
		} else {
			out = appendText(out, wordsOf(n.Copy.Lang).cta, a.MaxLen, quoted)
		}
	}
	if len(out) == mark {
		return dst, RefusedData
	}
	return append(out, `"}`...), RefusedNone
}

// description is the creative's sentence, else what is known of the product.
func (n *Native) description(dst []byte, limit int) []byte {
	switch p := n.Product; {
	case n.Copy.Body != "":
		return appendText(dst, n.Copy.Body, limit, quoted)
	case n.Copy.Title != "":
		return appendText(dst, n.Copy.Title, limit, quoted)
	case p != nil && leaf(p.Category) != "":
		return appendText(dst, leaf(p.Category), limit, quoted)
	case p != nil && p.Brand != "":
		return appendText(dst, p.Brand, limit, quoted)
	}
	return appendText(dst, n.Brand.Name, limit, quoted)
}

func (n *Native) second(dst []byte, limit int) []byte {
	if p := n.Product; p != nil && p.Brand != "" {
		return appendText(dst, p.Brand, limit, quoted)
	}
	return appendText(dst, n.Brand.Domain, limit, quoted)
}

func runes(b []byte) (n int) {
	for range view(b) {
		n++
	}
	return n
}

func (n *Native) video(dst []byte, a *NativeAsset) ([]byte, Refusal) {
	if n.Video == nil || n.Video.Video == nil {
		return dst, RefusedVideo
	}
	ms := n.Video.Video.DurationMS
	if ms < a.MinDurationMS || a.MaxDurationMS > 0 && ms > a.MaxDurationMS {
		return dst, RefusedVideoLength
	}
	var why VASTRefusal
	if n.scratch, why = AppendVAST(n.scratch[:0], n.Video); why != VASTRefusedNone {
		return dst, RefusedVideo
	}
	dst = append(dst, `,"video":{"vasttag":"`...)
	return append(appendQuoted(dst, view(n.scratch)), `"}`...), RefusedNone
}

// calls appends the link and the trackers. imptrackers are always given;
// eventtrackers beside them where a 1.2 request offers them, because exchanges
// read the one or the other: an impression is counted once by its id.
func (n *Native) calls(dst []byte) []byte {
	l := n.Links
	id := ""
	if n.Product != nil {
		id = n.Product.ID
	}
	n.scratch = l.appendClick(n.scratch[:0], id, false)
	dst = append(dst, `"link":{"url":"`...)
	dst = append(appendQuoted(dst, view(n.scratch)), '"')
	if len(l.ClickTrackers) > 0 {
		dst = append(dst, `,"clicktrackers":[`...)
		for i, u := range l.ClickTrackers {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(append(dst, '"'), view(u)), '"')
		}
		dst = append(dst, ']')
	}
	dst = append(dst, '}')
	if len(l.ImpURL) > 0 {
		dst = append(dst, `,"imptrackers":["`...)
		dst = append(appendQuoted(dst, view(l.ImpURL)), `"]`...)
	}
	if n.Version < 12 {
		return dst
	}
	image, seen := n.EventImage && len(l.ImpURL) > 0, n.EventView && len(l.ViewURL) > 0
	if image || seen {
		dst = append(dst, `,"eventtrackers":[`...)
		if image {
			dst = append(dst, `{"event":1,"method":1,"url":"`...)
			dst = append(appendQuoted(dst, view(l.ImpURL)), `"}`...)
		}
		if image && seen {
			dst = append(dst, ',')
		}
		if seen {
			dst = append(dst, `{"event":2,"method":1,"url":"`...)
			dst = append(appendQuoted(dst, view(l.ViewURL)), `"}`...)
		}
		dst = append(dst, ']')
	}
	if n.Privacy && len(l.WhyURL) > 0 {
		dst = append(dst, `,"privacy":"`...)
		dst = append(appendQuoted(dst, view(l.WhyURL)), '"')
	}
	return dst
}
