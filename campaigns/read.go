package campaigns

import (
	"slices"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

func leaf(p predicate) *node { return &node{op: opLeaf, pred: &p} }

func userLeaf(q segments.Predicate) *node { return leaf(predicate{kind: kindUser, user: q}) }

func userFlag(op segments.Op) func(*parser, token) (*node, error) {
	return func(*parser, token) (*node, error) { return userLeaf(segments.Predicate{Op: op}), nil }
}

func userRecent(op segments.Op) func(*parser, token) (*node, error) {
	return func(p *parser, _ token) (*node, error) {
		within, err := p.within()
		return userLeaf(segments.Predicate{Op: op, Within: within}), err
	}
}

// within reads an optional `within 7d`, in seconds; 0 if it is not there.
func (p *parser) within() (uint32, error) {
	if ok, err := p.takeWord("within"); err != nil || !ok {
		return 0, err
	}
	t, err := p.take(tokDuration, "a duration", "such as 30m, 2h, 7d, 2w")
	return uint32(t.seconds), err
}

func (p *parser) comparison(example string) (segments.Cmp, error) {
	t, err := p.take(tokCompare, "a comparison", "as in "+example)
	if err != nil {
		return 0, err
	}
	return map[string]segments.Cmp{
		"=": segments.Equal, "!=": segments.NotEqual, "<": segments.Less, "<=": segments.LessOrEqual,
		">": segments.Greater, ">=": segments.GreaterOrEqual,
	}[t.text], nil
}

func userMoney(op segments.Op) func(*parser, token) (*node, error) {
	return func(p *parser, name token) (*node, error) {
		example := name.text + " >= 500 PLN"
		cmp, err := p.comparison(example)
		if err != nil {
			return nil, err
		}
		amount, err := p.take(tokNumber, "an amount", "as in "+example)
		if err != nil {
			return nil, err
		}
		value, perr := money.ParseNano(amount.text)
		if perr != nil {
			return nil, p.fail(amount, "", "%v", perr)
		}
		code, err := p.take(tokWord, "a currency", "as in "+example)
		if err != nil {
			return nil, err
		}
		cur, perr := money.ParseCurrency(code.text)
		if perr != nil {
			return nil, p.fail(code, "as in "+example, "%q is not a currency", code.text)
		}
		return leaf(predicate{
			kind: kindUser, user: segments.Predicate{Op: op, Cmp: cmp, Value: int64(value)}, currency: cur, money: code,
		}), nil
	}
}

func userCount(op segments.Op) func(*parser, token) (*node, error) {
	return func(p *parser, name token) (*node, error) {
		example := name.text + " > 3"
		cmp, err := p.comparison(example)
		if err != nil {
			return nil, err
		}
		t, err := p.take(tokNumber, "a number", "as in "+example)
		if err != nil {
			return nil, err
		}
		n, err := p.integer(t, 1_000_000_000)
		if err == nil && p.tok.kind == tokWord && p.tok.text == "within" {
			return nil, p.fail(p.tok, "write: "+name.text+" "+cmpSigns[cmp]+" "+t.text+" and viewed within …",
				"%s counts everything that is known, not what was within a time", name.text)
		}
		return userLeaf(segments.Predicate{Op: op, Cmp: cmp, Value: n}), err
	}
}

// cmpSigns are how comparisons are written, by segments.Cmp.
var cmpSigns = [...]string{"=", "!=", "<", "<=", ">", ">="}

func readSameProduct(p *parser, name token) (*node, error) {
	example := name.text + " >= 3"
	cmp, err := p.comparison(example)
	if err != nil {
		return nil, err
	}
	t, err := p.take(tokNumber, "a number", "as in "+example)
	if err != nil {
		return nil, err
	}
	n, err := p.integer(t, 1_000_000_000)
	if err != nil {
		return nil, err
	}
	within, err := p.within()
	return userLeaf(segments.Predicate{Op: segments.OpSameProduct, Cmp: cmp, Value: n, Within: within}), err
}

func (p *parser) integer(t token, most int64) (int64, error) {
	var n int64
	for _, c := range t.text {
		if c == '.' {
			return 0, p.fail(t, "", "%q is not a whole number", t.text)
		}
		if n = n*10 + int64(c-'0'); n > most {
			return 0, p.fail(t, "", "%q is too large; at most %d", t.text, most)
		}
	}
	return n, nil
}

// texts reads `"a"` or `in ("a", "b")`; nil if neither is there.
func (p *parser) texts() (list []token, err error) {
	if p.tok.kind == tokString {
		list = append(list, p.tok)
		return list, p.advance()
	}
	if in, err := p.takeWord("in"); err != nil || !in {
		return nil, err
	}
	return p.list(tokString, `a text in double quotes`)
}

// list reads a list in parentheses.
func (p *parser) list(kind tokenKind, want string) ([]token, error) {
	if _, err := p.take(tokOpen, `a list in parentheses`, `as in ("a", "b")`); err != nil {
		return nil, err
	}
	var list []token
	for {
		t, err := p.take(kind, want, "")
		if err != nil {
			return nil, err
		}
		if list = append(list, t); len(list) > MaxListValues {
			return nil, p.fail(t, "", "more than %d values in one list", MaxListValues)
		}
		switch p.tok.kind {
		case tokComma:
			if err := p.advance(); err != nil {
				return nil, err
			}
			if p.tok.kind == tokClose { // a comma behind the last value is no harm
				return list, p.advance()
			}
		case tokClose:
			return list, p.advance()
		default:
			return nil, p.fail(p.tok, "", `expected "," or ")", found %s`, p.tok.describe())
		}
	}
}

// anyOf makes a node that holds if one of several does; what they cost in
// predicates is counted.
func (p *parser) anyOf(kids []*node) (*node, error) {
	for _, k := range kids {
		p.preds += max(len(k.kids), 1)
	}
	if p.preds > MaxPredicates {
		return nil, p.fail(p.prev, "", "more than %d predicates in one expression", MaxPredicates)
	}
	if len(kids) == 1 {
		return kids[0], nil
	}
	return &node{op: opOr, kids: kids}, nil
}

// phrases makes of each text the node that asks for all of its words.
func (p *parser) phrases(list []token, one func(hash uint64) *node) (*node, error) {
	kids := make([]*node, 0, len(list))
	for _, t := range list {
		var words []*node
		var seen []uint64
		for h, rest := segments.NextWord(t.text); h != 0; h, rest = segments.NextWord(rest) {
			if !slices.Contains(seen, h) {
				seen = append(seen, h)
				words = append(words, one(h))
			}
		}
		switch {
		case len(words) == 0:
			return nil, p.fail(t, "", "this text has no word in it")
		case len(words) > 16:
			return nil, p.fail(t, "", "this text has more than 16 words")
		}
		if len(words) == 1 {
			kids = append(kids, words[0])
		} else {
			kids = append(kids, &node{op: opAnd, kids: words})
		}
	}
	return p.anyOf(kids)
}

func readViewed(p *parser, _ token) (*node, error) {
	what := p.tok
	if n, ok, err := p.ofMargin(segments.OpViewedMargin, true); ok {
		return n, err
	}
	var qs []segments.Predicate
	switch {
	case what.kind == tokWord && (what.text == "product" || what.text == "category"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		list, err := p.texts()
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, p.fail(p.tok, "as in viewed "+what.text+` "…" within 14d`, "expected a text in double quotes, found %s", p.tok.describe())
		}
		for _, t := range list {
			q := segments.Predicate{Op: segments.OpViewedProduct, Hash: segments.ProductHash(t.text)}
			if what.text == "category" {
				q = segments.Predicate{Op: segments.OpViewedCategory, Hash: uint64(segments.CategoryHash(t.text))}
			}
			if q.Hash == 0 || t.text == "" {
				return nil, p.fail(t, "", "this text names nothing")
			}
			qs = append(qs, q)
		}
	case what.kind == tokString:
		return nil, p.fail(what, `write: viewed product "…" or viewed category "…"`, "a product or a category?")
	default:
		qs = append(qs, segments.Predicate{Op: segments.OpViewed})
	}
	within, err := p.within()
	if err != nil {
		return nil, err
	}
	kids := make([]*node, len(qs))
	for i, q := range qs {
		q.Within = within
		kids[i] = userLeaf(q)
	}
	return p.anyOf(kids)
}

func readSearched(p *parser, _ token) (*node, error) {
	list, err := p.texts()
	if err != nil {
		return nil, err
	}
	within, err := p.within()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return userLeaf(segments.Predicate{Op: segments.OpSearched, Within: within}), nil
	}
	return p.phrases(list, func(h uint64) *node {
		return userLeaf(segments.Predicate{Op: segments.OpSearchedTerm, Hash: uint64(segments.TermHash(h)), Within: within})
	})
}

func readConversion(p *parser, _ token) (*node, error) {
	list, err := p.texts()
	if err != nil {
		return nil, err
	}
	within, err := p.within()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return userLeaf(segments.Predicate{Op: segments.OpConverted, Within: within}), nil
	}
	kids := make([]*node, len(list))
	for i, t := range list {
		h := segments.NameHash(t.text)
		if h == 0 {
			return nil, p.fail(t, "", "this text names nothing")
		}
		kids[i] = userLeaf(segments.Predicate{Op: segments.OpConverted, Hash: uint64(h), Within: within})
	}
	return p.anyOf(kids)
}

func readInCart(p *parser, _ token) (*node, error) {
	if n, ok, err := p.ofMargin(segments.OpInCartMargin, false); ok {
		return n, err
	}
	list, err := p.texts()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return userLeaf(segments.Predicate{Op: segments.OpInCart}), nil
	}
	return p.products(list, segments.OpInCartProduct)
}

func (p *parser) products(list []token, op segments.Op) (*node, error) {
	kids := make([]*node, len(list))
	for i, t := range list {
		if t.text == "" {
			return nil, p.fail(t, "", "this text names nothing")
		}
		kids[i] = userLeaf(segments.Predicate{Op: op, Hash: segments.ProductHash(t.text)})
	}
	return p.anyOf(kids)
}

func readPurchased(p *parser, name token) (*node, error) {
	if n, ok, err := p.ofMargin(segments.OpPurchasedMargin, true); ok {
		return n, err
	}
	product, err := p.takeWord("product")
	if err != nil {
		return nil, err
	}
	if !product {
		return userRecent(segments.OpPurchased)(p, name)
	}
	list, err := p.texts()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, p.fail(p.tok, `as in purchased product "…"`, "expected a text in double quotes, found %s", p.tok.describe())
	}
	n, err := p.products(list, segments.OpPurchasedProduct)
	if err != nil {
		return nil, err
	}
	within, err := p.within()
	if err != nil || within == 0 {
		return n, err
	}
	return &node{op: opAnd, kids: []*node{n, userLeaf(segments.Predicate{Op: segments.OpPurchased, Within: within})}}, nil
}

func readLookingFor(p *parser, _ token) (*node, error) {
	list, err := p.texts()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, p.fail(p.tok, `as in looking_for "running shoes"`, "expected a text in double quotes, found %s", p.tok.describe())
	}
	return p.phrases(list, func(h uint64) *node { return leaf(predicate{kind: kindWord, words: []uint64{h}}) })
}

// relation reads =, !=, in or not in; single tells that one value follows,
// not a list.
func (p *parser) relation(form string) (negated, single bool, err error) {
	switch {
	case p.tok.kind == tokCompare && (p.tok.text == "=" || p.tok.text == "!="):
		negated = p.tok.text == "!=" // before advance: Go does not say which of two results comes first
		return negated, true, p.advance()
	case p.tok.kind == tokWord && p.tok.text == "not":
		if err := p.advance(); err != nil {
			return false, false, err
		}
		if ok, err := p.takeWord("in"); err != nil || ok {
			return true, false, err
		}
	case p.tok.kind == tokWord && p.tok.text == "in":
		return false, false, p.advance()
	}
	return false, false, p.fail(p.tok, "write: "+form, "expected =, !=, in or not in, found %s", p.tok.describe())
}

func listOf(kind predKind) func(*parser, token) (*node, error) {
	return func(p *parser, name token) (*node, error) {
		negated, single, err := p.relation(name.text + listForm)
		if err != nil {
			return nil, err
		}
		if !single {
			if n, done, err := p.readList(kind, negated); done {
				return n, err
			}
		}
		var list []token
		if single {
			t, err := p.take(tokString, "a text in double quotes", "")
			if err != nil {
				return nil, err
			}
			list = []token{t}
		} else if list, err = p.list(tokString, "a text in double quotes"); err != nil {
			return nil, err
		}
		values := make([]string, 0, len(list))
		for _, t := range list {
			if more := productCategories(kind, t.text); len(more) > 0 {
				values = append(values, more...)
				continue
			}
			v, hint, ok := normalValue(kind, t.text)
			if !ok {
				return nil, p.fail(t, hint, "%q is not a %s", shorten(t.text), name.text)
			}
			values = append(values, v)
		}
		slices.Sort(values)
		n := leaf(predicate{kind: kind, values: slices.Compact(values)})
		if negated {
			n = &node{op: opNot, kids: []*node{n}}
		}
		return n, nil
	}
}
