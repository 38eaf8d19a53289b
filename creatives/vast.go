package creatives

import (
	"strconv"
	"strings"

	"github.com/grosz/grosz/campaigns"
)

// VAST is what one inline video ad shows.
type VAST struct {
	Version VASTVersion
	// Namespace writes VAST 4's xmlns. It is off by default: the name begins
	// with http://, and blunt scanners for insecure content refuse it, while
	// players do not look.
	Namespace bool
	// AdID names the ad, ServingID this serving of it (4.1 and later; the bid
	// id), CreativeID the file (4.x UniversalAdId).
	AdID, ServingID, CreativeID []byte
	Links                       *Links
	Brand                       Brand
	Copy                        Copy
	Video                       *campaigns.Video
	// Product, when there is one, is where a click on the video leads.
	Product *campaigns.Product
	// Companion is the personal part: a banner beside the video. Its own
	// impression pixel and beacon are left out, for the video's count.
	Companion *Banner
}

// VASTRefusal says why there is no document.
type VASTRefusal uint8

// Refusals of AppendVAST.
const (
	VASTRefusedNone       VASTRefusal = iota
	VASTRefusedFile                   // no video, or its URL cannot be used
	VASTRefusedDuration               // a duration of nothing
	VASTRefusedImpression             // VAST requires an Impression
)

// String is the refusal's name in reports.
func (r VASTRefusal) String() string {
	return [...]string{"none", "no_file", "no_duration", "no_impression_url"}[r]
}

// AppendVAST appends an inline VAST document. The order of elements follows
// the schema of the version: 2.0 and 3.0 have one, 4.x another.
func AppendVAST(dst []byte, v *VAST) ([]byte, VASTRefusal) {
	at := len(dst)
	switch {
	case v.Video == nil || v.Links == nil:
		return dst, VASTRefusedFile
	case v.Video.DurationMS <= 0:
		return dst, VASTRefusedDuration
	case len(v.Links.ImpURL) == 0:
		return dst, VASTRefusedImpression
	}
	four := v.Version >= VAST40
	dst = append(dst, `<?xml version="1.0" encoding="UTF-8"?><VAST version="`...)
	dst = append(dst, v.Version.String()...)
	if four && v.Namespace {
		dst = append(dst, `" xmlns="http://www.iab.com/VAST`...)
	}
	dst = append(dst, `"><Ad id="`...)
	dst = append(appendText(dst, view(v.AdID), 0, html), `"><InLine><AdSystem>Grosz</AdSystem>`...)
	if four {
		dst = v.impression(v.failure(dst))
		if len(v.Links.ViewURL) > 0 {
			dst = append(dst, `<ViewableImpression><Viewable>`...)
			dst = append(appendCDATA(dst, view(v.Links.ViewURL)), `</Viewable></ViewableImpression>`...)
		}
		if v.Version >= VAST41 {
			dst = append(dst, `<AdServingId>`...)
			dst = append(appendText(dst, view(v.ServingID), 0, html), `</AdServingId>`...)
		}
		dst = v.advertiser(v.title(dst))
	} else {
		dst = v.title(dst)
		if v.Version == VAST30 {
			dst = v.advertiser(dst)
		}
		dst = v.impression(v.failure(dst))
	}
	dst = append(dst, `<Creatives>`...)
	dst, ok := v.linear(dst, four)
	if !ok {
		return dst[:at], VASTRefusedFile
	}
	dst = v.companions(dst, four)
	return append(dst, `</Creatives></InLine></Ad></VAST>`...), VASTRefusedNone
}

func (v *VAST) title(dst []byte) []byte {
	dst = append(dst, `<AdTitle>`...)
	text := v.Copy.Title
	if text == "" {
		text = v.Brand.Name
	}
	return append(appendText(dst, text, maxTitle, html), `</AdTitle>`...)
}

func (v *VAST) advertiser(dst []byte) []byte {
	if v.Brand.Name == "" {
		return dst
	}
	dst = append(dst, `<Advertiser>`...)
	return append(appendText(dst, v.Brand.Name, maxBrand, html), `</Advertiser>`...)
}

func (v *VAST) impression(dst []byte) []byte {
	dst = append(dst, `<Impression>`...)
	return append(appendCDATA(dst, view(v.Links.ImpURL)), `</Impression>`...)
}

// failure appends the Error element; a player replaces [ERRORCODE].
func (v *VAST) failure(dst []byte) []byte {
	if len(v.Links.ErrorURL) == 0 {
		return dst
	}
	dst = append(dst, `<Error>`...)
	dst = appendCDATA(dst, view(v.Links.ErrorURL))
	return append(dst[:len(dst)-3], `&code=[ERRORCODE]]]></Error>`...)
}

// linear appends the video's Creative.
func (v *VAST) linear(dst []byte, four bool) ([]byte, bool) {
	dst = v.creative(dst, 1)
	dst = append(dst, `<Linear`...)
	if v.Version >= VAST30 && v.Video.SkipAfterMS > 0 && v.Video.SkipAfterMS < v.Video.DurationMS {
		dst = append(dst, ` skipoffset="`...)
		dst = append(appendClock(dst, v.Video.SkipAfterMS), '"')
	}
	dst = append(dst, '>')
	var ok bool
	if four {
		dst = v.tracking(dst)
		dst = v.duration(dst)
		if dst, ok = v.media(dst); !ok {
			return dst, false
		}
		dst = append(v.clicks(dst, true), `</Linear>`...)
		dst = v.universal(dst)
	} else {
		dst = v.duration(dst)
		dst = v.tracking(dst)
		dst = v.clicks(dst, false)
		if dst, ok = v.media(dst); !ok {
			return dst, false
		}
		dst = append(dst, `</Linear>`...)
	}
	return append(dst, `</Creative>`...), true
}

func (v *VAST) creative(dst []byte, sequence int64) []byte {
	dst = append(dst, `<Creative sequence="`...)
	dst = strconv.AppendInt(dst, sequence, 10)
	if len(v.CreativeID) > 0 {
		dst = append(dst, `" id="`...)
		dst = appendText(dst, view(v.CreativeID), 0, html)
	}
	return append(dst, `">`...)
}

// universal appends UniversalAdId, which every Creative of 4.x has; 4.0 says
// the value in an attribute too.
func (v *VAST) universal(dst []byte) []byte {
	id := view(v.CreativeID)
	if id == "" {
		id = "unknown"
	}
	dst = append(dst, `<UniversalAdId idRegistry="`...)
	if id == "unknown" {
		dst = append(dst, `unknown`...)
	} else {
		dst = append(dst, `grosz`...)
	}
	if v.Version == VAST40 {
		dst = append(dst, `" idValue="`...)
		dst = appendText(dst, id, 0, html)
	}
	dst = append(dst, `">`...)
	return append(appendText(dst, id, 0, html), `</UniversalAdId>`...)
}

func (v *VAST) duration(dst []byte) []byte {
	dst = append(dst, `<Duration>`...)
	return append(appendClock(dst, v.Video.DurationMS), `</Duration>`...)
}

func (v *VAST) tracking(dst []byte) []byte {
	if len(v.Links.TrackURL) == 0 {
		return dst
	}
	dst = append(dst, `<TrackingEvents>`...)
	for _, event := range [...]string{"start", "firstQuartile", "midpoint", "thirdQuartile", "complete"} {
		dst = append(dst, `<Tracking event="`...)
		dst = append(append(dst, event...), `">`...)
		dst = appendCDATA(dst, view(v.Links.TrackURL))
		dst = append(dst[:len(dst)-3], "&e="...)
		dst = append(append(dst, event...), `]]></Tracking>`...)
	}
	return append(dst, `</TrackingEvents>`...)
}

func (v *VAST) clicks(dst []byte, four bool) []byte {
	if len(v.Links.ClickURL) == 0 {
		return dst
	}
	dst = append(dst, `<VideoClicks>`...)
	if four {
		dst = v.clickTracking(dst)
	}
	id := ""
	if v.Product != nil {
		id = v.Product.ID
	}
	dst = append(dst, `<ClickThrough>`...)
	dst = append(v.clickThrough(dst, id), `</ClickThrough>`...)
	if !four {
		dst = v.clickTracking(dst)
	}
	return append(dst, `</VideoClicks>`...)
}

func (v *VAST) clickTracking(dst []byte) []byte {
	for _, u := range v.Links.ClickTrackers {
		dst = append(dst, `<ClickTracking>`...)
		dst = append(appendCDATA(dst, view(u)), `</ClickTracking>`...)
	}
	return dst
}

// clickThrough appends the click URL as CDATA. A macro or URL with a CDATA
// terminator is no URL: it is dropped rather than split over two sections.
func (v *VAST) clickThrough(dst []byte, id string) []byte {
	dst = append(dst, `<![CDATA[`...)
	at := len(dst)
	dst = v.Links.appendClick(dst, id, false)
	if strings.Contains(view(dst[at:]), "]]>") {
		dst = dst[:at]
	}
	return append(dst, `]]>`...)
}

func (v *VAST) media(dst []byte) ([]byte, bool) {
	f := v.Video
	dst = append(dst, `<MediaFiles><MediaFile delivery="progressive" type="`...)
	if f.MIME == "" {
		dst = append(dst, `video/mp4`...)
	} else {
		dst = appendText(dst, f.MIME, 0, html)
	}
	dst = strconv.AppendInt(append(dst, `" width="`...), int64(f.W), 10)
	dst = strconv.AppendInt(append(dst, `" height="`...), int64(f.H), 10)
	if f.BitrateKbps > 0 {
		dst = strconv.AppendInt(append(dst, `" bitrate="`...), int64(f.BitrateKbps), 10)
	}
	dst = append(dst, `" scalable="true" maintainAspectRatio="true"><![CDATA[`...)
	dst, ok := v.Links.appendAsset(dst, f.URL, false)
	return append(dst, `]]></MediaFile></MediaFiles>`...), ok
}

// companions appends the banner as HTML, and for players without HTML the
// first product's picture.
func (v *VAST) companions(dst []byte, four bool) []byte {
	if v.Companion == nil || v.Companion.W <= 0 || v.Companion.H <= 0 {
		return dst
	}
	dst = append(v.creative(dst, 1), `<CompanionAds>`...)
	b, links := *v.Companion, *v.Links
	links.ImpURL, links.ViewURL = nil, nil
	b.Links = &links
	dst = companionOpen(dst, b.W, b.H)
	dst = append(dst, `<HTMLResource><![CDATA[`...)
	// A banner never holds "]]>": each ">" of its data is an entity, and its
	// constants have none (a test says so).
	dst = append(AppendBanner(dst, &b), `]]></HTMLResource></Companion>`...)
	dst = v.picture(dst, four)
	dst = append(dst, `</CompanionAds>`...)
	if four {
		dst = v.universal(dst)
	}
	return append(dst, `</Creative>`...)
}

func companionOpen(dst []byte, w, h int) []byte {
	dst = strconv.AppendInt(append(dst, `<Companion width="`...), int64(w), 10)
	dst = strconv.AppendInt(append(dst, `" height="`...), int64(h), 10)
	return append(dst, `">`...)
}

func (v *VAST) picture(dst []byte, four bool) []byte {
	if len(v.Companion.Products) == 0 {
		return dst
	}
	p := v.Companion.Products[0].Product
	mime := imageType(p.ImageURL)
	if mime == "" {
		return dst
	}
	at := len(dst)
	dst = companionOpen(dst, v.Companion.W, v.Companion.H)
	dst = append(dst, `<StaticResource creativeType="`...)
	dst = append(append(dst, mime...), `"><![CDATA[`...)
	dst, ok := v.Links.appendAsset(dst, p.ImageURL, false)
	if !ok {
		return dst[:at]
	}
	dst = append(dst, `]]></StaticResource>`...)
	if four {
		dst = altText(dst, p.Title)
	}
	if len(v.Links.ClickURL) > 0 {
		dst = append(dst, `<CompanionClickThrough>`...)
		dst = append(v.clickThrough(dst, p.ID), `</CompanionClickThrough>`...)
	}
	if !four {
		dst = altText(dst, p.Title)
	}
	return append(dst, `</Companion>`...)
}

func altText(dst []byte, s string) []byte {
	return append(appendText(append(dst, `<AltText>`...), s, maxTitle, html), `</AltText>`...)
}

// imageType is the MIME type by a URL's extension, empty when not known.
func imageType(url string) string {
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	if i := strings.LastIndexByte(url, '.'); i >= 0 {
		switch ext := url[i+1:]; {
		case len(ext) == 3 && hasPrefixFold(ext, "jpg"), len(ext) == 4 && hasPrefixFold(ext, "jpeg"):
			return "image/jpeg"
		case len(ext) == 3 && hasPrefixFold(ext, "png"):
			return "image/png"
		case len(ext) == 3 && hasPrefixFold(ext, "gif"):
			return "image/gif"
		case len(ext) == 4 && hasPrefixFold(ext, "webp"):
			return "image/webp"
		}
	}
	return ""
}

// appendClock appends ms as HH:MM:SS, with .mmm where there are milliseconds.
func appendClock(dst []byte, ms int64) []byte {
	s := ms / 1000
	dst = append(appendTwo(dst, min(s/3600, 99)), ':')
	dst = append(appendTwo(dst, s/60%60), ':')
	dst = appendTwo(dst, s%60)
	if ms %= 1000; ms > 0 {
		dst = append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
	return dst
}

func appendTwo(dst []byte, v int64) []byte {
	return append(dst, byte('0'+v/10), byte('0'+v%10))
}
