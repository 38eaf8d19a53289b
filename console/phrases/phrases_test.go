package phrases

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func book(t *testing.T) *Book {
	t.Helper()
	b, err := New("en", map[string]map[string]string{
		"en": {
			"missing": "is missing", "range": "{value} must be from {low} to {high}", "range_open": "{value} must be from 0 (no bound) to {high}",
			"long": "has {n} characters, at most {most} are allowed", "value": `"{word}" is not a {name}`, "domain": `"{word}" is not a domain`,
			"expected": "expected {want!}, found {found!}", "end": "the end", "number": "a number", "word": `"{word}"`,
			"at_hint": "line {line}: {what!} ({hint!})", "at": "line {line}: {what!}", "as": "as in {example}", "column": "{column}: {what!}",
		},
		"pl": {
			"missing": "nie może być puste", "range": "{value} jest poza zakresem od {low} do {high}", "range_open": "{value} jest poza zakresem od 0 do {high}",
			"long": "ma {n|znak|znaki|znaków}, najwyżej {most||znak|znaki|znaków}: {most}", "value": "„{word}” nie pasuje do {name}", "domain": "„{word}” nie jest domeną",
			"expected": "oczekiwano: {want}; jest: {found}", "end": "koniec", "number": "liczba", "word": "„{word}”",
			"at_hint": "wiersz {line}: {what} ({hint})", "at": "wiersz {line}: {what}", "as": "na przykład {example}", "column": "{column}: {what}",
		},
	})
	require.NoError(t, err)
	return b
}

func TestSay(t *testing.T) {
	b := book(t)
	for name, c := range map[string]struct{ text, code, want string }{
		"no place":                  {"is missing", "missing", "nie może być puste"},
		"places":                    {"-1.00 must be from 0 to 9", "range", "-1.00 jest poza zakresem od 0 do 9"},
		"what says more counts":     {"-1 must be from 0 (no bound) to 9", "range_open", "-1 jest poza zakresem od 0 do 9"},
		"one of a noun":             {"has 1 characters, at most 1 are allowed", "long", "ma 1 znak, najwyżej znak: 1"},
		"few":                       {"has 3 characters, at most 22 are allowed", "long", "ma 3 znaki, najwyżej znaki: 22"},
		"many":                      {"has 12 characters, at most 25 are allowed", "long", "ma 12 znaków, najwyżej znaków: 25"},
		"a value with our own text": {`"is not a domain" is not a domain`, "domain", "„is not a domain” nie jest domeną"},
		"the general after it":      {`"x" is not a country`, "value", "„x” nie pasuje do country"},
		"sentences in it":           {`expected a number, found "a, found b"`, "expected", "oczekiwano: liczba; jest: „a, found b”"},
		"two deep":                  {"line 4: expected a number, found the end (as in a (b))", "at_hint", "wiersz 4: oczekiwano: liczba; jest: koniec (na przykład a (b))"},
		"without the hint":          {"line 4: is missing", "at", "wiersz 4: nie może być puste"},
		"a column's":                {"price: is missing", "column", "price: nie może być puste"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := b.Say("pl", c.text)
			require.True(t, ok)
			require.Equal(t, c.code, got.Code)
			require.Equal(t, c.want, got.Text)
			same, ok := b.Say("en", c.text)
			require.True(t, ok)
			require.Equal(t, got.Places, same.Places)
		})
	}
	got, _ := b.Say("pl", "-1.00 must be from 0 to 9")
	require.Equal(t, map[string]string{"value": "-1.00", "low": "0", "high": "9"}, got.Places)
}

func TestSayKnowsNot(t *testing.T) {
	b := book(t)
	for name, text := range map[string]string{
		"another sentence": "is blue", "a part only": "price: is blue", "nothing": "", "more behind it": "is missing.",
		"an empty place": " must be from 0 to 9", "too long": strings.Repeat("x", maxText) + " must be from 0 to 9",
		"made to be slow":       "line 1: " + strings.Repeat("expected a, found ", 300) + "(",
		"made to be slow again": strings.Repeat("a: line 1: (", 400),
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := b.Say("pl", text)
			require.False(t, ok)
		})
	}
	_, ok := b.Say("de", "is missing")
	require.False(t, ok, "another language")
}

func TestListsThatDoNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		pl   map[string]string
		want string
	}{
		"a code is missing":   {map[string]string{}, "pl has no a"},
		"a code is too many":  {map[string]string{"a": "ma {n|znak|znaki|znaków}", "b": "x"}, "pl has b"},
		"another place":       {map[string]string{"a": "ma {m}"}, "places [m], not [n]"},
		"a place is left out": {map[string]string{"a": "ma"}, "places [], not [n]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New("en", map[string]map[string]string{"en": {"a": "has {n} of them"}, "pl": c.pl})
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := New("en", map[string]map[string]string{"en": {"a": "same", "b": "same"}})
	require.ErrorContains(t, err, "says what a says")
}

func FuzzSay(f *testing.F) {
	for _, s := range []string{"is missing", "line 4: expected a number, found the end (as in a)", "a: b: c", `"x" is not a "y"`} {
		f.Add(s)
	}
	b, err := New("en", map[string]map[string]string{
		"en": {"a": "{x}: {y!}", "b": "line {n}: {y!} ({z!})", "c": "is missing", "d": `"{x}"`},
		"pl": {"a": "{x}: {y}", "b": "wiersz {n}: {y} ({z})", "c": "puste", "d": "„{x}”"},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pl, ok := b.Say("pl", text)
		en, known := b.Say("en", text)
		if ok != known || pl.Code != en.Code {
			t.Fatalf("%q is %v %q in one language and %v %q in the other", text, ok, pl.Code, known, en.Code)
		}
		if ok && en.Text != text {
			t.Fatalf("%q is said as %q in its own language", text, en.Text)
		}
	})
}
