package campaigns

import (
	"cmp"
	"slices"
	"time"

	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/intent"
)

// index finds the campaigns that a request may concern. Every campaign with a
// cover is posted under its cover's predicates (a group each), which are
// found by the values of the request or by the user's shops; the others are
// in the open group. Groups that are large narrow their members by bitmaps
// over the request's attributes; what remains runs the campaign's code.
type index struct {
	preds []pred
	asked []segments.Predicate // of profiles, by pred.user
	zones []*time.Location
	dict  *dict

	slots  *slots
	line   []uint32 // long code without branches: slots, shifted by one, and whether it must not hold
	code   []instr  // code of the others, and of boosts, by slots
	hot    []hot    // by campaign
	times  []flight // by campaign
	bounds []bound  // by campaign
	prices []price  // by campaign
	boosts []boost  // of all campaigns
	raised bool     // segments of some shop change prices

	groups   []group                // those of users first, by shop
	users    []segments.Predicate   // what the first groups ask of a profile
	memos    []uint32               // where the answers of the groups on users are remembered
	shops    map[uint32]span        // groups of a shop's profile predicates
	named    map[uint32]span        // groups of a shop's named segments, which follow
	onUser   int                    // groups of either
	bySlot   map[uint32]*slotGroups // of a shop's named segments
	values   [kindHost + 1]postings // what to try for the number of a value
	open     bitGroup
	bitmaps  []bitGroup // of large groups
	merged   []bitGroup // of values that many groups share
	hasLists bool
	intents  map[uint32]span // groups of a shop's predicates on intent
	looking  *intent.Table   // the shops of intents, by what people look for
}

type span struct{ from, to uint32 }

// group is the campaigns that have one predicate in their cover.
type group struct {
	pid     uint32
	bitmap  int32 // in index.bitmaps, or -1
	members []uint32
}

// postings lists what a value leads to: entries[from[v]:from[v+1]]. Where the
// first one is isMerged, that group of index.merged holds all the campaigns.
type postings struct {
	from    []uint32
	entries []entry
}

// entry is a campaign of a small group, or a group (isGroup is set), and the
// slot of what led to it.
type entry struct{ slot, to uint32 }

const (
	isGroup  = 1 << 31
	isMerged = 1 << 30 // with isGroup
)

const (
	smallGroup  = 4       // members up to which a group is posted as campaigns
	largeGroup  = 128     // members from which a group has bitmaps
	largeValue  = 256     // members of a value's groups from which they are merged
	mergeBudget = 1 << 22 // members in all merged groups
)

func (c *Compiler) buildIndex(s *Snapshot) {
	x := &s.index
	x.preds, x.zones, x.dict = c.preds[:len(c.preds):len(c.preds)], c.zones[:len(c.zones):len(c.zones)], c.dict
	x.asked = c.users[:len(c.users):len(c.users)]
	x.slots = newSlots(x.preds, used(s.Campaigns, len(x.preds)))
	x.flatten(s.Campaigns)
	groupOf := make([]int32, len(c.preds)) // number + 1
	var open []uint32
	for i, cc := range s.Campaigns {
		if cc.expr.open {
			open = append(open, uint32(i))
		}
		for _, pid := range cc.expr.cover {
			if groupOf[pid] == 0 {
				x.groups = append(x.groups, group{pid: pid, bitmap: -1})
				groupOf[pid] = int32(len(x.groups))
			}
			g := &x.groups[groupOf[pid]-1]
			g.members = append(g.members, uint32(i))
		}
	}
	x.open = newBitGroup(s.Campaigns, open)
	x.sortGroups()
	x.slotGroups(s.shops)
	c.lookUpIntents(s)
	members := 0
	for i := range x.groups {
		members += len(x.groups[i].members)
	}
	all := make([]uint32, 0, members) // beside each other, as the groups are
	for i := range x.groups {
		g := &x.groups[i]
		all = append(all, g.members...)
		g.members = all[len(all)-len(g.members) : len(all) : len(all)]
	}
	for i := range x.groups {
		if g := &x.groups[i]; len(g.members) >= largeGroup {
			g.bitmap = int32(len(x.bitmaps))
			x.bitmaps = append(x.bitmaps, newBitGroup(s.Campaigns, g.members))
		}
	}
	x.post()
	x.mergeValues(s.Campaigns)
}

// sortGroups puts the groups of users first, those of a shop beside each
// other.
func (x *index) sortGroups() {
	slices.SortStableFunc(x.groups, func(a, b group) int {
		p, q := &x.preds[a.pid], &x.preds[b.pid]
		return cmp.Or(cmp.Compare(p.kind, q.kind), cmp.Compare(p.shop, q.shop), cmp.Compare(a.pid, b.pid))
	})
	x.shops, x.named = map[uint32]span{}, map[uint32]span{}
	for i := range x.groups {
		p := &x.preds[x.groups[i].pid]
		of := x.shops
		switch p.kind {
		case kindUser:
			x.users = append(x.users, x.asked[p.user])
		case kindSegment:
			of = x.named
		default:
			return
		}
		x.onUser++
		x.memos = append(x.memos, x.slots.of[x.groups[i].pid]-x.slots.lazy)
		sp, ok := of[p.shop]
		if !ok {
			sp.from = uint32(i)
		}
		sp.to = uint32(i + 1)
		of[p.shop] = sp
	}
}

// post lists what every value leads to.
func (x *index) post() {
	var most [kindHost + 1]uint32
	x.eachValue(func(kind predKind, v uint32, _ entry) { most[kind] = max(most[kind], v) })
	for kind := range x.values {
		if most[kind] > 0 {
			x.values[kind].from = make([]uint32, most[kind]+2)
			x.hasLists = true
		}
	}
	x.eachValue(func(kind predKind, v uint32, _ entry) { x.values[kind].from[v+1]++ })
	for kind := range x.values {
		p := &x.values[kind]
		for i := 1; i < len(p.from); i++ {
			p.from[i] += p.from[i-1]
		}
		if n := len(p.from); n > 0 {
			p.entries = make([]entry, p.from[n-1])
		}
	}
	var next [kindHost + 1][]uint32
	for kind := range next {
		next[kind] = slices.Clone(x.values[kind].from)
	}
	x.eachValue(func(kind predKind, v uint32, e entry) {
		x.values[kind].entries[next[kind][v]] = e
		next[kind][v]++
	})
}

// eachValue calls f for every value and what is found by it.
func (x *index) eachValue(f func(kind predKind, v uint32, e entry)) {
	for i := x.onUser; i < len(x.groups); i++ {
		g := &x.groups[i]
		p := &x.preds[g.pid]
		kind := p.kind
		if !kind.isList() { // a text predicate is found by the host's kind
			kind = kindHost
		}
		for _, v := range p.found() {
			if len(g.members) > smallGroup {
				f(kind, v, entry{x.slots.of[g.pid], uint32(i) | isGroup})
				continue
			}
			for _, c := range g.members {
				f(kind, v, entry{x.slots.of[g.pid], c})
			}
		}
	}
}

// mergeValues makes one group of all that hang on a value where they are many.
func (x *index) mergeValues(all []*CompiledCampaign) {
	budget := mergeBudget
	for kind := range x.values {
		if predKind(kind) == kindDeal {
			continue // of an impression's deals the entries are asked for
		}
		p := &x.values[kind]
		for v := 1; v+1 < len(p.from); v++ {
			entries := p.entries[p.from[v]:p.from[v+1]]
			n := 0
			for _, e := range entries {
				n += max(len(x.membersOf(e)), 1)
			}
			if len(entries) < 8 || n < largeValue || n > budget {
				continue
			}
			budget -= n
			members := make([]uint32, 0, n)
			for _, e := range entries {
				if e.to&isGroup == 0 {
					members = append(members, e.to)
				}
				members = append(members, x.membersOf(e)...)
			}
			slices.Sort(members)
			entries[0] = entry{0, uint32(len(x.merged)) | isGroup | isMerged}
			x.merged = append(x.merged, newBitGroup(all, slices.Compact(members)))
		}
	}
}

// membersOf returns the campaigns of an entry that is a group.
func (x *index) membersOf(e entry) []uint32 {
	if e.to&isGroup == 0 {
		return nil
	}
	return x.groups[e.to&^isGroup].members
}

// bitGroup narrows many campaigns by the request's attributes: bit m of an
// attribute's row for a value tells whether member m accepts that value.
type bitGroup struct {
	members []uint32
	words   int
	attrs   []bitAttr
}

type bitAttr struct {
	attr  attrID
	rowOf []uint16 // by value; row 0 is for values that no member names
	rows  []uint64 // words each
}

func newBitGroup(all []*CompiledCampaign, members []uint32) bitGroup {
	b := bitGroup{members: members, words: (len(members) + 63) / 64}
	used := map[attrID]bitset{}
	for _, m := range members {
		for _, a := range all[m].expr.accepts {
			u := used[a.attr]
			a.bits.each(func(v uint32) { u = u.with(v) })
			used[a.attr] = u
		}
	}
	for attr, values := range used {
		b.attrs = append(b.attrs, b.newAttr(all, attr, values))
	}
	// The attribute that refuses most goes first.
	slices.SortFunc(b.attrs, func(x, y bitAttr) int {
		if d := ones(x.rows)*len(y.rows) - ones(y.rows)*len(x.rows); d != 0 {
			return d
		}
		return int(x.attr) - int(y.attr)
	})
	return b
}

func (b *bitGroup) newAttr(all []*CompiledCampaign, attr attrID, values bitset) bitAttr {
	a := bitAttr{attr: attr, rowOf: make([]uint16, 64*len(values))}
	rows := 1
	values.each(func(v uint32) {
		a.rowOf[v] = uint16(rows)
		rows++
	})
	a.rows = make([]uint64, rows*b.words)
	find := func(m uint32) *accept {
		list := all[m].expr.accepts
		for i := range list {
			if list[i].attr == attr {
				return &list[i]
			}
		}
		return nil
	}
	for i, m := range b.members {
		if acc := find(m); acc == nil || acc.co {
			a.rows[i>>6] |= 1 << (i & 63)
		}
	}
	for r := 1; r < rows; r++ {
		copy(a.rows[r*b.words:(r+1)*b.words], a.rows[:b.words])
	}
	for i, m := range b.members {
		acc := find(m)
		if acc == nil {
			continue
		}
		acc.bits.each(func(v uint32) {
			w := &a.rows[int(a.rowOf[v])*b.words+i>>6]
			if acc.co {
				*w &^= 1 << (i & 63)
			} else {
				*w |= 1 << (i & 63)
			}
		})
	}
	return a
}

// row returns the members that accept a value.
func (a *bitAttr) row(v uint32, words int) []uint64 {
	r := 0
	if int(v) < len(a.rowOf) {
		r = int(a.rowOf[v])
	}
	return a.rows[r*words : (r+1)*words]
}
