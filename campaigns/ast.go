package campaigns

import (
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

// Bounds of one expression; what is beyond is refused when it is written.
const (
	MaxExpression = 8 << 20 // bytes; room for a list of 100,000 domains
	MaxPredicates = 4096    // in one expression
	MaxListValues = 200_000 // in one list
	maxDepth      = 64      // of parentheses and nots
)

type nodeOp uint8

const (
	opLeaf nodeOp = iota
	opNot
	opAnd
	opOr
	opTrue // the empty expression
)

// node is an expression's tree. pos and end are where it stands in the text.
type node struct {
	op       nodeOp
	pid      uint32 // of a leaf, once resolved
	kids     []*node
	pred     *predicate
	pos, end int
}

// predKind is what a predicate looks at.
type predKind uint8

const (
	kindUser    predKind = iota // the profile at the campaign's own shop
	kindSegment                 // the shop's named segments

	// Lists of values, looked up by the request's own values.
	kindDomain
	kindBundle
	kindCategory
	kindKeyword
	kindWord
	kindDeal
	kindSearch
	kindCity
	kindRegion
	kindHost // for the index only: the URL's host, and hasSearch

	// Small vocabularies: one value per request.
	kindExchange
	kindMedia
	kindInventory
	kindDevice
	kindOS
	kindCountry
	kindLanguage
	kindPosition
	kindHour
	kindWeekday

	// Texts, compared one by one.
	kindURLContains
	kindURLPrefix
	kindPathPrefix
	kindPathContains
	kindSearchContains

	kindDomainList // in an uploaded list of the shop
	kindBundleList
	kindIntent // what the person looks for is in the campaign's own shop

	numKinds
)

// isList tells whether values of the kind are found through the index.
func (k predKind) isList() bool { return k >= kindDomain && k <= kindHost }

// isDense tells whether the kind has a small vocabulary.
func (k predKind) isDense() bool { return k >= kindExchange && k <= kindWeekday }

// predicate is one question of an expression, with its values evened out.
type predicate struct {
	kind   predKind
	user   segments.Predicate
	values []string // of lists and small vocabularies: sorted, distinct, normalised; a text predicate's alternatives
	list   string   // name of an uploaded list
	// strength of kindIntent, in thousandths, and how it is compared; see user.
	strength int64
	mask     uint32 // of hours (bit 0–23) and weekdays (bit 0 is Monday)
	// words are the hashes of kindWord, instead of values.
	words []uint64
	// currency is what an amount was written in, at money.
	currency money.Currency
	money    token
	name     token // of a named segment
}

// walk calls f for every leaf, from left to right.
func (n *node) walk(f func(*node) error) error {
	if n.op == opLeaf {
		return f(n)
	}
	for _, k := range n.kids {
		if err := k.walk(f); err != nil {
			return err
		}
	}
	return nil
}

// join makes one node of several, without a needless level.
func join(op nodeOp, kids []*node) *node {
	if len(kids) == 1 {
		return kids[0]
	}
	return &node{op: op, kids: kids, pos: kids[0].pos, end: kids[len(kids)-1].end}
}
