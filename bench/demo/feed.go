package demo

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// products draws a shop's feed; the same seed and site give the same bytes.
func (c *concept) products(site string, seed uint64) []campaigns.Product {
	rng := rand.New(rand.NewPCG(seed, uint64(c.hue)))
	pln := money.MustCurrency("PLN")
	out := make([]campaigns.Product, 0, c.size)
	for i := range c.size {
		l := c.lines[i%len(c.lines)]
		id := fmt.Sprintf("%s-%04d", strings.ToUpper(c.slug[:2]), i+1)
		// Prices spread evenly over orders of magnitude, and end in 9.
		p := float64(l.low) * math.Pow(float64(l.high)/float64(l.low), rng.Float64())
		whole := int64(p)/10*10 + 9
		brand := c.brands[rng.IntN(len(c.brands))]
		title := fmt.Sprintf("%s %s %s", l.nouns[rng.IntN(len(l.nouns))], c.qualities[rng.IntN(len(c.qualities))], model(rng))
		out = append(out, campaigns.Product{
			ID: id, Title: title, Category: l.category, Brand: brand,
			URL: fmt.Sprintf("%s/%s/p/%s", site, c.slug, id), ImageURL: fmt.Sprintf("%s/img/%s/%s.svg", site, c.slug, id),
			Price: money.Nano(whole) * money.NanoUnit, Currency: pln, Available: rng.Float64() < 0.95,
		})
	}
	return out
}

// model is an invented, pronounceable name.
func model(rng *rand.Rand) string {
	const consonants, vowels = "bdfgklmnprstw", "aeiou"
	var b strings.Builder
	for range 2 + rng.IntN(2) {
		b.WriteByte(consonants[rng.IntN(len(consonants))])
		b.WriteByte(vowels[rng.IntN(len(vowels))])
	}
	s := b.String()
	return strings.ToUpper(s[:1]) + s[1:]
}

// feedCSV writes products as a merchant feed.
func feedCSV(list []campaigns.Product) ([]byte, error) {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	rows := [][]string{{"id", "title", "link", "image_link", "price", "availability", "brand", "product_type"}}
	for _, p := range list {
		stock := "in stock"
		if !p.Available {
			stock = "out of stock"
		}
		rows = append(rows, []string{p.ID, p.Title, p.URL, p.ImageURL, p.Price.String() + " " + p.Currency.String(), stock, p.Brand, p.Category})
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("write feed: %w", err)
	}
	return buf.Bytes(), nil
}
