package campaigns

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/rules"
)

// CompiledSegments are a shop's segments as the hot path asks for them,
// immutable. A nil one is of a shop without segments.
type CompiledSegments struct {
	// Set is for the engine that works out who is in them.
	Set     *rules.Set
	byKey   map[string]segmentRef
	effects []segmentEffect
	margins bool // a rule asks for margins of products
}

// segmentRef is where a segment stands in the bits, and what it means.
type segmentRef struct {
	slot int
	rule *rules.Rule
}

// segmentEffect is what a segment does to the price.
type segmentEffect struct {
	segmentRef
	name       string
	value, max int64 // basis points
}

func (s *CompiledSegments) find(key string) segmentRef { return s.byKey[key] }

func (s *CompiledSegments) has(key string) bool {
	if s == nil {
		return false
	}
	_, ok := s.byKey[key]
	return ok
}

// same tells whether names mean the same.
func (s *CompiledSegments) same(o *CompiledSegments) bool {
	if s == nil || o == nil {
		return s == o
	}
	return maps.Equal(s.byKey, o.byKey)
}

// segmentTable is what the Compiler keeps of a shop's segments: slots and
// rules stay while a segment means the same, so that nobody need be worked
// out again.
type segmentTable struct {
	docs    []*Segment
	lists   map[uint32][]*AudienceBucket
	entries map[uint32]*ruleEntry
	slots   []uint32 // segment ids, 0 is free
	// ofMargins tells that a rule asks for margins of products; margins are
	// those that the rules were made for.
	ofMargins bool
	margins   *segments.Margins
	compiled  *CompiledSegments
	problems  []Problem
}

// ruleEntry is a rule with what it was made of.
type ruleEntry struct {
	segmentRef
	source, expr string
	ttlDays      int
	lists        []*AudienceBucket
}

// segmentDocs are the documents of one compilation, by shop.
type segmentDocs struct {
	c     *Compiler
	docs  map[uint32][]*Segment
	lists map[uint32]map[uint32][]*AudienceBucket // by shop and segment
}

func (c *Compiler) sortSegments(in Input) *segmentDocs {
	s := &segmentDocs{c: c, docs: map[uint32][]*Segment{}, lists: map[uint32]map[uint32][]*AudienceBucket{}}
	for _, doc := range in.Segments {
		s.docs[doc.ShopID] = append(s.docs[doc.ShopID], doc)
	}
	for _, a := range in.Audiences {
		if s.lists[a.ShopID] == nil {
			s.lists[a.ShopID] = map[uint32][]*AudienceBucket{}
		}
		s.lists[a.ShopID][a.SegmentID] = append(s.lists[a.ShopID][a.SegmentID], a)
	}
	for shop := range c.segments {
		if len(s.docs[shop]) == 0 {
			delete(c.segments, shop)
		}
	}
	if c.segments == nil {
		c.segments = map[uint32]*segmentTable{}
	}
	return s
}

// compile makes a shop's segments, or takes what was made before.
func (s *segmentDocs) compile(shop *Shop, feed *Catalogue) (*CompiledSegments, []Problem) {
	docs, lists := s.docs[shop.ID], s.lists[shop.ID]
	if len(docs) == 0 {
		return nil, nil
	}
	slices.SortFunc(docs, func(a, b *Segment) int { return cmp.Compare(a.ID, b.ID) })
	for _, l := range lists {
		slices.SortFunc(l, func(a, b *AudienceBucket) int { return cmp.Compare(a.Bucket, b.Bucket) })
	}
	t := s.c.segments[shop.ID]
	if t == nil {
		t = &segmentTable{entries: map[uint32]*ruleEntry{}}
		s.c.segments[shop.ID] = t
	}
	margins := func() *segments.Margins { return s.c.margins.of(shop.ID, feed) }
	if t.compiled == nil || !slices.Equal(t.docs, docs) || !maps.EqualFunc(t.lists, lists, slices.Equal[[]*AudienceBucket]) ||
		t.ofMargins && t.margins != margins() {
		t.docs, t.lists = docs, lists
		t.make(shop, margins)
	}
	return t.compiled, t.problems
}

func (t *segmentTable) make(shop *Shop, margins func() *segments.Margins) {
	t.problems, t.ofMargins = nil, false
	live := make(map[uint32]bool, len(t.docs))
	for _, doc := range t.docs {
		live[doc.ID] = true
	}
	for slot, id := range t.slots {
		if id != 0 && !live[id] {
			t.slots[slot] = 0
			delete(t.entries, id)
		}
	}
	out := &CompiledSegments{byKey: make(map[string]segmentRef, len(t.docs))}
	for _, doc := range t.docs {
		e, err := t.entry(doc, shop, margins)
		if key := SegmentKey(doc.Name); err == nil && out.has(key) {
			err = fmt.Errorf("another segment is named %q", doc.Name)
		}
		if err != nil {
			t.problems = append(t.problems, Problem{fmt.Sprintf("segment/%d", doc.ID), err})
			continue
		}
		out.byKey[SegmentKey(doc.Name)] = e.segmentRef
		if v, m := orNeutral(doc.ValueBPS), orNeutral(doc.MaxBPS); v != neutralBPS || m != neutralBPS {
			out.effects = append(out.effects, segmentEffect{e.segmentRef, doc.Name, v, m})
		}
	}
	bySlot := make([]*rules.Rule, len(t.slots))
	for _, ref := range out.byKey {
		bySlot[ref.slot] = ref.rule
	}
	out.Set = rules.NewSet(shop.ID, bySlot)
	if t.ofMargins {
		t.margins, out.margins = margins(), true
		out.Set = rules.NewSetWith(shop.ID, bySlot, t.margins)
	}
	if old := t.compiled; old != nil && slices.Equal(old.Set.Rules(), bySlot) {
		out.Set = old.Set // only names or prices changed
	}
	t.compiled = out
}

const neutralBPS = 10_000

func orNeutral(bps int64) int64 {
	if bps == 0 {
		return neutralBPS
	}
	return bps
}

// entry compiles a segment, or takes what was compiled of the same before.
func (t *segmentTable) entry(doc *Segment, shop *Shop, margins func() *segments.Margins) (*ruleEntry, error) {
	e := t.entries[doc.ID]
	lists := t.lists[doc.ID]
	ofMargins := e != nil && e.rule.OfMargins()
	if e != nil && e.source == doc.Source && e.expr == doc.Expression && e.ttlDays == doc.TTLDays && slices.Equal(e.lists, lists) &&
		(!ofMargins || t.margins == margins()) {
		t.ofMargins = t.ofMargins || ofMargins
		return e, nil
	}
	made := &ruleEntry{source: doc.Source, expr: doc.Expression, ttlDays: doc.TTLDays, lists: lists}
	switch doc.Source {
	case SegmentImport:
		made.rule = rules.NewImport(doc.ID, newAudience(lists), uint32(doc.TTLDays)*86_400)
	default:
		root, err := parseRule(doc.Expression, shop)
		if err != nil {
			return nil, fmt.Errorf("expression: %w", err)
		}
		made.rule = rules.NewRule(doc.ID, root.rule())
	}
	if e != nil {
		made.slot = e.slot
	} else if made.slot = slices.Index(t.slots, 0); made.slot < 0 {
		if made.slot = len(t.slots); made.slot == rules.MaxSlots {
			return nil, errors.New("the shop has more segments than a user's bits")
		}
		t.slots = append(t.slots, 0)
	}
	t.ofMargins = t.ofMargins || made.rule.OfMargins()
	t.slots[made.slot] = doc.ID
	t.entries[doc.ID] = made
	return made, nil
}

func newAudience(lists []*AudienceBucket) *rules.Audience {
	var buckets [rules.AudienceBuckets][]byte
	for _, a := range lists {
		buckets[a.Bucket] = a.Members
	}
	return rules.NewAudience(buckets)
}

// segmentPred numbers a question about a segment. Equal are those that ask
// for the same rule: a segment that changed is another question.
func (c *Compiler) segmentPred(q *pred) uint32 {
	key := append(c.key[:0], byte(kindSegment))
	key = binary.LittleEndian.AppendUint32(key, q.shop)
	key = binary.LittleEndian.AppendUint32(key, q.user)
	key = fmt.Appendf(key, "%p", q.more.rule)
	c.key = key
	if pid, ok := c.pids[string(key)]; ok {
		return pid
	}
	pid := uint32(len(c.preds))
	c.preds = append(c.preds, *q)
	c.pids[string(key)] = pid
	return pid
}

// walkNamed tries the campaigns that want segments of the shops that know the
// user, by a profile or by an imported list.
func (m *Matcher) walkNamed() {
	for _, shop := range m.shops {
		m.walkShop(shop)
	}
	for i := range m.f.Members {
		if shop := m.f.Members[i].Shop; !slices.Contains(m.shops, shop) {
			m.walkShop(shop)
		}
	}
}

// slotGroups finds a shop's groups by the slots of their segments.
type slotGroups struct {
	set  *rules.Set
	mask [rules.MaxSlots / 64]uint64 // slots that have a group
	of   []uint32                    // group by slot, where the mask says so
}

func (x *index) slotGroups(shops map[uint32]*CompiledShop) {
	x.bySlot = make(map[uint32]*slotGroups, len(x.named))
	for shop, sp := range x.named {
		s := &slotGroups{set: shops[shop].Segments.Set}
		s.of = make([]uint32, s.set.Slots())
		for g := sp.from; g < sp.to; g++ {
			slot := x.preds[x.groups[g].pid].user
			s.mask[slot>>6] |= 1 << (slot & 63)
			s.of[slot] = g
		}
		x.bySlot[shop] = s
	}
}

// walkShop tries the campaigns of the segments that the user is in: by the
// bits, or where they are in doubt, segment by segment.
func (m *Matcher) walkShop(shop uint32) {
	x := &m.s.index
	sp, ok := x.named[shop]
	if !ok {
		return
	}
	for i := range m.f.Members {
		if m.f.Members[i].Shop != shop {
			continue
		}
		s := x.bySlot[shop]
		if b, sure := m.f.Members[i].Bits(s.set, m.f.NowMS); sure {
			m.walkSlots(s, b)
			return
		}
	}
	for g := sp.from; g < sp.to; g++ {
		if m.asked(x.memos[g]) {
			m.walk(g)
		}
	}
}

func (m *Matcher) walkSlots(s *slotGroups, b *[rules.MaxSlots / 64]uint64) {
	for w := range b {
		for word := b[w] & s.mask[w]; word != 0; word &= word - 1 {
			g := s.of[w<<6+bits.TrailingZeros64(word)]
			m.memo[m.s.index.memos[g]] = m.epoch<<1 | 1
			m.walk(g)
		}
	}
}

// inSegment looks a user's bit up; where it is not worked out it evaluates
// the rule.
func (m *Matcher) inSegment(shop uint32, slot int, rule *rules.Rule) bool {
	f := m.f
	for i := range f.Members {
		if f.Members[i].Shop == shop {
			if in, known := f.Members[i].Has(slot, rule, f.NowMS); known {
				return in
			}
			break
		}
	}
	in, at := rule.Holds(f.User, m.profile(shop), m.s.margins[shop], f.NowMS)
	if in && rule.Audience() != nil {
		return !f.User.IsZero() && (f.Barred == nil || !f.Barred(f.User, shop, at))
	}
	return in
}

// shopEffect remembers which effects of a shop hold for the request.
type shopEffect struct {
	epoch uint32
	shop  *CompiledShop
	held  []uint16 // in CompiledSegments.effects
}

// effects finds the segments of a shop that the user is in and that change
// the price.
func (m *Matcher) effects(shop *CompiledShop) []uint16 {
	x := &m.effect
	if x.epoch == m.epoch && x.shop == shop {
		return x.held
	}
	x.epoch, x.shop, x.held = m.epoch, shop, x.held[:0]
	for i := range shop.Segments.effects {
		e := &shop.Segments.effects[i]
		if m.inSegment(shop.ID, e.slot, e.rule) {
			x.held = append(x.held, uint16(i))
		}
	}
	return x.held
}

// top is what withSegments never exceeds, whoever the user is.
func (s *CompiledSegments) top(p, most money.CPM) (price, bound money.CPM) {
	if s == nil {
		return p, most
	}
	raise := int64(neutralBPS)
	for i := range s.effects {
		e := &s.effects[i]
		p, raise = max(p, p.Scale(e.value)), max(raise, e.max)
	}
	return p, most.Scale(raise)
}

// withSegments applies the user's segments to a price and its bound; a bound
// of 0 is none.
func (m *Matcher) withSegments(shop *CompiledShop, p, most money.CPM) (price, bound money.CPM) {
	if shop.Segments == nil || len(shop.Segments.effects) == 0 {
		return p, most
	}
	raise := int64(neutralBPS)
	for _, i := range m.effects(shop) {
		e := &shop.Segments.effects[i]
		if e.value != neutralBPS {
			p = p.Scale(e.value)
		}
		raise = max(raise, e.max)
	}
	if raise != neutralBPS {
		most = most.Scale(raise)
	}
	return p, most
}
