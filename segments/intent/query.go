package intent

import (
	"slices"
	"strings"
)

// Source is where a phrase comes from.
type Source uint8

// The sources. The first two are the shop's own.
const (
	FromShopSearch Source = iota // searched in this shop
	FromShopView                 // looked at in this shop
	FromSearch                   // searched on the publisher's site
	FromSegment                  // a data segment of the request
	FromKeyword                  // a keyword of the page, app or person
	FromContent                  // the title of the content
	FromURL                      // words of the page's address
	FromPartner                  // told by a partner under a licence
)

// String is the source's name in explanations.
func (s Source) String() string {
	return [...]string{"shop search", "shop view", "site search", "data segment", "keyword", "content", "address", "partner"}[s&7]
}

// Weight is what a phrase of the source is worth beside a search of one's own.
func (s Source) Weight() float32 {
	return [...]float32{1, 0.9, 1, 0.8, 0.7, 0.6, 0.6, 1}[s&7]
}

// Bounds of what a Query takes from one request; more is left out.
const (
	MaxPhrases     = 48
	maxWords       = 192
	maxPhraseWords = 12
	maxText        = 512 // bytes of one text
)

// Query is what one person is looking for at one moment, apart from what a
// shop itself knows. Its zero value is ready. Texts are views: they must stay
// until Reset. One goroutine uses it.
type Query struct {
	texts   []text
	words   []word
	phrases []phrase
	read    bool // texts have become phrases
	scan    scanner
	results []shopMatch
	slots   []uint32 // of results, by key; place + 1
	stamps  []uint32 // of Table.Shops
	epoch   uint32
}

type text struct {
	text   string
	source Source
	weight float32
	shops  []uint32 // sorted; only these may use it; nil: all
}

// phrase is words[from:to], which belong together.
type phrase struct {
	from, to uint16
	source   Source
	weight   float32
	shops    []uint32
}

type shopMatch struct {
	key Key
	m   Match
}

// Reset forgets everything and keeps the capacity.
func (q *Query) Reset() {
	q.forget()
	clear(q.texts)
	clear(q.words)
	clear(q.phrases)
	q.texts, q.words, q.phrases, q.read = q.texts[:0], q.words[:0], q.phrases[:0], false
}

// Add takes a text with the weight of its source.
func (q *Query) Add(s string, from Source) { q.AddFor(s, from, from.Weight(), nil) }

// AddFor takes a text with a weight up to 1 that only some shops may use
// (sorted; nil: all).
func (q *Query) AddFor(s string, from Source, weight float32, shops []uint32) {
	if s == "" || len(q.texts) >= MaxPhrases {
		return
	}
	if len(s) > maxText {
		s = s[:maxText]
	}
	for i := range q.texts {
		if t := &q.texts[i]; t.text == s && t.weight >= weight && t.shops == nil {
			return
		}
	}
	q.texts = append(q.texts, text{s, from, weight, shops})
	q.read = false
	q.forget()
	q.words, q.phrases = q.words[:0], q.phrases[:0]
}

// AddSegment takes the name of a data segment. Providers write paths, such as
// "Shopping > Home > Sofas": the last part says it.
func (q *Query) AddSegment(name string) {
	if i := strings.LastIndexAny(name, "|>/:"); i >= 0 && strings.TrimSpace(name[i+1:]) != "" {
		name = name[i+1:]
	}
	q.Add(name, FromSegment)
}

// AddURL takes the words of an address: its last path segments that have any.
func (q *Query) AddURL(url string) {
	if i := strings.Index(url, "://"); i >= 0 {
		url = url[i+3:]
	}
	i := strings.IndexByte(url, '/')
	if i < 0 {
		return
	}
	url = url[i+1:]
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	const most = 3
	for n := 0; url != "" && n < most; n++ {
		i := strings.LastIndexByte(url, '/')
		if s := url[i+1:]; strings.ContainsAny(s, "-_") || len(s) >= 4 {
			q.Add(s, FromURL)
		}
		url = url[:max(i, 0)]
	}
}

// Empty tells whether nothing is looked for.
func (q *Query) Empty() bool { return len(q.texts) == 0 }

// prepare cuts the texts into phrases, once.
func (q *Query) prepare() {
	if q.read {
		return
	}
	q.read = true
	if q.scan.recent == nil {
		q.scan.recent = new(recentWords)
	}
	for i := range q.texts {
		q.cut(&q.texts[i])
	}
}

// cut makes phrases of a text. A comma or an "and" begins another one, unless
// what it joins belongs to a "for".
func (q *Query) cut(t *text) {
	from, after := len(q.words), false
	end := func() {
		if len(q.words) > from && len(q.phrases) < MaxPhrases {
			q.phrases = append(q.phrases, phrase{uint16(from), uint16(len(q.words)), t.source, t.weight, t.shops})
		}
		from, after = len(q.words), false
	}
	for rest := t.text; len(q.words) < maxWords; {
		w, next, broken, ok := q.scan.next(rest)
		if !ok {
			break
		}
		rest = next
		both := w.class[English]
		if both == plain {
			both = w.class[Polish]
		}
		if broken || both == joins && !after {
			end()
		}
		if both == joins || both == noise || len(q.words)-from >= maxPhraseWords {
			continue
		}
		after = after || both == purpose || both == detail
		q.words = append(q.words, w)
	}
	end()
}

// mayUse tells whether a shop may use a phrase.
func (p *phrase) mayUse(shop uint32) bool {
	if p.shops == nil {
		return true
	}
	_, ok := slices.BinarySearch(p.shops, shop)
	return ok
}

// Key names what a result depends on beside the Query.
type Key struct {
	Shop  uint32
	Last  uint32 // of the shop's profile of the person
	NowMS int64
	Index *Index
}

// Result returns the match of a Key for this Query. It is fresh, and empty,
// when it is first asked for. It is valid until the next Result or Reset.
func (q *Query) Result(k Key) (m *Match, fresh bool) {
	if 2*len(q.results) >= len(q.slots) {
		q.grow()
	}
	at := q.place(k)
	if i := q.slots[at]; i > 0 {
		return &q.results[i-1].m, false
	}
	q.slots[at] = uint32(len(q.results)) + 1
	if len(q.results) < cap(q.results) {
		q.results = q.results[:len(q.results)+1]
	} else {
		q.results = append(q.results, shopMatch{})
	}
	r := &q.results[len(q.results)-1]
	r.key, r.m = k, Match{}
	return &r.m, true
}

// place finds where a key is, or goes.
func (q *Query) place(k Key) int {
	mask := len(q.slots) - 1
	at := int(k.Shop*0x9e3779b1>>8) & mask
	for ; q.slots[at] > 0; at = (at + 1) & mask {
		if q.results[q.slots[at]-1].key == k {
			break
		}
	}
	return at
}

func (q *Query) grow() {
	n := max(2*len(q.slots), 16)
	q.slots = make([]uint32, n)
	for i := range q.results {
		q.slots[q.place(q.results[i].key)] = uint32(i) + 1
	}
}

// forget drops the results.
func (q *Query) forget() {
	if len(q.results) == 0 {
		return
	}
	clear(q.slots)
	for i := range q.results {
		q.results[i].key = Key{}
	}
	q.results = q.results[:0]
}
