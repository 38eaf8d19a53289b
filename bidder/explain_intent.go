package bidder

import "github.com/grosz/grosz/campaigns"

// ExplainedIntent is how well what the person looks for matches the shop's
// feed, and by which words.
type ExplainedIntent struct {
	Strength float64           `json:"strength"` // 0 to 1, as the predicate compares it
	Products []ExplainedWanted `json:"products"`
}

// ExplainedWanted is a product that matches.
type ExplainedWanted struct {
	Product  string  `json:"product"`
	Title    string  `json:"title"`
	Strength float64 `json:"strength"`
	// Source is where it was said: site search, data segment, shop view, …
	Source string `json:"source"`
	// Phrase is what was said and Words those words of it that the product
	// has. The shop's own searches are remembered as hashes: both are empty.
	Phrase string   `json:"phrase,omitempty"`
	Words  []string `json:"words,omitempty"`
}

// intent tells what matched; nil for nothing.
func (e *explaining) intent(camp *campaigns.CompiledCampaign) *ExplainedIntent {
	f := &e.c.facts
	m := e.snapshot.Intent(f, camp.ShopID)
	if m == nil || m.N == 0 {
		return nil
	}
	out := &ExplainedIntent{Strength: thousandths(m.Strength)}
	for i := range m.N {
		h := &m.Hits[i]
		p := camp.Shop.Catalogue.At(int(h.Pos))
		w := ExplainedWanted{Product: p.ID, Title: p.Title, Strength: thousandths(h.Strength), Source: h.Source.String()}
		w.Phrase, w.Words = f.Intent.Words(h)
		out.Products = append(out.Products, w)
	}
	return out
}

func thousandths(x float32) float64 { return float64(int(x*1000+0.5)) / 1000 }
