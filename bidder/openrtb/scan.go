package openrtb

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unsafe"
)

// SyntaxError says why and where bytes are not the one JSON object that was expected.
type SyntaxError struct {
	Offset int // byte at which reading stopped
	Msg    string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("read JSON: %s at byte %d", e.Msg, e.Offset)
}

// scanner walks JSON bytes. Its methods take the index of a value's first byte and return the index behind it, so that
// the position stays in a register. An error is kept in the scanner and moves the position to the end of the bytes,
// where every loop stops by itself: callers need not look at it.
type scanner struct {
	b      []byte
	odd    *Oddities
	strs   []string // slab of the lists of strings
	ints   []int32  // slab of the lists of integers
	arena  []byte   // unescaped strings
	errMsg string
	errAt  int
}

// begin points the scanner at b, with empty slabs.
func (s *scanner) begin(b []byte, odd *Oddities) {
	s.b, s.odd = b, odd
	s.errMsg, s.errAt = "", 0
	*odd = Oddities{OddAt: -1}
}

// release drops all references and keeps slabs of ordinary size.
func (s *scanner) release() {
	s.b = nil
	if cap(s.strs) > keepStrings {
		s.strs = nil
	}
	clear(s.strs)
	s.strs = s.strs[:0]
	if cap(s.ints) > keepInts {
		s.ints = nil
	}
	s.ints = s.ints[:0]
	if cap(s.arena) > keepArena {
		s.arena = nil
	}
	s.arena = s.arena[:0]
}

// fail keeps the first error and returns the end of the bytes.
func (s *scanner) fail(i int, msg string) int {
	if s.errMsg == "" {
		s.errMsg, s.errAt = msg, min(i, len(s.b))
	}
	return len(s.b)
}

// failed returns the error that was met, or nil.
func (s *scanner) failed() error {
	if s.errMsg == "" {
		return nil
	}
	return &SyntaxError{Offset: s.errAt, Msg: s.errMsg}
}

// note records that the value at i could not be used.
func (s *scanner) note(i int, kind Odd) {
	s.odd.Odd |= kind
	if s.odd.OddCount == 0 {
		s.odd.OddAt = int32(min(i, 1<<31-1))
	}
	if s.odd.OddCount < 1<<31-1 {
		s.odd.OddCount++
	}
}

// space returns the first index at or after i that holds no white space.
func (s *scanner) space(i int) int {
	for b := s.b; i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t'); i++ {
	}
	return i
}

// open enters the object at i and reads its first key; the index is that of the key's value. ok is false when there is
// no member: then the index is behind the value, which was {} or no object at all.
func (s *scanner) open(i int) (key string, at int, ok bool) {
	if i < len(s.b) && s.b[i] == '{' {
		return s.member(i, '{')
	}
	return "", s.other(i, OddObject), false
}

// next goes from behind a member's value to the next member's, or behind the object's end with ok false.
func (s *scanner) next(i int) (key string, at int, ok bool) { return s.member(i, ',') }

// member reads a key and its colon, behind the byte that comes before a member: '{' or ','.
func (s *scanner) member(i int, before byte) (key string, at int, ok bool) {
	b := s.b
	if i+1 < len(b) && b[i] == before && b[i+1] == '"' {
		i += 2
	} else if i < len(b) && b[i] == '}' && before == ',' {
		return "", i + 1, false
	} else if i = s.memberSlow(i, before); i < 0 {
		return "", ^i, false
	}
	j := i
	for ; j+8 <= len(b); j += 8 { // as quote does, in place: two words hold nearly every key
		x := word(b, j)
		if m := match(x, '"'*ones) | match(x, '\\'*ones); m != 0 {
			j += bits.TrailingZeros64(m) >> 3
			goto found
		}
	}
	j = quote(b, j)
found:
	if j < len(b) && b[j] == '\\' {
		if j = s.closing(j); j < len(b) {
			key = s.unescaped(i, j)
		}
	}
	if j >= len(b) {
		return "", s.fail(j, "key without end"), false
	}
	if key == "" {
		key = s.view(i, j)
	}
	j++
	if j >= len(b) || b[j] != ':' {
		if j = s.space(j); j >= len(b) || b[j] != ':' {
			return "", s.fail(j, "no ':' after a key"), false
		}
	}
	j++
	if j < len(b) && b[j] <= ' ' {
		j = s.space(j)
	}
	return key, j, true
}

// memberSlow returns the index behind the next key's opening quote, or, inverted, the index behind the object.
func (s *scanner) memberSlow(i int, before byte) int {
	b := s.b
	if i = s.space(i); i < len(b) && b[i] == before {
		if i = s.space(i + 1); i < len(b) && b[i] == '"' {
			return i + 1
		}
		if before == '{' && i < len(b) && b[i] == '}' {
			return ^(i + 1)
		}
		return ^s.fail(i, "no key")
	}
	if i < len(b) && b[i] == '}' {
		return ^(i + 1)
	}
	return ^s.fail(i, "neither ',' nor '}' after a member")
}

// list enters the list at i; the index is that of its first element. Any other value that may hold something is taken
// for a list of that one, which lone says. ok is false when there is no element.
func (s *scanner) list(i int) (at int, ok, lone bool) {
	b := s.b
	if i >= len(b) {
		return s.fail(i, "no value"), false, false
	}
	if b[i] != '[' {
		return i, true, true
	}
	if i = s.space(i + 1); i < len(b) && b[i] == ']' {
		return i + 1, false, false
	}
	return i, true, false
}

// more goes from behind an element to the next one, or behind the list's end with ok false.
func (s *scanner) more(i int, lone bool) (at int, ok bool) {
	b := s.b
	if lone {
		return i, false
	}
	if i = s.space(i); i < len(b) {
		switch b[i] {
		case ',':
			if i++; i < len(b) && b[i] <= ' ' {
				i = s.space(i)
			}
			return i, true
		case ']':
			return i + 1, false
		}
	}
	return s.fail(i, "neither ',' nor ']' in a list"), false
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// match marks the bytes of x that equal the byte repeated in pattern by their top bit. The lowest mark is exact.
func match(x, pattern uint64) uint64 {
	x ^= pattern
	return (x - ones) &^ x & tops
}

// word loads b[i:i+8], which must be there, without a bounds check: it is most of what scanning does.
func word(b []byte, i int) uint64 {
	p := (*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))
	return binary.LittleEndian.Uint64(p[:])
}

// quote returns the index of the first quote or backslash at or after i, or len(b).
func quote(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := word(b, i)
		if m := match(x, '"'*ones) | match(x, '\\'*ones); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(b); i++ {
		if b[i] == '"' || b[i] == '\\' {
			return i
		}
	}
	return len(b)
}

// closing returns the index of the quote that closes a string, from the index of a backslash in it, or len(b).
func (s *scanner) closing(i int) int {
	b := s.b
	for i < len(b) && b[i] == '\\' {
		i = quote(b, min(i+2, len(b)))
	}
	return i
}

// skip steps over the value at i.
func (s *scanner) skip(i int) int {
	b := s.b
	if i >= len(b) {
		return s.fail(i, "no value")
	}
	switch b[i] {
	case '"':
		return s.skipString(i + 1)
	case '{', '[':
		return s.skipNested(i)
	}
	j := i
	for j < len(b) && !delimiter[b[j]] {
		j++
	}
	if j == i {
		return s.fail(i, "no value")
	}
	return j
}

// skipString returns the index behind the string whose first byte, behind the quote, is at i.
func (s *scanner) skipString(i int) int {
	b := s.b
	j := quote(b, i)
	if j < len(b) && b[j] == '\\' {
		j = s.closing(j)
	}
	if j >= len(b) {
		return s.fail(j, "string without end")
	}
	return j + 1
}

// skipNested steps over the object or list at i, looking at quotes and brackets only.
func (s *scanner) skipNested(i int) int {
	b := s.b
	var open uint64 // a bit for every open bracket: 1 for '{', 0 for '['; the lowest is the innermost
	depth := 0
	for i < len(b) {
		switch structure[b[i]] {
		case 0:
			i++
		case '"':
			i = s.skipString(i + 1)
		case '{', '[':
			if depth == MaxDepth {
				return s.fail(i, "nested too deep")
			}
			depth++
			open = open<<1 | uint64(b[i]>>5&1)
			i++
		default:
			if open&1 != uint64(b[i]>>5&1) {
				return s.fail(i, "bracket does not match")
			}
			open >>= 1
			i++
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return s.fail(i, "object or list without end")
}

// structure holds the bytes at which skipNested must look; '{' and '}' have bit 5 set, '[' and ']' do not.
var structure = [256]byte{'"': '"', '{': '{', '[': '[', '}': '}', ']': ']'}

// delimiter holds the bytes that end a number or a word.
var delimiter = [256]bool{',': true, '}': true, ']': true, ':': true, '"': true, '{': true, '[': true,
	' ': true, '\n': true, '\r': true, '\t': true}

// other steps over a value that is not of the wanted kind, and notes it unless it says that there is nothing.
func (s *scanner) other(i int, kind Odd) int {
	j := s.skip(i)
	if !s.nothing(i, j, kind) {
		s.note(i, kind)
	}
	return j
}

// nothing says whether the value in b[i:j] stands for an absent one.
func (s *scanner) nothing(i, j int, kind Odd) bool {
	switch v := s.b[min(i, j):j]; string(v) {
	case "null", `""`, "{}", "[]", "":
		return true
	case "false":
		return kind == OddObject || kind == OddList
	default:
		inner := s.space(i + 1)
		return (v[0] == '{' || v[0] == '[') && inner == j-1
	}
}
