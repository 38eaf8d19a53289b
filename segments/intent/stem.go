package intent

import "strings"

// Language decides how words are stemmed and where a phrase's head noun
// stands: in Polish in front, in English at the end.
type Language uint8

// The languages. Anything else is read as English, whose rules do the least.
const (
	English Language = iota
	Polish
)

const minStem = 3

// stemPolish cuts the endings of declension off a folded word, in place. Forms
// of one noun or adjective meet; words of different meaning mostly do not.
func stemPolish(w []byte) []byte {
	if s := irregularPolish(string(w)); s != "" {
		return append(w[:0], s...)
	}
	if len(w) <= minStem || !plainWord(w) {
		return w
	}
	w = cutPolish(w, true)
	w = cutPolish(w, false)
	return evenPolish(w)
}

func irregularPolish(w string) string {
	switch w {
	case "pies", "psa", "psu", "psem", "psie", "psy", "psow", "psom", "psami", "psach":
		return "pies"
	case "dziecko", "dziecka", "dziecku", "dzieckiem", "dzieci", "dziecmi", "dzieciom", "dzieciach":
		return "dziecko"
	case "okno", "okna", "oknu", "oknem", "oknie", "okien", "oknom", "oknami", "oknach":
		return "okno"
	case "pokrowiec", "pokrowca", "pokrowcu", "pokrowcowi", "pokrowcem", "pokrowce", "pokrowcow", "pokrowcom", "pokrowcami", "pokrowcach":
		return "pokrowiec"
	case "reka", "reki", "rece", "reke", "rak", "rekami", "rekach", "rekom":
		return "reka"
	}
	return ""
}

// plainWord tells whether a word has ASCII letters only: what has digits is a
// model or a size.
func plainWord(w []byte) bool {
	for _, c := range w {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// cutPolish cuts one ending, the longest. Those that end in a vowel go in the
// first cut only; the others also in a second one, since "systemy" and
// "system" must meet.
func cutPolish(w []byte, first bool) []byte {
	if first {
		if v, ok := cutSoft(w); ok {
			return v
		}
	}
	for n := 4; n > 0; n-- {
		if len(w)-n < minStem {
			continue
		}
		if matchesEnding(string(w[len(w)-n:]), n, first) {
			return w[:len(w)-n]
		}
	}
	return w
}

func matchesEnding(end string, n int, first bool) bool {
	switch n {
	case 4:
		return first && (end == "iami" || end == "iach" || end == "iego" || end == "iemu")
	case 3:
		switch end {
		case "ach", "ich", "ych":
			return true
		case "ami", "owi", "ego", "emu", "iej", "imi", "ymi", "iem", "iom":
			return first
		}
	case 2:
		switch end {
		case "em", "om", "ow", "im", "ym":
			return true
		case "ej", "ia", "ie", "iu", "io", "ii":
			return first
		}
	case 1:
		return first && isVowel(end[0])
	}
	return false
}

// cutSoft undoes the softening of the locative: "szpilce" of szpilka, "bucie"
// of but, "samochodzie" of samochod, "podlodze" of podloga.
func cutSoft(w []byte) ([]byte, bool) {
	n := len(w)
	s := string(w) // compared only: on the stack
	switch {
	case n >= 6 && strings.HasSuffix(s, "dzie"):
		return w[:n-3], true // leaves the d
	case n >= 5 && strings.HasSuffix(s, "dze"):
		return append(w[:n-3], 'g'), true
	case n >= 5 && strings.HasSuffix(s, "cie"):
		return append(w[:n-3], 't'), true
	case n >= 5 && strings.HasSuffix(s, "ce") && !isVowel(w[n-3]):
		return append(w[:n-2], 'k'), true
	}
	return w, false
}

// evenPolish drops what comes and goes between the forms of a stem: the e of
// "szpilek" and "mebel", and rz against r ("rowerze").
func evenPolish(w []byte) []byte {
	n := len(w)
	if n >= 4 && w[n-2] == 'r' && w[n-1] == 'z' {
		w = w[:n-1]
		n--
	}
	if n >= 4 && w[n-2] == 'e' && !isVowel(w[n-3]) {
		switch w[n-1] {
		case 'k', 'l', 'r':
			w[n-2] = w[n-1]
			w = w[:n-1]
		}
	}
	return w
}

func isVowel(c byte) bool {
	switch c {
	case 'a', 'e', 'i', 'o', 'u', 'y':
		return true
	}
	return false
}

// stemEnglish takes plurals and "-ed" off a folded word, in place. It leaves
// "-ing" alone: bedding, earring and lighting are things of their own.
func stemEnglish(w []byte) []byte {
	if s := irregularEnglish(string(w)); s != "" {
		return append(w[:0], s...)
	}
	if len(w) <= minStem || !plainWord(w) {
		return w
	}
	w = singular(w)
	n := len(w)
	s := string(w)
	switch {
	case n >= 6 && strings.HasSuffix(s, "ed") && s[n-3] != 'e':
		w = w[:n-2]
		if n -= 2; w[n-1] == w[n-2] && !isVowel(w[n-1]) && w[n-1] != 'l' && w[n-1] != 's' {
			w = w[:n-1]
		}
	case n >= 4 && (strings.HasSuffix(s, "ve") || strings.HasSuffix(s, "fe")):
		w = append(w[:n-2], 'f') // glove as gloves, knife as knives
	case n >= 5 && strings.HasSuffix(s, "ie"):
		w = append(w[:n-2], 'y')
	}
	return w
}

func irregularEnglish(w string) string {
	switch w {
	case "men", "mens":
		return "man"
	case "women", "womens":
		return "woman"
	case "children", "childrens":
		return "child"
	case "feet":
		return "foot"
	case "mice":
		return "mouse"
	case "teeth":
		return "tooth"
	case "geese":
		return "goose"
	}
	return ""
}

func singular(w []byte) []byte {
	n := len(w)
	if w[n-1] != 's' {
		return w
	}
	s := string(w)
	switch {
	case strings.HasSuffix(s, "ss"), strings.HasSuffix(s, "us"), strings.HasSuffix(s, "is"):
		return w
	case n >= 5 && strings.HasSuffix(s, "ies"):
		return append(w[:n-3], 'y')
	case n >= 5 && strings.HasSuffix(s, "ves"):
		return append(w[:n-3], 'f')
	case n >= 5 && (strings.HasSuffix(s, "xes") || strings.HasSuffix(s, "ches") || strings.HasSuffix(s, "shes") || strings.HasSuffix(s, "sses")):
		return w[:n-2]
	}
	return w[:n-1]
}

// stem cuts the endings of a language off a folded word, in place.
func stem(w []byte, l Language) []byte {
	if l == Polish {
		return stemPolish(w)
	}
	return stemEnglish(w)
}

// Stem returns a word's stem, for explanations and tests.
func Stem(word string, l Language) string { return string(stem([]byte(word), l)) }
