package privacy

// bits reads base64url text (RFC 4648 § 5, without padding) as a row of bits,
// six per character. After a read beyond the end, or of a character outside
// the alphabet, bad is set and every read gives 0.
type bits struct {
	s   string
	pos int
	bad bool
}

// read takes the next n ≤ 32 bits as an unsigned integer.
func (b *bits) read(n int) uint32 {
	if !b.has(n) {
		return 0
	}
	var v uint32
	for n > 0 {
		c := sixBits(b.s[b.pos/6])
		if c == notBase64 {
			b.bad = true
			return 0
		}
		off := b.pos % 6
		take := min(6-off, n)
		v = v<<take | uint32(c)>>(6-off-take)&(1<<take-1)
		b.pos += take
		n -= take
	}
	return v
}

// skip passes over n bits, which have to be there.
func (b *bits) skip(n int) {
	if b.has(n) {
		b.pos += n
	}
}

// has tells whether n more bits are there.
func (b *bits) has(n int) bool {
	if b.pos+n > 6*len(b.s) {
		b.bad = true
	}
	return !b.bad
}

const notBase64 = 0xff

// sixBits is the value of one character of base64url.
func sixBits(c byte) uint8 {
	switch {
	case c >= 'A' && c <= 'Z':
		return c - 'A'
	case c >= 'a' && c <= 'z':
		return c - 'a' + 26
	case c >= '0' && c <= '9':
		return c - '0' + 52
	case c == '-':
		return 62
	case c == '_':
		return 63
	}
	return notBase64
}

// allBase64 tells whether s is some base64url text.
func allBase64(s string) bool {
	for i := range len(s) {
		if sixBits(s[i]) == notBase64 {
			return false
		}
	}
	return s != ""
}

// decode gives the bits of s, which is base64url, as bytes, with spare zero
// bytes behind them. A last incomplete byte is filled with zeros.
func decode(s string, spare int) []byte {
	out := make([]byte, (6*len(s)+7)/8+spare)
	for i := range len(s) {
		v := uint16(sixBits(s[i])) << 10 >> (6 * i % 8)
		at := 6 * i / 8
		out[at] |= byte(v >> 8)
		if low := byte(v); low != 0 {
			out[at+1] |= low
		}
	}
	return out
}
