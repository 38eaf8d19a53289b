// Package money holds prices and amounts as integers, because no float may
// ever hold money. Hot: every function is free of allocation except
// String, the JSON ones and errors. Safe for many goroutines. Imports nothing of Grosz.
//
// Two units: a CPM is a price in micro-units (10^-6) of a currency per
// thousand impressions; a Nano is an amount in nano-units (10^-9). A price of
// one micro-CPM is exactly one nano-unit per impression, so that the cost of
// one impression is the price's own number.
package money

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// CPM is a price in micro-units of a currency per thousand impressions:
// 1.50 USD CPM is 1_500_000.
type CPM int64

// Nano is an amount in nano-units of a currency: 0.91 PLN is 910_000_000.
type Nano int64

// Rate converts an amount of one currency into another: units of the target
// for one unit of the source, times 10^9. 1:1 is RateOne.
type Rate int64

// Scales of the three types.
const (
	CPMUnit  = 1_000_000
	NanoUnit = 1_000_000_000
	RateOne  = Rate(1_000_000_000)
)

// PerImpression is what one impression costs at price p.
func (p CPM) PerImpression() Nano { return Nano(p) }

// Convert returns n in the currency that r leads to, rounded half to even,
// saturating at the ends of int64. It is the only rounding a settlement has.
func (n Nano) Convert(r Rate) Nano { return Nano(mulDiv(int64(n), int64(r), int64(RateOne), halfEven)) }

// Convert returns p in the currency that r leads to, rounded half to even.
func (p CPM) Convert(r Rate) CPM { return CPM(mulDiv(int64(p), int64(r), int64(RateOne), halfEven)) }

// ConvertUp is Convert rounded up: for floors, which must not be undercut.
func (p CPM) ConvertUp(r Rate) CPM { return CPM(mulDiv(int64(p), int64(r), int64(RateOne), up)) }

// ConvertDown is Convert rounded towards zero: for bids, which must not
// exceed what the shop allows.
func (p CPM) ConvertDown(r Rate) CPM { return CPM(mulDiv(int64(p), int64(r), int64(RateOne), down)) }

// Scale returns p × bps / 10,000, rounded towards zero and saturating.
func (p CPM) Scale(bps int64) CPM { return CPM(mulDiv(int64(p), bps, 10_000, down)) }

// Fee returns n × bps / 10,000, rounded half to even: a share in basis points.
func (n Nano) Fee(bps int64) Nano { return Nano(mulDiv(int64(n), bps, 10_000, halfEven)) }

// Invert returns the rate of the way back, rounded half to even; 0 for 0.
func (r Rate) Invert() Rate {
	if r <= 0 {
		return 0
	}
	return Rate(mulDiv(int64(RateOne), int64(RateOne), int64(r), halfEven))
}

type rounding uint8

const (
	halfEven rounding = iota
	up
	down
)

// mulDiv returns a×b/c with a 128-bit intermediate; c is positive.
func mulDiv(a, b, c int64, mode rounding) int64 {
	neg := (a < 0) != (b < 0)
	hi, lo := bits.Mul64(abs(a), abs(b))
	if hi >= uint64(c) {
		return saturate(neg)
	}
	q, rem := bits.Div64(hi, lo, uint64(c))
	switch mode {
	case halfEven:
		half := uint64(c) - rem // rem > half of c ⇔ rem > c-rem
		if rem > half || (rem == half && q&1 == 1) {
			q++
		}
	case up:
		if rem > 0 && !neg {
			q++
		}
	case down:
	}
	if q > math.MaxInt64 {
		return saturate(neg)
	}
	if neg {
		return -int64(q)
	}
	return int64(q)
}

func saturate(neg bool) int64 {
	if neg {
		return math.MinInt64
	}
	return math.MaxInt64
}

func abs(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// Add returns a+b, saturating: a budget near the end of int64 stays there
// instead of turning negative.
func Add(a, b Nano) Nano {
	s := a + b
	if (a > 0 && b > 0 && s < 0) || (a < 0 && b < 0 && s >= 0) {
		return Nano(saturate(a < 0))
	}
	return s
}

// ErrNotDecimal is what ParseCPM, ParseNano and ParseRate wrap.
var ErrNotDecimal = errors.New("not a decimal number of this kind")

// ParseCPM reads a decimal such as "1.5", "0.003" or "2" into a price;
// digits past the sixth place must be zero.
func ParseCPM(s string) (CPM, error) {
	v, err := parseDecimal(s, 6)
	return CPM(v), err
}

// ParseNano reads a decimal such as "1000" or "0.91" into an amount; digits
// past the ninth place must be zero.
func ParseNano(s string) (Nano, error) {
	v, err := parseDecimal(s, 9)
	return Nano(v), err
}

// ParseRate reads a decimal exchange rate; digits past the ninth place must
// be zero.
func ParseRate(s string) (Rate, error) {
	v, err := parseDecimal(s, 9)
	return Rate(v), err
}

// parseDecimal reads s × 10^places. A sign is a minus only; one side of the
// point may be empty, as some exchanges write ".5".
func parseDecimal(s string, places int) (int64, error) {
	text, neg := strings.CutPrefix(s, "-")
	whole, frac, _ := strings.Cut(text, ".")
	if !digits(whole) || !digits(frac) || len(whole)+len(frac) == 0 {
		return 0, fmt.Errorf("%w: %q", ErrNotDecimal, clip(s))
	}
	frac = strings.TrimRight(frac, "0")
	if len(frac) > places {
		return 0, fmt.Errorf("%w: %q has more than %d decimal places", ErrNotDecimal, clip(s), places)
	}
	limit := uint64(math.MaxInt64)
	if neg {
		limit++
	}
	var u uint64
	for i := range len(whole) + places {
		d := uint64(0)
		switch {
		case i < len(whole):
			d = uint64(whole[i] - '0')
		case i-len(whole) < len(frac):
			d = uint64(frac[i-len(whole)] - '0')
		}
		if u > (limit-d)/10 {
			return 0, fmt.Errorf("%w: %q is out of range", ErrNotDecimal, clip(s))
		}
		u = u*10 + d
	}
	if neg {
		return -int64(u), nil // 2^63 becomes MinInt64
	}
	return int64(u), nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return true
}

// clip keeps an error short whatever came in.
func clip(s string) string { return s[:min(len(s), 64)] }

// AppendDecimal appends v / 10^places as a plain decimal with at least
// least decimal places and no further trailing zeros.
func AppendDecimal(dst []byte, v int64, places, least int) []byte {
	if v < 0 {
		dst = append(dst, '-')
	}
	u := abs(v)
	scale := uint64(1)
	for range places {
		scale *= 10
	}
	dst = strconv.AppendUint(dst, u/scale, 10)
	frac := u % scale
	if frac == 0 && least == 0 {
		return dst
	}
	dst = append(dst, '.')
	for n := 1; n <= places; n++ {
		scale /= 10
		dst = append(dst, byte('0'+frac/scale))
		frac %= scale
		if frac == 0 && n >= least {
			break
		}
	}
	return dst
}

// AppendCPM appends p as a decimal number in currency units per thousand,
// with at least two decimal places: the form of OpenRTB prices.
func AppendCPM(dst []byte, p CPM) []byte { return AppendDecimal(dst, int64(p), 6, 2) }

// String is p in currency units per thousand, such as "1.50".
func (p CPM) String() string { return string(AppendCPM(nil, p)) }

// String is n in currency units, such as "0.91".
func (n Nano) String() string { return string(AppendDecimal(nil, int64(n), 9, 2)) }

// String is the rate as a decimal.
func (r Rate) String() string { return string(AppendDecimal(nil, int64(r), 9, 1)) }

// MarshalText writes p as a decimal string, so that JSON carries "1.50" and
// no reader turns it into a float.
func (p CPM) MarshalText() ([]byte, error) { return AppendCPM(nil, p), nil }

// MarshalText writes n as a decimal string.
func (n Nano) MarshalText() ([]byte, error) { return AppendDecimal(nil, int64(n), 9, 2), nil }

// MarshalText writes r as a decimal string.
func (r Rate) MarshalText() ([]byte, error) { return AppendDecimal(nil, int64(r), 9, 1), nil }

// UnmarshalJSON reads a decimal string or a plain JSON number.
func (p *CPM) UnmarshalJSON(b []byte) error { return unmarshal(b, (*int64)(p), 6) }

// UnmarshalJSON reads a decimal string or a plain JSON number.
func (n *Nano) UnmarshalJSON(b []byte) error { return unmarshal(b, (*int64)(n), 9) }

// UnmarshalJSON reads a decimal string or a plain JSON number.
func (r *Rate) UnmarshalJSON(b []byte) error { return unmarshal(b, (*int64)(r), 9) }

func unmarshal(b []byte, to *int64, places int) error {
	s := string(b)
	if s == "null" {
		return nil
	}
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	v, err := parseDecimal(s, places)
	if err != nil {
		return err
	}
	*to = v
	return nil
}
