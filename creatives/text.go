package creatives

import (
	"strconv"

	"github.com/grosz/grosz/internal/money"
)

// Brand is the shop as an ad shows it.
type Brand struct {
	Name    string
	Domain  string // such as "shoes.example"
	LogoURL string
}

// Copy is a creative's own text and picture, each optional.
type Copy struct {
	// Title is the headline, Body a sentence, CTA the words on the button.
	Title, Body, CTA string
	// ImageURL is the picture where no product serves.
	ImageURL string
	// Lang is the language of the words that Grosz adds: "pl" or "en".
	// Anything else, and empty, is English.
	Lang string
}

// words are what Grosz itself says in an ad.
type words struct {
	lang, ad, why, cta, headline, lowest, hide string
}

var (
	english = words{"en", "Ad", "Why this ad?", "Shop now", "Take a look inside", "Lowest in 30 days: ", "Hide this ad"}
	polish  = words{"pl", "Reklama", "Dlaczego ta reklama?", "Sprawdź", "Zajrzyj do nas", "Najniższa z 30 dni: ", "Ukryj tę reklamę"}
)

func wordsOf(lang string) *words {
	if len(lang) >= 2 && lang[0]|0x20 == 'p' && lang[1]|0x20 == 'l' && (len(lang) == 2 || lang[2] == '-' || lang[2] == '_') {
		return &polish
	}
	return &english
}

// format is how people write a currency.
type format struct {
	sign    string
	before  bool // sign before the number
	decimal byte
	group   string // between thousands
	places  int
}

const nbsp = "\u00a0"

func formatOf(c money.Currency) format {
	switch c {
	case money.Currency{'P', 'L', 'N'}:
		return format{nbsp + "zł", false, ',', nbsp, 2}
	case money.Currency{'E', 'U', 'R'}:
		return format{nbsp + "€", false, ',', nbsp, 2}
	case money.Currency{'U', 'S', 'D'}:
		return format{"$", true, '.', ",", 2}
	case money.Currency{'G', 'B', 'P'}:
		return format{"£", true, '.', ",", 2}
	case money.Currency{'C', 'Z', 'K'}:
		return format{nbsp + "Kč", false, ',', nbsp, 2}
	case money.Currency{'H', 'U', 'F'}:
		return format{nbsp + "Ft", false, ',', nbsp, 0}
	case money.Currency{'S', 'E', 'K'}, money.Currency{'N', 'O', 'K'}, money.Currency{'D', 'K', 'K'}:
		return format{nbsp + "kr", false, ',', nbsp, 2}
	case money.Currency{'R', 'O', 'N'}:
		return format{nbsp + "lei", false, ',', ".", 2}
	case money.Currency{'U', 'A', 'H'}:
		return format{nbsp + "₴", false, ',', nbsp, 2}
	case money.Currency{'J', 'P', 'Y'}:
		return format{"¥", true, '.', ",", 0}
	}
	return format{"", false, '.', nbsp, 2}
}

// AppendPrice appends a price as people of its currency write it, such as
// "1 299,99 zł" (with no-break spaces) or "$1,299.99"; whole amounts carry no
// decimals. It holds no character that HTML, XML or JSON would escape.
func AppendPrice(dst []byte, n money.Nano, c money.Currency) []byte {
	f := formatOf(c)
	unit := int64(money.NanoUnit)
	for range f.places {
		unit /= 10
	}
	v := uint64(max(int64(n), 0))
	minor := v / uint64(unit)
	if v%uint64(unit) >= uint64(unit)/2 {
		minor++
	}
	whole, frac := minor, uint64(0)
	if f.places == 2 {
		whole, frac = minor/100, minor%100
	}
	if f.before {
		dst = append(dst, f.sign...)
	}
	dst = appendGrouped(dst, whole, f.group)
	if frac > 0 {
		dst = append(dst, f.decimal, byte('0'+frac/10), byte('0'+frac%10))
	}
	switch {
	case f.before:
	case f.sign != "":
		dst = append(dst, f.sign...)
	case c != money.Currency{}:
		dst = append(append(dst, nbsp...), c[:]...)
	}
	return dst
}

func appendGrouped(dst []byte, v uint64, group string) []byte {
	if v < 1000 {
		return strconv.AppendUint(dst, v, 10)
	}
	dst = append(appendGrouped(dst, v/1000, group), group...)
	v %= 1000
	return append(dst, byte('0'+v/100), byte('0'+v/10%10), byte('0'+v%10))
}

// leaf is the last step of a category path such as "Shoes > Women > Heels".
func leaf(category string) string {
	for i := len(category) - 1; i >= 0; i-- {
		if category[i] == '>' {
			category = category[i+1:]
			break
		}
	}
	for category != "" && category[0] == ' ' {
		category = category[1:]
	}
	return category
}
