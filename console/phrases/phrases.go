package phrases

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Bounds of a search: what is longer, nested deeper or takes more tries is not
// known.
const (
	maxText  = 4 << 10
	maxDepth = 6
	maxTries = 5_000
)

// Book is a list of phrases in several languages.
type Book struct {
	list []phrase
}

// phrase is a sentence with places.
type phrase struct {
	code  string
	parts []part
	fixed int // bytes that stand in it whatever fills it
	said  map[string]string
}

// part is a text that stands there, then a place; the last has none.
type part struct {
	text, place string
	// sentence tells that what fills the place is a sentence of the book again.
	sentence bool
}

// Said is what a sentence says.
type Said struct {
	// Code names the phrase, as in "range".
	Code string
	// Text is the sentence in the language asked for.
	Text string
	// Places are what fills the phrase, as it was written.
	Places map[string]string
}

var placeForm = regexp.MustCompile(`\{(\w+)(!?)\}`)

// New makes a book of lists by language, each of codes and phrases; sentences
// are written in source. In its phrases {name!} is a place for a sentence; all
// languages have the same codes and places.
func New(source string, lists map[string]map[string]string) (*Book, error) {
	b := &Book{}
	var wrong []error
	seen := map[string]string{}
	for _, code := range slices.Sorted(maps.Keys(lists[source])) {
		text := lists[source][code]
		if other := seen[text]; other != "" {
			wrong = append(wrong, fmt.Errorf("phrases: %s says what %s says", code, other))
		}
		seen[text] = code
		p := phrase{code: code, said: map[string]string{}}
		p.parts, p.fixed = cut(text)
		for lang, list := range lists {
			said, ok := list[code]
			if !ok {
				wrong = append(wrong, fmt.Errorf("phrases: %s has no %s", lang, code))
			}
			if a, b := placesOf(text), placesOf(said); ok && !slices.Equal(a, b) {
				wrong = append(wrong, fmt.Errorf("phrases: %s in %s has the places %v, not %v", code, lang, b, a))
			}
			p.said[lang] = said
		}
		b.list = append(b.list, p)
	}
	for lang, list := range lists {
		for code := range list {
			if _, ok := lists[source][code]; !ok {
				wrong = append(wrong, fmt.Errorf("phrases: %s has %s, which %s has not", lang, code, source))
			}
		}
	}
	// What says more of itself is tried first.
	slices.SortStableFunc(b.list, func(x, y phrase) int {
		return cmp.Or(cmp.Compare(y.fixed, x.fixed), cmp.Compare(len(x.parts), len(y.parts)), cmp.Compare(x.code, y.code))
	})
	return b, errors.Join(wrong...)
}

func cut(text string) (parts []part, fixed int) {
	at := 0
	for _, m := range placeForm.FindAllStringSubmatchIndex(text, -1) {
		parts = append(parts, part{text: text[at:m[0]], place: text[m[2]:m[3]], sentence: m[4] < m[5]})
		fixed += m[0] - at
		at = m[1]
	}
	return append(parts, part{text: text[at:]}), fixed + len(text) - at
}

// Shape is a phrase with {} for each place, by which lists of phrases are held
// against the sources that say them.
func Shape(text string) string { return placeForm.ReplaceAllString(text, "{}") }

// placesOf lists the names of a text's places, sorted; a noun that follows a
// number is no name.
func placesOf(text string) []string {
	var out []string
	for _, m := range anyPlace.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Say says a sentence in a language; false for one that the book does not know,
// or knows in part only.
func (b *Book) Say(lang, text string) (Said, bool) {
	if len(text) > maxText {
		return Said{}, false
	}
	r := reader{book: b, lang: lang}
	return r.say(text, 0)
}

// reader is one search.
type reader struct {
	book  *Book
	lang  string
	tries int
}

func (r *reader) say(text string, depth int) (Said, bool) {
	if depth > maxDepth {
		return Said{}, false
	}
	for i := range r.book.list {
		p := &r.book.list[i]
		fill := map[string]filled{}
		if p.said[r.lang] == "" || !r.match(p.parts, text, fill, depth) {
			continue
		}
		out := Said{Code: p.code, Places: make(map[string]string, len(fill))}
		for name, f := range fill {
			out.Places[name] = f.written
		}
		out.Text = render(r.lang, p.said[r.lang], fill)
		return out, true
	}
	return Said{}, false
}

// filled is what stands in a place: as written, and as it is said.
type filled struct{ written, said string }

// match fits a text to the parts of a phrase. Where a place may end in several
// ways, the shortest that fits counts; the last part ends the text.
func (r *reader) match(parts []part, text string, fill map[string]filled, depth int) bool {
	if r.tries++; r.tries > maxTries {
		return false
	}
	rest, ok := strings.CutPrefix(text, parts[0].text)
	if !ok {
		return false
	}
	if len(parts) == 1 {
		return rest == ""
	}
	if !strings.HasSuffix(rest, parts[len(parts)-1].text) {
		return false
	}
	last := len(parts) == 2
	for end := 0; end <= len(rest); end++ {
		if last {
			end = len(rest) - len(parts[1].text)
		} else {
			i := strings.Index(rest[end:], parts[1].text)
			if i < 0 {
				return false
			}
			end += i
		}
		f, ok := r.fill(&parts[0], rest[:end], depth)
		if ok && r.match(parts[1:], rest[end:], fill, depth) {
			fill[parts[0].place] = f
			return true
		}
		if last {
			return false
		}
	}
	return false
}

func (r *reader) fill(p *part, text string, depth int) (filled, bool) {
	if text == "" {
		return filled{}, false
	}
	if !p.sentence {
		return filled{text, text}, true
	}
	said, ok := r.say(text, depth+1)
	return filled{text, said.Text}, ok
}
