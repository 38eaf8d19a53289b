package storm

import (
	"math/big"
	"strings"
)

// How a price stands to the bid.
const (
	paidAsSaid = iota
	paidAboveBid
	paidUnread
)

// billed is what an impression costs, in nano-units, when text came in place
// of the price macro and bid (micro-CPM) was bid: the price, at most the bid,
// and the bid where no price can be read.
func billed(text string, bid int64, micros bool) (amount int64, how int) {
	price, ok := readPrice(text, micros)
	switch {
	case !ok:
		return bid, paidUnread
	case price.Cmp(big.NewInt(bid)) > 0:
		return bid, paidAboveBid
	}
	return price.Int64(), paidAsSaid
}

// readPrice reads a positive price in micro-units.
func readPrice(text string, micros bool) (*big.Int, bool) {
	whole, frac, dot := strings.Cut(text, ".")
	if dot && micros || strings.Trim(whole+frac, "0123456789") != "" || len(text) > 20 {
		return nil, false
	}
	if !micros {
		frac = (frac + "000000")[:6]
	}
	n, ok := new(big.Int).SetString("0"+whole+frac, 10)
	if !ok || n.Sign() == 0 {
		return nil, false
	}
	return n, true
}

// shopCost is what the shop pays for an amount: converted, and the fee on it,
// each rounded half to even.
func shopCost(amount, rate, feeBPS int64) (cost, fee int64) {
	c := divEven(new(big.Int).Mul(big.NewInt(amount), big.NewInt(rate)), 1_000_000_000)
	f := divEven(new(big.Int).Mul(c, big.NewInt(feeBPS)), 10_000)
	return c.Int64(), f.Int64()
}

// divEven is n / by rounded half to even, n not below zero.
func divEven(n *big.Int, by int64) *big.Int {
	q, rest := new(big.Int).QuoRem(n, big.NewInt(by), new(big.Int))
	if c := rest.Lsh(rest, 1).Cmp(big.NewInt(by)); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// decimal writes n / 10⁹ as ClickHouse prints a Decimal: without zeros at the
// end.
func decimal(n *big.Int) string {
	s := new(big.Int).Abs(n).String()
	if len(s) < 10 {
		s = strings.Repeat("0", 10-len(s)) + s
	}
	s = strings.TrimRight(strings.TrimRight(s[:len(s)-9]+"."+s[len(s)-9:], "0"), ".")
	if n.Sign() < 0 {
		return "-" + s
	}
	return s
}

// nano reads a decimal of at most nine places.
func nano(s string) (*big.Int, bool) {
	text, neg := strings.CutPrefix(s, "-")
	whole, frac, _ := strings.Cut(text, ".")
	if len(frac) > 9 || whole+frac == "" {
		return nil, false
	}
	n, ok := new(big.Int).SetString(whole+frac+strings.Repeat("0", 9-len(frac)), 10)
	if ok && neg {
		n.Neg(n)
	}
	return n, ok
}
