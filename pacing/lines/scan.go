package lines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unsafe"
)

// line is one line of input. has tells which fields it had.
type line struct {
	kind     string
	day      float64
	budget   float64
	forecast []float64
	at       float64
	t        float64
	id, pl   uint64
	v, cost  float64
	has      field
}

// field is a set of fields.
type field uint16

const (
	hasDay field = 1 << iota
	hasBudget
	hasForecast
	hasAt
	hasT
	hasID
	hasPl
	hasV
	hasCost
)

func (f field) names() string {
	all := []string{"day", "budget", "forecast", "at", "t", "id", "pl", "v", "cost"}
	var out []byte
	for i, n := range all {
		if f&(1<<i) != 0 {
			out = append(append(out, ' '), n...)
		}
	}
	return string(out)
}

// reset keeps the forecast's memory.
func (l *line) reset() { *l = line{forecast: l.forecast[:0]} }

var errNotJSON = errors.New("not a JSON object")

// parse reads one object. Fields it does not know are stepped over.
func (l *line) parse(b []byte) error {
	l.reset()
	s := scanner{b: b}
	if !s.take('{') {
		return errNotJSON
	}
	if s.take('}') {
		return s.end()
	}
	for {
		key, err := s.text()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return errNotJSON
		}
		if err := l.field(&s, key); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		if s.take('}') {
			return s.end()
		}
		if !s.take(',') {
			return errNotJSON
		}
	}
}

func (l *line) field(s *scanner, key []byte) (err error) {
	number := func(to *float64, has field) error {
		if s.null() {
			return nil
		}
		l.has |= has
		*to, err = s.number()
		return err
	}
	switch string(key) {
	case "type":
		kind, err := s.text()
		l.kind = kindOf(kind)
		return err
	case "t":
		return number(&l.t, hasT)
	case "v":
		return number(&l.v, hasV)
	case "cost":
		return number(&l.cost, hasCost)
	case "day":
		return number(&l.day, hasDay)
	case "budget":
		return number(&l.budget, hasBudget)
	case "at":
		return number(&l.at, hasAt)
	case "id":
		l.has |= hasID
		l.id, err = s.name()
		return err
	case "pl":
		l.has |= hasPl
		l.pl, err = s.name()
		return err
	case "forecast":
		if s.null() {
			return nil
		}
		l.has |= hasForecast
		return l.numbers(s)
	}
	return s.skip(0)
}

// kindOf avoids an allocation for the kinds there are.
func kindOf(b []byte) string {
	switch string(b) {
	case "bid":
		return "bid"
	case "win":
		return "win"
	case "start":
		return "start"
	case "end":
		return "end"
	}
	return string(b)
}

func (l *line) numbers(s *scanner) error {
	if !s.take('[') {
		return errors.New("not a list")
	}
	if s.take(']') {
		return nil
	}
	for {
		v, err := s.number()
		if err != nil {
			return err
		}
		l.forecast = append(l.forecast, v)
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return errNotJSON
		}
	}
}

// scanner walks over one JSON text.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\r' || s.b[s.i] == '\n') {
		s.i++
	}
}

func (s *scanner) take(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) end() error {
	if s.space(); s.i < len(s.b) {
		return errNotJSON
	}
	return nil
}

func (s *scanner) null() bool {
	s.space()
	if bytes.HasPrefix(s.b[s.i:], []byte("null")) {
		s.i += 4
		return true
	}
	return false
}

// text reads a string. It is valid until the input changes.
func (s *scanner) text() ([]byte, error) {
	if !s.take('"') {
		return nil, errors.New("not a string")
	}
	from := s.i
	escaped := false
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '\\':
			escaped = true
			s.i++
		case c < ' ':
			return nil, errNotJSON
		case c == '"':
			s.i++
			if !escaped {
				return s.b[from : s.i-1], nil
			}
			var out string
			if err := json.Unmarshal(s.b[from-1:s.i], &out); err != nil {
				return nil, errNotJSON
			}
			return []byte(out), nil
		}
	}
	return nil, errNotJSON
}

// token is the text of a number.
func (s *scanner) token() []byte {
	s.space()
	from := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			s.i++
			continue
		}
		break
	}
	return s.b[from:s.i]
}

// number reads a decimal, with or without an exponent.
func (s *scanner) number() (float64, error) {
	t := s.token()
	if !isNumber(t) {
		return 0, errors.New("not a number")
	}
	v, err := strconv.ParseFloat(unsafe.String(&t[0], len(t)), 64) // the text is not kept
	if err != nil {
		return 0, errors.New("a number out of range")
	}
	return v, nil
}

// isNumber holds a token to JSON's grammar (RFC 8259, 6).
func isNumber(t []byte) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(t) && t[i] >= '0' && t[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(t) && t[i] == '-' {
		i++
	}
	first := i
	if !digits() || (t[first] == '0' && i-first > 1) {
		return false
	}
	if i < len(t) && t[i] == '.' {
		if i++; !digits() {
			return false
		}
	}
	if i < len(t) && (t[i] == 'e' || t[i] == 'E') {
		if i++; i < len(t) && (t[i] == '+' || t[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(t)
}

// name reads an id, a number or a string, as 64 bits: small whole numbers as
// they are, anything else hashed (FNV-1a).
func (s *scanner) name() (uint64, error) {
	var t []byte
	var err error
	s.space()
	text := s.i < len(s.b) && s.b[s.i] == '"'
	if text {
		t, err = s.text()
	} else if t = s.token(); !isNumber(t) {
		err = errors.New("neither a number nor a string")
	}
	if err != nil {
		return 0, err
	}
	if n, ok := small(t); ok && !text {
		return n, nil
	}
	h := uint64(14695981039346656037)
	for _, c := range t {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h | 1<<63, nil // never one of the small numbers
}

func small(t []byte) (n uint64, ok bool) {
	if len(t) == 0 || len(t) > 18 {
		return 0, false
	}
	for _, c := range t {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// skip steps over any value.
func (s *scanner) skip(depth int) error {
	const deepest = 64
	if depth > deepest {
		return errors.New("nested too deep")
	}
	s.space()
	if s.i >= len(s.b) {
		return errNotJSON
	}
	switch s.b[s.i] {
	case '"':
		_, err := s.text()
		return err
	case '{', '[':
		return s.skipList(depth, s.b[s.i] == '{')
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.b[s.i:], []byte(word)) {
			s.i += len(word)
			return nil
		}
	}
	_, err := s.number()
	return err
}

func (s *scanner) skipList(depth int, object bool) error {
	closing := byte(']')
	if object {
		closing = '}'
	}
	s.i++
	if s.take(closing) {
		return nil
	}
	for {
		if object {
			if _, err := s.text(); err != nil {
				return err
			}
			if !s.take(':') {
				return errNotJSON
			}
		}
		if err := s.skip(depth + 1); err != nil {
			return err
		}
		if s.take(closing) {
			return nil
		}
		if !s.take(',') {
			return errNotJSON
		}
	}
}
