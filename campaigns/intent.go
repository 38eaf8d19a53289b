package campaigns

import (
	"slices"
	"strconv"
	"strings"

	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/intent"
)

// intentDefault is the strength that `intent` asks for without a number, in
// thousandths.
const intentDefault = 500

// targeting is the campaign's expression; an intent campaign that has none
// bids on people who look for what the shop sells.
func (c *Campaign) targeting() string {
	if c.Kind == KindIntent && strings.TrimSpace(c.Targeting) == "" {
		return "intent"
	}
	return c.Targeting
}

// readIntent reads `intent`, `intent >= 0.5`, and `intent "words"`, which is
// looking_for.
func readIntent(p *parser, name token) (*node, error) {
	if p.tok.kind == tokString || p.tok.kind == tokWord && p.tok.text == "in" {
		return readLookingFor(p, name)
	}
	q := predicate{kind: kindIntent, strength: intentDefault, user: segments.Predicate{Cmp: segments.GreaterOrEqual}}
	if p.tok.kind != tokCompare {
		return leaf(q), nil
	}
	sign := p.tok
	cmp, err := p.comparison("intent >= 0.5")
	if err != nil {
		return nil, err
	}
	if cmp == segments.Equal || cmp == segments.NotEqual {
		return nil, p.fail(sign, "as in intent >= 0.5", "a strength is compared by >=, >, < or <=")
	}
	t, err := p.take(tokNumber, "a strength from 0 to 1", "as in intent >= 0.5")
	if err != nil {
		return nil, err
	}
	v, perr := strconv.ParseFloat(t.text, 64)
	if perr != nil || v <= 0 || v > 1 {
		return nil, p.fail(t, "as in intent >= 0.5", "%q is not a strength: more than 0, at most 1", t.text)
	}
	q.strength, q.user.Cmp = int64(v*1000+0.5), cmp
	return leaf(q), nil
}

// intentAtLeast tells that the predicate holds only where something matches.
func (p *pred) intentAtLeast() bool {
	c := segments.Cmp(p.low & 0xff)
	return c == segments.GreaterOrEqual || c == segments.Greater
}

func (m *Matcher) askIntent(p *pred) bool {
	have := int64(0)
	if r := m.s.Intent(m.f, p.shop); r != nil {
		have = int64(r.Strength*1000 + 0.5)
	}
	want := int64(p.low >> 8)
	switch segments.Cmp(p.low & 0xff) {
	case segments.GreaterOrEqual:
		return have >= want
	case segments.Greater:
		return have > want
	case segments.Less:
		return have < want
	default:
		return have <= want
	}
}

// Intent tells what a shop has of what the person looks for: of the request,
// and of the shop's own profile of the person; never of another shop's. It is
// worked out once for the same facts. Nil for an unknown shop.
func (s *Snapshot) Intent(f *Facts, shop uint32) *intent.Match {
	cs := s.shops[shop]
	if cs == nil {
		return nil
	}
	var profile *segments.Profile
	key := intent.Key{Shop: shop, NowMS: f.NowMS, Index: cs.Catalogue.intent}
	for i := range f.Profiles {
		if f.Profiles[i].Shop == shop {
			profile = &f.Profiles[i].Profile
			key.Last = profile.Last
		}
	}
	m, fresh := f.Intent.Result(key)
	if fresh {
		own := intent.Own{Profile: profile, NowMS: f.NowMS, Find: cs.Catalogue}
		cs.Catalogue.intent.Match(m, &f.Intent, shop, &own)
	}
	return m
}

// intentTable keeps the Table while the catalogues that it joins stay.
type intentTable struct {
	shops   []uint32
	indexes []*intent.Index
	table   *intent.Table
}

// lookUpIntents finds the groups of predicates on intent, and joins the
// catalogues of their shops.
func (c *Compiler) lookUpIntents(s *Snapshot) {
	x := &s.index
	x.intents = map[uint32]span{}
	var shops []uint32
	for i := range x.groups {
		p := &x.preds[x.groups[i].pid]
		if p.kind != kindIntent {
			continue
		}
		sp, ok := x.intents[p.shop]
		if !ok {
			sp.from = uint32(i)
			shops = append(shops, p.shop)
		}
		sp.to = uint32(i + 1)
		x.intents[p.shop] = sp
	}
	if len(shops) == 0 {
		c.intents = intentTable{}
		return
	}
	indexes := make([]*intent.Index, len(shops))
	for i, id := range shops {
		indexes[i] = s.shops[id].Catalogue.intent
	}
	if t := &c.intents; t.table == nil || !slices.Equal(t.shops, shops) || !slices.EqualFunc(t.indexes, indexes, (*intent.Index).SameWords) {
		c.intents = intentTable{shops, indexes, intent.NewTable(shops, indexes)}
	}
	x.looking = c.intents.table
}

// walkIntents tries the campaigns of shops that sell what is looked for, or
// that know the person. Their code asks how well it matches.
func (m *Matcher) walkIntents(x *index) {
	for _, shop := range m.shops {
		m.walkIntent(x, shop)
	}
	if m.f.Intent.Empty() {
		return
	}
	m.looked = x.looking.Shops(m.looked[:0], &m.f.Intent)
	for _, shop := range m.looked {
		m.walkIntent(x, shop)
	}
}

func (m *Matcher) walkIntent(x *index, shop uint32) {
	sp := x.intents[shop]
	for g := sp.from; g < sp.to; g++ {
		m.walk(g)
	}
}
