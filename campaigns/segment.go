package campaigns

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/rules"
)

// Sources of a segment.
const (
	SegmentRule   = "rule"   // who fits the expression
	SegmentImport = "import" // who is on the list that the shop sent
)

// Bounds of a shop's segments.
const (
	MaxSegments        = 1_000
	MaxSegmentName     = 100       // characters
	MaxSegmentRule     = 16 << 10  // bytes
	MaxSegmentBPS      = 1_000_000 // ×100
	MaxAudience        = 1_000_000 // members of one imported segment
	MaxAudienceTTLDays = 730
)

// Segment is a named group of a shop's users. Campaigns and boosts name it.
type Segment struct {
	ID      uint32 `json:"id"`
	ShopID  uint32 `json:"shop_id"`
	Version int64  `json:"version"`
	// Name is unique in the shop; case and accents make no difference.
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Source is SegmentRule or SegmentImport.
	Source string `json:"source"`
	// Expression of a rule asks about the shop's own profile only.
	Expression string `json:"expression,omitempty"`
	// ValueBPS multiplies the price of every campaign of the shop for the
	// members, in basis points; 0 and 10,000 change nothing. Segments multiply
	// together.
	ValueBPS int64 `json:"value_bps,omitempty"`
	// MaxBPS raises the campaigns' max_cpm for the members, in basis points of
	// it; 0 and 10,000 change nothing. Of several segments the largest counts.
	MaxBPS int64 `json:"max_bps,omitempty"`
	// TTLDays is how long an imported member stays; 0 is for good.
	TTLDays int `json:"ttl_days,omitempty"`
}

// AudienceBucket is a part of an imported segment: the members whose
// rules.AudienceBucket it is, sorted.
type AudienceBucket struct {
	ShopID    uint32 `json:"shop_id"`
	SegmentID uint32 `json:"segment_id"`
	Bucket    int    `json:"bucket"`
	// Members are rules.MemberSize bytes each.
	Members []byte `json:"members"`
}

func readSegment(p *parser, name token) (*node, error) {
	list, err := p.texts()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, p.fail(p.tok, `as in segment "Cart abandoners"`, "expected a segment's name in double quotes, found %s", p.tok.describe())
	}
	kids := make([]*node, len(list))
	for i, t := range list {
		key := SegmentKey(t.text)
		if key == "" {
			return nil, p.fail(t, "", "this text names nothing")
		}
		kids[i] = leaf(predicate{kind: kindSegment, values: []string{key}, name: t})
	}
	return p.anyOf(kids)
}

// SegmentKey is the form in which names of segments are compared; empty for a
// name without letters or digits.
func SegmentKey(name string) string {
	return string(segments.AppendFolded(nil, name, 4*MaxSegmentName))
}

// checkSegments finds names of segments that the shop does not have.
func checkSegments(src string, root *node, has func(key string) bool) error {
	return root.walk(func(n *node) error {
		if n.pred.kind != kindSegment || has(n.pred.values[0]) {
			return nil
		}
		return syntaxError(src, n.pred.name, "see the shop's segments", "the shop has no segment %q", shorten(n.pred.name.text))
	})
}

// CheckTargetingNamed is CheckTargeting that also wants the segments that the
// expression names: named tells of a SegmentKey whether the shop has it.
func CheckTargetingNamed(expr string, shop *Shop, named func(key string) bool) error {
	root, err := parse(expr)
	if err != nil {
		return err
	}
	if shop != nil {
		if err := checkShop(expr, root, shop); err != nil {
			return err
		}
	}
	return checkSegments(expr, root, named)
}

// SegmentNames returns the SegmentKeys that an expression names; none for one
// that is wrong.
func SegmentNames(expr string) []string {
	root, err := parse(expr)
	if err != nil {
		return nil
	}
	var out []string
	_ = root.walk(func(n *node) error { // never fails
		if n.pred.kind == kindSegment && !slices.Contains(out, n.pred.values[0]) {
			out = append(out, n.pred.values[0])
		}
		return nil
	})
	return out
}

// CheckSegmentRule tells what is wrong with a segment's expression, as a
// *SyntaxError: it may ask about the user at the shop only, for who is in a
// segment does not depend on a request, nor on other segments.
func CheckSegmentRule(expr string, shop *Shop) error {
	_, err := parseRule(expr, shop)
	return err
}

func parseRule(expr string, shop *Shop) (*node, error) {
	root, err := parse(expr)
	if err != nil {
		return nil, err
	}
	if root.op == opTrue {
		return nil, syntaxError(expr, token{}, `known is everybody whom the shop has seen`, "the expression is empty")
	}
	err = root.walk(func(n *node) error {
		at := token{pos: n.pos, end: n.end}
		switch n.pred.kind {
		case kindUser:
			return nil
		case kindSegment:
			return syntaxError(expr, at, "write that segment's rule, or join the two in the campaign", "a segment's rule cannot name a segment")
		}
		return syntaxError(expr, at, "put it into the campaign's targeting", "this is about the page or device, not about the shop's visitor")
	})
	if err == nil && shop != nil {
		err = checkShop(expr, root, shop)
	}
	return root, err
}

// rule is a tree as the engine of segments takes it.
func (n *node) rule() *rules.Node {
	out := &rules.Node{}
	switch n.op {
	case opLeaf:
		out.Pred = n.pred.user
		return out
	case opNot:
		out.Op = rules.Not
	case opAnd:
		out.Op = rules.And
	case opOr:
		out.Op = rules.Or
	}
	for _, k := range n.kids {
		out.Kids = append(out.Kids, k.rule())
	}
	return out
}

// Check lists all that is wrong with a segment of the shop.
func (s *Segment) Check(shop *Shop) error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(SegmentKey(s.Name) == "", "name %q names nothing", s.Name)
	bad(s.ValueBPS < 0 || s.ValueBPS > MaxSegmentBPS, "value_bps %d must be 0 to %d", s.ValueBPS, MaxSegmentBPS)
	bad(s.MaxBPS != 0 && (s.MaxBPS < 10_000 || s.MaxBPS > MaxSegmentBPS), "max_bps %d must be 0, or 10000 to %d", s.MaxBPS, MaxSegmentBPS)
	bad(s.TTLDays < 0 || s.TTLDays > MaxAudienceTTLDays, "ttl_days %d must be 0 to %d", s.TTLDays, MaxAudienceTTLDays)
	switch s.Source {
	case SegmentRule:
		bad(len(s.Expression) > MaxSegmentRule, "expression of %d bytes; at most %d are allowed", len(s.Expression), MaxSegmentRule)
		bad(s.TTLDays != 0, "ttl_days is of imported segments")
		if err := CheckSegmentRule(s.Expression, shop); err != nil {
			errs = append(errs, fmt.Errorf("expression: %w", err))
		}
	case SegmentImport:
		bad(s.Expression != "", "an imported segment has no expression")
	default:
		bad(true, "source %q is not rule or import", s.Source)
	}
	return errors.Join(errs...)
}

func (d *Docs) segment(ids []uint32, r *Record) error {
	if r.Deleted {
		delete(d.segments, ids[0])
		return nil
	}
	if r.Segment == nil || r.Segment.ID != ids[0] {
		return errors.New("the record holds no segment of that id")
	}
	d.segments[ids[0]] = r.Segment
	return nil
}

func (d *Docs) audience(ids []uint32, r *Record) error {
	if r.Deleted {
		delete(d.audiences, r.Key)
		return nil
	}
	a := r.Audience
	if a == nil || a.SegmentID != ids[0] || a.Bucket != int(ids[1]) || a.Bucket >= rules.AudienceBuckets {
		return errors.New("the record holds no audience of that segment and bucket")
	}
	if err := rules.CheckMembers(a.Bucket, a.Members); err != nil {
		return err
	}
	d.audiences[r.Key] = a
	return nil
}

// Names tells whether the campaign names a segment, by its SegmentKey.
func (c *Campaign) Names(key string) bool {
	in := func(expr string) bool {
		// Most expressions name no segment, and need not be read.
		return strings.Contains(strings.ToLower(expr), "segment") && slices.Contains(SegmentNames(expr), key)
	}
	return in(c.Targeting) || slices.ContainsFunc(c.Bid.Boosts, func(b Boost) bool { return in(b.When) })
}
