package campaigns

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments/rules"
)

// pred is a predicate as the hot path asks it, one cache line. Equal
// predicates are one, so that a request answers each at most once.
type pred struct {
	kind predKind
	attr attrID
	shop uint32
	user uint32    // in the table of profile predicates; a named segment's slot
	low  uint64    // the first 64 of more.bits
	set  valueSet  // accepted values of a list
	more *predMore // nil for kindUser
}

// predMore is the part of a predicate whose size varies.
type predMore struct {
	bits  bitset   // accepted values of the attribute
	found []uint32 // the values by which it is found, rising
	text  string
	rule  *rules.Rule // of a named segment
}

// found returns the numbers of the values by which the predicate is found.
func (p *pred) found() []uint32 {
	if p.more == nil {
		return nil
	}
	return p.more.found
}

// instr asks a predicate and goes on at t or f: an index, the length of the
// code to accept, or -1 to refuse. It only goes forward.
type instr struct {
	pid  uint32
	t, f int16
}

// compiledExpr is an expression, ready for one shop.
type compiledExpr struct {
	src  string
	root *node
	code []instr
	// dense is where in code only predicates on attributes follow, all of
	// which must hold and are part of accepts.
	dense   int
	cover   []uint32 // at least one of these holds if the expression does; nil: unknown
	open    bool     // there is no cover
	accepts []accept
	sig     uint64
	margins bool // it asks for margins of products
}

// checkShop finds what cannot be asked of this shop.
func checkShop(src string, root *node, shop *Shop) error {
	return root.walk(func(n *node) error {
		if c := n.pred.currency; c != (money.Currency{}) && c != shop.Currency {
			return syntaxError(src, n.pred.money, "write the amount in "+shop.Currency.String(),
				"the shop's currency is %s, not %s", shop.Currency, c)
		}
		return nil
	})
}

// expr compiles an expression for a shop.
func (c *Compiler) expr(src string, shop *CompiledShop) (*compiledExpr, error) {
	root, err := parse(src)
	if err != nil {
		return nil, err
	}
	if err := checkShop(src, root, shop.Shop); err != nil {
		return nil, err
	}
	if err := checkSegments(src, root, shop.Segments.has); err != nil {
		return nil, err
	}
	margins := false
	if err := root.walk(func(n *node) error {
		n.pid = c.resolve(n.pred, shop)
		margins = margins || n.pred.kind == kindUser && n.pred.user.OfMargin()
		if len(n.pred.values) > 0 {
			n.pred.values = nil // the set holds them now
		}
		return nil
	}); err != nil {
		return nil, err
	}
	e := &compiledExpr{src: src, root: root, margins: margins, accepts: c.accepts(root, false)}
	e.sig = signature(e.accepts)
	cover, cost := c.cover(root, false)
	if e.open = math.IsInf(cost, 1); !e.open {
		slices.Sort(cover)
		e.cover = slices.Compact(cover)
	}
	c.generate(e)
	return e, nil
}

// resolve returns the number of a predicate, the same for equal ones.
func (c *Compiler) resolve(p *predicate, shop *CompiledShop) uint32 {
	q, bits := pred{kind: p.kind}, bitset(nil)
	key := append(c.key[:0], byte(p.kind))
	switch {
	case p.kind == kindUser:
		q.shop, q.user = shop.ID, uint32(len(c.users))
		key = binary.LittleEndian.AppendUint32(key, shop.ID)
		key = append(key, byte(p.user.Op), byte(p.user.Cmp))
		key = binary.LittleEndian.AppendUint32(key, p.user.Within)
		key = binary.LittleEndian.AppendUint64(key, p.user.Hash)
		key = binary.LittleEndian.AppendUint64(key, uint64(p.user.Value))
	case p.kind == kindSegment:
		ref := shop.Segments.find(p.values[0])
		q.shop, q.user = shop.ID, uint32(ref.slot)
		q.more = &predMore{rule: ref.rule}
		return c.segmentPred(&q)
	case p.kind == kindDomainList || p.kind == kindBundleList:
		q.shop = shop.ID
		key = binary.LittleEndian.AppendUint32(key, shop.ID)
		key = append(key, p.list...)
	case p.kind == kindIntent:
		q.shop = shop.ID
		q.low = uint64(p.strength)<<8 | uint64(p.user.Cmp)
		key = binary.LittleEndian.AppendUint32(key, shop.ID)
		key = binary.LittleEndian.AppendUint64(key, q.low)
	case p.kind == kindHour || p.kind == kindWeekday:
		q.attr = c.zoneAttr(shop.Location.String(), p.kind)
		bits = bitset{uint64(p.mask) << 1}
		key = binary.LittleEndian.AppendUint16(key, uint16(q.attr))
		key = binary.LittleEndian.AppendUint32(key, p.mask)
	case p.kind.isDense():
		q.attr = fixedAttr(p.kind)
		for _, v := range p.values {
			bits = bits.with(c.vocab.id(p.kind, v))
		}
		for _, w := range bits {
			key = binary.LittleEndian.AppendUint64(key, w)
		}
	case p.kind == kindWord:
		for _, w := range p.words {
			key = binary.LittleEndian.AppendUint64(key, w)
		}
	default:
		for _, v := range p.values {
			key = append(key, v...)
			key = append(key, 0)
		}
	}
	c.key = key
	if len(key) > 64 {
		sum := sha256.Sum256(key)
		key = append(c.key[:1], sum[:]...)
	}
	if pid, ok := c.pids[string(key)]; ok {
		return pid
	}
	if p.kind == kindUser {
		c.users = append(c.users, p.user)
	} else {
		q.more = c.more(p)
		q.set = newValueSet(q.more.found)
		if q.more.bits = bits; len(bits) > 0 && p.kind != kindIntent {
			q.low = bits[0]
		}
	}
	pid := uint32(len(c.preds))
	c.preds = append(c.preds, q)
	c.pids[string(key)] = pid
	return pid
}

// more numbers the values of a new predicate.
func (c *Compiler) more(p *predicate) *predMore {
	q := &predMore{}
	var ids []uint32
	switch {
	case p.kind == kindWord:
		for _, w := range p.words {
			ids = append(ids, c.vocab.wordID(w))
		}
	case p.kind.isList():
		for _, v := range p.values {
			ids = append(ids, c.vocab.id(p.kind, v))
		}
	case p.kind == kindURLPrefix:
		q.text = p.values[0]
		host, _ := splitURL(q.text)
		ids = []uint32{c.vocab.id(kindHost, host)}
	case p.kind == kindSearchContains:
		q.text = p.values[0]
		ids = []uint32{c.vocab.id(kindHost, hasSearch)}
	case p.list != "":
		q.text = p.list
	case len(p.values) > 0 && !p.kind.isDense():
		q.text = p.values[0]
	}
	slices.Sort(ids)
	q.found = ids
	return q
}

// hasSearch is the value by which campaigns are found that compare the search
// with a text: few requests have a search. No host looks like it.
const hasSearch = "?"

// cover chooses predicates of which at least one holds whenever the tree
// does, as rare ones as possible; the cost is a guess at how many requests
// they concern, infinite if there is no such set.
func (c *Compiler) cover(n *node, neg bool) ([]uint32, float64) {
	switch n.op {
	case opNot:
		return c.cover(n.kids[0], !neg)
	case opLeaf:
		if cost := c.cost(&c.preds[n.pid]); !neg && !math.IsInf(cost, 1) {
			return []uint32{n.pid}, cost
		}
	case opAnd, opOr:
		if (n.op == opAnd) != neg {
			var best []uint32
			least := math.Inf(1)
			for _, k := range n.kids {
				if pids, cost := c.cover(k, neg); cost < least {
					best, least = pids, cost
				}
			}
			return best, least
		}
		var all []uint32
		sum := 0.0
		for _, k := range n.kids {
			pids, cost := c.cover(k, neg)
			if math.IsInf(cost, 1) {
				return nil, cost
			}
			all, sum = append(all, pids...), sum+cost
		}
		return all, sum
	}
	return nil, math.Inf(1)
}

// cost ranks what a request is looked up by: few users are known to one shop,
// fewer pages are of one host, many are of one category.
func (c *Compiler) cost(p *pred) float64 {
	n := math.Sqrt(float64(max(len(p.found()), 1)))
	switch p.kind {
	case kindUser, kindSegment:
		return 1
	case kindDeal, kindURLPrefix:
		return 2 * n
	case kindBundle, kindDomain, kindSearch:
		return 3 * n
	case kindKeyword, kindWord:
		return 5 * n
	case kindSearchContains:
		return 20
	case kindIntent:
		if p.intentAtLeast() {
			return 4
		}
	case kindCity:
		return 10 * n
	case kindCategory:
		return 30 * n
	case kindRegion:
		return 40 * n
	}
	return math.Inf(1)
}

// generate writes the code: the parts of a top-level and with those on
// attributes last, the cheap ones first.
func (c *Compiler) generate(e *compiledExpr) {
	var parts []*node
	flatten(e.root, &parts)
	const onAttrs = 5
	rank := func(n *node) int {
		neg := false
		for n.op == opNot {
			n, neg = n.kids[0], !neg
		}
		if n.op != opLeaf {
			return 2
		}
		switch k := c.preds[n.pid].kind; {
		case k.isDense():
			return onAttrs
		case k == kindUser || k == kindSegment:
			return 0
		case k.isList() && !neg:
			return 1
		case k.isList():
			return 3 // exclusions seldom exclude
		}
		return 4
	}
	slices.SortStableFunc(parts, func(a, b *node) int { return cmp.Compare(rank(a), rank(b)) })
	g := generator{}
	e.dense = -1
	for _, part := range parts {
		if part.op == opTrue {
			continue
		}
		if rank(part) == onAttrs && e.dense < 0 {
			e.dense = len(g.code)
		}
		next := g.label()
		g.emit(part, false, next, refuse)
		g.place(next)
	}
	e.code = g.link()
	if e.dense < 0 {
		e.dense = len(e.code)
	}
}

func flatten(n *node, parts *[]*node) {
	if n.op != opAnd {
		*parts = append(*parts, n)
		return
	}
	for _, k := range n.kids {
		flatten(k, parts)
	}
}

// generator turns a tree into jumps. While it works, t and f are labels.
type generator struct {
	code   []instr
	labels []int16
}

const refuse = -1

func (g *generator) label() int16 {
	g.labels = append(g.labels, 0)
	return int16(len(g.labels) - 1)
}

func (g *generator) place(label int16) { g.labels[label] = int16(len(g.code)) }

func (g *generator) emit(n *node, neg bool, t, f int16) {
	switch n.op {
	case opNot:
		g.emit(n.kids[0], !neg, t, f)
	case opLeaf:
		if neg {
			t, f = f, t
		}
		g.code = append(g.code, instr{n.pid, t, f})
	case opAnd, opOr:
		all := (n.op == opAnd) != neg
		for i, k := range n.kids {
			if i == len(n.kids)-1 {
				g.emit(k, neg, t, f)
				return
			}
			next := g.label()
			if all {
				g.emit(k, neg, next, f)
			} else {
				g.emit(k, neg, t, next)
			}
			g.place(next)
		}
	}
}

func (g *generator) link() []instr {
	at := func(label int16) int16 {
		if label == refuse {
			return refuse
		}
		return g.labels[label]
	}
	for i := range g.code {
		g.code[i].t, g.code[i].f = at(g.code[i].t), at(g.code[i].f)
	}
	return g.code
}
