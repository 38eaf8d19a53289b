package rates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/grosz/grosz/internal/money"
)

// Parse reads money.Rates from JSON and lists all that is wrong with them:
//
//	{"as_of": 1790000000000, "base": "USD", "rates": {"PLN": "3.64", "EUR": "0.85"}}
//
// as_of is ms UTC and may not be ahead of nowMS; each rate is how many units
// one unit of base buys, positive.
func Parse(text []byte, nowMS int64) (*money.Rates, error) {
	var doc struct {
		AsOf  int64                 `json:"as_of"`
		Base  money.Currency        `json:"base"`
		Rates map[string]money.Rate `json:"rates"`
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("rates: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("rates: something follows the document")
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("rates: "+format, args...)) }
	switch {
	case doc.AsOf <= 0:
		bad("as_of is missing: since when they hold, ms UTC")
	case doc.AsOf > nowMS+maxAhead.Milliseconds():
		bad("as_of %s is in the future", time.UnixMilli(doc.AsOf).UTC().Format(time.RFC3339))
	}
	if doc.Base == (money.Currency{}) {
		bad("base is missing")
	}
	if n := len(doc.Rates); n == 0 || n > maxCurrencies {
		return nil, errors.Join(append(errs, fmt.Errorf("rates: %d currencies, 1 to %d are wanted", n, maxCurrencies))...)
	}
	out := &money.Rates{AsOfMS: doc.AsOf, Base: doc.Base, PerBase: make(map[money.Currency]money.Rate, len(doc.Rates))}
	for _, code := range slices.Sorted(maps.Keys(doc.Rates)) {
		rate := doc.Rates[code]
		cur, err := money.ParseCurrency(code)
		_, twice := out.PerBase[cur]
		switch {
		case err != nil:
			bad("%w", err)
		case twice:
			bad("%s is there twice", cur)
		case rate <= 0:
			bad("%s: %v is not positive", cur, rate)
		case cur == doc.Base && rate != money.RateOne:
			bad("%s is the base, yet its rate is %v", cur, rate)
		}
		out.PerBase[cur] = rate
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

// ErrJump is what a Step's error wraps where a rate changed by more than half
// against the last: more likely a mistake than the market.
var ErrJump = errors.New("changed by more than half")

// compare refuses rates that jumped against the last, or are older.
func compare(last, next *money.Rates) error {
	var errs []error
	if next.AsOfMS < last.AsOfMS {
		errs = append(errs, fmt.Errorf("rates: as_of %s is before that of the last, %s",
			time.UnixMilli(next.AsOfMS).UTC().Format(time.RFC3339), time.UnixMilli(last.AsOfMS).UTC().Format(time.RFC3339)))
	}
	for _, cur := range slices.SortedFunc(maps.Keys(next.PerBase), func(a, b money.Currency) int { return bytes.Compare(a[:], b[:]) }) {
		was, ok := last.Rate(next.Base, cur)
		is, known := next.Rate(next.Base, cur)
		if ok && known && jumped(was, is) {
			errs = append(errs, fmt.Errorf("rates: %s for one %s was %v, is %v: %w; to take it, start with --accept", cur, next.Base, was, is, ErrJump))
		}
	}
	return errors.Join(errs...)
}

// jumped tells whether one rate is more than 1.5 times the other: the same
// either way round, as a rate may be quoted either way.
func jumped(was, is money.Rate) bool {
	lo, hi := min(was, is), max(was, is)
	return hi-lo > lo/2
}

func same(a, b *money.Rates) bool {
	return a.AsOfMS == b.AsOfMS && a.Base == b.Base && maps.Equal(a.PerBase, b.PerBase)
}
