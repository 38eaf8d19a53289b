package campaigns

import "math/bits"

// attrID names an attribute of a request that has one value of a small
// vocabulary: exchange … position (kindExchange + attr), then for every time
// zone its hour and its weekday.
type attrID uint16

const (
	fixedAttrs  = int(kindPosition-kindExchange) + 1
	attrZoneOff = attrID(fixedAttrs)
)

func fixedAttr(k predKind) attrID { return attrID(k - kindExchange) }

// bitset holds small numbers.
type bitset []uint64

func (b bitset) has(v uint32) bool {
	w := int(v >> 6)
	return w < len(b) && b[w]>>(v&63)&1 != 0
}

func (b bitset) with(v uint32) bitset {
	for int(v>>6) >= len(b) {
		b = append(b, 0)
	}
	b[v>>6] |= 1 << (v & 63)
	return b
}

func (b bitset) empty() bool {
	for _, w := range b {
		if w != 0 {
			return false
		}
	}
	return true
}

func (b bitset) each(f func(v uint32)) {
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			f(uint32(i*64 + bits.TrailingZeros64(w)))
		}
	}
}

// combine applies f to every word of both.
func (b bitset) combine(o bitset, f func(x, y uint64) uint64) bitset {
	out := make(bitset, max(len(b), len(o)))
	for i := range out {
		var x, y uint64
		if i < len(b) {
			x = b[i]
		}
		if i < len(o) {
			y = o[i]
		}
		out[i] = f(x, y)
	}
	return out
}

// accept is the set of an attribute's values with which an expression may
// hold: bits, or all others (co). Value 0 is what no expression names.
type accept struct {
	attr attrID
	co   bool
	bits bitset
}

func (a *accept) has(v uint32) bool { return a.bits.has(v) != a.co }

func (a accept) negated() accept {
	a.co = !a.co
	return a
}

func (a accept) and(b accept) accept {
	var f func(x, y uint64) uint64
	switch {
	case !a.co && !b.co:
		f = func(x, y uint64) uint64 { return x & y }
	case a.co && b.co:
		f = func(x, y uint64) uint64 { return x | y }
	case a.co:
		f = func(x, y uint64) uint64 { return y &^ x }
	default:
		f = func(x, y uint64) uint64 { return x &^ y }
	}
	return accept{attr: a.attr, co: a.co && b.co, bits: a.bits.combine(b.bits, f)}
}

func (a accept) or(b accept) accept { return a.negated().and(b.negated()).negated() }

// accepts returns what a tree needs of the attributes: an expression can only
// hold if every accept has the request's value. Attributes that do not matter
// are left out. The list is sorted by attribute.
func (c *Compiler) accepts(n *node, neg bool) []accept {
	switch n.op {
	case opNot:
		return c.accepts(n.kids[0], !neg)
	case opLeaf:
		p := &c.preds[n.pid]
		if !p.kind.isDense() {
			return nil
		}
		return []accept{{attr: p.attr, co: neg, bits: p.more.bits}}
	case opAnd, opOr:
		all := (n.op == opAnd) != neg
		out := c.accepts(n.kids[0], neg)
		for _, k := range n.kids[1:] {
			if !all && len(out) == 0 {
				return nil
			}
			out = merge(out, c.accepts(k, neg), all)
		}
		return out
	}
	return nil
}

// merge joins two lists: all tells that both conditions must hold, else one.
func merge(a, b []accept, all bool) []accept {
	var out []accept
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].attr < b[0].attr:
			if all {
				out = append(out, a[0])
			}
			a = a[1:]
		case len(a) == 0 || b[0].attr < a[0].attr:
			if all {
				out = append(out, b[0])
			}
			b = b[1:]
		default:
			both := a[0].and(b[0])
			if !all {
				both = a[0].or(b[0])
			}
			if !both.co || !both.bits.empty() {
				out = append(out, both)
			}
			a, b = a[1:], b[1:]
		}
	}
	return out
}

// A signature folds the fixed attributes into 64 bits, a field each: a
// request has one bit per field, an expression the bits of all values that it
// accepts. If the request's bits are not all among them it cannot hold.
func sigField(attr attrID) (shift, width uint32) {
	switch predKind(attr) + kindExchange {
	case kindExchange:
		return 0, 8
	case kindMedia:
		return 8, 5
	case kindInventory:
		return 13, 4
	case kindDevice:
		return 17, 7
	case kindOS:
		return 24, 8
	case kindCountry:
		return 32, 16
	case kindLanguage:
		return 48, 8
	default:
		return 56, 8
	}
}

func sigBit(attr attrID, v uint32) uint64 {
	shift, width := sigField(attr)
	return 1 << (shift + v%width)
}

func signature(list []accept) uint64 {
	sig := ^uint64(0)
	for _, a := range list {
		if int(a.attr) >= fixedAttrs || a.co {
			continue
		}
		shift, width := sigField(a.attr)
		sig &^= (1<<width - 1) << shift
		a.bits.each(func(v uint32) { sig |= sigBit(a.attr, v) })
	}
	return sig
}
