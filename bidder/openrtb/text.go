package openrtb

import (
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// view returns b[i:j] as a string that shares its bytes.
func (s *scanner) view(i, j int) string {
	if i >= j {
		return ""
	}
	return unsafe.String(&s.b[i], j-i)
}

// str reads the string at i into dst.
func (s *scanner) str(i int, dst *string) int {
	v, j, ok := s.text(i)
	if ok {
		*dst = v
	}
	return j
}

// text reads the string at i. ok is false when there is none that can be used.
func (s *scanner) text(i int) (v string, at int, ok bool) {
	b := s.b
	if i >= len(b) || b[i] != '"' {
		return s.textSlow(i)
	}
	j := i + 1
	for ; j+8 <= len(b); j += 8 { // as quote does, in place
		x := word(b, j)
		if m := match(x, '"'*ones) | match(x, '\\'*ones); m != 0 {
			j += bits.TrailingZeros64(m) >> 3
			goto found
		}
	}
	j = quote(b, j)
found:
	if j >= len(b) || b[j] != '"' {
		return s.textSlow(i)
	}
	return s.view(i+1, j), j + 1, true
}

// textSlow reads a string with escapes, or the text of a number where a string was expected.
func (s *scanner) textSlow(i int) (v string, at int, ok bool) {
	j := s.skip(i)
	if s.errMsg != "" {
		return "", j, false
	}
	switch c := s.b[i]; {
	case c == '"':
		return s.unescaped(i+1, j-1), j, true
	case c == '-' || c-'0' <= 9:
		return s.view(i, j), j, true
	default:
		if !s.nothing(i, j, OddString) {
			s.note(i, OddString)
		}
		return "", j, false
	}
}

// unescaped returns the inside of a string, b[i:j], without its escapes; it lives in the arena.
func (s *scanner) unescaped(i, j int) string {
	start := len(s.arena)
	var odd bool
	if s.arena, odd = appendUnescaped(s.arena, s.view(i, j)); odd {
		s.note(i, OddString)
	}
	if len(s.arena) == start {
		return ""
	}
	return unsafe.String(&s.arena[start], len(s.arena)-start)
}

// appendUnescaped appends the inside of a JSON string without its escapes. odd tells of an escape that JSON does not
// know; its letter is kept.
func appendUnescaped(dst []byte, v string) (_ []byte, odd bool) {
	for {
		k := strings.IndexByte(v, '\\')
		if k < 0 || k+1 >= len(v) {
			return append(dst, v...), odd || k >= 0
		}
		dst = append(dst, v[:k]...)
		c := v[k+1]
		v = v[k+2:]
		switch c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, n := unescapeRune(v)
			odd = odd || n == 0
			dst = utf8.AppendRune(dst, r)
			v = v[n:]
		default:
			odd = true
			dst = append(dst, c)
		}
	}
}

// unescapeRune reads the digits behind \u, and a second escape when the first is the high half of a pair. It returns
// how many bytes it used: 0 when there are no four digits.
func unescapeRune(v string) (r rune, n int) {
	r, ok := hex4(v)
	if !ok {
		return utf8.RuneError, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(v) >= 10 && v[4] == '\\' && v[5] == 'u' {
		if low, ok := hex4(v[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 10
			}
		}
	}
	return utf8.RuneError, 4
}

func hex4(v string) (r rune, ok bool) {
	if len(v) < 4 {
		return 0, false
	}
	for i := range 4 {
		c := v[i]
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' <= 5:
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// strings reads the list of strings at i into dst. Numbers keep their text.
func (s *scanner) strings(i int, dst *[]string) int {
	start := len(s.strs)
	i, ok, lone := s.list(i)
	if lone && !s.textual(i) {
		return s.other(i, OddList)
	}
	for ; ok; i, ok = s.more(i, lone) {
		var v string
		if v, i, ok = s.text(i); !ok {
			continue
		}
		if lone && v == "" {
			continue
		}
		if len(s.strs)-start >= MaxList {
			s.odd.Truncated |= TruncatedList
			continue
		}
		s.strs = append(s.strs, v)
	}
	if n := len(s.strs); n > start {
		*dst = s.strs[start:n:n]
	}
	return i
}

// int32s reads the list of integers at i into dst.
func (s *scanner) int32s(i int, dst *[]int32) int {
	start := len(s.ints)
	i, ok, lone := s.list(i)
	if lone && !s.textual(i) {
		return s.other(i, OddList)
	}
	for ; ok; i, ok = s.more(i, lone) {
		var n Int
		if i = s.integer(i, &n); !n.Set {
			continue
		}
		if len(s.ints)-start >= MaxList {
			s.odd.Truncated |= TruncatedList
			continue
		}
		s.ints = append(s.ints, n.V)
	}
	if n := len(s.ints); n > start {
		*dst = s.ints[start:n:n]
	}
	return i
}

// textual says whether the value at i is a string or a number.
func (s *scanner) textual(i int) bool {
	b := s.b
	return i < len(b) && (b[i] == '"' || b[i] == '-' || b[i]-'0' <= 9)
}

// NextKeyword cuts the first keyword off a comma-separated list, without the spaces around it. It returns "" and ""
// when none is left.
func NextKeyword(list string) (keyword, rest string) {
	for list != "" {
		keyword, list, _ = strings.Cut(list, ",")
		if keyword = strings.TrimSpace(keyword); keyword != "" {
			return keyword, list
		}
	}
	return "", ""
}
