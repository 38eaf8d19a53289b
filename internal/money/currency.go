package money

import (
	"bytes"
	"fmt"
)

// Currency is an ISO 4217 alphabetic code, upper case. The zero value means
// unknown.
type Currency [3]byte

// ParseCurrency reads a three-letter code in either case.
func ParseCurrency(s string) (Currency, error) {
	var c Currency
	if len(s) != 3 {
		return c, fmt.Errorf("%q is not a three-letter currency code", s)
	}
	for i := range 3 {
		b := s[i] &^ 0x20
		if b < 'A' || b > 'Z' {
			return Currency{}, fmt.Errorf("%q is not a three-letter currency code", s)
		}
		c[i] = b
	}
	return c, nil
}

// MustCurrency is ParseCurrency for constants.
func MustCurrency(s string) Currency {
	c, err := ParseCurrency(s)
	if err != nil {
		panic(err)
	}
	return c
}

// String is the code, or "" when unknown.
func (c Currency) String() string {
	if c == (Currency{}) {
		return ""
	}
	return string(c[:])
}

// MarshalText writes the code.
func (c Currency) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a code; an empty text is unknown.
func (c *Currency) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*c = Currency{}
		return nil
	}
	v, err := ParseCurrency(string(b))
	*c = v
	return err
}

// Rates converts between currencies through one base currency. It is
// immutable once built; the zero value converts a currency to itself only.
type Rates struct {
	// AsOfMS says when the rates were valid, ms UTC.
	AsOfMS int64 `json:"as_of"`
	// Base is the currency that PerBase is quoted against.
	Base Currency `json:"base"`
	// PerBase holds how many units of a currency one unit of Base buys.
	PerBase map[Currency]Rate `json:"rates"`
}

// Rate returns the rate from one currency to another, and whether both are
// known and the rate is not too small to be told from 0.
func (r *Rates) Rate(from, to Currency) (Rate, bool) {
	switch {
	case from == Currency{} || to == Currency{}:
		return 0, false
	case from == to:
		return RateOne, true
	case r == nil:
		return 0, false
	}
	f, okF := r.perBase(from)
	t, okT := r.perBase(to)
	if !okF || !okT {
		return 0, false
	}
	rate := Rate(mulDiv(int64(t), int64(RateOne), int64(f), halfEven))
	return rate, rate > 0 // what rounds to 0 would make everything free
}

func (r *Rates) perBase(c Currency) (Rate, bool) {
	if c == r.Base {
		return RateOne, true
	}
	v, ok := r.PerBase[c]
	return v, ok && v > 0
}

// Compare orders currencies by their codes.
func (c Currency) Compare(o Currency) int { return bytes.Compare(c[:], o[:]) }
