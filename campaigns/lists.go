package campaigns

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Bounds of a shop's lists.
const (
	MaxListName     = 64
	MaxListEntries  = 200_000 // of one list
	MaxLists        = 50      // of one shop
	MaxListPartSize = 50_000  // entries of one message
)

// ListPart is a part of a shop's list of domains or bundles, as hashes: what a
// request has is hashed and looked up, nobody reads the list back from here.
type ListPart struct {
	ShopID uint32 `json:"shop_id"`
	ID     uint32 `json:"id"`
	Name   string `json:"name"`
	Feed   int64  `json:"feed"` // version of the whole list
	Part   int    `json:"part"`
	Parts  int    `json:"parts"`
	// Hashes are ListHash of the entries, 8 bytes each, little-endian.
	Hashes []byte `json:"hashes"`
}

// ListEntry evens out an entry of a list: a domain, as domain in (…) takes it,
// or an app's bundle. false for what is neither.
func ListEntry(s string) (string, bool) {
	v, _, ok := normalValue(kindDomain, s)
	if !ok || len(v) < 2 {
		return "", false
	}
	return v, true
}

// ListHash is the form in which an entry travels and is looked up.
func ListHash(entry string) uint64 { return max(xxhash.Sum64String(entry), 1) }

// ListSum tells whether two lists hold the same: the SHA-256, hex, of their
// entries, as ListEntry makes them, sorted and distinct, a line each.
func ListSum(entries []string) string {
	h := sha256.New()
	for _, e := range entries {
		_, _ = io.WriteString(h, e) // never fails, by its contract
		_, _ = h.Write([]byte{'\n'})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// hashSet is a set of hashes with open addressing, at most half full; an empty
// slot is 0.
type hashSet []uint64

func newHashSet(n int) hashSet {
	size := 8
	for size < 2*n {
		size *= 2
	}
	return make(hashSet, size)
}

func (s hashSet) slot(h uint64) uint64 { return h * 0x9e3779b97f4a7c15 >> 20 & uint64(len(s)-1) }

func (s hashSet) add(h uint64) {
	at := s.slot(h)
	for s[at] != 0 && s[at] != h {
		at = (at + 1) & uint64(len(s)-1)
	}
	s[at] = h
}

func (s hashSet) has(h uint64) bool {
	for at := s.slot(h); s[at] != 0; at = (at + 1) & uint64(len(s)-1) {
		if s[at] == h {
			return true
		}
	}
	return false
}

// setOf joins the parts of one list. While a new upload comes in, parts of the
// older one stand in for those that are not there yet.
func setOf(parts []*ListPart) hashSet {
	newest := parts[0]
	n := 0
	for _, p := range parts {
		if p.Feed > newest.Feed {
			newest = p
		}
		n += len(p.Hashes) / 8
	}
	s := newHashSet(n)
	for _, p := range parts {
		if p.Part >= newest.Parts {
			continue
		}
		for b := p.Hashes; len(b) >= 8; b = b[8:] {
			s.add(max(binary.LittleEndian.Uint64(b), 1))
		}
	}
	return s
}

// listsOf groups the parts by list name.
func listsOf(parts []*ListPart) map[string]hashSet {
	byName := map[string][]*ListPart{}
	for _, p := range parts {
		byName[p.Name] = append(byName[p.Name], p)
	}
	out := make(map[string]hashSet, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out[name] = setOf(byName[name])
	}
	return out
}

// shopLists gives every shop its lists; a shop whose parts are the same
// pointers keeps what was made of them.
func (c *Compiler) shopLists(in Input, s *Snapshot) {
	parts := map[uint32][]*ListPart{}
	for _, p := range in.Lists {
		parts[p.ShopID] = append(parts[p.ShopID], p)
	}
	for id, shop := range s.shops {
		e := c.shops[id]
		list := parts[id]
		slices.SortFunc(list, func(a, b *ListPart) int { return int(a.ID)*1000 + a.Part - int(b.ID)*1000 - b.Part })
		if slices.Equal(e.lists, list) && (len(list) == 0) == (shop.lists == nil) {
			continue
		}
		fresh := *shop // campaigns are checked anew against what there is
		e.lists, fresh.lists = list, nil
		if len(list) > 0 {
			fresh.lists = listsOf(list)
		}
		e.shop = &fresh
		s.shops[id] = e.shop
	}
}

// checkLists finds lists that an expression names and the shop has not: a
// campaign whose block list is missing must not bid.
func checkLists(e *compiledExpr, shop *CompiledShop) error {
	return e.root.walk(func(n *node) error {
		if n.pred.kind != kindDomainList && n.pred.kind != kindBundleList {
			return nil
		}
		if _, ok := shop.lists[n.pred.list]; !ok {
			return fmt.Errorf("the shop has no list %q", n.pred.list)
		}
		return nil
	})
}

// readList reads `in list "name"` and `not in list "name"`; done is false
// where something else stands.
func (p *parser) readList(kind predKind, negated bool) (n *node, done bool, err error) {
	if p.tok.kind != tokWord || p.tok.text != "list" {
		return nil, false, nil
	}
	if err := p.advance(); err != nil {
		return nil, true, err
	}
	t, err := p.take(tokString, "a list's name in double quotes", `as in domain in list "premium"`)
	if err != nil {
		return nil, true, err
	}
	q := predicate{kind: kindDomainList, list: t.text}
	switch kind {
	case kindDomain:
	case kindBundle:
		q.kind = kindBundleList
	default:
		return nil, true, p.fail(t, "", "only domain and bundle are looked up in lists")
	}
	if t.text == "" || len(t.text) > MaxListName {
		return nil, true, p.fail(t, "", "this is not the name of a list")
	}
	n = leaf(q)
	if negated {
		n = &node{op: opNot, kids: []*node{n}}
	}
	return n, true, nil
}

// ListsIn returns the names of the lists that an expression names. Errors are
// *SyntaxError.
func ListsIn(src string) ([]string, error) {
	root, err := parse(src)
	if err != nil {
		return nil, err
	}
	var out []string
	err = root.walk(func(n *node) error {
		if n.pred.list != "" && !slices.Contains(out, n.pred.list) {
			out = append(out, n.pred.list)
		}
		return nil
	})
	return out, err
}

// askList looks the request's domain, with those above it, or bundle up.
func (m *Matcher) askList(p *pred) bool {
	shop := m.s.shops[p.shop]
	if shop == nil {
		return false
	}
	set := shop.lists[p.more.text]
	if len(set) == 0 {
		return false
	}
	value := m.f.Domain
	if p.kind == kindBundleList {
		value = m.f.Bundle
	} else if value == "" {
		value = m.f.URL
	}
	m.buf = appendNormal(m.buf[:0], kindDomain, value)
	for at, n := 0, 0; at < len(m.buf) && n < 12; n++ {
		if set.has(max(xxhash.Sum64(m.buf[at:]), 1)) {
			return true
		}
		if p.kind == kindBundleList {
			return false
		}
		for at < len(m.buf) && m.buf[at] != '.' {
			at++
		}
		at++
	}
	return false
}

func (d *Docs) list(ids []uint32, r *Record) error {
	feed := d.lists[ids[0]]
	if r.Deleted {
		delete(feed, r.Key)
		return nil
	}
	l := r.List
	if l == nil || l.ShopID != ids[0] || l.ID != ids[1] || l.Part != int(ids[2]) || l.Part >= l.Parts || len(l.Hashes)%8 != 0 {
		return errors.New("the record holds no list of that shop, id and part")
	}
	if feed == nil {
		feed = map[string]*ListPart{}
		d.lists[ids[0]] = feed
	}
	feed[r.Key] = l
	return nil
}
