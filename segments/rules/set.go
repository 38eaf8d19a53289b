package rules

import (
	"slices"

	"github.com/grosz/grosz/segments"
)

// Bounds of a shop's segments. A slot is a segment's place in the bits.
const (
	MaxSlots = 1024
	maxWords = MaxSlots / 64
)

// bits is one bit per slot.
type bits [maxWords]uint64

func (b *bits) has(slot int) bool { return b[slot>>6]>>(slot&63)&1 != 0 }
func (b *bits) set(slot int)      { b[slot>>6] |= 1 << (slot & 63) }

// Set is a shop's rules by slot, immutable. Predicates that several rules
// share are asked once per evaluation.
type Set struct {
	// Shop is whose it is.
	Shop    uint32
	rules   []*Rule // nil: the slot is free
	imports []int   // slots of imported segments
	asks    []segments.Predicate
	codes   []span // of each slot, in code
	code    []instr
	margins *segments.Margins
}

type span struct{ from, to int }

// NewSetWith is NewSet for rules that ask for margins of products: those of
// the shop's feed. Where they change, a rule that asks for them is another.
func NewSetWith(shop uint32, bySlot []*Rule, m *segments.Margins) *Set {
	s := NewSet(shop, bySlot)
	s.margins = m
	return s
}

// NewSet puts rules into their slots, at most MaxSlots.
func NewSet(shop uint32, bySlot []*Rule) *Set {
	s := &Set{Shop: shop, rules: slices.Clone(bySlot), codes: make([]span, len(bySlot))}
	known := map[segments.Predicate]uint32{}
	for slot, r := range s.rules {
		if r == nil {
			continue
		}
		if r.audience != nil {
			s.imports = append(s.imports, slot)
		}
		s.codes[slot].from = len(s.code)
		for _, in := range r.code {
			q := r.asks[in.ask]
			i, ok := known[q]
			if !ok {
				i = uint32(len(s.asks))
				known[q] = i
				s.asks = append(s.asks, q)
			}
			s.code = append(s.code, instr{i, in.t, in.f})
		}
		s.codes[slot].to = len(s.code)
	}
	return s
}

// Slots is one more than the highest slot that may be in use.
func (s *Set) Slots() int { return len(s.rules) }

// Rule returns the rule of a slot, nil if it is free.
func (s *Set) Rule(slot int) *Rule {
	if s == nil || slot >= len(s.rules) {
		return nil
	}
	return s.rules[slot]
}

// changed are the slots that mean something else than in an older set.
func (s *Set) changed(old *Set) (b bits) {
	n := s.Slots()
	if old != nil {
		n = max(n, old.Slots())
	}
	for slot := range n {
		if s.Rule(slot) != old.Rule(slot) {
			b.set(slot)
		}
	}
	return b
}

// evaluator is the scratch of evaluating sets: one goroutine's.
type evaluator struct {
	epoch uint32
	memo  []uint32 // by ask: epoch<<1 | holds
	p     *segments.Profile
	now   int64 // seconds
	due   uint32
}

// evaluate works out all bits of a user, and the first second at which time
// alone may change one. Only what was asked can change what was answered.
func (v *evaluator) evaluate(s *Set, u segments.UserKey, p *segments.Profile, nowS int64, barred func(atS uint32) bool) (out bits, due uint32) {
	if v.epoch++; v.epoch == 1<<31 {
		clear(v.memo)
		v.epoch = 1
	}
	if n := len(s.asks); len(v.memo) < n {
		v.memo = append(v.memo, make([]uint32, n-len(v.memo))...)
	}
	v.p, v.now, v.due = p, nowS, segments.Never
	if p != nil {
		for slot, sp := range s.codes {
			if sp.to > sp.from && v.run(s, s.code[sp.from:sp.to]) {
				out.set(slot)
			}
		}
	}
	v.p = nil
	for _, slot := range s.imports {
		r := s.rules[slot]
		at, ok := r.audience.of(u, p)
		if !ok || !r.lasts(at, nowS) || barred != nil && barred(at) {
			continue
		}
		out.set(slot)
		if r.ttlS != 0 {
			v.due = min(v.due, at+r.ttlS)
		}
	}
	return out, v.due
}

func (v *evaluator) run(s *Set, code []instr) bool {
	for i := 0; i < len(code); {
		in := &code[i]
		if v.truth(s, in.ask) {
			i = int(in.t)
		} else {
			i = int(in.f)
		}
		if i < 0 {
			return false
		}
	}
	return true
}

func (v *evaluator) truth(s *Set, ask uint32) bool {
	if m := v.memo[ask]; m>>1 == v.epoch {
		return m&1 != 0
	}
	q := &s.asks[ask]
	m := v.epoch << 1
	if q.HoldsWith(v.p, s.margins, v.now*1000) {
		m |= 1
	}
	v.memo[ask] = m
	v.due = min(v.due, q.NextChange(v.p, v.now))
	return m&1 != 0
}

// Rules are the rules by slot; they are lent.
func (s *Set) Rules() []*Rule { return s.rules }
