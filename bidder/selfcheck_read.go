package bidder

import (
	"bytes"
	"unicode/utf8"

	"github.com/grosz/grosz/internal/money"
)

// span is a part of a slice.
type span struct{ from, to int }

// head is what a response says before its first bid: views of the bytes.
type head struct {
	ok            bool
	id, cur, seat []byte
}

// read reads {"id":…,"cur":…,"seatbid":[{"seat":…,"bid":[ to its end.
func (h *head) read(w []byte) {
	*h = head{}
	i := 0
	for i < len(w) {
		if c := w[i]; c == '{' || c == ',' || c == '[' {
			i++
			continue
		}
		key, next, ok := text(w, i)
		if !ok || next >= len(w) || w[next] != ':' {
			return
		}
		if i = next + 1; i < len(w) && w[i] == '[' {
			if string(key) == "bid" {
				h.ok = i+1 == len(w) && len(h.cur) == len(money.Currency{})
				return
			}
			continue
		}
		var value []byte
		if value, i, ok = text(w, i); !ok {
			return
		}
		switch string(key) {
		case "id":
			h.id = value
		case "cur":
			h.cur = value
		case "seat":
			h.seat = value
		}
	}
}

// What a written bid states though it may be empty.
const (
	hasDeal = 1 << iota
	hasExp
	hasSize
)

// written is a bid as its bytes say: views of them, strings with their
// escapes.
type written struct {
	id, impid, nurl, burl, lurl, adm []byte
	cid, crid, iurl, language        []byte
	dealid, adomain, cat, attr, ext  []byte // lists: what stands between the brackets; adomain: the first one
	price                            money.CPM
	w, h, dur, mtype, exp            int64
	has                              uint8
}

// read reads one bid object. adm says where the markup's text stands; full
// looks for its end instead of believing that.
func (b *written) read(w []byte, adm span, full bool) bool {
	*b = written{}
	if len(w) < 2 || w[0] != '{' {
		return false
	}
	for i := 1; ; {
		key, next, ok := text(w, i)
		if !ok || next+1 >= len(w) || w[next] != ':' {
			return false
		}
		i = next + 1
		var value []byte
		if !full && i+1 == adm.from && string(key) == "adm" {
			if adm.to < adm.from || adm.to+1 >= len(w) || w[i] != '"' || w[adm.to] != '"' || w[adm.to+1] != ',' {
				return false
			}
			value, i = w[adm.from:adm.to], adm.to+1
		} else if value, i, ok = raw(w, i); !ok {
			return false
		}
		if !b.field(key, value) || i >= len(w) {
			return false
		}
		if w[i] == '}' {
			return i+1 == len(w)
		}
		if w[i] != ',' {
			return false
		}
		i++
	}
}

// field takes one member; false for a number that is none.
func (b *written) field(key, v []byte) (ok bool) {
	switch string(key) {
	case "id":
		b.id = v
	case "impid":
		b.impid = v
	case "price":
		b.price, ok = decimal(v)
		return ok
	case "nurl":
		b.nurl = v
	case "burl":
		b.burl = v
	case "lurl":
		b.lurl = v
	case "adm":
		b.adm = v
	case "adomain":
		b.adomain, _, _ = text(v, 0)
	case "cid":
		b.cid = v
	case "crid":
		b.crid = v
	case "cat":
		b.cat = v
	case "attr":
		b.attr = v
	case "iurl":
		b.iurl = v
	case "language":
		b.language = v
	case "dealid":
		b.dealid, b.has = v, b.has|hasDeal
	case "ext":
		b.ext = v
	case "mtype":
		b.mtype, ok = whole(v)
		return ok
	case "w":
		b.w, ok = whole(v)
		b.has |= hasSize
		return ok
	case "h":
		b.h, ok = whole(v)
		return ok
	case "dur":
		b.dur, ok = whole(v)
		return ok
	case "exp":
		b.exp, ok = whole(v)
		b.has |= hasExp
		return ok
	}
	return true
}

// text reads the JSON string at w[i] and returns its inside, still escaped,
// and the place after it.
func text(w []byte, i int) ([]byte, int, bool) {
	if i >= len(w) || w[i] != '"' {
		return nil, i, false
	}
	from := i + 1
	for i = from; ; i++ {
		n := bytes.IndexByte(w[i:], '"')
		if n < 0 {
			return nil, i, false
		}
		i += n
		slashes := i
		for slashes > from && w[slashes-1] == '\\' {
			slashes--
		}
		if (i-slashes)&1 == 0 {
			return w[from:i], i + 1, true
		}
	}
}

// raw reads the value at w[i]: a string's or a list's inside, an object or a
// number as it stands.
func raw(w []byte, i int) ([]byte, int, bool) {
	if i >= len(w) {
		return nil, i, false
	}
	switch w[i] {
	case '"':
		return text(w, i)
	case '[', '{':
		end, ok := closing(w, i)
		if !ok {
			return nil, i, false
		}
		if w[i] == '[' {
			return w[i+1 : end-1], end, true
		}
		return w[i:end], end, true
	}
	from := i
	for i < len(w) && w[i] != ',' && w[i] != '}' && w[i] != ']' {
		i++
	}
	return w[from:i], i, i > from
}

// closing returns the place after the bracket that closes the one at w[i].
func closing(w []byte, i int) (int, bool) {
	depth := 0
	for i < len(w) {
		switch w[i] {
		case '"':
			_, next, ok := text(w, i)
			if !ok {
				return i, false
			}
			i = next
			continue
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
		i++
	}
	return i, false
}

// each calls f with the elements of a list's inside until it says no; false
// when it did.
func each(list []byte, f func(v []byte) bool) bool {
	for i := 0; i < len(list); i++ {
		v, next, ok := raw(list, i)
		if !ok || !f(v) {
			return false
		}
		i = next
	}
	return true
}

// decimal reads a price: digits, and at most six after a point.
func decimal(v []byte) (money.CPM, bool) {
	n, places, point := int64(0), 0, false
	for _, c := range v {
		switch {
		case c == '.' && !point:
			point = true
			continue
		case c < '0' || c > '9' || places == 6 || n > 1e16:
			return 0, false
		case point:
			places++
		}
		n = n*10 + int64(c-'0')
	}
	for ; places < 6; places++ {
		if n > 1e17 {
			return 0, false
		}
		n *= 10
	}
	return money.CPM(n), len(v) > 0 && v[0] != '.'
}

// whole reads a non-negative integer.
func whole(v []byte) (int64, bool) {
	n := int64(0)
	for _, c := range v {
		if c < '0' || c > '9' || n > 1e15 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(v) > 0
}

// sameText tells whether a written string, with its escapes, is want; what is
// not UTF-8 in want was written as U+FFFD.
func sameText(got []byte, want string) bool {
	if string(got) == want && bytes.IndexByte(got, '\\') < 0 {
		return true
	}
	for want != "" {
		r, n := utf8.DecodeRuneInString(want)
		want = want[n:]
		g, rest := unescaped(got)
		if len(got) == 0 || g != r {
			return false
		}
		got = rest
	}
	return len(got) == 0
}

// unescaped takes one character off a written string.
func unescaped(s []byte) (rune, []byte) {
	if len(s) < 2 || s[0] != '\\' {
		r, n := utf8.DecodeRune(s)
		return r, s[n:]
	}
	if s[1] == 'u' && len(s) >= 6 {
		r := rune(0)
		for _, c := range s[2:6] {
			r = r<<4 | hexDigit(c)
		}
		return r, s[6:]
	}
	switch s[1] {
	case 'n':
		return '\n', s[2:]
	case 'r':
		return '\r', s[2:]
	case 't':
		return '\t', s[2:]
	}
	return rune(s[1]), s[2:]
}

func hexDigit(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	}
	return 1 << 20 // no such character
}

// equalFold compares ASCII letters in any case.
func equalFold[A, B chars](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}
