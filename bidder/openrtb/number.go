package openrtb

import (
	"math"
	"math/bits"
	"strings"
)

// integer reads the integer at i into n.
func (s *scanner) integer(i int, n *Int) int {
	if v, j, ok := s.digits(i); ok {
		*n = Int{V: v, Set: true}
		return j
	}
	v, j, ok := s.integerSlow(i)
	if ok {
		*n = Int{V: v, Set: true}
	}
	return j
}

// int32 reads the integer at i into n, where absence and zero are the same.
func (s *scanner) int32(i int, n *int32) int {
	if v, j, ok := s.digits(i); ok {
		*n = v
		return j
	}
	v, j, ok := s.integerSlow(i)
	if ok {
		*n = v
	}
	return j
}

// digits reads what nearly all integers are: up to nine digits and a delimiter.
func (s *scanner) digits(i int) (v int32, at int, ok bool) {
	b := s.b
	j := i
	for ; j < len(b) && b[j]-'0' <= 9; j++ {
		v = v*10 + int32(b[j]-'0')
	}
	return v, j, uint(j-i-1) < 9 && j < len(b) && (b[j] == ',' || b[j] == '}' || b[j] == ']')
}

// integerSlow reads an integer in any form that is taken, and notes what is none.
func (s *scanner) integerSlow(i int) (v int32, at int, ok bool) {
	text, j, kind := s.scalar(i)
	switch kind {
	case scalarNothing:
		return 0, j, false
	case scalarTrue:
		return 1, j, true
	case scalarFalse:
		return 0, j, true
	case scalarText:
		d, ok := parseDecimal(text, 0)
		if ok && !d.inexact && d.abs <= math.MaxInt32 {
			if v = int32(d.abs); d.negative {
				v = -v
			}
			return v, j, true
		}
	}
	s.note(i, OddNumber)
	return 0, j, false
}

// flag reads 0, 1, false or true at i into f.
func (s *scanner) flag(i int, f *Flag) int {
	b := s.b
	if i+1 < len(b) && b[i]&^1 == '0' && (b[i+1] == ',' || b[i+1] == '}') {
		*f = No + Flag(b[i]&1)
		return i + 1
	}
	var n Int
	j := s.integer(i, &n)
	switch {
	case n.Set && n.V>>1 == 0:
		*f = No + Flag(n.V)
	case n.Set:
		s.note(i, OddFlag)
	}
	return j
}

// yes reads a flag at i whose absence is a no.
func (s *scanner) yes(i int, v *bool) int {
	f := Absent
	j := s.flag(i, &f)
	if f != Absent {
		*v = f == Yes
	}
	return j
}

// price reads the CPM at i into p, rounded up to the next micro.
func (s *scanner) price(i int, p *Price) int {
	if micro, j, ok := s.shortPrice(i); ok {
		*p = Price{Micro: micro, Set: true}
		return j
	}
	text, j, kind := s.scalar(i)
	if kind == scalarNothing {
		return j
	}
	d, ok := parseDecimal(text, 6)
	if kind != scalarText || !ok {
		p.Odd = true
		s.note(i, OddPrice)
		return j
	}
	micro := d.abs
	if d.inexact && micro < math.MaxInt64 {
		micro++
	}
	*p = Price{Micro: min(int64(micro), MaxPrice), Set: true, Odd: micro > MaxPrice}
	if d.negative && micro > 0 {
		*p = Price{Set: true, Odd: true}
	}
	if p.Odd {
		s.note(i, OddPrice)
	}
	return j
}

// shortPrice reads what nearly all prices are: up to nine digits, then perhaps a point and up to six more.
func (s *scanner) shortPrice(i int) (micro int64, at int, ok bool) {
	whole, j, ok := s.digits(i)
	if ok {
		return int64(whole) * 1_000_000, j, true
	}
	b := s.b
	if uint(j-i-1) >= 9 || j >= len(b) || b[j] != '.' {
		return 0, j, false
	}
	micro = int64(whole)
	j++
	start := j
	for ; j < len(b) && b[j]-'0' <= 9 && j-start < 6; j++ {
		micro = micro*10 + int64(b[j]-'0')
	}
	ok = j > start && j < len(b) && (b[j] == ',' || b[j] == '}')
	return micro * power10[6-(j-start)], j, ok
}

var power10 = [7]int64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000}

// micros reads the decimal at i into v, in micros, rounded towards zero; its size must not exceed limit.
func (s *scanner) micros(i int, v *int64, limit int64) (at int, ok bool) {
	text, j, kind := s.scalar(i)
	if kind == scalarNothing {
		return j, false
	}
	d, ok := parseDecimal(text, 6)
	if kind != scalarText || !ok || d.abs > uint64(limit) {
		s.note(i, OddNumber)
		return j, false
	}
	if *v = int64(d.abs); d.negative {
		*v = -*v
	}
	return j, true
}

type scalarKind uint8

const (
	scalarNothing scalarKind = iota // absent: null, "", {} or []
	scalarText                      // a number, or a string without escapes
	scalarTrue
	scalarFalse
	scalarOther // an object, a list, a string with escapes or another word
)

// scalar steps over the value at i and gives the text of a number or string.
func (s *scanner) scalar(i int) (text string, at int, kind scalarKind) {
	j := s.skip(i)
	if i >= j {
		return "", j, scalarNothing
	}
	switch v := s.view(i, j); v[0] {
	case 'n', '{', '[':
		if s.nothing(i, j, OddNumber) {
			return "", j, scalarNothing
		}
		return "", j, scalarOther
	case 't', 'f':
		switch v {
		case "true":
			return "", j, scalarTrue
		case "false":
			return "", j, scalarFalse
		}
		return "", j, scalarOther
	case '"':
		if len(v) < 2 {
			return "", j, scalarNothing // an error was met
		}
		v = strings.Trim(v[1:len(v)-1], " ")
		switch {
		case v == "" || v == "null":
			return "", j, scalarNothing
		case strings.IndexByte(v, '\\') >= 0:
			return "", j, scalarOther
		case v == "true":
			return "", j, scalarTrue
		case v == "false":
			return "", j, scalarFalse
		}
		return v, j, scalarText
	default:
		return v, j, scalarText
	}
}

// decimal is the size of a number, cut to a whole; inexact says that something was cut off. What exceeds MaxInt64 is
// MaxInt64.
type decimal struct {
	abs      uint64
	negative bool
	inexact  bool
}

// parseDecimal reads the number t times 10^shift, digit by digit. ok is false for what is no decimal number.
func parseDecimal(t string, shift int) (d decimal, ok bool) {
	if t != "" && (t[0] == '-' || t[0] == '+') {
		d.negative = t[0] == '-'
		t = t[1:]
	}
	var mantissa uint64
	scale, seen, point := shift, 0, -1
	i := 0
	for ; i < len(t); i++ {
		c := t[i] - '0'
		if c > 9 {
			if t[i] == '.' && point < 0 {
				point = i
				continue
			}
			break
		}
		seen++
		switch {
		case mantissa < 1e17:
			mantissa = mantissa*10 + uint64(c)
			if point >= 0 {
				scale--
			}
		default: // eighteen digits are enough: the others move the point, or are cut off
			d.inexact = d.inexact || c != 0
			if point < 0 {
				scale++
			}
		}
	}
	if seen == 0 {
		return decimal{}, false
	}
	if i < len(t) {
		exponent, ok := parseExponent(t[i:])
		if !ok {
			return decimal{}, false
		}
		scale += exponent
	}
	d.scale(mantissa, scale)
	return d, true
}

// scale sets d.abs to mantissa × 10^scale.
func (d *decimal) scale(mantissa uint64, scale int) {
	if mantissa == 0 {
		return
	}
	for ; scale < 0 && mantissa > 0; scale++ {
		d.inexact = d.inexact || mantissa%10 != 0
		mantissa /= 10
	}
	for ; scale > 0 && mantissa > 0; scale-- {
		hi, lo := bits.Mul64(mantissa, 10)
		if hi != 0 || lo > math.MaxInt64 {
			d.abs = math.MaxInt64
			return
		}
		mantissa = lo
	}
	d.abs = mantissa
}

// parseExponent reads "e-2" and the like; beyond ±9999 it stays there, which is as good as infinite.
func parseExponent(t string) (v int, ok bool) {
	if t[0] != 'e' && t[0] != 'E' {
		return 0, false
	}
	t = t[1:]
	negative := t != "" && t[0] == '-'
	if t != "" && (t[0] == '-' || t[0] == '+') {
		t = t[1:]
	}
	for i := range len(t) {
		c := t[i] - '0'
		if c > 9 {
			return 0, false
		}
		v = min(v*10+int(c), 9999)
	}
	if negative {
		v = -v
	}
	return v, t != ""
}
