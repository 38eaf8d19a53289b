package phrases

import (
	"regexp"
	"strconv"
	"strings"
)

// anyPlace is {name}, {name!}, or a number with its noun, {n|one|few|many}.
var anyPlace = regexp.MustCompile(`\{(\w+)(!|\|\|?[^{}]*)?\}`)

// render fills a phrase in. {n|one|other} is a number with its noun,
// {n||one|other} the noun alone; in Polish the forms are one, few and many.
func render(lang, text string, fill map[string]filled) string {
	return anyPlace.ReplaceAllStringFunc(text, func(place string) string {
		m := anyPlace.FindStringSubmatch(place)
		said := fill[m[1]].said
		if !strings.HasPrefix(m[2], "|") {
			return said
		}
		nouns := strings.TrimPrefix(m[2], "|")
		alone := strings.HasPrefix(nouns, "|")
		forms := strings.Split(strings.TrimPrefix(nouns, "|"), "|")
		noun := forms[min(form(lang, said), len(forms)-1)]
		if alone {
			return noun
		}
		return said + " " + noun
	})
}

// form is which form of a noun goes with a number, by the plural rules of
// Unicode's CLDR: in English one, other; in Polish one, few, many. What is no
// whole number takes the last.
func form(lang, number string) int {
	n, err := strconv.ParseUint(number, 10, 64)
	switch {
	case err == nil && n == 1:
		return 0
	case lang != "pl":
		return 1
	case err != nil:
		return 2
	case n%10 >= 2 && n%10 <= 4 && (n%100 < 12 || n%100 > 14):
		return 1
	}
	return 2
}
