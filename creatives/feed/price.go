package feed

import (
	"fmt"
	"strings"

	"github.com/grosz/grosz/internal/money"
)

// parsePrice reads an amount with an optional currency: "129.99 PLN", "PLN
// 129,99", "1 299,99 zł", "$1,299.99". The reason is empty when it could.
//
// A point or a comma is decimal when it is the last separator and does not
// repeat. A lone comma before exactly three digits could be either and is
// refused: Google's rule is the point.
func parsePrice(s string) (money.Nano, money.Currency, string) {
	var cur money.Currency
	digits, text := make([]byte, 0, 24), strings.TrimSpace(s)
	if text == "" {
		return 0, cur, "is missing"
	}
	var letters []byte
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9' || r == '.' || r == ',':
			digits = append(digits, byte(r))
		case r == ' ' || r == '\u00a0' || r == '\u202f' || r == '\'':
		case r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == 'ł':
			letters = append(letters, string(r)...)
		case r == '$' || r == '€' || r == '£':
			letters = append(letters, string(r)...)
		default:
			return 0, cur, fmt.Sprintf("%q is not a price", clip(text, 40))
		}
	}
	cur, ok := currencyOf(string(letters))
	if !ok {
		return 0, cur, fmt.Sprintf("%q has an unknown currency", clip(text, 40))
	}
	plain, why := decimal(string(digits))
	if why != "" {
		return 0, cur, fmt.Sprintf("%q %s", clip(text, 40), why)
	}
	v, err := money.ParseNano(plain)
	switch {
	case err != nil:
		return 0, cur, fmt.Sprintf("%q is not a price", clip(text, 40))
	case v <= 0:
		return 0, cur, "is not above zero"
	}
	return v, cur, ""
}

func currencyOf(s string) (money.Currency, bool) {
	switch s {
	case "":
		return money.Currency{}, true
	case "zł", "zl":
		s = "PLN"
	case "$":
		s = "USD"
	case "€":
		s = "EUR"
	case "£":
		s = "GBP"
	}
	c, err := money.ParseCurrency(s)
	return c, err == nil
}

// decimal turns digits with separators into a plain decimal.
func decimal(s string) (string, string) {
	if strings.Trim(s, ".,") == "" {
		return "", "is not a price"
	}
	at := strings.LastIndexAny(s, ".,")
	if at < 0 {
		return s, ""
	}
	last, other := s[at:at+1], "."
	if last == "." {
		other = ","
	}
	repeats := strings.Count(s, last) > 1
	if repeats {
		if strings.Contains(s, other) {
			return "", "has separators in a strange order"
		}
		return strings.ReplaceAll(s, last, ""), "" // 1.299.000
	}
	if last == "," && !strings.Contains(s, ".") && len(s)-at-1 == 3 && at > 0 && strings.TrimLeft(s[:at], "0") != "" {
		return "", "is ambiguous: use a point for decimals"
	}
	return strings.ReplaceAll(s[:at], other, "") + "." + s[at+1:], ""
}
