package campaigns

import (
	"slices"
	"strings"
)

// parser reads an expression by recursive descent:
//
//	or        = and { "or" and }
//	and       = unary { "and" unary }
//	unary     = "not" unary | "(" or ")" | predicate
//	predicate = name and what the name's form asks for (see Predicates)
type parser struct {
	lexer
	tok   token // the next one, not yet taken
	prev  token // the last one taken
	forms []form
	preds int
	depth int
}

// parse reads an expression; an empty one holds for everyone. Errors are
// *SyntaxError.
func parse(src string) (*node, error) {
	p := &parser{lexer: lexer{src: src}, forms: forms()}
	if len(src) > MaxExpression {
		return nil, syntaxError(src, token{}, "", "the expression has %d bytes; at most %d are allowed", len(src), MaxExpression)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokEnd {
		return &node{op: opTrue}, nil
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	switch {
	case p.tok.kind == tokEnd:
		return n, nil
	case p.tok.kind == tokClose:
		return nil, p.fail(p.tok, "", `this ")" closes nothing`)
	case p.tok.kind == tokWord:
		return nil, p.fail(p.tok, p.afterHint(), `%s cannot follow here`, p.tok.describe())
	}
	return nil, p.fail(p.tok, `join predicates with "and" or "or"`, "%s cannot follow here", p.tok.describe())
}

// afterHint suggests what a word behind a complete predicate was meant for.
func (p *parser) afterHint() string {
	if s := nearest(p.tok.text, []string{"and", "or", "within"}); s != "" {
		return didYouMean(s)
	}
	return `join predicates with "and" or "or"`
}

func (p *parser) advance() error {
	p.prev = p.tok
	t, err := p.next()
	p.tok = t
	return err
}

func (p *parser) fail(t token, hint, format string, args ...any) error {
	return syntaxError(p.src, t, hint, format, args...)
}

// takeWord takes the next token if it is the word.
func (p *parser) takeWord(word string) (bool, error) {
	if p.tok.kind != tokWord || p.tok.text != word {
		return false, nil
	}
	return true, p.advance()
}

// take takes the next token, which must be of the kind; want says in words
// what was expected.
func (p *parser) take(kind tokenKind, want, hint string) (token, error) {
	t := p.tok
	if t.kind != kind {
		return t, p.fail(t, hint, "expected %s, found %s", want, t.describe())
	}
	return t, p.advance()
}

func (p *parser) or() (*node, error) { return p.chain("or", opOr, p.and) }

func (p *parser) and() (*node, error) { return p.chain("and", opAnd, p.unary) }

func (p *parser) chain(word string, op nodeOp, part func() (*node, error)) (*node, error) {
	var kids []*node
	for {
		n, err := part()
		if err != nil {
			return nil, err
		}
		kids = append(kids, n)
		if more, err := p.takeWord(word); err != nil {
			return nil, err
		} else if !more {
			return join(op, kids), nil
		}
	}
}

func (p *parser) unary() (*node, error) {
	start := p.tok
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(start, "", "more than %d levels of parentheses and nots", maxDepth)
	}
	defer func() { p.depth-- }()
	if not, err := p.takeWord("not"); err != nil {
		return nil, err
	} else if not {
		n, err := p.unary()
		if err != nil {
			return nil, err
		}
		return &node{op: opNot, kids: []*node{n}, pos: start.pos, end: n.end}, nil
	}
	if start.kind != tokOpen {
		return p.predicate()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokClose {
		return nil, p.fail(p.tok, `a "(" is still open`, `expected "and", "or" or ")", found %s`, p.tok.describe())
	}
	end := p.tok.end
	if err := p.advance(); err != nil {
		return nil, err
	}
	if n.op != opLeaf {
		n.pos, n.end = start.pos, end
	}
	return n, nil
}

func (p *parser) predicate() (*node, error) {
	name := p.tok
	if in, err := p.takeWord("in"); err != nil {
		return nil, err
	} else if in { // in segment "…" reads better than segment "…"
		if p.tok.kind != tokWord || p.tok.text != "segment" {
			return nil, p.fail(p.tok, `as in: in segment "…"`, "expected segment after in, found %s", p.tok.describe())
		}
		n, err := p.predicate()
		if err == nil {
			p.place(n, name.pos)
		}
		return n, err
	}
	if name.kind != tokWord {
		return nil, p.fail(name, `such as: visited within 30d`, "expected a predicate, found %s", name.describe())
	}
	form, ok := findForm(p.forms, name.text)
	if !ok {
		return nil, p.unknown(name)
	}
	if p.preds++; p.preds > MaxPredicates {
		return nil, p.fail(name, "", "more than %d predicates in one expression", MaxPredicates)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := form.read(p, name)
	if err != nil {
		return nil, err
	}
	p.place(n, name.pos)
	return n, nil
}

// place marks where a predicate stands in the text, all its parts alike.
func (p *parser) place(n *node, pos int) {
	n.pos, n.end = pos, p.prev.end
	for _, k := range n.kids {
		p.place(k, pos)
	}
}

func (p *parser) unknown(name token) error {
	switch name.text {
	case "and", "or":
		return p.fail(name, "", "expected a predicate before %q", name.text)
	}
	hint := ""
	if s := nearest(name.text, formNames(p.forms)); s != "" {
		hint = didYouMean(s)
	}
	return p.fail(name, hint, "%q is not a predicate", shorten(name.text))
}

func didYouMean(s string) string { return `did you mean "` + s + `"?` }

// nearest returns the word closest to w by edits, or "" if none is close.
func nearest(w string, words []string) string {
	best, least := "", 1+len(w)/3
	if len(w) > 64 {
		return ""
	}
	for _, c := range words {
		if d := editDistance(w, c); d < least || d == least && best == "" {
			best, least = c, d
		}
	}
	if best == "" && len(w) >= 4 {
		i := slices.IndexFunc(words, func(c string) bool { return strings.HasPrefix(c, w) })
		if i >= 0 {
			return words[i]
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours (optimal string alignment).
func editDistance(a, b string) int {
	var rows [3][]int
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
	}
	for j := range rows[1] {
		rows[1][j] = j
	}
	before, prev, cur := rows[0], rows[1], rows[2]
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
