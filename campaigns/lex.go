package campaigns

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says what is wrong with a targeting expression, and where.
type SyntaxError struct {
	// Pos is the byte offset of the word at fault; Line and Column (in
	// characters) count from 1.
	Pos, Line, Column int
	// Token is the word at fault as written, shortened; empty at the end.
	Token string
	// Msg says what is wrong; Hint, if not empty, what to write instead.
	Msg, Hint string
}

// Error is one line, such as
// `line 1, column 5: "vistied" is not a predicate (did you mean "visited"?)`.
func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

func syntaxError(src string, t token, hint, format string, args ...any) *SyntaxError {
	pos := min(t.pos, len(src))
	before := src[:pos]
	line := 1 + strings.Count(before, "\n")
	start := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Pos: pos, Line: line, Column: 1 + utf8.RuneCountInString(before[start:]),
		Token: shorten(src[pos:min(max(t.end, pos), len(src))]), Msg: fmt.Sprintf(format, args...), Hint: hint,
	}
}

// shorten cuts a word for a message.
func shorten(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokWord
	tokString
	tokNumber
	tokDuration
	tokOpen
	tokClose
	tokComma
	tokRange
	tokCompare
	tokPercent
)

// token is a word of an expression; text is the word in lower case, a
// string's content, a number's digits or the operator.
type token struct {
	kind     tokenKind
	text     string
	seconds  int64 // of a duration
	pos, end int
}

// describe names a token in a message.
func (t token) describe() string {
	switch t.kind {
	case tokEnd:
		return "the end"
	case tokString:
		return `the text "` + shorten(t.text) + `"`
	}
	return `"` + shorten(t.text) + `"`
}

// lexer cuts an expression into tokens, one at a time.
type lexer struct {
	src string
	at  int
}

func (l *lexer) next() (token, error) {
	for l.at < len(l.src) {
		r, size := utf8.DecodeRuneInString(l.src[l.at:])
		if !unicode.IsSpace(r) {
			break
		}
		l.at += size
	}
	t := token{pos: l.at, end: l.at}
	if l.at == len(l.src) {
		return t, nil
	}
	c := l.src[l.at]
	switch {
	case c == '"':
		return l.quoted()
	case c >= '0' && c <= '9':
		return l.number()
	case c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z':
		t.end = l.wordEnd(l.at)
		t.kind, t.text = tokWord, strings.ToLower(l.src[t.pos:t.end])
	case strings.IndexByte("(),", c) >= 0:
		t.kind = [...]tokenKind{tokOpen, tokClose, tokComma}[strings.IndexByte("(),", c)]
		t.end, t.text = l.at+1, l.src[l.at:l.at+1]
	case strings.HasPrefix(l.src[l.at:], ".."):
		t.kind, t.end, t.text = tokRange, l.at+2, ".."
	case strings.IndexByte("=!<>", c) >= 0:
		return l.operator()
	default:
		_, size := utf8.DecodeRuneInString(l.src[l.at:])
		t.end = l.at + size
		hint := ""
		if strings.ContainsRune("'`“”„’", firstRune(l.src[l.at:])) {
			hint = `texts stand in plain double quotes, as in "sofa"`
		}
		return t, syntaxError(l.src, t, hint, "%q does not belong here", l.src[t.pos:t.end])
	}
	l.at = t.end
	return t, nil
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func (l *lexer) wordEnd(i int) int {
	for i < len(l.src) {
		c := l.src[i]
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			break
		}
		i++
	}
	return i
}

func (l *lexer) operator() (token, error) {
	t := token{kind: tokCompare, pos: l.at, end: l.at + 1}
	if l.at+1 < len(l.src) && l.src[l.at+1] == '=' {
		t.end++
	}
	t.text = l.src[t.pos:t.end]
	l.at = t.end
	switch t.text {
	case "!":
		return t, syntaxError(l.src, t, `write "not" or "!="`, `"!" is not an operator`)
	case "==":
		t.text = "="
	}
	return t, nil
}

// quoted reads a text in double quotes; \" and \\ stand for themselves.
func (l *lexer) quoted() (token, error) {
	t := token{kind: tokString, pos: l.at}
	i := l.at + 1
	start, plain := i, true
	for i < len(l.src) && l.src[i] != '"' {
		if l.src[i] == '\\' {
			plain = false
			i++
		}
		i++
	}
	if i >= len(l.src) {
		t.end = len(l.src)
		return t, syntaxError(l.src, t, `add a closing "`, "this text has no end")
	}
	t.end = i + 1
	t.text = l.src[start:i]
	l.at = t.end
	if !plain {
		text := make([]byte, 0, len(t.text))
		for j := 0; j < len(t.text); j++ {
			if t.text[j] == '\\' {
				if j++; t.text[j] != '"' && t.text[j] != '\\' {
					at := token{pos: start + j - 1, end: start + j + 1}
					return t, syntaxError(l.src, at, `write \" for a quote and \\ for a backslash`, `unknown escape in a text`)
				}
			}
			text = append(text, t.text[j])
		}
		t.text = string(text)
	}
	if !utf8.ValidString(t.text) {
		return t, syntaxError(l.src, t, "", "this text is not UTF-8")
	}
	return t, nil
}

// maxDurationS bounds durations: ten years.
const maxDurationS = 10 * 366 * 86400

// number reads `500`, `1.5` or a duration such as `7d`.
func (l *lexer) number() (token, error) {
	t := token{kind: tokNumber, pos: l.at}
	i := l.at
	digits := func() {
		for i < len(l.src) && l.src[i] >= '0' && l.src[i] <= '9' {
			i++
		}
	}
	digits()
	whole := i
	if i+1 < len(l.src) && l.src[i] == '.' && l.src[i+1] >= '0' && l.src[i+1] <= '9' {
		i++
		digits()
	}
	if i < len(l.src) && l.src[i] == '%' {
		t.kind, t.end, l.at = tokPercent, i+1, i+1
		t.text = l.src[t.pos:t.end]
		return t, nil
	}
	t.end = l.wordEnd(i)
	t.text = l.src[t.pos:i]
	unit := l.src[i:t.end]
	l.at = t.end
	if len(t.text) > 24 {
		return t, syntaxError(l.src, t, "", "this number is too long")
	}
	if unit == "" {
		return t, nil
	}
	t.kind = tokDuration
	scale := map[string]int64{"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}[strings.ToLower(unit)]
	if scale == 0 {
		hint := "durations are 30m, 2h, 7d, 2w"
		if len(unit) == 3 {
			hint = "put a space before the currency: " + t.text + " " + strings.ToUpper(unit)
		}
		return t, syntaxError(l.src, t, hint, "%q is neither a number nor a duration", shorten(l.src[t.pos:t.end]))
	}
	if whole != i {
		return t, syntaxError(l.src, t, "take a smaller unit, such as 36h for 1.5d", "a duration is a whole number")
	}
	var n int64
	for _, c := range t.text {
		if n = n*10 + int64(c-'0'); n*scale > maxDurationS {
			return t, syntaxError(l.src, t, "", "a duration is at most ten years")
		}
	}
	if n == 0 {
		return t, syntaxError(l.src, t, "", "a duration must be longer than nothing")
	}
	t.seconds, t.text = n*scale, l.src[t.pos:t.end]
	return t, nil
}
