package creatives

import (
	"unicode/utf8"
	"unsafe"
)

// view reads b as a string without copying. The result lives no longer than
// the call that reads it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Classes of a byte in text from a shop.
const (
	plain   = iota // copied as it is
	special        // needs a look
)

// textClass marks the bytes that HTML, XML or JSON text must not carry as they
// are: one table serves all three, because the rare byte decides later.
var textClass = func() (t [256]uint8) {
	for i := range t {
		if i < 0x20 || i >= 0x7f {
			t[i] = special
		}
	}
	for _, c := range []byte(`&<>"'\$%`) {
		t[c] = special
	}
	return t
}()

// grammar says how a kind of text spells the bytes that are special in it.
type grammar uint8

const (
	html   grammar = iota // HTML and XML, text and quoted attributes alike
	quoted                // inside a JSON string
)

// appendText appends a shop's text escaped for g, and cut after max runes with
// an ellipsis; max 0 means whole. Control characters become spaces, direction
// overrides vanish, invalid UTF-8 becomes U+FFFD.
func appendText(dst []byte, s string, max int, g grammar) []byte {
	if max > 0 && len(s) > max {
		var cut bool
		if s, cut = cutRunes(s, max); cut {
			return append(appendText(dst, s, 0, g), "…"...)
		}
	}
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if textClass[c] == plain {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			if rep := escapeASCII(s, i, g); rep != "" {
				dst = append(append(dst, s[start:i]...), rep...)
				start = i + 1
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(append(dst, s[start:i]...), "\uFFFD"...)
			start = i + 1
		} else if rep, bad := unwelcome(r); bad {
			dst = append(append(dst, s[start:i]...), rep...)
			start = i + n
		}
		i += n
	}
	return append(dst, s[start:]...)
}

// escapeASCII returns what stands for s[i] in g; empty when the byte may stay.
func escapeASCII(s string, i int, g grammar) string {
	c := s[i]
	if c < 0x20 || c == 0x7f {
		return " "
	}
	if g == quoted {
		switch c {
		case '"':
			return `\"`
		case '\\':
			return `\\`
		case '<':
			return `\u003c`
		case '>':
			return `\u003e`
		case '&':
			return `\u0026`
		}
	} else {
		switch c {
		case '&':
			return "&amp;"
		case '<':
			return "&lt;"
		case '>':
			return "&gt;"
		case '"':
			return "&#34;"
		case '\'':
			return "&#39;"
		}
	}
	// Exchanges replace macros blindly, so a product's title must not be one:
	// ${…} and %%…%% lose their first character's spelling.
	next := byte(0)
	if i+1 < len(s) {
		next = s[i+1]
	}
	switch {
	case c == '$' && next == '{':
		return [...]string{html: "&#36;", quoted: `\u0024`}[g]
	case c == '%' && next == '%':
		return [...]string{html: "&#37;", quoted: `\u0025`}[g]
	}
	return ""
}

// unwelcome reports runes that could disturb what stands around a text, and
// what replaces them: C1 controls and line separators become a space,
// embedding, override and isolate marks nothing.
func unwelcome(r rune) (string, bool) {
	switch {
	case r < 0xa0, r == 0x2028, r == 0x2029:
		return " ", true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff, r >= 0xfff9 && r <= 0xfffb:
		return "", true
	case r == 0xfffe, r == 0xffff: // not XML characters
		return "", true
	}
	return "", false
}

// cutRunes returns the first max-1 runes of s and true, or s when it has no
// more than max. A space before the cut goes too.
func cutRunes(s string, max int) (string, bool) {
	n, cut := 0, 0
	for i := range s {
		if n == max-1 {
			cut = i
		}
		if n == max {
			for cut > 0 && s[cut-1] == ' ' {
				cut--
			}
			return s[:cut], true
		}
		n++
	}
	return s, false
}

// appendAttr appends a trusted URL into a double-quoted HTML attribute; macros
// survive.
func appendAttr(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		var rep string
		switch s[i] {
		case '&':
			rep = "&amp;"
		case '<':
			rep = "&lt;"
		case '>':
			rep = "&gt;"
		case '"':
			rep = "&#34;"
		case '\'':
			rep = "&#39;"
		default:
			continue
		}
		dst = append(append(dst, s[start:i]...), rep...)
		start = i + 1
	}
	return append(dst, s[start:]...)
}

// appendQuoted appends trusted bytes into a JSON string; macros survive. The
// bytes must be UTF-8, which everything rendered here is.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		if c < 0x20 {
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, '\\', c)
		}
		start = i + 1
	}
	return append(dst, s[start:]...)
}

// appendCDATA appends trusted text as a CDATA section. A terminator inside is
// split over two sections, the only escape that XML has for it.
func appendCDATA(dst []byte, s string) []byte {
	dst = append(dst, "<![CDATA["...)
	start := 0
	for i := 0; i+2 < len(s); i++ {
		if s[i] == ']' && s[i+1] == ']' && s[i+2] == '>' {
			dst = append(append(dst, s[start:i+2]...), "]]><![CDATA["...)
			start = i + 2
		}
	}
	return append(append(dst, s[start:]...), "]]>"...)
}

// appendPercent appends s percent-encoded for a query value: unreserved
// characters of RFC 3986 stay.
func appendPercent(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; unreserved[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

var unreserved = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		t[c] = true
	}
	return t
}()
