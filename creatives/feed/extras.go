package feed

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// Bounds of the lesser fields, in bytes.
const (
	maxLabel = 100
	maxGTIN  = 14
)

// extras reads what a product may have besides: the lowest price of 30 days,
// number, group, margin and the shop's own labels. The price is known.
func (r *record) extras(p *campaigns.Product) (field, string) {
	if s := strings.TrimSpace(r.values[fieldLowest]); s != "" {
		v, c, why := parsePrice(s)
		if why != "" {
			return fieldLowest, why
		}
		if (c != money.Currency{}) && c != p.Currency {
			return fieldLowest, fmt.Sprintf("is in %s, the price in %s", c, p.Currency)
		}
		p.Lowest30 = v
	}
	if s := strings.ReplaceAll(strings.TrimSpace(r.values[fieldGTIN]), " ", ""); len(s) <= maxGTIN && strings.Trim(s, "0123456789") == "" {
		p.GTIN = s // what is no number is left out: a product without one may be shown
	}
	p.Group = tidy(r.values[fieldGroup], maxLabel)
	p.MarginClass = tidy(r.values[fieldMarginClass], maxLabel)
	if s := strings.TrimSpace(r.values[fieldMargin]); s != "" {
		bps, ok := margin(s)
		if !ok {
			return fieldMargin, fmt.Sprintf("%q is neither a share such as 0.35 nor a percentage such as 35%%", clip(s, 40))
		}
		p.MarginBPS = bps
	}
	for i := range 5 {
		if s := tidy(r.values[fieldLabel0+field(i)], maxLabel); s != "" {
			for len(p.Labels) < i {
				p.Labels = append(p.Labels, "")
			}
			p.Labels = append(p.Labels, s)
		}
	}
	return fieldNone, ""
}

// margin reads a share of the price as basis points.
func margin(s string) (int64, bool) {
	text, percent := strings.CutSuffix(strings.ReplaceAll(s, ",", "."), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if percent {
		v /= 100
	}
	if err != nil || math.IsNaN(v) || v < -1 || v > 1 {
		return 0, false
	}
	return int64(math.Round(v * 10_000)), true
}
