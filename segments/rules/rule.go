package rules

import (
	"slices"

	"github.com/grosz/grosz/segments"
)

// Op is what a Node does with its kids.
type Op uint8

// The operations.
const (
	Ask Op = iota
	Not
	And
	Or
)

// Node is a rule's expression as a tree. Ask has a predicate and no kids, Not
// one kid, And and Or at least one.
type Node struct {
	Op   Op
	Kids []*Node
	Pred segments.Predicate
}

// Rule decides who is in a segment; immutable. It is known by its pointer: a
// segment that changes has another.
type Rule struct {
	// ID is the segment's.
	ID       uint32
	audience *Audience // of an imported segment; else nil
	ttlS     uint32    // how long an imported member stays; 0: for good
	asks     []segments.Predicate
	code     []instr
}

// instr asks a predicate and goes on at t or f: an index, or the length of
// the code to accept, or -1 to refuse. It only goes forward.
type instr struct {
	ask  uint32
	t, f int16
}

// NewRule compiles a tree of at most 4,096 predicates, which is what the
// language allows.
func NewRule(id uint32, root *Node) *Rule {
	g := generator{known: map[segments.Predicate]uint32{}}
	end := g.label()
	g.emit(root, false, end, refuse)
	g.place(end)
	return &Rule{ID: id, asks: g.asks, code: g.link()}
}

// NewImport makes the rule of an imported segment: who is in the audience,
// for ttlS seconds from the import; 0 is for good.
func NewImport(id uint32, a *Audience, ttlS uint32) *Rule {
	return &Rule{ID: id, audience: a, ttlS: ttlS}
}

// Audience is the imported list, nil for a rule over profiles.
func (r *Rule) Audience() *Audience { return r.audience }

// OfMargins tells whether the rule asks for margins of products: it is to be
// made anew when the feed changes them.
func (r *Rule) OfMargins() bool {
	return slices.ContainsFunc(r.asks, func(q segments.Predicate) bool { return q.OfMargin() })
}

// Holds evaluates the rule from scratch for a user and the shop's profile,
// nil if there is none, with the margins of the shop's feed. For a member of an imported segment importedS is when
// that was; who asked to be forgotten since is for the caller to leave out.
func (r *Rule) Holds(u segments.UserKey, p *segments.Profile, m *segments.Margins, nowMS int64) (in bool, importedS uint32) {
	if r.audience != nil {
		at, ok := r.audience.of(u, p)
		return ok && r.lasts(at, nowMS/1000), at
	}
	if p == nil {
		return false, 0
	}
	for i := 0; i < len(r.code); {
		in := &r.code[i]
		if r.asks[in.ask].HoldsWith(p, m, nowMS) {
			i = int(in.t)
		} else {
			i = int(in.f)
		}
		if i < 0 {
			return false, 0
		}
	}
	return true, 0
}

// lasts tells whether one who was imported at at is still a member.
func (r *Rule) lasts(at uint32, nowS int64) bool {
	return r.ttlS == 0 || nowS < int64(at)+int64(r.ttlS)
}

// generator turns a tree into jumps; while it works t and f are labels.
type generator struct {
	known  map[segments.Predicate]uint32
	asks   []segments.Predicate
	code   []instr
	labels []int16
}

const refuse = -1

func (g *generator) label() int16 {
	g.labels = append(g.labels, 0)
	return int16(len(g.labels) - 1)
}

func (g *generator) place(label int16) { g.labels[label] = int16(len(g.code)) }

func (g *generator) ask(q segments.Predicate) uint32 {
	i, ok := g.known[q]
	if !ok {
		i = uint32(len(g.asks))
		g.known[q] = i
		g.asks = append(g.asks, q)
	}
	return i
}

func (g *generator) emit(n *Node, neg bool, t, f int16) {
	switch n.Op {
	case Not:
		g.emit(n.Kids[0], !neg, t, f)
	case Ask:
		if neg {
			t, f = f, t
		}
		g.code = append(g.code, instr{g.ask(n.Pred), t, f})
	default:
		all := (n.Op == And) != neg
		for i, k := range n.Kids {
			if i == len(n.Kids)-1 {
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
	for i := range g.code {
		for _, to := range [...]*int16{&g.code[i].t, &g.code[i].f} {
			if *to != refuse {
				*to = g.labels[*to]
			}
		}
	}
	return g.code
}
