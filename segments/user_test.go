package segments

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestUserKeys(t *testing.T) {
	const hex = "00112233445566778899aabbccddeeff"
	uid, ok := UserFromUID(hex)
	assert.True(t, ok)
	assert.Equal(t, hex, uid.String())
	upper, ok := UserFromUID(strings.ToUpper(hex))
	assert.True(t, ok)
	assert.Equal(t, uid, upper)
	for _, bad := range []string{"", hex[:31], hex + "0", strings.Repeat("0", 32), strings.Repeat("g", 32)} {
		_, ok := UserFromUID(bad)
		assert.False(t, ok, bad)
	}
	assert.Equal(t, uid, UserFromExchange("a", hex), "the DSP's own id is the same on all exchanges")
	assert.NotEqual(t, UserFromExchange("a", "x1"), UserFromExchange("b", "x1"))
	assert.NotEqual(t, UserFromExchange("a", "bx"), UserFromExchange("ab", "x"))
	assert.NotEqual(t, UserFromExchange("ifa", "x1"), UserFromIFA("x1"))
	assert.NotEqual(t, UserFromExchange("a", "x"), UserFromExchange("a", "X"))
	assert.Equal(t, UserFromIFA("AAAA-1"), UserFromIFA("aaaa-1"))
	for _, nobody := range []string{"", "00000000-0000-0000-0000-000000000000", strings.Repeat("a", maxID+1)} {
		assert.True(t, UserFromIFA(nobody).IsZero(), nobody)
	}
	assert.True(t, UserFromExchange("a", "").IsZero())
	assert.True(t, UserFromExchange("a", strings.Repeat("a", maxID+1)).IsZero())
}

// The vector of the SipHash paper's appendix has 15 bytes; ours are always
// 16: this one is of the reference implementation's table (length 16).
func TestPseudonym(t *testing.T) {
	salt := SaltOf("000102030405060708090a0b0c0d0e0f")
	u, _ := UserFromUID("000102030405060708090a0b0c0d0e0f")
	assert.Equal(t, uint64(0x3f2acc7f57c29bdb), Pseudonym(salt, u))
	assert.NotEqual(t, Pseudonym(salt, u), Pseudonym(SaltOf("other shop"), u))
	assert.Zero(t, Pseudonym(salt, UserKey{}))
	assert.NotEqual(t, SaltOf(""), SaltOf("x"))
}

func TestWords(t *testing.T) {
	words := func(s string) (out []string) {
		out = append(out, strings.Fields(string(AppendFolded(nil, s, 1000)))...)
		return out
	}
	for text, want := range map[string][]string{
		"Łóżko  drewniane, 160x200!": {"lozko", "drewniane", "160x200"},
		"ZAŻÓŁĆ gęślą jaźń":          {"zazolc", "gesla", "jazn"},
		"Straße Größe":               {"strasse", "grosse"},
		"Crème brûlée":               {"creme", "brulee"},
		"e\u0301te\u0301":            {"ete"},
		"Кровать":                    {"кровать"},
		"a_b-c/d":                    {"a", "b", "c", "d"},
		" ,.;":                       nil,
		"":                           nil,
		"\xff\xfea":                  {"a"},
	} {
		assert.Equal(t, want, words(text), text)
	}
	a, rest := NextWord("Żółty fotel")
	b, _ := NextWord("zolty")
	assert.Equal(t, a, b)
	c, rest := NextWord(rest)
	d, _ := NextWord("FOTEL")
	assert.Equal(t, c, d)
	e, _ := NextWord(rest)
	assert.Zero(t, e)
	assert.Zero(t, CategoryHash(" > "))
	assert.NotZero(t, ProductHash(""))
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"Łóżko drewniane", "a\u0301", "\xff", strings.Repeat("ż", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		folded := string(AppendFolded(nil, s, 500))
		if !utf8.ValidString(folded) || len(folded) > 500 {
			t.Fatalf("%q became %q", s, folded)
		}
		if again := string(AppendFolded(nil, folded, 500)); again != folded {
			t.Fatalf("%q folds to %q", folded, again)
		}
		n := 0
		for h, rest := NextWord(s); h != 0; h, rest = NextWord(rest) {
			n++
		}
		if n > len(s) {
			t.Fatal("more words than bytes")
		}
	})
}

func TestUserAllocations(t *testing.T) {
	salt := SaltOf("s")
	var sum uint64
	n := testing.AllocsPerRun(100, func() {
		u := UserFromIFA("38400000-8CF0-11BD-B23E-10B96E40000D")
		v := UserFromExchange("demo", "abc")
		h, _ := NextWord("Łóżko")
		sum += Pseudonym(salt, u) + uint64(v[0]) + h + PhraseHash("Beds > Oak")
	})
	if n != 0 || sum == 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkUserFromIFA(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if UserFromIFA("38400000-8cf0-11bd-b23e-10b96e40000d").IsZero() {
			b.Fatal("nobody")
		}
	}
}
