package demo

import (
	"fmt"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

const pln = money.NanoUnit

// plan lists the campaigns of one shop: the three kinds, and one that is wide
// open so that any ordinary request finds a bid.
func (c *concept) plan(videos []campaigns.Video) []campaigns.Campaign {
	first, second := c.lines[0], c.lines[1]
	all, back := c.creatives(videos, c.tagline), c.creatives(videos, c.come)
	return []campaigns.Campaign{
		{
			Name: "Porzucone koszyki", Kind: campaigns.KindRemarketing, Status: campaigns.StatusActive,
			Targeting: "visited within 30d and not purchased within 7d",
			Bid: campaigns.Bid{CPM: 18 * money.CPMUnit, MaxCPM: 60 * money.CPMUnit, Boosts: []campaigns.Boost{
				{When: "cart_value >= 500 PLN", BPS: 20_000}, {When: "viewed within 2d", BPS: 13_000},
			}},
			Budget:    campaigns.Budget{Total: 60_000 * pln, Day: 3_000 * pln},
			Frequency: campaigns.Frequency{Impressions: 20, Hours: 24},
			Creatives: back,
		},
		{
			Name: "Szukają teraz: " + second.slug, Kind: campaigns.KindIntent, Status: campaigns.StatusActive,
			Targeting: fmt.Sprintf("(looking_for %q or looking_for %q or searched within 2d) and not purchased within 7d", first.slug, second.slug),
			Bid:       campaigns.Bid{CPM: 16 * money.CPMUnit, MaxCPM: 40 * money.CPMUnit},
			Budget:    campaigns.Budget{Total: 40_000 * pln, Day: 2_000 * pln},
			Frequency: campaigns.Frequency{Impressions: 15, Hours: 24},
			Creatives: all,
		},
		{
			Name: "Kontekst: " + c.interestName(), Kind: campaigns.KindInterest, Status: campaigns.StatusActive,
			Targeting: "(" + c.interest() + ") and not purchased within 7d",
			Bid:       campaigns.Bid{CPM: 11 * money.CPMUnit, MaxCPM: 30 * money.CPMUnit},
			Budget:    campaigns.Budget{Total: 30_000 * pln, Day: 1_500 * pln},
			Frequency: campaigns.Frequency{Impressions: 10, Hours: 24},
			Creatives: all,
		},
		{
			Name: "Wszędzie", Kind: campaigns.KindInterest, Status: campaigns.StatusActive,
			Targeting: "not purchased within 7d",
			Bid:       campaigns.Bid{CPM: 12*money.CPMUnit + money.CPM(c.hue%3)*money.CPMUnit},
			Budget:    campaigns.Budget{Total: 900_000_000 * pln},
			Creatives: all,
		},
	}
}

func (c *concept) interestName() string {
	return map[string]string{"furniture": "dom i ogród", "shoes": "sport i podróże", "electronics": "technologia"}[c.slug]
}

func (c *concept) interest() string {
	return map[string]string{
		"furniture":   `category in ("IAB10") or domain in ("dom-i-ogrod.example")`,
		"shoes":       `category in ("IAB17", "IAB18") or url contains "/buty/"`,
		"electronics": `category in ("IAB19") and not bundle in ("com.puzzle.farm")`,
	}[c.slug]
}

// creatives are one of each sort: banners of every standard size, a native
// ad, and the videos.
func (c *concept) creatives(videos []campaigns.Video, title string) []campaigns.Creative {
	out := []campaigns.Creative{
		{Media: campaigns.MediaBanner, Title: title, Body: c.tagline, CTA: "Zobacz"},
		{Media: campaigns.MediaNative, Title: title, Body: c.tagline, CTA: "Do sklepu"},
	}
	for i := range videos {
		out = append(out, campaigns.Creative{Media: campaigns.MediaVideo, Title: title, Body: c.tagline, CTA: "Zobacz", Video: &videos[i]})
	}
	return out
}
