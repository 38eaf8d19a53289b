package price

import "encoding/base64"

// sextet maps a character of either base64 alphabet to its value, 0xff for
// the others. A blank is what a query makes of "+".
var sextet = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	t['-'], t['+'], t[' '] = 62, 62, 62
	t['_'], t['/'] = 63, 63
	return t
}()

// decodeBase64 decodes text of either alphabet, padded by "=" or "." or not,
// into dst, and returns how many bytes that are. ok is false for what is not
// base64, is not canonical, or does not fit.
func decodeBase64(dst, text []byte) (n int, ok bool) {
	for range 2 {
		if k := len(text); k > 0 && (text[k-1] == '=' || text[k-1] == '.') {
			text = text[:k-1]
		}
	}
	if len(text)%4 == 1 || base64.RawURLEncoding.DecodedLen(len(text)) > len(dst) {
		return 0, false
	}
	var acc uint32
	bits := 0
	for _, ch := range text {
		v := sextet[ch]
		if v == 0xff {
			return 0, false
		}
		acc = acc<<6 | uint32(v)
		if bits += 6; bits >= 8 {
			bits -= 8
			dst[n] = byte(acc >> bits)
			n++
		}
	}
	return n, acc&(1<<bits-1) == 0
}

func encodeBase64(dst, b []byte) []byte { return base64.RawURLEncoding.AppendEncode(dst, b) }

// decodeHex decodes hex of either case into dst.
func decodeHex(dst, text []byte) (n int, ok bool) {
	if len(text)%2 != 0 || len(text)/2 > len(dst) {
		return 0, false
	}
	for i := 0; i < len(text); i += 2 {
		hi, lo := nibble(text[i]), nibble(text[i+1])
		if hi > 15 || lo > 15 {
			return 0, false
		}
		dst[n] = hi<<4 | lo
		n++
	}
	return n, true
}

func nibble(ch byte) byte {
	switch {
	case ch >= '0' && ch <= '9':
		return ch - '0'
	case ch|0x20 >= 'a' && ch|0x20 <= 'f':
		return ch | 0x20 - 'a' + 10
	}
	return 0xff
}
