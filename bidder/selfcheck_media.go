package bidder

import (
	"bytes"
	"encoding/binary"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/events"
)

// text or bytes: both are looked at by the same rules.
type chars interface{ ~string | ~[]byte }

// bareHost is what names a host in a domain or URL: without spaces, scheme,
// wildcard, www. and path.
func bareHost[T chars](s T) T {
	for len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	for i := 0; i+2 < len(s) && i < 8; i++ {
		if s[i] == ':' && s[i+1] == '/' && s[i+2] == '/' {
			s = s[i+3:]
			break
		}
	}
	for len(s) > 0 && (s[0] == '*' || s[0] == '.') {
		s = s[1:]
	}
	if len(s) > 4 && s[0]|0x20 == 'w' && s[1]|0x20 == 'w' && s[2]|0x20 == 'w' && s[3] == '.' {
		s = s[4:]
	}
	for i := range len(s) {
		if c := s[i]; c == '/' || c == ' ' || c == ':' {
			return s[:i]
		}
	}
	return s
}

// advertiser judges adomain, cat and language against the request's lists.
func (k *selfCheck) advertiser() selfRule {
	v, w := &k.c.view, &k.bid
	if bytes.IndexByte(w.adomain, '.') <= 0 {
		return ruleADomain
	}
	own := bareHost(w.adomain)
	for _, blocked := range v.BAdv {
		if d := bareHost(blocked); len(d) > 0 && len(d) <= len(own) && equalFold(own[len(own)-len(d):], d) &&
			(len(d) == len(own) || own[len(own)-len(d)-1] == '.') {
			return ruleBAdv
		}
	}
	if len(v.BCat) > 0 && !each(w.cat, func(cat []byte) bool { return !inTree(cat, v.BCat) }) {
		return ruleBCat
	}
	if len(v.ACat) > 0 && v.CatTax <= 1 && (len(w.cat) == 0 || !each(w.cat, func(cat []byte) bool { return inTree(cat, v.ACat) })) {
		return ruleACat
	}
	if len(w.language) > 0 && len(v.WLang)+len(v.WLangB) > 0 && !speaks(w.language, v.WLang) && !speaks(w.language, v.WLangB) {
		return ruleLanguage
	}
	return ruleNone
}

// inTree tells whether a category is one of the roots or below it.
func inTree(cat []byte, roots []string) bool {
	for _, r := range roots {
		if n := len(r); n > 0 && len(cat) >= n && equalFold(cat[:n], r) && (len(cat) == n || cat[n] == '-') {
			return true
		}
	}
	return false
}

func speaks(lang []byte, list []string) bool {
	for _, l := range list {
		if n := len(lang); len(l) >= n && equalFold(lang, l[:n]) && (len(l) == n || l[n] == '-' || l[n] == '_') {
			return true
		}
	}
	return false
}

// attributes judges the bid's attr against a block list.
func (k *selfCheck) attributes(blocked []int32) bool {
	if len(blocked) == 0 || len(k.bid.attr) == 0 {
		return true
	}
	return each(k.bid.attr, func(v []byte) bool {
		n, ok := whole(v)
		return ok && !among(blocked, n)
	})
}

func among(list []int32, n int64) bool {
	for _, x := range list {
		if int64(x) == n {
			return true
		}
	}
	return false
}

// expands tells whether an attribute says that the ad grows (AdCOM creative
// attributes 3 to 5).
func (k *selfCheck) expands() bool {
	return !each(k.bid.attr, func(v []byte) bool { n, ok := whole(v); return ok && (n < 3 || n > 5) })
}

// lists tells whether a list of MIME types is silent or names one of want.
func lists(mimes []string, want ...string) bool {
	for _, m := range mimes {
		for _, w := range want {
			if len(m) == len(w) && equalFold(m, w) {
				return true
			}
		}
	}
	return len(mimes) == 0
}

func (k *selfCheck) banner() selfRule {
	b, w := &k.imp.Banner, &k.bid
	switch {
	case !b.Present || !k.c.exchange.media[events.MediaBanner] || len(w.adm) > 0 && w.adm[0] != '<' || bytes.HasPrefix(w.adm, []byte("<?xml")):
		return ruleMType
	case !k.attributes(b.BAttr), len(b.ExpDir) == 0 && k.expands():
		return ruleAttr
	case !lists(b.MIMEs, "text/html", "application/xhtml+xml", "*/*"):
		return ruleMIME
	case among(b.BType, 2), among(b.BType, 3) && bytes.Contains(w.adm, []byte("<script")), among(b.BType, 4) && bytes.Contains(w.adm, []byte("<iframe")):
		return ruleBType
	case !k.fits(b):
		return ruleSize
	}
	return ruleNone
}

// fits tells whether the bid's size is one that the banner names.
func (k *selfCheck) fits(b *openrtb.Banner) bool {
	w, h := k.bid.w, k.bid.h
	if w <= 0 || h <= 0 {
		return false
	}
	for i := range b.Formats {
		f := &b.Formats[i]
		if int64(f.W) == w && int64(f.H) == h {
			return true
		}
		if f.W <= 0 && f.WRatio > 0 && f.HRatio > 0 && w*int64(f.HRatio) == h*int64(f.WRatio) && w >= int64(f.WMin) {
			return true
		}
	}
	return len(b.Formats) == 0 && int64(b.W) == w && int64(b.H) == h
}

// vastProtocols are the protocols of an inline document, by its version.
var vastProtocols = map[string]int64{"2.0": 2, "3.0": 3, "4.0": 7, "4.1": 11, "4.2": 13, "4.3": 15}

// quotedAttr returns what stands in name=\"…\" after from, in escaped markup.
func quotedAttr(adm []byte, after, name string) []byte {
	i := bytes.Index(adm, []byte(after))
	if i < 0 {
		return nil
	}
	tag := adm[i:]
	if end := bytes.IndexByte(tag, '>'); end >= 0 {
		tag = tag[:end]
	}
	if i = bytes.Index(tag, []byte(name)); i < 0 {
		return nil
	}
	value := tag[i+len(name):]
	if end := bytes.IndexByte(value, '\\'); end >= 0 {
		return value[:end]
	}
	return nil
}

func (k *selfCheck) video() selfRule {
	v, w := &k.imp.Video, &k.bid
	version := quotedAttr(w.adm, "<VAST", ` version=\"`)
	protocol := vastProtocols[string(version)]
	if !v.Present || !k.c.exchange.media[events.MediaVideo] || protocol == 0 {
		return ruleMType
	}
	seconds := w.dur
	skippable := bytes.Contains(w.adm, []byte("skipoffset="))
	rate, _ := whole(quotedAttr(w.adm, "<MediaFile ", ` bitrate=\"`))
	mime := quotedAttr(w.adm, "<MediaFile ", ` type=\"`)
	switch {
	case len(v.Protocols) > 0 && !among(v.Protocols, protocol):
		return ruleProtocol
	case len(v.MIMEs) > 0 && !namesMIME(v.MIMEs, mime):
		return ruleMIME
	case seconds <= 0, len(v.RqdDurs) > 0 && !among(v.RqdDurs, seconds),
		len(v.RqdDurs) == 0 && (seconds < int64(v.MinDuration) || v.MaxDuration > 0 && seconds > int64(v.MaxDuration)),
		v.PodDur > 0 && seconds > int64(v.PodDur):
		return ruleDuration
	case v.MinBitrate > 0 && rate < int64(v.MinBitrate), v.MaxBitrate > 0 && rate > int64(v.MaxBitrate):
		return ruleBitrate
	case skippable && (v.Skip == openrtb.No || v.SkipMin > 0 && seconds <= int64(v.SkipMin) || among(v.BAttr, 16)):
		return ruleSkip
	case v.Linearity > 1, len(v.Delivery) > 0 && !among(v.Delivery, 2) && !among(v.Delivery, 3):
		return ruleLinear
	case !k.attributes(v.BAttr):
		return ruleAttr
	case v.BoxingAllowed == openrtb.No && v.W > 0 && v.H > 0 && w.w*int64(v.H) != w.h*int64(v.W):
		return ruleSize
	}
	return ruleNone
}

func namesMIME(list []string, mime []byte) bool {
	for _, m := range list {
		if len(mime) > 0 && equalFold(mime, m) {
			return true
		}
	}
	return false
}

// native looks for an answer to every required asset by its id.
func (k *selfCheck) native() selfRule {
	n, w := &k.imp.Native, &k.bid
	if !n.Present || !k.c.exchange.media[events.MediaNative] || len(w.adm) == 0 || w.adm[0] != '{' {
		return ruleMType
	}
	if !k.attributes(n.BAttr) {
		return ruleAttr
	}
	q := &k.c.native
	if q.Parse(n) != nil {
		return ruleAsset
	}
	for i := range q.Assets {
		if a := &q.Assets[i]; a.Required && !answersAsset(w.adm, int64(a.ID.V)) {
			return ruleAsset
		}
	}
	return ruleNone
}

// answersAsset looks for \"id\":n, where each asset's answer begins.
func answersAsset(adm []byte, id int64) bool {
	key := []byte(`{\"id\":`)
	for {
		i := bytes.Index(adm, key)
		if i < 0 {
			return false
		}
		adm = adm[i+len(key):]
		end := 0
		for end < len(adm) && adm[end] >= '0' && adm[end] <= '9' {
			end++
		}
		if n, ok := whole(adm[:end]); ok && n == id {
			return true
		}
	}
}

// delivery judges what the markup and the URLs lead to.
func (k *selfCheck) delivery() selfRule {
	w := &k.bid
	if len(w.adm) == 0 || len(w.adm) > maxMarkup {
		return ruleMarkup
	}
	if k.c.secure(k.imp) && (insecure(w.adm) || bytes.HasPrefix(w.iurl, []byte("http:"))) {
		return ruleSecure
	}
	if w.has&hasExp != 0 && w.exp <= 0 {
		return ruleExp
	}
	if !k.tokens() {
		return ruleToken
	}
	if ask := &k.c.view.Regs.DSA; ask.Present && ask.Required.Or(0) >= 2 && !k.transparent(ask) {
		return ruleDSA
	}
	return ruleNone
}

// tokens tells whether the event that settles carries its token, no notice
// carries another, and the markup has the impression's and not the notices',
// with which whoever sees the ad could bill it.
func (k *selfCheck) tokens() bool {
	w, tok := &k.bid, k.c.token
	settling := w.adm // the impression is looked for below
	switch events.SettleType(k.c.exchange.settle[mediaOf(w.mtype)]) {
	case events.TypeWin:
		settling = w.nurl
	case events.TypeBilling:
		settling = w.burl
	}
	const shortest = 40 // less than that names no bid
	if len(tok) < shortest || len(settling) == 0 {
		return false
	}
	for _, u := range [...][]byte{w.nurl, w.burl, w.lurl} {
		if len(u) > 0 && !carries(u, tok) {
			return false
		}
	}
	return !has(w.adm, tok) && tracked(w.adm, k.c.impToken)
}

// has tells whether text has tok in it, at least 40 bytes that end with a MAC:
// its end is found, or not, by few comparisons, where the search for so long a
// text would hash every place.
func has(text, tok []byte) bool {
	const end = 16
	return bytes.Contains(text, tok[len(tok)-end:]) && bytes.Contains(text, tok)
}

// mediaOf is the media of a markup type that the check has let through.
func mediaOf(mtype int64) uint8 {
	switch mtype {
	case 2:
		return events.MediaVideo
	case 4:
		return events.MediaNative
	}
	return events.MediaBanner
}

// carries tells whether a URL has ?t= and the token.
func carries(u, tok []byte) bool {
	i := bytes.IndexByte(u, '?')
	return i >= 0 && hasToken(u[i:], tok)
}

// hasToken tells whether s begins with ?t= and the token, and no more of one.
func hasToken(s, tok []byte) bool {
	const key = "?t="
	if len(s) < len(key)+len(tok) || string(s[:len(key)]) != key || !bytes.Equal(s[len(key):len(key)+len(tok)], tok) {
		return false
	}
	s = s[len(key)+len(tok):]
	return len(s) == 0 || s[0] == '&' || s[0] == '\\' || s[0] == '"' || s[0] == ']'
}

// tracked looks in the markup for the impression's URL with the token.
func tracked(adm, tok []byte) bool {
	for {
		i := bytes.IndexByte(adm, '?')
		if i < 0 {
			return false
		}
		if i >= len(pathImpression) && string(adm[i-len(pathImpression):i]) == pathImpression && hasToken(adm[i:], tok) {
			return true
		}
		adm = adm[i+1:]
	}
}

// transparent judges ext.dsa where the request requires it.
func (k *selfCheck) transparent(ask *openrtb.DSA) bool {
	ext := k.bid.ext
	renders := bytes.Contains(ext, []byte(`"adrender":1`))
	switch {
	case !bytes.Contains(ext, []byte(`"behalf":"`)), !bytes.Contains(ext, []byte(`"paid":"`)):
		return false
	case ask.PubRender.Set && ask.PubRender.V == 0 && !renders, ask.PubRender.V == 2 && renders:
		return false
	}
	return ask.DataToPub.V < 2 || bytes.Contains(ext, []byte(`"transparency":[{`))
}

const (
	everyByte = 0x0101010101010101
	topBits   = 0x8080808080808080
)

// insecure tells whether http:// stands anywhere in the markup. It looks for
// two slashes eight bytes at a time: one alone stands in every closing tag.
func insecure(adm []byte) bool {
	at := 0
	for s := adm; len(s) > 8; at, s = at+8, s[8:] {
		x := binary.LittleEndian.Uint64(s) ^ ('/' * everyByte)
		x |= x >> 8                         // a byte is zero where it and the next one are slashes; of the last one the next is not known
		m := (x - everyByte) &^ x & topBits // a set bit can be a false alarm, never a missed one
		if m == 0 || (m == 1<<63 && s[8] != '/') {
			continue
		}
		if plainHTTP(adm[max(0, at-7):min(len(adm), at+9)]) {
			return true
		}
	}
	return plainHTTP(adm[max(0, at-7):])
}

// plainHTTP looks for http:// in a few bytes, in any case.
func plainHTTP(s []byte) bool {
	const want = "http://"
	for i := 0; i+len(want) <= len(s); i++ {
		if equalFold(s[i:i+len(want)], want) {
			return true
		}
	}
	return false
}
