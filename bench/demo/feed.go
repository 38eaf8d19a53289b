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
		title := titleOf(l.nouns[rng.IntN(len(l.nouns))], l.qualities[rng.IntN(len(l.qualities))], model(rng))
		out = append(out, campaigns.Product{
			ID: id, Title: title, Category: l.category, Brand: brand,
			URL: fmt.Sprintf("%s/%s/p/%s", site, c.slug, id), ImageURL: fmt.Sprintf("%s/img/%s/%s.svg", site, c.slug, id),
			Price: money.Nano(whole) * money.NanoUnit, Currency: pln, Available: rng.Float64() < 0.95,
		})
		if p := &out[i]; rng.Float64() < 0.2 { // reduced, and the feed says from what
			p.ListPrice = p.Price / 10 * 13 / money.NanoUnit * money.NanoUnit
			p.Lowest30 = p.Price / 100 * money.Nano(106+rng.IntN(18)) / money.NanoUnit * money.NanoUnit
		}
	}
	return out
}

// titleOf joins a noun with its gender, an adjective that agrees with it, and
// a model's name: "Sofa|f", "welurowy" and "Mora" are "Sofa welurowa Mora".
func titleOf(noun, quality, name string) string {
	parts := strings.Split(noun, "|")
	title := parts[0] + " " + agree(quality, parts[1]) + " " + name
	if len(parts) > 2 {
		title += " " + parts[2]
	}
	return title
}

// agree puts a Polish adjective into the nominative of a gender: f, n, p (the
// plural of things), or m as it is. After k, g and in soft stems i stays.
func agree(adjective, gender string) string {
	stem, hard := strings.CutSuffix(adjective, "y")
	if !hard {
		stem = strings.TrimSuffix(adjective, "i")
	}
	velar := strings.HasSuffix(stem, "k") || strings.HasSuffix(stem, "g")
	switch {
	case gender == "m":
		return adjective
	case gender == "f" && (hard || velar):
		return stem + "a"
	case gender == "f":
		return stem + "ia"
	case hard:
		return stem + "e"
	}
	return stem + "ie"
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
	rows := [][]string{{"id", "title", "link", "image_link", "price", "availability", "brand", "product_type", "sale_price", "lowest_price_30d"}}
	for _, p := range list {
		stock := "in stock"
		if !p.Available {
			stock = "out of stock"
		}
		price, sale, lowest := p.Price.String()+" "+p.Currency.String(), "", ""
		if p.ListPrice > 0 {
			price, sale, lowest = p.ListPrice.String()+" "+p.Currency.String(), price, p.Lowest30.String()
		}
		rows = append(rows, []string{p.ID, p.Title, p.URL, p.ImageURL, price, stock, p.Brand, p.Category, sale, lowest})
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("write feed: %w", err)
	}
	return buf.Bytes(), nil
}
