// Package jsontext appends JSON strings, for the event codec and for the bid
// response. Hot: long runs of plain bytes are found eight at a time and copied
// at once, so that 4 KB of markup costs little more than its copy; no
// allocation beyond dst's growth. Safe for many goroutines. Imports nothing
// of Grosz.
package jsontext

import (
	"math/bits"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string (RFC 8259, 7), quotes included. The
// quote, the backslash and control characters are escaped, and U+2028 and
// U+2029, which end a line in JavaScript. Bytes that are not UTF-8 become
// U+FFFD, each one its own. Markup is left as it is: escaping <, > and & would
// triple the size of an ad, so the text must not be put into a script element
// as it stands.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0 // s[start:i] is plain and not yet copied
	for i := 0; ; {
		i = plain(s, i)
		if i >= len(s) {
			break
		}
		c, size := s[i], 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			if r&^1 != '\u2028' && (r != utf8.RuneError || size > 1) {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		switch {
		case size == 3:
			dst = append(dst, '\\', 'u', '2', '0', '2', hexDigits[s[i+2]&0xf])
		case c >= utf8.RuneSelf:
			dst = append(dst, "\uFFFD"...)
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
		i += size
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// plain returns the first place at or after i that holds a quote, a
// backslash, a control character or a byte beyond ASCII; len(s) if none does.
func plain(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		x := load(s, i)
		q, b := x^('"'*ones), x^('\\'*ones)
		// A byte's top bit is set where the byte stops the run. Borrows can set
		// bits above the first such byte only, and the first one is what counts.
		if m := (x | (x-' '*ones)&^x | (q-ones)&^q | (b-ones)&^b) & tops; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return i
		}
	}
	return i
}

// load reads eight bytes of s at i, the first one lowest. The compiler makes
// it one load.
func load(s string, i int) uint64 {
	t := s[i : i+8]
	return uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
		uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
}
