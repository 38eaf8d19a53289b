package openrtb

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/jsontext"
)

func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct {
		name, body string
		offset     int
		msg        string
	}{
		{"empty", "", 0, "empty body"},
		{"white space", " \n", 2, "empty body"},
		{"mark only", "\xEF\xBB\xBF", 3, "empty body"},
		{"list at the top", "[{}]", 0, "no object"},
		{"string at the top", `"x"`, 0, "no object"},
		{"null", "null", 0, "no object"},
		{"form", "id=1&imp=2", 0, "no object"},
		{"trailing text", `{"id":"1"} x`, 11, "text after the object"},
		{"two objects", `{}{}`, 2, "text after the object"},
		{"trailing zero byte", "{}\x00", 2, "text after the object"},
		{"no end", `{"id":"1"`, 9, "neither ',' nor '}'"},
		{"comma before the end", `{"id":"1",}`, 10, "no key"},
		{"no comma", `{"id":"1" "at":1}`, 10, "neither ',' nor '}'"},
		{"no colon", `{"id" "1"}`, 6, "no ':'"},
		{"no key", `{1:2}`, 1, "no key"},
		{"no value", `{"id":}`, 6, "no value"},
		{"no unknown value", `{"x":,"id":"1"}`, 5, "no value"},
		{"open string", `{"id":"1}`, 9, "string without end"},
		{"open key", `{"id`, 4, "key without end"},
		{"string ends in a backslash", `{"id":"1\`, 9, "string without end"},
		{"key ends in a backslash", `{"i\`, 4, "key without end"},
		{"brackets cross", `{"x":{"y":[}]}`, 11, "bracket does not match"},
		{"list closed by a brace", `{"cur":["USD"}`, 13, "neither ',' nor ']'"},
		{"open list", `{"cur":["USD"`, 13, "neither ',' nor ']'"},
		{"empty element", `{"cur":[,]}`, 8, "no value"},
		{"open unknown object", `{"x":{"y":1}`, 12, "neither ',' nor '}'"},
		{"open unknown list", `{"x":[[1]`, 9, "object or list without end"},
		{"two words", `{"x":tr"ue"}`, 7, "neither ',' nor '}'"},
		{"imp without end", `{"imp":[{"id":"1"}`, 18, "neither ',' nor ']'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Request
			err := r.Parse([]byte(c.body))
			var syntax *SyntaxError
			require.True(t, errors.As(err, &syntax), "%v", err)
			assert.Contains(t, syntax.Msg, c.msg)
			assert.Equal(t, c.offset, syntax.Offset, syntax.Msg)
			assert.Contains(t, err.Error(), fmt.Sprintf("at byte %d", c.offset))
		})
	}
}

func TestByteOrderMark(t *testing.T) {
	assert.Equal(t, "a", parse(t, "\xEF\xBB\xBF"+`{"id":"a"}`).ID)
}

func TestTruncatedAnywhere(t *testing.T) {
	var r Request
	guarded := fence(t)
	for _, s := range corpus(t) {
		body := bytes.TrimSpace(s.body)
		for n := range body {
			if err := r.Parse(guarded(body[:n])); err == nil {
				t.Fatalf("%s: accepted %d of %d bytes", s.name, n, len(body))
			}
		}
		require.NoError(t, r.Parse(guarded(body)))
	}
}

// TestByteAnywhere puts each of the bytes that mean something, and some that mean nothing, everywhere.
func TestByteAnywhere(t *testing.T) {
	var r Request
	for _, s := range corpus(t) {
		if len(s.body) > 600 {
			continue // the short ones have every construct; the long ones only take long
		}
		body := bytes.Clone(s.body)
		for i, keep := range body {
			for _, c := range []byte("\"\\{}[],:0e-\x00\xff") {
				body[i] = c
				_ = r.Parse(body)
			}
			body[i] = keep
		}
		require.NoError(t, r.Parse(body), s.name)
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) string { return `{"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `,"id":"a"}` }
	assert.Equal(t, "a", parse(t, nested(MaxDepth)).ID)
	var r Request
	require.ErrorContains(t, r.Parse([]byte(nested(MaxDepth+1))), "nested too deep")
	for _, unit := range []string{"[", `{"a":`, `{"imp":[`, `[{"x":`} {
		err := r.Parse([]byte(`{"x":` + strings.Repeat(unit, 100_000)))
		require.ErrorContains(t, err, "nested too deep")
	}
	require.Error(t, r.Parse([]byte(strings.Repeat(`{"imp":[`, 100_000))))
	require.Error(t, r.Parse([]byte(strings.Repeat(`{"user":{"ext":`, 100_000))))
}

func TestLimits(t *testing.T) {
	list := func(n int, unit string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(unit+",", n), ",") + "]"
	}
	for _, c := range []struct {
		name, body string
		want       Truncated
		count      func(r *Request) int
		kept       int
	}{
		{"imps", `{"imp":` + list(MaxImps, `{"id":"1"}`) + `}`, 0, func(r *Request) int { return len(r.Imps) }, MaxImps},
		{"too many imps", `{"imp":` + list(MaxImps+1, `{"id":"1"}`) + `}`, TruncatedImps, func(r *Request) int { return len(r.Imps) }, MaxImps},
		{"badv", `{"badv":` + list(MaxList, `"a"`) + `}`, 0, func(r *Request) int { return len(r.BAdv) }, MaxList},
		{"too many badv", `{"badv":` + list(MaxList+5, `"a"`) + `,"at":1}`, TruncatedList, func(r *Request) int { return len(r.BAdv) }, MaxList},
		{"too many attributes", `{"imp":[{"banner":{"battr":` + list(MaxList+5, `1`) + `}}]}`, TruncatedList,
			func(r *Request) int { return len(r.Imps[0].Banner.BAttr) }, MaxList},
		{"too many deals", `{"imp":[{"pmp":{"deals":` + list(maxDeals+1, `{}`) + `}}]}`, TruncatedObjects,
			func(r *Request) int { return len(r.Imps[0].PMP.Deals) }, maxDeals},
		{"too many segments", `{"user":{"data":{"segment":` + list(maxSegments+1, `{"id":"1"}`) + `}}}`, TruncatedObjects,
			func(r *Request) int { return len(r.User.Data[0].Segments) }, maxSegments},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parse(t, c.body)
			assert.Equal(t, c.want, r.Truncated)
			assert.Equal(t, c.kept, c.count(r))
			r.Reset()
			assert.LessOrEqual(t, cap(r.deals), keepObjects)
			assert.LessOrEqual(t, cap(r.segments), keepObjects)
		})
	}
}

func TestLargeBodies(t *testing.T) {
	const size = 10 << 20
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	for _, c := range []struct{ name, body string }{
		{"unknown string", `{"x":"` + fill("a") + `","id":"a"}`},
		{"unknown list", `{"x":[` + fill(`"a",`) + `1],"id":"a"}`},
		{"escapes", `{"site":{"page":"` + fill(`\n`) + `"},"id":"a"}`},
		{"sparse escapes", `{"site":{"page":"` + fill(strings.Repeat("x", 60)+`\\`) + `"},"id":"a"}`},
		{"white space", `{` + fill(" ") + `"id":"a"}`},
		{"digits", `{"tmax":` + fill("9") + `,"id":"a"}`},
		{"fraction", `{"imp":{"bidfloor":0.` + fill("0") + `1},"id":"a"}`},
		{"imps", `{"imp":[` + fill(`{"id":"1"},`) + `{}],"id":"a"}`},
		{"deals", `{"imp":[{"pmp":{"deals":[` + fill(`{},`) + `{}]}}],"id":"a"}`},
		{"duplicates", `{` + fill(`"bcat":["a"],`) + `"id":"a"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parse(t, c.body)
			assert.Equal(t, "a", r.ID)
			r.Reset()
			assert.LessOrEqual(t, cap(r.arena), keepArena)
			assert.LessOrEqual(t, cap(r.strs), keepStrings)
		})
	}
	var r Request
	require.Error(t, r.Parse([]byte(`{"x":"`+fill("a"))))
	url := "https://a.example/?" + strings.Repeat("q=1&", 25_000)
	assert.Equal(t, url, parse(t, `{"site":{"page":"`+url+`"}}`).Site.Page)
}

// TestDecimalProperty compares parseDecimal with exact rationals.
func TestDecimalProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
		shift := rapid.SampledFrom([]int{0, 6}).Draw(t, "shift")
		exact, ok := new(big.Rat).SetString(text)
		require.True(t, ok)
		exact.Abs(exact)
		exact.Mul(exact, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil)))
		whole := new(big.Int).Quo(exact.Num(), exact.Denom())

		d, ok := parseDecimal(text, shift)
		require.True(t, ok)
		require.Equal(t, strings.HasPrefix(text, "-"), d.negative)
		if d.abs < 1e17 {
			require.Equal(t, whole.String(), fmt.Sprint(d.abs))
			require.Equal(t, !exact.IsInt(), d.inexact)
			return
		}
		// Beyond eighteen digits the rest is cut off, and above MaxInt64 so is everything.
		require.True(t, whole.Cmp(big.NewInt(1e17)) >= 0)
		if d.abs == 1<<63-1 {
			require.True(t, whole.Cmp(big.NewInt(9e18)) >= 0)
			return
		}
		diff := new(big.Int).Sub(whole, new(big.Int).SetUint64(d.abs))
		require.True(t, diff.CmpAbs(big.NewInt(100)) <= 0, "%d, want %s", d.abs, whole)
	})
}

// TestStringProperty writes any bytes as JSON and reads them again.
func TestStringProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		var r Request
		body := jsontext.AppendString([]byte(`{"id":`), v)
		require.NoError(t, r.Parse(append(body, '}')))
		require.Equal(t, string([]rune(v)), r.ID)
		require.Zero(t, r.Odd)
	})
}
