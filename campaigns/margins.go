package campaigns

import (
	"iter"

	"github.com/grosz/grosz/segments"
)

// marginForm is how predicates about products ask for what these leave the
// shop.
const marginForm = `margin >= NUMBER% | margin_class "name"`

// marginTables are the margins of the shops whose segments or campaigns ask
// for them; of others none is made. A table stays the same while the feed
// tells the same margins, however often its prices change.
type marginTables struct {
	byShop map[uint32]*marginTable
}

type marginTable struct {
	of    *Catalogue
	table *segments.Margins
	used  bool // since the latest take
}

// of makes a shop's table, or takes the one that was made before.
func (t *marginTables) of(shop uint32, feed *Catalogue) *segments.Margins {
	x := t.byShop[shop]
	if x == nil {
		if t.byShop == nil {
			t.byShop = map[uint32]*marginTable{}
		}
		x = &marginTable{}
		t.byShop[shop] = x
	}
	x.used = true
	if x.of != feed {
		x.of, x.table = feed, segments.NewMargins(x.table, feed.margins())
	}
	return x.table
}

// take gives a snapshot, whose campaigns are compiled, the tables of those
// shops that ask for any, and forgets the others.
func (t *marginTables) take(s *Snapshot) map[uint32]*segments.Margins {
	for _, cc := range s.Campaigns {
		if cc.ofMargins() {
			t.of(cc.Shop.ID, cc.Shop.Catalogue)
		}
	}
	var out map[uint32]*segments.Margins
	for id, x := range t.byShop {
		shop := s.shops[id]
		if shop == nil || !x.used && !shop.Segments.ofMargins() {
			delete(t.byShop, id)
			continue
		}
		if out == nil {
			out = map[uint32]*segments.Margins{}
		}
		x.used = false
		out[id] = x.table
	}
	return out
}

func (c *CompiledCampaign) ofMargins() bool {
	if c.expr.margins {
		return true
	}
	for i := range c.boosts {
		if c.boosts[i].expr.margins {
			return true
		}
	}
	return false
}

func (s *CompiledSegments) ofMargins() bool { return s != nil && s.margins }

// margins are those that the feed gives, of products that are out of stock,
// too: they may have been bought.
func (c *Catalogue) margins() iter.Seq[segments.ProductMargin] {
	return func(yield func(segments.ProductMargin) bool) {
		for i := range c.products {
			p := &c.products[i]
			if p.MarginBPS == 0 && p.MarginClass == "" {
				continue
			}
			if !yield(segments.ProductMargin{Product: segments.ProductHash(p.ID), BPS: p.MarginBPS, Class: p.MarginClass}) {
				return
			}
		}
	}
}

// ofMargin reads `margin >= 20%` or `margin_class "high"` behind a word that
// says of which products; ok is false, and nothing taken, where neither is
// there. within tells whether a time may follow.
func (p *parser) ofMargin(op segments.Op, within bool) (n *node, ok bool, err error) {
	what := p.tok
	if what.kind != tokWord || what.text != "margin" && what.text != "margin_class" {
		return nil, false, nil
	}
	verb := p.prev.text
	if err = p.advance(); err != nil {
		return nil, true, err
	}
	var qs []segments.Predicate
	if what.text == "margin" {
		qs, err = p.marginShare(op, verb)
	} else {
		qs, err = p.marginClasses(op, verb)
	}
	if err != nil {
		return nil, true, err
	}
	var time uint32
	if within {
		if time, err = p.within(); err != nil {
			return nil, true, err
		}
	}
	kids := make([]*node, len(qs))
	for i, q := range qs {
		q.Within = time
		kids[i] = userLeaf(q)
	}
	n, err = p.anyOf(kids)
	return n, true, err
}

func (p *parser) marginShare(op segments.Op, verb string) ([]segments.Predicate, error) {
	example := verb + " margin >= 20%"
	cmp, err := p.comparison(example)
	if err != nil {
		return nil, err
	}
	t, err := p.take(tokPercent, "a percentage of the price", "as in "+example)
	if err != nil {
		return nil, err
	}
	bps, err := p.basisPoints(t)
	return []segments.Predicate{{Op: op, Cmp: cmp, Value: bps}}, err
}

// basisPoints reads a percentage with at most two decimal places.
func (p *parser) basisPoints(t token) (int64, error) {
	n, places, point := int64(0), 0, false
	for _, c := range t.text[:len(t.text)-1] {
		if c == '.' {
			point = true
			continue
		}
		if point {
			places++
		}
		if n = n*10 + int64(c-'0'); n > 1_000_000 || places > 2 {
			return 0, p.fail(t, "such as 20% or 12.5%", "%q is not a percentage with at most two places, up to 10000%%", shorten(t.text))
		}
	}
	for ; places < 2; places++ {
		n *= 10
	}
	if n > 1_000_000 {
		return 0, p.fail(t, "", "%q is too much; at most 10000%%", t.text)
	}
	return n, nil
}

func (p *parser) marginClasses(op segments.Op, verb string) ([]segments.Predicate, error) {
	list, err := p.texts()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, p.fail(p.tok, "as in "+verb+` margin_class "high"`, "expected a text in double quotes, found %s", p.tok.describe())
	}
	qs := make([]segments.Predicate, len(list))
	for i, t := range list {
		h := segments.NameHash(t.text)
		if h == 0 {
			return nil, p.fail(t, "", "this text names nothing")
		}
		qs[i] = segments.Predicate{Op: op, Hash: uint64(h)}
	}
	return qs, nil
}

// readMargin reads what the orders left; a percentage is of products.
func readMargin(p *parser, name token) (*node, error) {
	n, err := userMoney(segments.OpMargin)(p, name)
	if t := p.tok; err != nil && t.kind == tokPercent {
		return nil, p.fail(t, "write: viewed margin >= "+t.text+", in_cart margin >= "+t.text+" or purchased margin >= "+t.text,
			"margin is an amount of money; a percentage is of products")
	}
	return n, err
}
