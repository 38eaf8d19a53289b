package intent

import (
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/grosz/grosz/segments"
)

// class is what a word does in a phrase, known without a catalogue.
type class uint8

const (
	plain   class = iota
	attr          // colour, material, size, for whom: describes, seldom names
	number        // sizes, years
	purpose       // for, do, na: what follows is what the thing is for
	detail        // with, z: what follows is a part of the thing
	joins         // and, i: begins another phrase
	noise         // says nothing: buy, cheap, the
)

// word is a word of a phrase, stemmed for both languages: which one counts is
// the catalogue's to say.
type word struct {
	hash  [2]uint64 // by Language, of the stem
	text  string    // as it was written; a view
	class [2]class
	end   byte // last letter
	adj   bool // has the ending of a Polish adjective
	soft  bool // a Polish adjective could end so
}

func hashOf(w []byte) uint64 { return max(xxhash.Sum64(w), 1) }

// scanner cuts a text into words and what stands between them.
type scanner struct {
	buf, tmp [segments.MaxWord]byte
	known    map[string]word // of a builder: words of feeds come again and again
	recent   *recentWords    // of a Query
}

// next reads the next word of text. broken tells that a comma, dash or the
// like stood in front of it.
func (s *scanner) next(text string) (w word, rest string, broken, ok bool) {
	text, broken = skipGap(text)
	if text == "" {
		return w, "", broken, false
	}
	folded, rest := segments.CutWord(s.buf[:0], text)
	if len(folded) == 0 {
		return w, "", broken, false
	}
	said := strings.TrimRight(text[:len(text)-len(rest)], " ")
	if k, ok := s.known[string(folded)]; ok {
		k.text = said
		return k, rest, broken, true
	}
	place := s.recent.place(folded)
	if place != nil && place.is(folded) {
		w = place.word
		w.text = said
		return w, rest, broken, true
	}
	w.text = said
	w.end = folded[len(folded)-1]
	w.adj = adjectivePolish(string(folded))
	w.soft = w.end == 'a' || w.end == 'e' || w.end == 'y' || w.end == 'i'
	digits := folded[0] >= '0' && folded[0] <= '9'
	for l := English; l <= Polish; l++ {
		t := append(s.tmp[:0], folded...)
		w.class[l] = functionClass(string(t), l)
		if digits {
			w.class[l] = number
		}
		if w.class[l] == plain {
			t = stem(t, l)
			if isAttribute(string(t), l) {
				w.class[l] = attr
			}
		}
		w.hash[l] = hashOf(t)
	}
	if s.known != nil {
		s.known[string(folded)] = w
	}
	if place != nil {
		place.keep(folded, w)
	}
	return w, rest, broken, true
}

// skipGap passes over what is no word; it breaks a phrase where a comma, a
// bar, a bracket or a dash between spaces stands.
func skipGap(text string) (rest string, broken bool) {
	i := 0
	for i < len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return text[i:], broken
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(text[i:])
			if r < 0x2000 || r > 0x206F {
				if r >= 0xC0 {
					return text[i:], broken
				}
			} else {
				broken = true
			}
			i += size
			continue
		case c == ',' || c == ';' || c == '|' || c == '>' || c == '/' || c == ':' || c == '(' || c == ')' || c == '[' || c == '"' || c == '&' || c == '+':
			broken = true
		case c == '-' && i > 0 && text[i-1] == ' ':
			broken = true
		}
		i++
	}
	return "", broken
}

// adjectivePolish tells endings that few nouns have.
func adjectivePolish(w string) bool {
	if len(w) < 6 {
		return false
	}
	for _, end := range [...]string{
		"ski", "ska", "skie", "skich", "skiego", "skiej", "skim", "skimi", "cki", "cka", "ckie", "ckich", "ckiego", "ckiej",
		"owy", "owa", "owe", "owych", "owego", "owej", "owym", "owymi", "yjny", "yjna", "yjne", "ijny", "ijna", "ijne",
		"czny", "czna", "czne", "cznych", "cznego", "cznej", "alny", "alna", "alne", "alnych",
	} {
		if strings.HasSuffix(w, end) {
			return true
		}
	}
	return false
}

// functionClass knows the small words of a language.
func functionClass(w string, l Language) class {
	if l == Polish {
		switch w {
		case "do", "dla", "na", "od", "pod", "po", "przeciw", "przed":
			return purpose
		case "z", "ze", "w", "we", "bez", "przy", "nad", "u", "o":
			return detail
		case "i", "oraz", "lub", "albo", "a", "czy":
			return joins
		}
	} else {
		switch w {
		case "for", "of", "to", "on", "against":
			return purpose
		case "with", "in", "without", "by", "from", "at":
			return detail
		case "and", "or":
			return joins
		}
	}
	if len(w) == 1 {
		return noise
	}
	switch w {
	case "the", "an", "your", "my", "our", "this", "that", "buy", "cheap", "cheapest", "best", "price", "prices", "sale", "shop", "store",
		"online", "review", "reviews", "new", "top", "vs", "how", "what", "which", "where", "is", "are", "deal", "deals", "offer", "offers",
		"kup", "kupic", "kupno", "sklep", "sklepy", "tani", "tanie", "tania", "tanio", "cena", "ceny", "cenie", "promocja", "promocje", "wyprzedaz",
		"opinie", "opinia", "ranking", "najlepszy", "najlepsze", "najlepsza", "nowy", "nowe", "nowa", "jak", "jaki", "jaka", "jakie", "ktory",
		"gdzie", "internetowy", "allegro", "ceneo", "www", "http", "https", "html", "htm", "php", "pl", "com", "szt", "cm", "mm", "kg", "ml":
		return noise
	}
	return plain
}

// isAttribute knows stems of words that describe: colours, materials, sizes,
// and for whom.
func isAttribute(s string, l Language) bool {
	if l == Polish {
		switch s {
		case "czerwon", "czarn", "bial", "niebiesk", "zielon", "zolt", "szar", "braz", "bez", "roz", "granat", "zlot", "srebrn", "fiolet",
			"pomarancz", "turkus", "kremow", "krem", "damsk", "mesk", "dzieciec", "mlodziez", "skorzan", "zamsz", "drewnian", "metal", "szklan",
			"bawelnian", "welnian", "wysok", "nisk", "duz", "mal", "sredn", "dlug", "krotk", "szerok", "wask", "letn", "zim", "jesienn",
			"wiosenn", "elegancki", "eleganck", "sport", "klasyczn", "modn", "wygodn", "lekk", "ciepl", "grub", "cienk", "uniwersaln":
			return true
		}
		return false
	}
	switch s {
	case "red", "black", "white", "blue", "green", "yellow", "grey", "gray", "brown", "beige", "pink", "navy", "gold", "silver", "purple",
		"orange", "man", "woman", "kid", "boy", "girl", "lady", "unisex", "adult", "child", "leather", "suede", "wooden", "cotton", "wool", "steel", "small",
		"large", "big", "medium", "mini", "high", "low", "long", "short", "wide", "slim", "classic", "elegant", "comfortable", "soft", "warm",
		"light", "waterproof", "modern", "vintage", "size", "pack", "pair", "set", "pc", "piece":
		return true
	}
	return false
}

// accessoryStems are heads of things that belong to other things: a category
// above them does not say what they are.
func accessoryStems(l Language) []string {
	if l == Polish {
		return []string{
			"akcesor", "akcesori", "wkladk", "czesc", "zamiennik", "pielegnacj", "pokrowc", "pokrowiec", "etu", "fol", "szkl", "sznurowadl", "sznurowk",
			"past", "impregnat", "szczotk", "filtr", "uchwyt", "kabl", "ladowark", "zapiet", "naklejk", "lyzk", "stojak", "organizatr", "poduszk",
			"torb", "zapietk", "podpietk", "zel",
		}
	}
	return []string{
		"accessory", "part", "care", "spare", "replacement", "insole", "lace", "shoelace", "cover", "case", "protector", "cable", "charger",
		"adapter", "holder", "rack", "stand", "mount", "filter", "cleaner", "polish", "brush", "spray", "sticker", "strap", "bag", "box",
		"organizer", "cushion", "grip", "liner", "horn", "stretcher", "pad", "kit", "repair",
	}
}
