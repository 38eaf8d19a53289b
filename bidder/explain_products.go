package bidder

import (
	"slices"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/segments"
)

// ExplainedProducts is what a campaign's caps of products leave of its feed
// for the person. An ad goes on without what is capped, so none of this is
// against the campaign.
type ExplainedProducts struct {
	Caps []ExplainedProductCap `json:"caps"`
	Of   int                   `json:"of"` // products in the feed
	// Capped are those that the person saw as often as a cap allows, open bids
	// reckoned in as the campaign's mode says; the first maxCappedListed of
	// them by id, and Cut how many more.
	Capped []string `json:"capped,omitempty"`
	Cut    int      `json:"cut,omitempty"`
}

// ExplainedProductCap allows so many impressions of each product in so many hours.
type ExplainedProductCap struct {
	Impressions int `json:"impressions"`
	Hours       int `json:"hours"`
}

const maxCappedListed = 20

// products tells which products are capped for the person; nil for a campaign
// that caps none.
func (e *explaining) products(c *bidContext, camp *campaigns.CompiledCampaign) *ExplainedProducts {
	out := &ExplainedProducts{}
	for i := range camp.Frequency.Caps {
		if f := &camp.Frequency.Caps[i]; f.Per == campaigns.PerProduct {
			out.Caps = append(out.Caps, ExplainedProductCap{f.Impressions, f.Hours})
		}
	}
	if len(out.Caps) == 0 {
		return nil
	}
	feed := camp.Shop.Catalogue
	if feed == nil {
		return out
	}
	out.Of = feed.Len()
	if !c.basis.Identify || c.user.IsZero() {
		return out
	}
	var room [campaigns.MaxFrequencyCaps]pacing.ProductCap
	capped := c.shown.Capped(nil, segments.Pseudonym(camp.Shop.Salt, c.user), productCaps(room[:0], camp, c.nowMS), camp.Frequency.Strict, c.nowMS)
	if len(capped) == 0 {
		return out
	}
	for i := range feed.Len() {
		if id := feed.At(i).ID; slices.Contains(capped, events.ShortProduct(segments.ProductHash(id))) {
			out.Capped = append(out.Capped, id)
		}
	}
	slices.Sort(out.Capped)
	if n := len(out.Capped); n > maxCappedListed {
		out.Capped, out.Cut = out.Capped[:maxCappedListed], n-maxCappedListed
	}
	return out
}
