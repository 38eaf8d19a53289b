package campaigns

import (
	"errors"
	"fmt"

	"github.com/grosz/grosz/internal/money"
)

// Bounds of a campaign's numbers.
const (
	MaxCPM      money.CPM = 1_000_000 * money.CPMUnit
	MaxBoosts             = 64
	MaxBoostBPS           = 1_000_000 // ×100
	MaxHoldout            = 5000      // half of the people
)

// CheckTargeting tells what is wrong with an expression for a shop, as a
// *SyntaxError; with a nil shop its currency is not checked. Nil means that a
// campaign with it compiles.
func CheckTargeting(expr string, shop *Shop) error {
	root, err := parse(expr)
	if err != nil {
		return err
	}
	if shop == nil {
		return nil
	}
	return checkShop(expr, root, shop)
}

// Check lists all that is wrong with a campaign of the shop; nil means that
// it compiles.
func (c *Campaign) Check(shop *Shop) error {
	cc := &CompiledCampaign{Campaign: c}
	errs := []error{c.checkNumbers(), cc.sortCreatives()}
	if err := CheckTargeting(c.Targeting, shop); err != nil {
		errs = append(errs, fmt.Errorf("targeting: %w", err))
	}
	for i, b := range c.Bid.Boosts {
		if err := CheckTargeting(b.When, shop); err != nil {
			errs = append(errs, fmt.Errorf("boost %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

// checkNumbers checks what needs no shop and no expression.
func (c *Campaign) checkNumbers() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(c.Bid.CPM < 0 || c.Bid.CPM == 0 && !c.Goal.Any() && !c.PerClick() || c.Bid.CPM > MaxCPM, "bid.cpm %s must be above 0 and at most %s", c.Bid.CPM, MaxCPM)
	errs = append(errs, c.checkGoal()...)
	bad(c.Bid.MaxCPM < 0 || c.Bid.MaxCPM > MaxCPM, "bid.max_cpm %s must be 0 to %s", c.Bid.MaxCPM, MaxCPM)
	bad(len(c.Bid.Boosts) > MaxBoosts, "%d boosts; at most %d are allowed", len(c.Bid.Boosts), MaxBoosts)
	for i, b := range c.Bid.Boosts {
		bad(b.BPS < 0 || b.BPS > MaxBoostBPS, "boost %d: bps %d must be 0 to %d", i+1, b.BPS, MaxBoostBPS)
	}
	bad(c.Budget.Total < 0 || c.Budget.Week < 0 || c.Budget.Day < 0, "a budget must not be negative")
	bad(c.Frequency.Impressions < 0 || c.Frequency.Hours < 0, "frequency must not be negative")
	bad((c.Frequency.Impressions > 0) != (c.Frequency.Hours > 0), "frequency needs both impressions and hours")
	bad(len(c.Frequency.Caps) > MaxFrequencyCaps, "%d caps beside the first; at most %d are allowed", len(c.Frequency.Caps), MaxFrequencyCaps)
	for i, f := range c.Frequency.Caps {
		known := f.Per == PerCampaign || f.Per == PerShop || f.Per == PerCreative || f.Per == PerProduct
		bad(!known || f.Impressions <= 0 || f.Hours <= 0, "frequency cap %d: it needs impressions, hours, and to be per campaign, shop, creative or product", i+1)
	}
	if f := c.Frequency.Fatigue; f != nil {
		bad(f.HalfAfter < 0 || f.RecoverMinutes < 0, "fatigue must not be negative")
	}
	bad(c.HoldoutBPS < 0 || c.HoldoutBPS > MaxHoldout, "holdout_bps %d must be 0 to %d", c.HoldoutBPS, MaxHoldout)
	bad(c.StartMS < 0 || c.EndMS < 0 || c.EndMS > 0 && c.EndMS <= c.StartMS, "end must be after start")
	return errors.Join(errs...)
}

// sortCreatives checks the creatives and lists them by media.
func (c *CompiledCampaign) sortCreatives() error {
	var errs []error
	for i := range c.Creatives {
		cr := &c.Creatives[i]
		switch cr.Media {
		case MediaBanner:
			for _, s := range cr.Sizes {
				if s.W <= 0 || s.H <= 0 {
					errs = append(errs, fmt.Errorf("creative %d: size %dx%d", cr.ID, s.W, s.H))
				}
			}
			if cr.Image != nil && (cr.Image.Path == "" || len(cr.Sizes) != 1) {
				errs = append(errs, fmt.Errorf("creative %d: a picture needs its path and one size", cr.ID))
			}
			c.Banners = append(c.Banners, cr)
		case MediaNative:
			c.Natives = append(c.Natives, cr)
		case MediaVideo:
			if cr.Video == nil || cr.Video.URL == "" || cr.Video.DurationMS <= 0 {
				errs = append(errs, fmt.Errorf("creative %d: a video needs an URL and a duration", cr.ID))
			}
			c.Videos = append(c.Videos, cr)
		default:
			errs = append(errs, fmt.Errorf("creative %d: media %q is not banner, video or native", cr.ID, cr.Media))
		}
	}
	if len(c.Creatives) == 0 {
		errs = append(errs, errors.New("the campaign has no creative"))
	}
	return errors.Join(errs...)
}
