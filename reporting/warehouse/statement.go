package warehouse

import (
	"strings"
)

// maxQueryBytes bounds a statement without its data, as max_query_size.
const maxQueryBytes = 4 << 20

// statement is what the server must know about a statement before the engine
// parses it.
type statement struct {
	kind   string // its first word in upper case; "(" for a bracketed SELECT
	format string // FORMAT clause of a result; "" if none
	write  bool   // passes through the writers' gate
	// selects: the engine can stream it.
	selects bool
	// An INSERT whose data follows: its format, where SETTINGS, if any, and FORMAT or
	// VALUES begin, and where the latter ends (ClickHouse then skips blanks and one line end).
	dataFormat                     string
	settingsFrom, dataFrom, dataAt int
}

// hasFileData says whether what follows the format's name is nothing but data.
// VALUES may hold expressions, so it is read to its end like the statement.
func (s statement) hasFileData() bool { return s.dataFormat != "" && s.dataFormat != "Values" }

// readers are the statements that change nothing; writers those that may. All
// others are refused or, misspelt, get the engine's kind of syntax error.
func knownKinds() (readers, writers map[string]bool) {
	set := func(words string) map[string]bool {
		m := make(map[string]bool)
		for _, w := range strings.Fields(words) {
			m[w] = true
		}
		return m
	}
	return set("SELECT WITH FROM ( SHOW DESCRIBE DESC EXPLAIN EXISTS CHECK KILL SET USE"),
		set("INSERT CREATE REPLACE ALTER DROP UNDROP TRUNCATE RENAME EXCHANGE OPTIMIZE DETACH SYSTEM DELETE UPDATE GRANT REVOKE MOVE")
}

// analyse reads a statement up to its data, if it is an INSERT with data. It
// refuses several statements in one and what grants do not cover: see guard.
func analyse(sql []byte) (statement, error) {
	p := parser{lexer: lexer{sql: sql}}
	if err := p.statement(); err != nil {
		return statement{}, err
	}
	if err := p.guard.check(sql[:p.lexed]); err != nil {
		return statement{}, err
	}
	return p.st, nil
}

// parser walks a statement's tokens. prev and before are the last two.
type parser struct {
	lexer        lexer
	st           statement
	guard        guard
	prev, before token
	depth, lexed int
}

func (p *parser) advance() token {
	t := p.lexer.next()
	p.guard.token(p.before, p.prev, t)
	p.before, p.prev = p.prev, t
	p.lexed = t.end
	switch {
	case t.is('('), t.is('['), t.is('{'):
		p.depth++
	case t.is(')'), t.is(']'), t.is('}'):
		p.depth--
	}
	return t
}

func syntaxError(format string, args ...any) *Error {
	return errorf(codeSyntax, "SYNTAX_ERROR", "Syntax error: "+format, args...)
}

func (p *parser) statement() error {
	first := p.advance()
	switch {
	case first.kind == tokenEnd:
		return syntaxError("Empty query.")
	case first.kind == tokenWord:
		p.st.kind = strings.ToUpper(string(first.text))
	case first.is('('):
		p.st.kind = "("
	}
	readers, writers := knownKinds()
	switch {
	case p.st.kind == "ATTACH" || p.st.kind == "BACKUP" || p.st.kind == "RESTORE" || p.st.kind == "COPY" || p.st.kind == "EXECUTE" || p.st.kind == "SNAPSHOT":
		return denied("%s is not allowed here: it reaches outside the tables.", p.st.kind)
	case writers[p.st.kind]:
		p.st.write = true
	case !readers[p.st.kind]:
		return syntaxError("failed at position 1 (%.40q): no statement begins so.", first.text)
	}
	p.st.selects = p.st.kind == "SELECT" || p.st.kind == "WITH" || p.st.kind == "FROM" || p.st.kind == "("
	if p.st.kind == "INSERT" {
		return p.insert()
	}
	return p.rest(p.advance())
}

// insert reads INSERT [INTO] [TABLE] target, then looks for its data. The target is
// read first, for a table may be named format.
func (p *parser) insert() error {
	t := p.advance()
	if t.word("INTO") {
		t = p.advance()
	}
	if t.word("TABLE") {
		t = p.advance()
	}
	if t.word("FUNCTION") {
		t = p.advance()
	}
	if t.is('{') { // {table:Identifier}
		for p.depth > 0 && t.kind != tokenEnd && t.kind != tokenBad {
			t = p.advance()
		}
	}
	t = p.advance()
	for t.is('.') {
		p.advance()
		t = p.advance()
	}
	for ; t.kind != tokenEnd && t.kind != tokenBad && !t.is(';'); t = p.advance() {
		if p.depth != 0 {
			continue
		}
		switch {
		case t.word("SELECT"), t.word("WITH"):
			return p.rest(t)
		case t.word("SETTINGS") && p.st.settingsFrom == 0:
			p.st.settingsFrom = t.end - len(t.text)
		case t.word("VALUES"):
			p.st.dataFormat, p.st.dataFrom, p.st.dataAt = "Values", t.end-len(t.text), t.end
			return p.rest(p.advance()) // its data may hold expressions
		case t.word("FORMAT"):
			name := p.advance()
			if name.kind != tokenWord || name.word("SELECT") || name.word("WITH") {
				return syntaxError("INSERT names no format behind FORMAT.")
			}
			p.st.dataFormat, p.st.dataFrom, p.st.dataAt = string(name.text), t.end-len(t.text), name.end
			if name.word("VALUES") {
				p.st.dataFormat = "Values"
				return p.rest(p.advance())
			}
			return nil
		}
	}
	return p.rest(t)
}

// rest reads a statement to its end, beginning with token t.
func (p *parser) rest(t token) error {
	for ; ; t = p.advance() {
		switch {
		case t.kind == tokenBad:
			return syntaxError("a quote or comment is not closed.")
		case t.kind == tokenEnd:
			return nil
		case t.is(';'):
			return p.onlyEnd()
		case p.depth != 0:
		case p.st.kind != "INSERT" && p.before.word("FORMAT") && t.kind == tokenWord:
			p.st.format = string(t.text)
		case t.word("TOTALS"):
			p.st.selects = false
		case p.st.kind == "WITH" && t.word("INTO") && p.before.word("INSERT"):
			p.st.write, p.st.selects = true, false
		}
	}
}

func (p *parser) onlyEnd() error {
	for {
		switch t := p.advance(); {
		case t.kind == tokenEnd:
			return nil
		case !t.is(';'):
			return syntaxError("Multi-statements are not allowed.")
		}
	}
}
