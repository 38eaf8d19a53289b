package intent

import (
	"math"
	"math/bits"

	"github.com/grosz/grosz/segments"
)

// MaxHits is how many products a Match holds.
const MaxHits = 8

// Least is the strength from which anything counts as a match.
const Least = 0.3

// HalfLifeS is after how many seconds a search or view in the shop counts half.
const HalfLifeS = 3 * 24 * 3600

// Match is what a shop has for a Query: strongest first.
type Match struct {
	// Strength is from 0, nothing, to 1: the shop has just what is looked for.
	Strength float32
	N        int
	Hits     [MaxHits]Hit
}

// Hit is a product that is looked for.
type Hit struct {
	Strength float32
	Pos      uint32 // of the product in the catalogue
	Source   Source
	// Words has a bit per word of Phrase that the product has; Phrase is -1
	// for what a profile remembers, whose words are hashes.
	Words  uint16
	Phrase int16
}

// Own is what the shop itself knows: its profile of the person, and where the
// products that were looked at are.
type Own struct {
	Profile *segments.Profile
	NowMS   int64
	Find    Finder
}

// Finder finds a product's place by its segments.ProductHash.
type Finder interface {
	Position(hash uint64) (pos uint32, ok bool)
}

// add keeps the best products, each once.
func (m *Match) add(h Hit) {
	for i := range m.N {
		if m.Hits[i].Pos == h.Pos {
			if m.Hits[i].Strength >= h.Strength {
				return
			}
			copy(m.Hits[i:], m.Hits[i+1:m.N])
			m.N--
			break
		}
	}
	if m.N == MaxHits && m.Hits[m.N-1].Strength >= h.Strength {
		return
	}
	i := min(m.N, MaxHits-1)
	for ; i > 0 && m.Hits[i-1].Strength < h.Strength; i-- {
		m.Hits[i] = m.Hits[i-1]
	}
	m.Hits[i] = h
	m.N = min(m.N+1, MaxHits)
	m.Strength = m.Hits[0].Strength
}

// scanMost bounds the products that are looked at for one Query and shop.
const scanMost = 384

// Match finds what a shop's catalogue has of the Query, and of what the shop
// knows itself. Phrases that the shop may not use are passed over.
func (x *Index) Match(m *Match, q *Query, shop uint32, own *Own) {
	q.prepare()
	budget := scanMost
	if own != nil && own.Profile != nil {
		x.own(m, own, &budget)
	}
	if len(x.docs) == 0 {
		return
	}
	for i := range q.phrases {
		p := &q.phrases[i]
		if !p.mayUse(shop) {
			continue
		}
		var ask asked
		if x.readPhrase(&ask, q.words[p.from:p.to]) {
			ask.source, ask.phrase, ask.weight = p.source, int16(i), p.weight
			x.run(m, &ask, &budget)
		}
	}
}

// own adds what was looked at and searched in the shop, older things less. What
// came before the latest order was served by it.
func (x *Index) own(m *Match, o *Own, budget *int) {
	p := o.Profile
	now := o.NowMS / 1000
	for i, h := range p.Products {
		if h == 0 {
			break
		}
		if at := p.ProductAt[i]; at > p.LastPurchase && o.Find != nil {
			if pos, ok := o.Find.Position(h); ok {
				m.add(Hit{Strength: FromShopView.Weight() * decay(now, at), Pos: pos, Source: FromShopView, Phrase: -1})
			}
		}
	}
	for i := 0; i < len(p.Terms) && p.Terms[i] != 0; {
		j := i + 1
		for j < len(p.Terms) && p.Terms[j] != 0 && p.TermAt[j] == p.TermAt[i] {
			j++
		}
		if at := p.TermAt[i]; at > p.LastPurchase {
			var ask asked
			if x.readTerms(&ask, p.Terms[i:j]) {
				ask.source, ask.phrase, ask.weight = FromShopSearch, -1, decay(now, at)
				x.run(m, &ask, budget)
			}
		}
		i = j
	}
}

func decay(now int64, at uint32) float32 {
	return float32(math.Exp2(-float64(max(now-int64(at), 0)) / HalfLifeS))
}

// asked is a phrase as an index reads it.
type asked struct {
	n      int
	terms  [maxPhraseWords]int32 // -1: the shop does not know the word
	weight float32
	w      [maxPhraseWords]float32
	head   int // in terms
	total  float32
	source Source
	phrase int16
}

// Weights of a phrase's words, times how rare the word is in the shop.
const (
	headWeight    = 2
	plainWeight   = 1
	unknownWeight = 0.8
	purposeWeight = 1.6
	detailWeight  = 0.6
	attrWeight    = 0.3
)

// readPhrase looks the words up and finds the head; false if the shop has
// nothing of such a type.
func (x *Index) readPhrase(a *asked, words []word) bool {
	l := x.lang
	a.head = -1
	after, core := plain, 0
	for i := range words {
		if i == maxPhraseWords {
			break
		}
		c := words[i].class[l]
		a.n = i + 1
		a.terms[i] = -1
		if c == purpose || c == detail {
			after = c
			continue
		}
		if c == noise || c == joins {
			continue
		}
		a.terms[i] = x.find(words[i].hash[l])
		a.w[i] = x.wordWeight(a.terms[i], c, after)
		if after == plain {
			core = i + 1
		}
	}
	a.head = x.queryHead(a, words[:core])
	return x.weigh(a)
}

// weigh sums the weights; false if there is no head that the shop has.
func (x *Index) weigh(a *asked) bool {
	if a.head < 0 {
		return false
	}
	t := &x.terms[a.terms[a.head]]
	a.w[a.head] = headWeight * t.idf
	for i := range a.n {
		a.total += a.w[i]
	}
	return t.hfrom < t.hto
}

func (x *Index) wordWeight(id int32, c, after class) float32 {
	w, idf := float32(plainWeight), float32(1)
	if id >= 0 {
		idf = x.terms[id].idf
	} else {
		w = unknownWeight
	}
	switch {
	case c == attr || c == number:
		w = attrWeight
	case after == purpose:
		w = purposeWeight
	case after == detail:
		w = detailWeight
	}
	return w * idf
}

// kind is what a term is to this shop.
type kind uint8

const (
	unknown kind = iota
	typed        // names a type of product
	branded
	described // stands beside heads in titles
)

func (x *Index) kindOf(id int32) kind {
	if id < 0 {
		return unknown
	}
	t := &x.terms[id]
	switch {
	case t.brand:
		return branded
	case t.hfrom < t.hto:
		return typed
	case t.core:
		return described
	}
	return unknown
}

// queryHead finds the head among the words in front of a "for": what the
// language's order says, past brands, models and properties. A word that the
// shop does not know, or only as what its products are for, ends the search:
// the person looks for something else. Only a brand: the brand is meant.
func (x *Index) queryHead(a *asked, core []word) int {
	brand, n := -1, len(core)
	for j := range n {
		i := j
		if x.lang == English {
			i = n - 1 - j
		}
		c := core[i].class[x.lang]
		if c == noise || c == number || c == joins {
			continue
		}
		k := x.kindOf(a.terms[i])
		if c == attr {
			if n == 1 && k == typed {
				return i
			}
			continue
		}
		switch {
		case k == branded:
			brand = i
		case x.lang == Polish && core[i].adj && n > 1 && k != typed:
		case k == typed && !(x.lang == Polish && core[i].adj && n > 1):
			return i
		case k == described || k == typed:
		case x.lang == Polish && core[i].soft && i+1 < n && agree(&core[i], &core[i+1]) && x.kindOf(a.terms[i+1]) == typed:
		default:
			return -1
		}
	}
	return brand
}

// readTerms is readPhrase for words that a profile remembers: hashes, newest
// first, so that one search stands there backwards.
func (x *Index) readTerms(a *asked, hashes []uint32) bool {
	a.head = -1
	after := plain
	known := 0
	for j := range hashes {
		i := a.n
		id, c := x.findForm(hashes[len(hashes)-1-j])
		if c != plain {
			after = c
			continue
		}
		a.n++
		a.terms[i] = id
		a.w[i] = x.wordWeight(id, plain, after)
		if after != plain {
			continue
		}
		if id >= 0 {
			known++
		}
		if k := x.kindOf(id); k == typed && (a.head < 0 || x.lang == English) || k == branded && a.head < 0 {
			a.head = i
		}
	}
	return known > 0 && x.weigh(a)
}

// run scores products: first those that have the rarest of the other words,
// last all that are of the head's type, and ends when what remains cannot be
// better.
func (x *Index) run(m *Match, a *asked, budget *int) {
	head := &x.terms[a.terms[a.head]]
	var order [maxPhraseWords]int
	n := 0
	for i := range a.n {
		if i == a.head || a.terms[i] < 0 || a.w[i] == 0 || x.repeats(a, i) {
			continue
		}
		at := n
		for at > 0 && x.posted(a.terms[order[at-1]]) > x.posted(a.terms[i]) {
			order[at] = order[at-1]
			at--
		}
		order[at] = i
		n++
	}
	left := a.w[a.head]
	for _, i := range order[:n] {
		left += a.w[i]
	}
	var done uint16
	for _, i := range order[:n] {
		if x.bounded(m, a, left) {
			return
		}
		t := &x.terms[a.terms[i]]
		if t.to-t.from >= head.hto-head.hfrom {
			break // what is left is found by the head
		}
		x.scan(m, a, x.posts[t.from:t.to], done, budget)
		done |= 1 << i
		left -= a.w[i]
	}
	if !x.bounded(m, a, left) {
		x.scan(m, a, x.heads[head.hfrom:head.hto], done, budget)
	}
}

func (x *Index) posted(id int32) uint32 { return x.terms[id].to - x.terms[id].from }

// repeats tells whether a word of the phrase stood there before.
func (x *Index) repeats(a *asked, i int) bool {
	for j := range i {
		if a.terms[j] == a.terms[i] {
			return true
		}
	}
	return a.terms[i] == a.terms[a.head]
}

// bounded tells that no product with no more than left can enter the match.
func (x *Index) bounded(m *Match, a *asked, left float32) bool {
	s := a.weight * left / a.total
	return s < Least || m.N == MaxHits && s <= m.Hits[MaxHits-1].Strength
}

// scan scores the products of a list that have none of the words in done.
func (x *Index) scan(m *Match, a *asked, list []uint32, done uint16, budget *int) {
	most := min(len(list), *budget)
	best := a.weight * sumOf(a, done) / a.total
	for k, d := range list[:most] {
		mask, grade := x.look(a, d)
		if grade <= mentioned || mask&done != 0 {
			continue
		}
		s := float32(0)
		for b := mask; b != 0; b &= b - 1 {
			s += a.w[bits.TrailingZeros16(b)]
		}
		s = a.weight * s / a.total
		if grade == above {
			s *= 0.7
		}
		if s >= Least && x.docs[d] != gone {
			m.add(Hit{Strength: s, Pos: x.docs[d], Source: a.source, Words: mask, Phrase: a.phrase})
		}
		if m.N == MaxHits && m.Hits[MaxHits-1].Strength >= best {
			*budget -= k + 1
			return
		}
	}
	*budget -= most
}

// sumOf is the most that a product without the words in done can have.
func sumOf(a *asked, done uint16) float32 {
	s := float32(0)
	for i := range a.n {
		if done>>i&1 == 0 && a.terms[i] >= 0 {
			s += a.w[i]
		}
	}
	return s
}

// look tells which words of the phrase a product has, and how the head stands
// in it.
func (x *Index) look(a *asked, d uint32) (mask uint16, grade uint32) {
	for _, f := range x.fwd[x.from[d]:x.from[d+1]] {
		id := int32(f >> 2)
		for i := range a.n {
			if a.terms[i] == id {
				mask |= 1 << i
				if i == a.head {
					grade = f & 3
				}
			}
		}
	}
	return mask, grade
}

// Words returns the words of a Hit as they were written, those that matched;
// the whole text comes first. Not hot.
func (q *Query) Words(h *Hit) (phrase string, words []string) {
	if h.Phrase < 0 || int(h.Phrase) >= len(q.phrases) {
		return "", nil
	}
	p := q.phrases[h.Phrase]
	for i, w := range q.words[p.from:p.to] {
		if i > 0 {
			phrase += " "
		}
		phrase += w.text
		if i < 16 && h.Words>>i&1 != 0 {
			words = append(words, w.text)
		}
	}
	return phrase, words
}
