package events

import "encoding/hex"

// Text is how an Event carries products: eight hexadecimal digits each.
func (p *Products) Text() string {
	n := p.len()
	if n == 0 {
		return ""
	}
	var b [4 * len(p)]byte
	for i, x := range p[:n] {
		b[4*i], b[4*i+1], b[4*i+2], b[4*i+3] = byte(x>>24), byte(x>>16), byte(x>>8), byte(x)
	}
	return hex.EncodeToString(b[:4*n])
}

// ProductsOf reads Text; what is no such text, or too much, is left out.
func ProductsOf(text string) (p Products) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return p
	}
	n := 0
	for i := 0; i+4 <= len(b) && n < len(p); i += 4 {
		if x := uint32(b[i])<<24 | uint32(b[i+1])<<16 | uint32(b[i+2])<<8 | uint32(b[i+3]); x != 0 {
			p[n] = x
			n++
		}
	}
	return p
}
