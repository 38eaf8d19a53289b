package money

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseCurrency(t *testing.T) {
	for in, want := range map[string]string{"USD": "USD", "usd": "USD", "pLn": "PLN"} {
		got, err := ParseCurrency(in)
		require.NoError(t, err)
		require.Equal(t, want, got.String())
	}
	for _, bad := range []string{"", "US", "USDT", "U5D", "U D", "\x00\x00\x00", "zł", "{{{", "[\\]", "@@@", "żó"} {
		_, err := ParseCurrency(bad)
		require.ErrorContains(t, err, "three-letter currency code", "%q", bad)
		require.Panics(t, func() { MustCurrency(bad) })
	}
	require.Empty(t, Currency{}.String())
}

func TestCurrencyInJSON(t *testing.T) {
	type doc struct {
		Cur   Currency          `json:"cur"`
		Rates map[Currency]Rate `json:"rates"`
	}
	in := doc{MustCurrency("PLN"), map[Currency]Rate{MustCurrency("EUR"): 230_000_000}}
	out, err := json.Marshal(in)
	require.NoError(t, err)
	require.JSONEq(t, `{"cur":"PLN","rates":{"EUR":"0.23"}}`, string(out))
	var back doc
	require.NoError(t, json.Unmarshal(out, &back))
	require.Equal(t, in, back)
	require.NoError(t, json.Unmarshal([]byte(`{"cur":""}`), &back))
	require.Equal(t, Currency{}, back.Cur)
	require.Error(t, json.Unmarshal([]byte(`{"cur":"zloty"}`), &back))
}

func TestRates(t *testing.T) {
	usd, pln, vnd, btc, eur := MustCurrency("USD"), MustCurrency("PLN"), MustCurrency("VND"), MustCurrency("XBT"), MustCurrency("EUR")
	r := &Rates{Base: usd, PerBase: map[Currency]Rate{pln: 4 * RateOne, vnd: 26_000 * RateOne, btc: 1, eur: 0}}
	for _, c := range []struct {
		name     string
		rates    *Rates
		from, to Currency
		want     Rate
		ok       bool
	}{
		{"from the base", r, usd, pln, 4 * RateOne, true},
		{"to the base", r, pln, usd, 250_000_000, true},
		{"across", r, pln, vnd, 6500 * RateOne, true},
		{"to itself", r, pln, pln, RateOne, true},
		{"to itself, unlisted", r, MustCurrency("JPY"), MustCurrency("JPY"), RateOne, true},
		{"unlisted", r, pln, MustCurrency("JPY"), 0, false},
		{"listed at zero", r, pln, eur, 0, false},
		{"too small to be told from zero", r, vnd, btc, 0, false},
		{"no currency", r, Currency{}, Currency{}, 0, false},
		{"from no currency", r, Currency{}, usd, 0, false},
		{"no rates, to itself", nil, usd, usd, RateOne, true},
		{"no rates", nil, usd, pln, 0, false},
		{"zero rates: no base either", &Rates{}, Currency{}, usd, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := c.rates.Rate(c.from, c.to)
			require.Equal(t, c.ok, ok)
			require.Equal(t, c.want, got)
		})
	}
}

func TestRatesAcrossIsOneRounding(t *testing.T) {
	a, b := MustCurrency("AAA"), MustCurrency("BBB")
	rapid.Check(t, func(t *rapid.T) {
		ra, rb := rapid.Int64Range(1, 1e15).Draw(t, "a"), rapid.Int64Range(1, 1e15).Draw(t, "b")
		r := &Rates{Base: MustCurrency("USD"), PerBase: map[Currency]Rate{a: Rate(ra), b: Rate(rb)}}
		got, ok := r.Rate(a, b)
		want := bigHalfEven(rb, int64(RateOne), ra)
		require.Equal(t, want > 0, ok)
		require.Equal(t, want, int64(got))
	})
}
