package intent

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/grosz/grosz/segments"
)

// Doc is one product, as it is looked for.
type Doc struct {
	Title, Brand string
	Category     string // a path, such as "Shoes > Women > Heels"
	Pos          uint32 // the product's place in the catalogue, given back in hits
}

// Index finds products of one shop by what people look for. It is immutable.
type Index struct {
	lang  Language
	docs  []uint32 // Pos or gone, in the order that New was given: best first
	terms []term
	dict  []slot // by hash of the stem
	forms []form // by segments.TermHash of a word as people write it
	posts []uint32
	heads []uint32 // posts of docs whose type the term names
	fwd   []uint32 // per doc: term<<2 | grade
	from  []uint32 // of fwd, by doc
	root  *Index   // what it was rebased from; nil: New made it
}

type term struct {
	from, to   uint32 // posts
	hfrom, hto uint32 // heads
	idf        float32
	brand      bool // of a brand and no type
	core       bool // stands in titles beside heads: a model, a property
	hash       uint64
}

type slot struct {
	hash uint64
	id   uint32 // + 1
}

type form struct {
	hash uint32
	id   uint32 // + 1; or isClass
}

const isClass = 1 << 31

// Grades of a word in a product.
const (
	mentioned = 1 // says something about it
	above     = 2 // a category above its own
	names     = 3 // says what it is, or whose
)

// New builds an index of the products on offer, best first. language is the
// shop's ("pl", "en"); of "" and others the titles decide.
func New(docs []Doc, language string) *Index {
	b := &builder{
		ids: map[uint64]uint32{}, lang: languageOf(docs, language),
		types: map[uint64]int{}, grades: map[uint32]uint8{}, forms: map[uint32]uint32{}, paths: map[string][]level{},
	}
	b.scan.known = map[string]word{}
	b.x = &Index{lang: b.lang}
	for i := range docs {
		b.categories(docs[i].Category)
	}
	for i := range docs {
		b.add(&docs[i])
	}
	b.finish()
	return b.x
}

// Len is the number of products.
func (x *Index) Len() int { return len(x.docs) }

// Bytes is about what the index takes.
func (x *Index) Bytes() int {
	return 4*(len(x.docs)+len(x.posts)+len(x.heads)+len(x.fwd)+len(x.from)) + 48*len(x.terms) + 16*len(x.dict) + 8*len(x.forms)
}

// languageOf reads the language off the titles: by accents, small words and
// endings.
func languageOf(docs []Doc, language string) Language {
	switch {
	case strings.HasPrefix(strings.ToLower(language), "pl"):
		return Polish
	case language != "":
		return English
	}
	score := 0
	step := max(len(docs)/512, 1)
	for i := 0; i < len(docs); i += step {
		for _, text := range [...]string{docs[i].Title, docs[i].Category} {
			score += polishness(text)
		}
	}
	if score > 0 {
		return Polish
	}
	return English
}

func polishness(text string) int {
	n := 0
	if strings.ContainsAny(text, "ąćęłńśźżĄĆĘŁŃŚŹŻ") {
		n += 3
	}
	for w := range strings.FieldsSeq(strings.ToLower(text)) {
		switch functionClass(w, Polish) {
		case purpose, detail, joins:
			n++
		}
		switch functionClass(w, English) {
		case purpose, detail, joins:
			if w != "on" && w != "to" {
				n -= 2
			}
		}
		if len(w) < 4 {
			continue
		}
		switch {
		case isVowel(w[len(w)-1]) && w[len(w)-1] != 'e', adjectivePolish(w):
			n++
		case w[len(w)-1] == 's', strings.HasSuffix(w, "ing"), strings.HasSuffix(w, "er"), strings.HasSuffix(w, "th"), strings.HasSuffix(w, "ed"):
			n--
		}
	}
	return n
}

type builder struct {
	x    *Index
	lang Language
	ids  map[uint64]uint32
	// types are the heads of categories, counted.
	types map[uint64]int
	scan  scanner
	// of the document in work
	grades map[uint32]uint8
	order  []uint32
	forms  map[uint32]uint32
	title  []word
	extras map[uint64]bool // accessories
	paths  map[string][]level
}

// categories counts the heads of a path's levels.
func (b *builder) categories(path string) {
	for _, level := range b.levelsOf(path) {
		for _, h := range level.heads {
			b.types[h]++
		}
	}
}

// level is one of a category's path, read.
type level struct {
	heads []uint64
	words []word // that say something
}

// levelsOf reads a path, once for all its products.
func (b *builder) levelsOf(path string) []level {
	if l, ok := b.paths[path]; ok {
		return l
	}
	all := []level{}
	for name := range levels(path) {
		l := level{heads: b.headsOf(name)}
		for rest := name; ; {
			w, next, _, ok := b.scan.next(rest)
			if !ok {
				break
			}
			rest = next
			if c := w.class[b.lang]; c == plain || c == attr {
				l.words = append(l.words, w)
			}
		}
		all = append(all, l)
	}
	b.paths[path] = all
	return all
}

// levels yields the levels of a path, from the top.
func levels(path string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for path != "" {
			i := strings.IndexAny(path, ">/|")
			level := path
			if path = ""; i >= 0 {
				level, path = level[:i], level[i+1:]
			}
			if level = strings.TrimSpace(level); level != "" && !yield(level) {
				return
			}
		}
	}
}

// headsOf are the head nouns of a category's name: "Sofas and armchairs" has
// two.
func (b *builder) headsOf(name string) []uint64 {
	var out []uint64
	var core []word
	after := false
	end := func() {
		if i := headOf(core, b.lang, nil); i >= 0 {
			out = append(out, core[i].hash[b.lang])
		}
		core, after = core[:0], false
	}
	for rest := name; ; {
		w, next, broken, ok := b.scan.next(rest)
		if !ok {
			break
		}
		rest = next
		c := w.class[b.lang]
		if broken || c == joins && !after {
			end()
		}
		after = after || c == purpose || c == detail
		if !after && c != joins && c != noise {
			core = append(core, w)
		}
	}
	end()
	return out
}

// headOf chooses the head of the words in front of a "for" or "with": in
// Polish the first noun, in English the last. known prefers words that name
// types; -1 if there is none.
func headOf(core []word, l Language, known func(h uint64) bool) int {
	usable := func(i int) bool {
		c := core[i].class[l]
		return (c == plain || c == attr && len(core) == 1) && !(l == Polish && core[i].adj && len(core) > 1)
	}
	if l == English {
		last := -1
		for i := len(core) - 1; i >= 0; i-- {
			if !usable(i) {
				continue
			}
			if last < 0 {
				last = i
			}
			if known != nil && known(core[i].hash[l]) {
				return i
			}
		}
		return last
	}
	for i := range core {
		if !usable(i) {
			continue
		}
		if known != nil && !known(core[i].hash[l]) && i+1 < len(core) && usable(i+1) && agree(&core[i], &core[i+1]) && known(core[i+1].hash[l]) {
			return i + 1
		}
		return i
	}
	return -1
}

// agree tells whether the first of two Polish words could be an adjective of
// the second.
func agree(a, b *word) bool {
	switch a.end {
	case 'a':
		return b.end == 'a'
	case 'e':
		return isVowel(b.end)
	case 'y', 'i':
		return !isVowel(b.end)
	}
	return false
}

func (b *builder) id(h uint64) uint32 {
	id, ok := b.ids[h]
	if !ok {
		id = uint32(len(b.x.terms))
		b.ids[h] = id
		b.x.terms = append(b.x.terms, term{hash: h})
	}
	return id
}

func (b *builder) grade(h uint64, g uint8) uint32 {
	id := b.id(h)
	old, ok := b.grades[id]
	if !ok {
		b.order = append(b.order, id)
	}
	b.grades[id] = max(old, g)
	return id
}

// maxDocTerms bounds the words of one product.
const maxDocTerms = 32

// add indexes one product.
func (b *builder) add(d *Doc) {
	clear(b.grades)
	b.order = b.order[:0]
	brands := b.brand(d.Brand)
	head, purposes := b.readTitle(d.Title, brands)
	b.path(d.Category, head, purposes)
	b.x.from = append(b.x.from, uint32(len(b.x.fwd)))
	b.x.docs = append(b.x.docs, d.Pos)
	for _, id := range b.order[:min(len(b.order), maxDocTerms)] {
		b.x.fwd = append(b.x.fwd, id<<2|uint32(b.grades[id]))
	}
}

func (b *builder) brand(name string) (hashes []uint64) {
	for rest := name; ; {
		w, next, _, ok := b.scan.next(rest)
		if !ok {
			return hashes
		}
		rest = next
		if c := w.class[b.lang]; c == plain || c == attr {
			h := w.hash[b.lang]
			hashes = append(hashes, h)
			b.x.terms[b.grade(h, names)].brand = true
			b.form(&w, b.ids[h])
		}
	}
}

// readTitle grades a title's words and returns its head (0 if none) and what
// it says the product is for.
func (b *builder) readTitle(title string, brands []uint64) (head uint64, purposes []uint64) {
	core := b.title[:0]
	after, broken := plain, false
	for rest := title; ; {
		w, next, br, ok := b.scan.next(rest)
		if !ok {
			break
		}
		rest = next
		c := w.class[b.lang]
		broken = broken || br && len(core) > 0
		if c == purpose || c == detail {
			after = c
		}
		if c != plain && c != attr && c != number {
			continue
		}
		h := w.hash[b.lang]
		b.form(&w, b.grade(h, mentioned))
		if after == purpose {
			purposes = append(purposes, h)
		}
		if after == plain && !broken && !slices.Contains(brands, h) {
			core = append(core, w)
		}
	}
	b.title = core
	i := headOf(core, b.lang, func(h uint64) bool { return b.types[h] > 0 })
	for j := range core {
		if h := core[j].hash[b.lang]; j == i {
			head = h
			b.grade(h, names)
		} else if core[j].class[b.lang] != number {
			b.x.terms[b.id(h)].core = true
		}
	}
	return head, purposes
}

// path grades the heads of a category's levels. What the title says that the
// product is for, or what an accessory belongs to, is not what it is.
func (b *builder) path(path string, head uint64, purposes []uint64) {
	all := b.levelsOf(path)
	accessory := b.accessory(head)
	for i := len(all) - 1; i >= 0; i-- {
		g := uint8(above)
		if i == len(all)-1 {
			g = names
		}
		heads := all[i].heads
		for _, h := range heads {
			switch {
			case slices.Contains(purposes, h), accessory && h != head && g == above, accessory && h != head && !b.accessory(h):
				b.grade(h, mentioned)
			default:
				b.grade(h, g)
			}
		}
		for j := range all[i].words {
			w := &all[i].words[j]
			b.form(w, b.grade(w.hash[b.lang], mentioned))
		}
		accessory = accessory || g == names && slices.ContainsFunc(heads, b.accessory)
	}
}

func (b *builder) accessory(h uint64) bool {
	if h == 0 {
		return false
	}
	if b.extras == nil {
		b.extras = map[uint64]bool{}
		for _, s := range accessoryStems(b.lang) {
			b.extras[hashOf([]byte(s))] = true
		}
	}
	return b.extras[h]
}

// form notes a word as it is written, and its likely other forms, for finding
// what a profile remembers as hashes.
func (b *builder) form(w *word, id uint32) {
	var buf [segments.MaxWord]byte
	folded, _ := segments.CutWord(buf[:0], w.text)
	h, _ := segments.NextWord(w.text)
	if _, known := b.forms[segments.TermHash(h)]; known || h == 0 {
		return
	}
	b.forms[segments.TermHash(h)] = id
	base := string(folded)
	stem := Stem(base, b.lang)
	add := func(f string) {
		if Stem(f, b.lang) != stem {
			return
		}
		h, _ := segments.NextWord(f)
		if _, known := b.forms[segments.TermHash(h)]; !known {
			b.forms[segments.TermHash(h)] = id
		}
	}
	for _, end := range formEndings(b.lang) {
		add(stem + end)
	}
	if n := len(stem); b.lang == Polish && n > 2 {
		add(stem[:n-1] + "e" + stem[n-1:]) // szpilek
		for _, soft := range [...]string{"ce", "cie", "dze"} {
			add(stem[:n-1] + soft) // szpilce, bucie, podlodze
		}
		add(stem + "zie") // samochodzie
		add(stem + "ze")  // rowerze
	}
}

func formEndings(l Language) []string {
	if l == Polish {
		return []string{"", "a", "e", "i", "o", "u", "y", "ie", "em", "om", "ow", "ami", "ach", "ych", "ego", "ej", "ym", "ymi", "ich", "im"}
	}
	return []string{"", "s", "es", "ed"}
}

// finish turns the forward lists into postings, by term, best product first.
func (b *builder) finish() {
	x := b.x
	x.from = append(x.from, uint32(len(x.fwd)))
	for _, f := range x.fwd {
		t := &x.terms[f>>2]
		t.to++
		if f&3 > mentioned {
			t.hto++
		}
	}
	var n, hn uint32
	most := math.Log1p(float64(len(x.docs)))
	for i := range x.terms {
		t := &x.terms[i]
		df := t.to
		t.idf = float32(0.5 + 0.5*math.Log1p(float64(len(x.docs))/float64(max(df, 1)))/max(most, 1e-9))
		t.from, t.hfrom = n, hn
		n, hn = n+t.to, hn+t.hto
		t.to, t.hto = t.from, t.hfrom
	}
	x.posts, x.heads = make([]uint32, n), make([]uint32, hn)
	for d := range x.docs {
		for _, f := range x.fwd[x.from[d]:x.from[d+1]] {
			t := &x.terms[f>>2]
			x.posts[t.to] = uint32(d)
			t.to++
			if f&3 > mentioned {
				x.heads[t.hto] = uint32(d)
				t.hto++
			}
		}
	}
	for h := range b.types {
		if id, ok := b.ids[h]; ok {
			x.terms[id].brand = false
		}
	}
	b.tables()
}

func (b *builder) tables() {
	x := b.x
	n := 16
	for n < 2*len(x.terms) {
		n *= 2
	}
	x.dict = make([]slot, n)
	for i := range x.terms {
		h := x.terms[i].hash
		at := h & uint64(n-1)
		for x.dict[at].id != 0 {
			at = (at + 1) & uint64(n-1)
		}
		x.dict[at] = slot{h, uint32(i + 1)}
	}
	for c, words := range functionWords(b.lang) {
		for _, w := range words {
			h, _ := segments.NextWord(w)
			b.forms[segments.TermHash(h)] = isClass | uint32(c)
		}
	}
	x.forms = make([]form, 0, len(b.forms))
	for h, id := range b.forms {
		if id&isClass == 0 {
			id++
		}
		x.forms = append(x.forms, form{h, id})
	}
	slices.SortFunc(x.forms, func(a, b form) int { return cmp.Compare(a.hash, b.hash) })
}

// functionWords lists what separates a head from what it is for.
func functionWords(l Language) map[class][]string {
	if l == Polish {
		return map[class][]string{purpose: {"do", "dla", "na", "od", "pod", "po"}, detail: {"z", "ze", "w", "we", "bez", "przy"}}
	}
	return map[class][]string{purpose: {"for", "of", "to", "on"}, detail: {"with", "in", "without", "by", "from"}}
}

// find returns a stem's term, or -1.
func (x *Index) find(h uint64) int32 {
	mask := uint64(len(x.dict) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		s := &x.dict[at]
		if s.id == 0 {
			return -1
		}
		if s.hash == h {
			return int32(s.id - 1)
		}
	}
}

// findForm returns the term of a word that a profile remembers, or -1, or a
// small word's class.
func (x *Index) findForm(h uint32) (id int32, c class) {
	i, ok := slices.BinarySearchFunc(x.forms, h, func(f form, h uint32) int { return cmp.Compare(f.hash, h) })
	switch {
	case !ok:
		return -1, plain
	case x.forms[i].id&isClass != 0:
		return -1, class(x.forms[i].id &^ isClass)
	}
	return int32(x.forms[i].id - 1), plain
}
