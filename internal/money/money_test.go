package money

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyInt draws small, large and extreme numbers alike.
func anyInt() *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.Int64(), rapid.Int64Range(-1000, 1000), rapid.Int64Range(0, 1e12),
		rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64, math.MaxInt64 - 1, 1e9, 5e8, -5e8}),
	)
}

// clamp is v within int64.
func clamp(v *big.Int) int64 {
	switch {
	case v.Cmp(big.NewInt(math.MaxInt64)) > 0:
		return math.MaxInt64
	case v.Cmp(big.NewInt(math.MinInt64)) < 0:
		return math.MinInt64
	}
	return v.Int64()
}

// exact is a×b/c as quotient towards minus infinity and remainder.
func exact(a, b, c int64) (floor, rem *big.Int) {
	p := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	return new(big.Int).DivMod(p, big.NewInt(c), new(big.Int))
}

// bigHalfEven rounds a×b/c half to even by big integers, and clamps.
func bigHalfEven(a, b, c int64) int64 {
	q, rem := exact(a, b, c)
	twice := new(big.Int).Lsh(rem, 1)
	switch twice.Cmp(big.NewInt(c)) {
	case 1:
		q.Add(q, big.NewInt(1))
	case 0:
		if q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
	}
	return clamp(q)
}

func TestConvertRoundsHalfToEven(t *testing.T) {
	for _, c := range []struct {
		name       string
		n          Nano
		rate       Rate
		want, back Nano
	}{
		{"one to one", 123, RateOne, 123, -123},
		{"half goes to even, down", 1, 500_000_000, 0, 0},
		{"half goes to even, up", 3, 500_000_000, 2, -2},
		{"a little above half", 1, 500_000_001, 1, -1},
		{"a little below half", 3, 499_999_999, 1, -1},
		{"zero rate", 5, 0, 0, 0},
		{"zero amount", 0, 4_000_000_000, 0, 0},
		{"past the end", math.MaxInt64, 2 * RateOne, math.MaxInt64, math.MinInt64},
		{"the end itself", math.MaxInt64, RateOne, math.MaxInt64, -math.MaxInt64},
		{"far past the end", math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MinInt64},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, c.n.Convert(c.rate))
			require.Equal(t, c.back, (-c.n).Convert(c.rate))
			require.Equal(t, CPM(c.want), CPM(c.n).Convert(c.rate))
		})
	}
	require.Equal(t, Nano(math.MinInt64), Nano(math.MinInt64).Convert(RateOne))
}

func TestRoundingsAgainstBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, r := anyInt().Draw(t, "amount"), anyInt().Draw(t, "rate")
		require.Equal(t, bigHalfEven(n, r, int64(RateOne)), int64(Nano(n).Convert(Rate(r))))
		require.Equal(t, bigHalfEven(n, r, int64(RateOne)), int64(CPM(n).Convert(Rate(r))))
		require.Equal(t, bigHalfEven(n, r, 10_000), int64(Nano(n).Fee(r)))

		floor, rem := exact(n, r, int64(RateOne))
		ceil := new(big.Int).Set(floor)
		if rem.Sign() > 0 {
			ceil.Add(ceil, big.NewInt(1))
		}
		require.Equal(t, clamp(ceil), int64(CPM(n).ConvertUp(Rate(r))), "a floor is never undercut")
		down := CPM(n).ConvertDown(Rate(r))
		if floor.Sign() >= 0 {
			require.Equal(t, clamp(floor), int64(down), "a bid never exceeds what is allowed")
		} else {
			require.Equal(t, clamp(ceil), int64(down), "towards zero")
		}
		p, _ := exact(n, r, 1)
		require.Equal(t, clamp(p.Quo(p, big.NewInt(10_000))), int64(CPM(n).Scale(r)))
	})
}

func TestInvert(t *testing.T) {
	require.Equal(t, Rate(250_000_000), Rate(4_000_000_000).Invert())
	require.Equal(t, RateOne, RateOne.Invert())
	require.Zero(t, Rate(0).Invert())
	require.Zero(t, Rate(-1).Invert())
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.Int64Range(1, math.MaxInt64).Draw(t, "rate")
		require.Equal(t, bigHalfEven(int64(RateOne), int64(RateOne), r), int64(Rate(r).Invert()))
	})
}

func TestAddSaturates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyInt().Draw(t, "a"), anyInt().Draw(t, "b")
		want := clamp(new(big.Int).Add(big.NewInt(a), big.NewInt(b)))
		require.Equal(t, want, int64(Add(Nano(a), Nano(b))))
	})
}

func TestOneImpressionCostsThePriceItself(t *testing.T) {
	require.Equal(t, "1.50", CPM(1_500_000).String())
	require.Equal(t, "0.0015", CPM(1_500_000).PerImpression().String(), "1.50 per thousand")
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		v             int64
		places, least int
		want          string
	}{
		{0, 6, 2, "0.00"},
		{0, 6, 0, "0"},
		{1_000_000, 6, 2, "1.00"},
		{1_000_000, 6, 0, "1"},
		{1_500_000, 6, 0, "1.5"},
		{1, 6, 2, "0.000001"},
		{-1, 6, 2, "-0.000001"},
		{-910_000_000, 9, 2, "-0.91"},
		{100, 9, 1, "0.0000001"},
		{math.MaxInt64, 9, 2, "9223372036.854775807"},
		{math.MinInt64, 9, 2, "-9223372036.854775808"},
	} {
		t.Run(c.want, func(t *testing.T) {
			require.Equal(t, "x"+c.want, string(AppendDecimal([]byte("x"), c.v, c.places, c.least)))
		})
	}
	require.Equal(t, "1.0", RateOne.String())
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     CPM
	}{
		{"whole", "2", 2_000_000},
		{"fraction", "1.5", 1_500_000},
		{"no whole part", ".5", 500_000},
		{"no fraction", "1.", 1_000_000},
		{"zeros past the sixth place", "0.00300000000000", 3000},
		{"leading zeros", strings.Repeat("0", 40) + "7", 7_000_000},
		{"negative", "-0.01", -10_000},
		{"negative zero", "-0", 0},
		{"largest", "9223372036854.775807", math.MaxInt64},
		{"smallest", "-9223372036854.775808", math.MinInt64},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseCPM(c.in)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", `""`},
		{"point", ".", `"."`},
		{"minus", "-", `"-"`},
		{"two minus", "--1", "--1"},
		{"plus", "+1", "+1"},
		{"two points", "1.2.3", "1.2.3"},
		{"exponent", "1e3", "1e3"},
		{"space", " 1", " 1"},
		{"comma", "1,5", "1,5"},
		{"hex", "0x10", "0x10"},
		{"underscore", "1_000", "1_000"},
		{"other digits", "١", "not a decimal"},
		{"junk behind zeros", "1.5x00", "1.5x00"},
		{"macro", "${AUCTION_PRICE}", "AUCTION_PRICE"},
		{"infinite", "Inf", "Inf"},
		{"too fine", "0.0000001", "more than 6 decimal places"},
		{"one past the largest", "9223372036854.775808", "out of range"},
		{"one past the smallest", "-9223372036854.775809", "out of range"},
		{"very large", strings.Repeat("9", 400), "out of range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseCPM(c.in)
			require.ErrorIs(t, err, ErrNotDecimal)
			require.ErrorContains(t, err, c.want)
			require.Zero(t, got)
			require.Less(t, len(err.Error()), 200)
		})
	}
}

func TestFormattedNumbersReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyInt().Draw(t, "v")
		p, err := ParseCPM(CPM(v).String())
		require.NoError(t, err)
		require.Equal(t, CPM(v), p)
		n, err := ParseNano(Nano(v).String())
		require.NoError(t, err)
		require.Equal(t, Nano(v), n)
		r, err := ParseRate(Rate(v).String())
		require.NoError(t, err)
		require.Equal(t, Rate(v), r)
	})
}

type priced struct {
	Price  CPM  `json:"price"`
	Amount Nano `json:"amount"`
	Rate   Rate `json:"rate"`
}

func TestJSONForms(t *testing.T) {
	out, err := json.Marshal(priced{1_500_000, 910_000_000, RateOne})
	require.NoError(t, err)
	require.JSONEq(t, `{"price":"1.50","amount":"0.91","rate":"1.0"}`, string(out))
	for _, c := range []struct {
		name, in string
		want     priced
	}{
		{"strings", `{"price":"1.5","amount":"0.91","rate":"4"}`, priced{1_500_000, 910_000_000, 4 * RateOne}},
		{"numbers", `{"price":1.50,"amount":0.91,"rate":4}`, priced{1_500_000, 910_000_000, 4 * RateOne}},
		{"a number no float could hold", `{"amount":9223372036.854775807}`, priced{Amount: math.MaxInt64}},
		{"null and absent", `{"price":null}`, priced{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got priced
			require.NoError(t, json.Unmarshal([]byte(c.in), &got))
			require.Equal(t, c.want, got)
		})
	}
	for _, bad := range []string{`true`, `{}`, `[]`, `""`, `"x"`, `1e3`, `"\u0031"`, `0.0000000001`} {
		t.Run("refuses "+bad, func(t *testing.T) {
			for _, field := range []string{"price", "amount", "rate"} {
				got := priced{7, 8, 9}
				require.ErrorIs(t, json.Unmarshal([]byte(`{"`+field+`":`+bad+`}`), &got), ErrNotDecimal)
				require.Equal(t, priced{7, 8, 9}, got)
			}
		})
	}
}

func TestHotFunctionsAllocateNothing(t *testing.T) {
	var n Nano
	var p CPM
	buf := make([]byte, 0, 64)
	text := "1234.567891"
	require.Zero(t, testing.AllocsPerRun(100, func() {
		p, _ = ParseCPM(text)
		n = Add(p.ConvertUp(3_999_999_999).PerImpression().Convert(250_000_001), n.Fee(500))
		buf = AppendCPM(buf[:0], p)
	}))
	require.Equal(t, text, string(buf))
}

func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"", "1.5", "-0.91", ".", "1.2.3", "9223372036.854775807", "-9223372036.854775808", "0.0000000001", "1e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseDecimal(s, 9)
		want, ok := new(big.Rat).SetString(s)
		// Rat reads more forms than a price has.
		if ok = ok && strings.Trim(s, "-.0123456789") == ""; ok {
			want.Mul(want, big.NewRat(NanoUnit, 1))
			ok = want.IsInt() && want.Num().IsInt64()
		}
		if (err == nil) != ok {
			t.Fatalf("%q: %d, %v", s, got, err)
		}
		if ok && want.Num().Int64() != got {
			t.Fatalf("%q: got %d, want %v", s, got, want)
		}
	})
}

func BenchmarkConvert(b *testing.B) {
	n := Nano(910_000)
	b.ReportAllocs()
	for b.Loop() {
		n = n.Convert(RateOne)
	}
	if n != 910_000 {
		b.Fatal(n)
	}
}

func BenchmarkParseCPM(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if p, err := ParseCPM("12.3456"); err != nil || p != 12_345_600 {
			b.Fatal(p, err)
		}
	}
}
