package campaigns

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

func testShop(id uint32) *Shop {
	return &Shop{ID: id, Name: fmt.Sprint("shop ", id), Currency: money.MustCurrency("PLN"), TimeZone: "Europe/Warsaw", Active: true}
}

func TestLanguageAccepts(t *testing.T) {
	long := make([]string, 100_000)
	for i := range long {
		long[i] = fmt.Sprintf(`"site-%d.example"`, i)
	}
	for _, expr := range []string{
		"", "  \n ", "known", "KNOWN", "not known", "NOT NOT known", "(known)", "((known) or (is_buyer))",
		"visited", "visited within 30d", "viewed within 2w", `viewed product "id \"1\"" within 14d`,
		`viewed product in ("a", "b",) within 14d`, `viewed category "sofas" within 14d`,
		"searched within 2d", `searched "corner sofa" within 30m`, `searched in ("sofa", "big bed") within 2d`,
		"cart_value >= 500 PLN", "cart_value>=500.50 pln", "avg_basket > 300 PLN", "revenue != 0 PLN",
		"in_cart", `in_cart "sku-1"`, "abandoned within 7d", "checkout within 1d", "purchased within 30d",
		`purchased product "x"`, `purchased product in ("x", "y") within 3d`, "bought within 3d",
		"orders > 3", "views>=5", "visits = 0", "is_buyer",
		`domain in ("a.pl","b.pl")`, `domain = "x.pl"`, `domain != "x.pl"`, `domain not in ("www.x.pl")`,
		`url contains "/sale"`, `url prefix "https://a.pl/sport/"`, `url prefix "a.pl"`, `url prefix in ("a.pl/x", "b.pl/y")`,
		`path prefix "/sport"`, `path contains "news"`, `subpage "/sport"`, `subpage in ("/a", "/b")`, `subpage prefix "/x"`,
		`bundle in ("com.x")`, `app = "com.x"`, `category in ("IAB17","IAB17-2")`, `keyword in ("living room")`,
		`search contains "sofa"`, `search in ("sofa")`, `search = "sofa"`, `language in ("pl")`, `country in ("POL","pl")`,
		`region = "MZ"`, `city in ("Łódź")`, `device in ("mobile","tv")`, `os in ("android","iOS")`, `exchange = "demo"`,
		`media in ("banner")`, `inventory = "site"`, `position in ("above_fold")`, `deal in ("D-1")`,
		"hour in (8..20)", "hour in (22..5, 12)", "hour = 8", "weekday in (mon..fri)", "weekday not in (sat, sunday)", `weekday = "mon"`,
		`segment "vip"`, `in segment "vip"`, `not in segment "VIP"`, `known and not segment in ("vip", "cart abandoners")`,
		`conversion "lead" within 30d`, "conversion", `conversion in ("lead", "sign-up")`, `not converted "newsletter" within 7d`,
		"same_product_views >= 2", "same_product_views > 2 within 7d", "days_since_purchase > 30",
		`looking_for "running shoes"`, `intent "running shoes"`, `looking_for in ("sofa", "corner bed")`,
		`viewed margin_class "high" within 7d`, `viewed margin_class in ("high", "top")`, "viewed margin >= 20% within 7d",
		`in_cart margin_class "high"`, "in_cart margin < 12.5%", `bought margin_class "high"`, "purchased margin >= 20% within 30d", "margin >= 200 PLN",
		`cart_value >= 500 PLN and abandoned within 7d`,
		`viewed category "sofas" within 14d and not purchased within 30d or (known and hour in (8..20))`,
		`domain in (` + strings.Join(long, ",") + `)`,
	} {
		assert.NoError(t, CheckTargeting(expr, testShop(1)), shorten(expr))
	}
}

func TestLanguageErrors(t *testing.T) {
	for _, c := range []struct {
		expr       string
		pos        int
		token      string
		msg, hints string
	}{
		{"margin >= 20%", 10, "20%", "margin is an amount", "viewed margin >= 20%"},
		{"margin >= 20 EUR", 13, "EUR", "the shop's currency is PLN", "PLN"},
		{"viewed margin >= 20", 17, "20", "expected a percentage", "viewed margin >= 20%"},
		{"viewed margin >= 20 within 7d", 17, "20", "expected a percentage", "viewed margin >= 20%"},
		{"in_cart margin >= 20% within 7d", 22, "within", "cannot follow here", ""},
		{"bought margin >= 12.345%", 17, "12.345%", "at most two places", "12.5%"},
		{"viewed margin_class high", 20, "high", "expected a text in double quotes", `viewed margin_class "high"`},
		{`viewed margin_class "…"`, 20, `"…"`, "names nothing", ""},
		{"orders >= 5%", 10, "5%", "expected a number", ""},
		{"vistied within 30d", 0, "vistied", "not a predicate", `did you mean "visited"?`},
		{"known and cart_vlaue >= 5 PLN", 10, "cart_vlaue", "not a predicate", `did you mean "cart_value"?`},
		{"xyzzy", 0, "xyzzy", "not a predicate", ""},
		{"known adn is_buyer", 6, "adn", "cannot follow", `did you mean "and"?`},
		{"visited withn 3d", 8, "withn", "cannot follow", `did you mean "within"?`},
		{"known is_buyer", 6, "is_buyer", "cannot follow", `"and" or "or"`},
		{"known and", 9, "", "found the end", "visited within"},
		{"and known", 0, "and", "before", ""},
		{"(known", 6, "", "found the end", "still open"},
		{"known)", 5, ")", "closes nothing", ""},
		{"()", 1, ")", "expected a predicate", ""},
		{"not", 3, "", "found the end", ""},
		{"visited within", 14, "", "expected a duration", "30m"},
		{"visited within 30", 15, "30", "expected a duration", "7d"},
		{"visited within 30x", 15, "30x", "neither a number nor a duration", "30m, 2h"},
		{"visited within 1.5d", 15, "1.5d", "whole number", "36h"},
		{"visited within 0d", 15, "0d", "longer than nothing", ""},
		{"visited within 99999d", 15, "99999d", "ten years", ""},
		{"cart_value 500 PLN", 11, "500", "expected a comparison", "cart_value >= 500 PLN"},
		{"cart_value >= PLN", 14, "PLN", "expected an amount", ""},
		{"cart_value >= 500", 17, "", "expected a currency", ""},
		{"cart_value >= 500PLN", 14, "500PLN", "neither", "500 PLN"},
		{"cart_value >= 500 EUR", 18, "EUR", "currency is PLN, not EUR", "PLN"},
		{"cart_value >= 500 zloty", 18, "zloty", "not a currency", ""},
		{"cart_value >= 0.0000000001 PLN", 14, "0.0000000001", "decimal places", ""},
		{"cart_value >= 99999999999999 PLN", 14, "99999999999999", "out of range", ""},
		{"orders > 1.5", 9, "1.5", "not a whole number", ""},
		{"orders > many", 9, "many", "expected a number", ""},
		{`viewed "x" within 3d`, 7, `"x"`, "product or a category", "viewed product"},
		{`viewed product within 3d`, 15, "within", "expected a text", ""},
		{`viewed category "!" within 3d`, 16, `"!"`, "names nothing", ""},
		{`searched "..." within 3d`, 9, `"..."`, "no word", ""},
		{`domain "x.pl"`, 7, `"x.pl"`, "expected =, !=, in or not in", "domain"},
		{`domain in "x.pl"`, 10, `"x.pl"`, "list in parentheses", ""},
		{`domain in ()`, 11, ")", "expected a text", ""},
		{`domain in ("a.pl" "b.pl")`, 18, `"b.pl"`, `expected "," or ")"`, ""},
		{`domain in ("a b")`, 11, `"a b"`, "is not a domain", "news.example"},
		{`domain in ('a.pl')`, 11, `'`, "does not belong", "double quotes"},
		{`domain in ("a.pl`, 11, `"a.pl`, "no end", ""},
		{`domain = "a\n"`, 11, `\n`, "unknown escape", ""},
		{`country in ("PLX")`, 12, `"PLX"`, "not a country", "ISO 3166-1"},
		{`language in ("polish")`, 13, `"polish"`, "not a language", "ISO 639-1"},
		{`device in ("moblie")`, 11, `"moblie"`, "not a device", `did you mean "mobile"?`},
		{`os in ("symbian")`, 7, `"symbian"`, "not a os", "one of android"},
		{`media = "popup"`, 8, `"popup"`, "not a media", "one of banner"},
		{`url contians "x"`, 4, "contians", "expected contains or prefix", `did you mean "contains"?`},
		{`url prefix "/x"`, 11, `"/x"`, "compare", "https://"},
		{`path prefix "x"`, 12, `"x"`, "compare", `begins with "/"`},
		{"hour in (8..24)", 12, "24", "too large", ""},
		{"hour in (mon)", 9, "mon", "expected an hour", ""},
		{"weekday in (mon..xyz)", 17, "xyz", "expected a weekday", ""},
		{`segment vip`, 8, "vip", "expected a segment's name", "segment"},
		{`in domain ("x")`, 3, "domain", "expected segment after in", "in segment"},
		{`segment "..."`, 8, `"..."`, "names nothing", ""},
		{`views >= 3 within 7d`, 11, "within", "counts everything", "views >= 3 and viewed within"},
		{`same_product_views 3`, 19, "3", "expected a comparison", ""},
		{`conversion "!" within 3d`, 11, `"!"`, "names nothing", ""},
		{`conversion within lead`, 18, "lead", "expected a duration", ""},
		{`days_since_purchase >`, 21, "", "expected a number", ""},
		{`looking_for`, 11, "", "expected a text", ""},
		{"known & is_buyer", 6, "&", "does not belong", ""},
		{"!known", 0, "!", "not an operator", `"not"`},
		{"known and\n  żółw", 12, "ż", "does not belong", ""},
		{strings.Repeat("(", 100) + "known", 64, "(", "levels", ""},
	} {
		t.Run(shorten(c.expr), func(t *testing.T) {
			err := CheckTargeting(c.expr, testShop(1))
			var se *SyntaxError
			require.ErrorAs(t, err, &se)
			assert.Equal(t, c.pos, se.Pos, err)
			assert.Equal(t, c.token, se.Token)
			assert.Contains(t, se.Msg, c.msg)
			assert.Contains(t, se.Hint, c.hints)
		})
	}
	var se *SyntaxError
	require.ErrorAs(t, CheckTargeting("known and\n  łóżko", nil), &se)
	assert.Equal(t, [2]int{2, 3}, [2]int{se.Line, se.Column})
	assert.Equal(t, `line 1, column 1: "vistied" is not a predicate (did you mean "visited"?)`, CheckTargeting("vistied", nil).Error())
}

func TestLanguageBounds(t *testing.T) {
	many := strings.Repeat("known or ", MaxPredicates) + "known"
	assert.ErrorContains(t, CheckTargeting(many, nil), "more than 4096 predicates")
	words := `looking_for in (` + strings.Repeat(`"a b c d",`, 1100) + `)`
	assert.ErrorContains(t, CheckTargeting(words, nil), "more than 4096 predicates")
	assert.ErrorContains(t, CheckTargeting(strings.Repeat(" ", MaxExpression+1), nil), "bytes")
	assert.NoError(t, CheckTargeting(many[:9*4000]+"known", nil))
}

// Every example of the help is accepted, and names its own predicate.
func TestPredicatesDoc(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Predicates() {
		assert.NoError(t, CheckTargeting(d.Example, testShop(1)), d.Name)
		assert.True(t, strings.HasPrefix(d.Example, d.Name), d.Name)
		assert.True(t, strings.HasPrefix(d.Form, d.Name), d.Name)
		assert.NotEmpty(t, d.Explain)
		assert.False(t, seen[d.Name], d.Name)
		seen[d.Name] = true
	}
}

func FuzzLanguage(f *testing.F) {
	for _, d := range Predicates() {
		f.Add(d.Example)
	}
	for _, s := range []string{`known and (not is_buyer or cart_value >= 1.5 PLN)`, `domain = "\"\\`, "((((", "hour in (22..5)", "\xff", "8..", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		err := CheckTargetingNamed(src, testShop(1), (*CompiledSegments)(nil).has)
		if err == nil {
			c := NewCompiler()
			if _, err := c.expr(src, &CompiledShop{Shop: testShop(1), Location: c.locations["UTC"]}); err != nil {
				t.Fatalf("checked, but does not compile: %v", err)
			}
			return
		}
		var se *SyntaxError
		if !errors.As(err, &se) || se.Pos < 0 || se.Pos > len(src) || se.Line < 1 || se.Column < 1 || se.Msg == "" {
			t.Fatalf("%#v", err)
		}
	})
}
