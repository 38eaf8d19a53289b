package creatives

// Links are the URLs that one rendered ad calls. They are made by the bidder,
// carry signed tokens, and are trusted; macros in them survive every escape.
// The zero value of a field means that the ad has no such call.
type Links struct {
	// ImpURL is the complete impression pixel, such as
	// "https://…/i?t=…&p=${AUCTION_PRICE}".
	ImpURL []byte
	// ClickURL is the complete click URL, with a query, so that
	// "&p=<product id>" may follow.
	ClickURL []byte
	// ViewURL is called once when half of a banner was on screen for a second.
	ViewURL []byte
	// WhyURL tells the person why they see the ad.
	WhyURL []byte
	// HideURL takes, by POST, the wish to see the ad no more, and answers with
	// a page that fits where the ad was.
	HideURL []byte
	// ErrorURL has a query; a VAST player's error code is appended to it.
	ErrorURL []byte
	// TrackURL has a query; "&e=start" and so on are appended for the progress
	// of a video.
	TrackURL []byte
	// ClickTrackers are called beside ClickURL in native and VAST.
	ClickTrackers [][]byte

	// ClickMacro goes before ClickURL, such as "${CLICK_URL}"; usually empty.
	ClickMacro string
	// ClickEncode percent-encodes what follows ClickMacro, for exchanges whose
	// click URL takes the next one as a parameter.
	ClickEncode bool
	// AssetBase is the public base URL of uploaded files, without a final
	// slash: an asset that begins with "/" hangs under it.
	AssetBase string
	// Secure refuses http even for loopback hosts (imp.secure = 1).
	Secure bool
}

// appendClick appends the click URL that leads to the product, or to the shop
// when it is empty; amp writes it for an HTML attribute.
func (l *Links) appendClick(dst []byte, product string, amp bool) []byte {
	if amp {
		dst = appendAttr(dst, l.ClickMacro)
	} else {
		dst = append(dst, l.ClickMacro...)
	}
	if l.ClickMacro != "" && l.ClickEncode {
		dst = appendPercent(dst, view(l.ClickURL))
		if product == "" {
			return dst
		}
		return appendPercentTwice(append(dst, "%26p%3D"...), product)
	}
	if amp {
		dst = appendAttr(dst, view(l.ClickURL))
	} else {
		dst = append(dst, l.ClickURL...)
	}
	if product == "" {
		return dst
	}
	if amp {
		dst = append(dst, "&amp;p="...)
	} else {
		dst = append(dst, "&p="...)
	}
	return appendPercent(dst, product)
}

// appendPercentTwice is the percent-encoding of the percent-encoding of s.
func appendPercentTwice(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; unreserved[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', '2', '5', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// appendAsset appends a shop's asset URL, cleaned, and whether it could be
// used; dst comes back as it was when not. What it writes is safe as it stands
// in JSON strings and CDATA; amp writes it for an HTML attribute.
//
// http becomes https except on loopback hosts while Secure is false; other
// schemes, credentials and control characters are refused; macros are broken
// up by encoding braces, brackets and stray percent signs.
func (l *Links) appendAsset(dst []byte, s string, amp bool) ([]byte, bool) {
	if len(s) > 1 && s[0] == '/' && s[1] != '/' {
		out, ok := l.appendAbsolute(dst, l.AssetBase, amp)
		if !ok || hasControl(s) {
			return dst, false
		}
		return appendCleanPath(out, s, amp), true
	}
	return l.appendAbsolute(dst, s, amp)
}

func (l *Links) appendAbsolute(dst []byte, s string, amp bool) ([]byte, bool) {
	var rest string
	secure := true
	switch {
	case hasPrefixFold(s, "https://"):
		rest = s[8:]
	case hasPrefixFold(s, "http://"):
		rest, secure = s[7:], false
	case len(s) > 2 && s[:2] == "//":
		rest = s[2:]
	default:
		return dst, false
	}
	host := authority(rest)
	if !cleanHost(host) || hasControl(rest) {
		return dst, false
	}
	if !secure && !l.Secure && loopback(host) {
		dst = append(dst, "http://"...)
	} else {
		dst = append(dst, "https://"...)
	}
	dst = append(dst, host...)
	return appendCleanPath(dst, rest[len(host):], amp), true
}

func hasControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// authority is the part of a URL between the slashes.
func authority(rest string) string {
	for i := 0; i < len(rest); i++ {
		if c := rest[i]; c == '/' || c == '?' || c == '#' || c == '\\' {
			return rest[:i]
		}
	}
	return rest
}

// cleanHost allows letters, digits, "-._", a port, and an IPv6 literal in
// brackets; no credentials, no spaces. International names come as punycode.
func cleanHost(h string) bool {
	if h == "" || h[0] == ':' || h[0] == ']' {
		return false
	}
	open := false
	for i := 0; i < len(h); i++ {
		switch c := h[i]; {
		case c == '[':
			if i != 0 {
				return false
			}
			open = true
		case c == ']':
			if !open {
				return false
			}
			open = false
		case c == '~' || c != ':' && !unreserved[c]:
			return false
		}
	}
	return !open
}

// loopback reports whether a host, with or without a port, is this machine.
func loopback(host string) bool {
	for _, name := range [...]string{"127.0.0.1", "localhost", "[::1]"} {
		if hasPrefixFold(host, name) && (len(host) == len(name) || host[len(name)] == ':') {
			return true
		}
	}
	return false
}

func hasPrefixFold(s, lower string) bool {
	if len(s) < len(lower) {
		return false
	}
	for i := 0; i < len(lower); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Classes of a byte in a URL's path and query.
const (
	urlPercent = iota
	urlCopy
	urlAmp
	urlSign
)

var urlClass = func() (t [256]uint8) {
	for i := range t {
		if unreserved[i] {
			t[i] = urlCopy
		}
	}
	for _, c := range []byte("/?:#@!$()*+,;=") {
		t[c] = urlCopy
	}
	t['&'], t['%'] = urlAmp, urlSign
	return t
}()

// appendCleanPath appends what follows the authority; every byte that a URL
// must not hold is percent-encoded.
func appendCleanPath(dst []byte, s string, amp bool) []byte {
	const hex = "0123456789ABCDEF"
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch urlClass[c] {
		case urlCopy:
			continue
		case urlSign:
			if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
				continue
			}
		case urlAmp:
			if amp {
				dst = append(append(dst, s[start:i]...), "&amp;"...)
				start = i + 1
			}
			continue
		}
		dst = append(append(dst, s[start:i]...), '%', hex[c>>4], hex[c&15])
		start = i + 1
	}
	return append(dst, s[start:]...)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}
