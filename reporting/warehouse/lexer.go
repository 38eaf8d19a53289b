package warehouse

import "bytes"

type tokenKind uint8

const (
	tokenEnd        tokenKind = iota
	tokenWord                 // bare word: keyword, identifier, number
	tokenIdentifier           // `x` or "x" or “x”
	tokenString               // 'x', ‘x’, $tag$x$tag$
	tokenPunct                // one byte of anything else
	tokenBad                  // unclosed quote or comment
)

// token is a piece of a statement. text is without its quotes, escapes undone only
// where escaped is false.
type token struct {
	kind    tokenKind
	text    []byte
	end     int // offset behind it
	escaped bool
}

func (t token) is(punct byte) bool { return t.kind == tokenPunct && t.text[0] == punct }

// word says whether the token is that bare word, in any case.
func (t token) word(upper string) bool {
	return t.kind == tokenWord && len(t.text) == len(upper) && bytes.EqualFold(t.text, []byte(upper))
}

// lexer splits SQL into tokens where ClickHouse does: quotes with backslashes and
// doubled quotes, typographic quotes, heredocs, and comments, which nest.
type lexer struct {
	sql []byte
	pos int
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// isWord says whether s is a non-empty ASCII word.
func isWord(s string) bool {
	for i := range len(s) {
		if !isWordByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func (l *lexer) next() token {
	if !l.skipSpace() {
		return token{kind: tokenBad, end: len(l.sql)}
	}
	if l.pos >= len(l.sql) {
		return token{kind: tokenEnd, end: len(l.sql)}
	}
	switch c := l.sql[l.pos]; {
	case c == '\'':
		return l.quoted(tokenString)
	case c == '"' || c == '`':
		return l.quoted(tokenIdentifier)
	case c == '$':
		if t, ok := l.heredoc(); ok {
			return t
		}
		return l.bareWord()
	case isWordByte(c):
		return l.bareWord()
	case c == 0xE2:
		if t, ok := l.typographic(); ok {
			return t
		}
	}
	l.pos++
	return token{kind: tokenPunct, text: l.sql[l.pos-1 : l.pos], end: l.pos}
}

func (l *lexer) bareWord() token {
	start := l.pos
	for l.pos < len(l.sql) && (isWordByte(l.sql[l.pos]) || l.sql[l.pos] == '$') {
		l.pos++
	}
	return token{kind: tokenWord, text: l.sql[start:l.pos], end: l.pos}
}

// skipSpace passes white space and comments; false is an unclosed comment.
func (l *lexer) skipSpace() bool {
	for l.pos < len(l.sql) {
		rest := l.sql[l.pos:]
		switch {
		case rest[0] == ' ' || rest[0] >= '\t' && rest[0] <= '\r':
			l.pos++
		case bytes.HasPrefix(rest, []byte("--")), bytes.HasPrefix(rest, []byte("# ")), bytes.HasPrefix(rest, []byte("#!")):
			if n := bytes.IndexByte(rest, '\n'); n >= 0 {
				l.pos += n + 1
			} else {
				l.pos = len(l.sql)
			}
		case bytes.HasPrefix(rest, []byte("/*")):
			if !l.skipComment() {
				return false
			}
		default:
			return true
		}
	}
	return true
}

func (l *lexer) skipComment() bool {
	depth := 0
	for l.pos+1 < len(l.sql) {
		switch {
		case l.sql[l.pos] == '/' && l.sql[l.pos+1] == '*':
			depth++
			l.pos += 2
		case l.sql[l.pos] == '*' && l.sql[l.pos+1] == '/':
			depth--
			l.pos += 2
			if depth == 0 {
				return true
			}
		default:
			l.pos++
		}
	}
	l.pos = len(l.sql)
	return false
}

func (l *lexer) quoted(kind tokenKind) token {
	mark, start, escaped := l.sql[l.pos], l.pos+1, false
	for i := start; i < len(l.sql); i++ {
		switch l.sql[i] {
		case '\\':
			escaped = true
			i++
		case mark:
			if i+1 < len(l.sql) && l.sql[i+1] == mark {
				escaped = true
				i++
				continue
			}
			l.pos = i + 1
			return token{kind: kind, text: l.sql[start:i], end: l.pos, escaped: escaped}
		}
	}
	l.pos = len(l.sql)
	return token{kind: tokenBad, end: l.pos}
}

func (l *lexer) heredoc() (token, bool) {
	rest := l.sql[l.pos:]
	n := bytes.IndexByte(rest[1:], '$')
	if n < 0 || n > 0 && !isWord(string(rest[1:n+1])) {
		return token{}, false
	}
	tag := rest[:n+2]
	end := bytes.Index(rest[len(tag):], tag)
	if end < 0 {
		return token{}, false
	}
	l.pos += len(tag) + end + len(tag)
	return token{kind: tokenString, text: rest[len(tag) : len(tag)+end], end: l.pos}, true
}

// typographic reads ‘string’ and “identifier”.
func (l *lexer) typographic() (token, bool) {
	rest := l.sql[l.pos:]
	for _, q := range []struct {
		open, end string
		kind      tokenKind
	}{{"‘", "’", tokenString}, {"“", "”", tokenIdentifier}} {
		if !bytes.HasPrefix(rest, []byte(q.open)) {
			continue
		}
		n := bytes.Index(rest[len(q.open):], []byte(q.end))
		if n < 0 {
			l.pos = len(l.sql)
			return token{kind: tokenBad, end: l.pos}, true
		}
		l.pos += len(q.open) + n + len(q.end)
		return token{kind: q.kind, text: rest[len(q.open) : len(q.open)+n], end: l.pos}, true
	}
	return token{}, false
}
