package intent

import "github.com/cespare/xxhash/v2"

// recentWords remembers how words were read: those of pages and searches are
// the same few again and again, and to stem one for both languages takes longer
// than to cut it out of its text. A word has one place, by its hash; another
// one pushes it out. About 27 KB, of one goroutine.
type recentWords [recentPlaces]recentWord

const (
	recentPlaces = 256
	recentLetter = 24 // bytes of a folded word; longer ones are read each time
)

type recentWord struct {
	n      uint8
	folded [recentLetter]byte
	word   word // without text, which is a view
}

// place is where a folded word would be; nil for one that is too long.
func (r *recentWords) place(folded []byte) *recentWord {
	if r == nil || len(folded) > recentLetter {
		return nil
	}
	return &r[xxhash.Sum64(folded)%recentPlaces]
}

// is tells whether the place holds this word.
func (p *recentWord) is(folded []byte) bool {
	return int(p.n) == len(folded) && string(p.folded[:p.n]) == string(folded)
}

// keep puts a word into the place.
func (p *recentWord) keep(folded []byte, w word) {
	p.n, p.word = uint8(len(folded)), w
	copy(p.folded[:], folded)
	p.word.text = ""
}
