package console

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// Bounds of a campaign.
const (
	maxBudget       = money.Nano(1_000_000_000 * money.NanoUnit)
	maxCreatives    = 50
	maxSizes        = 50
	maxSide         = 8192
	maxCapHours     = 24 * 90
	maxVideoMS      = 180_000
	maxTargeting    = 256 << 10
	maxCampaignJSON = 700_000 // a record is one Kafka message of less than 900 kB
)

// datesToMS lets start and end be given as RFC 3339 too.
func datesToMS(raw json.RawMessage, p *problems) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return raw
	}
	changed := false
	for _, name := range []string{"start", "end"} {
		var text string
		if v, ok := object[name]; !ok || len(v) == 0 || v[0] != '"' || json.Unmarshal(v, &text) != nil {
			continue
		}
		changed = true
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			p.add("body."+name, "%q is neither milliseconds since 1970 nor a time such as 2027-01-31T08:00:00+01:00", clip(text))
			delete(object, name)
			continue
		}
		object[name] = json.RawMessage(strconv.FormatInt(at.UnixMilli(), 10))
	}
	if !changed {
		return raw
	}
	out, err := json.Marshal(object)
	if err != nil {
		return raw
	}
	return out
}

// checkCampaign lists what is wrong with a campaign of a shop; old is what it
// replaces, nil for a new one.
func checkCampaign(c, old *campaigns.Campaign, shop *campaigns.Shop, p *problems) {
	checkText(p, "body.name", c.Name, 1, 200)
	checkOneOf(p, "body.kind", c.Kind, campaigns.KindRemarketing, campaigns.KindIntent, campaigns.KindInterest)
	checkOneOf(p, "body.status", c.Status, campaigns.StatusActive, campaigns.StatusPaused, campaigns.StatusArchived)
	checkExpression(p, "body.targeting", c.Targeting, shop)
	checkBid(p, &c.Bid, c.Goal.Any() || c.PerClick(), shop)
	if field, what := c.CheckBilling(); field != "" {
		p.add("body."+field, "%s", what)
	}
	checkGoal(p, c)
	checkAmount(p, "body.budget.total", c.Budget.Total)
	checkAmount(p, "body.budget.day", c.Budget.Day)
	checkAmount(p, "body.budget.week", c.Budget.Week)
	checkFrequency(p, c.Frequency)
	checkRange(p, "body.holdout_bps", c.HoldoutBPS, 0, campaigns.MaxHoldout)
	checkTime(p, "body.start", c.StartMS)
	checkTime(p, "body.end", c.EndMS)
	if c.StartMS != 0 && c.EndMS != 0 && c.EndMS <= c.StartMS {
		p.add("body.end", "must be after start")
	}
	checkCreatives(p, c.Creatives, old)
	if c.Status == campaigns.StatusActive && len(c.Creatives) == 0 {
		p.add("body.creatives", "an active campaign needs at least one")
	}
	// What the bidder's own compiler would refuse must not be stored, even if
	// the checks above do not know it.
	if len(p.list) == 0 && c.Status == campaigns.StatusActive {
		if err := c.Check(shop); err != nil {
			p.add("body", "%v", err)
		}
	}
	if doc, err := json.Marshal(c); err != nil || len(doc) > maxCampaignJSON {
		p.add("body", "the campaign takes %d bytes, at most %d are allowed", len(doc), maxCampaignJSON)
	}
}

// checkExpression notes what is wrong with a targeting expression.
func checkExpression(p *problems, at, expr string, shop *campaigns.Shop) {
	if len(expr) > maxTargeting {
		p.add(at, "has %d bytes, at most %d are allowed", len(expr), maxTargeting)
		return
	}
	if strings.TrimSpace(expr) == "" {
		return
	}
	if err := campaigns.CheckTargeting(expr, shop); err != nil {
		p.add(at, "%v", err)
	}
}

// checkGoal notes what is wrong with goals and pacing.
func checkGoal(p *problems, c *campaigns.Campaign) {
	g := &c.Goal
	for _, x := range []struct {
		at string
		n  money.Nano
	}{{"body.goal.max_cpc", g.MaxCPC}, {"body.goal.target_cpo", g.TargetCPO}} {
		if x.n < 0 || x.n > campaigns.MaxGoal {
			p.add(x.at, "%s must be from 0 (no such goal) to %s", x.n, money.Nano(campaigns.MaxGoal))
		}
	}
	checkRange(p, "body.goal.target_roas_bps", g.TargetROASBPS, 0, campaigns.MaxGoalBPS)
	checkRange(p, "body.goal.share_bps", g.ShareBPS, 0, campaigns.MaxBoostBPS)
	if (g.Any() || c.PerClick()) && c.Bid.CPM == 0 && c.Bid.MaxCPM == 0 {
		p.add("body.bid.max_cpm", "is missing: with a goal or billing by clicks and no bid.cpm it bounds what a prediction may bid")
	}
	if c.Pacing != "" {
		checkOneOf(p, "body.pacing", c.Pacing, campaigns.PacingEven, campaigns.PacingFront, campaigns.PacingASAP)
	}
}

func checkBid(p *problems, b *campaigns.Bid, goal bool, shop *campaigns.Shop) {
	if b.CPM < 0 || b.CPM == 0 && !goal || b.CPM > campaigns.MaxCPM {
		p.add("body.bid.cpm", "%s must be more than 0 and at most %s", b.CPM, campaigns.MaxCPM)
	}
	switch {
	case b.MaxCPM < 0 || b.MaxCPM > campaigns.MaxCPM:
		p.add("body.bid.max_cpm", "%s must be from 0 to %s", b.MaxCPM, campaigns.MaxCPM)
	case b.MaxCPM != 0 && b.MaxCPM < b.CPM:
		p.add("body.bid.max_cpm", "%s is below the cpm %s", b.MaxCPM, b.CPM)
	}
	if len(b.Boosts) > campaigns.MaxBoosts {
		p.add("body.bid.boosts", "has %d boosts, at most %d are allowed", len(b.Boosts), campaigns.MaxBoosts)
		return
	}
	for i, boost := range b.Boosts {
		at := indexed("body.bid.boosts", i)
		if strings.TrimSpace(boost.When) == "" {
			p.add(at+".when", "is missing")
		}
		checkExpression(p, at+".when", boost.When, shop)
		checkRange(p, at+".bps", boost.BPS, 1, campaigns.MaxBoostBPS)
	}
}

func checkAmount(p *problems, at string, n money.Nano) {
	if n < 0 || n > maxBudget {
		p.add(at, "%s must be from 0 (no bound) to %s", n, maxBudget)
	}
}

func checkFrequency(p *problems, f campaigns.Frequency) {
	if f.Impressions != 0 || f.Hours != 0 {
		checkRange(p, "body.frequency.impressions", f.Impressions, 1, 10_000)
		checkRange(p, "body.frequency.hours", f.Hours, 1, maxCapHours)
	}
	if len(f.Caps) > campaigns.MaxFrequencyCaps {
		p.add("body.frequency.caps", "has %d caps, at most %d are allowed", len(f.Caps), campaigns.MaxFrequencyCaps)
		return
	}
	for i, c := range f.Caps {
		at := indexed("body.frequency.caps", i)
		if c.Per != campaigns.PerCampaign && c.Per != campaigns.PerShop && c.Per != campaigns.PerCreative && c.Per != campaigns.PerProduct {
			p.add(at+".per", "%q is not campaign, shop, creative or product", clip(c.Per))
		}
		checkRange(p, at+".impressions", c.Impressions, 1, 10_000)
		checkRange(p, at+".hours", c.Hours, 1, maxCapHours)
	}
	if t := f.Fatigue; t != nil {
		checkRange(p, "body.frequency.fatigue.half_after", t.HalfAfter, 0, 1000)
		checkRange(p, "body.frequency.fatigue.recover_minutes", t.RecoverMinutes, 0, 7*24*60)
	}
}

func checkCreatives(p *problems, list []campaigns.Creative, old *campaigns.Campaign) {
	if len(list) > maxCreatives {
		p.add("body.creatives", "has %d creatives, at most %d are allowed", len(list), maxCreatives)
		return
	}
	known := map[uint32]bool{}
	if old != nil {
		for _, c := range old.Creatives {
			known[c.ID] = true
		}
	}
	for i := range list {
		c, at := &list[i], indexed("body.creatives", i)
		if c.ID != 0 && !known[c.ID] {
			p.add(at+".id", "%d is not a creative of this campaign, or stands twice; leave it out for a new one", c.ID)
		}
		delete(known, c.ID)
		checkCreative(p, at, c)
	}
}

func checkCreative(p *problems, at string, c *campaigns.Creative) {
	checkOneOf(p, at+".media", c.Media, campaigns.MediaBanner, campaigns.MediaVideo, campaigns.MediaNative)
	if len(c.Sizes) > maxSizes {
		p.add(at+".sizes", "has %d sizes, at most %d are allowed", len(c.Sizes), maxSizes)
		return
	}
	for i, size := range c.Sizes {
		at := indexed(at+".sizes", i)
		checkRange(p, at+".w", size.W, 1, maxSide)
		checkRange(p, at+".h", size.H, 1, maxSide)
		if slices.Contains(c.Sizes[:i], size) {
			p.add(at, "%dx%d stands twice", size.W, size.H)
		}
	}
	if c.Template != "" {
		checkOneOf(p, at+".template", c.Template, "grid", "carousel", "single", "logo")
	}
	checkText(p, at+".title", c.Title, 0, 200)
	checkText(p, at+".body", c.Body, 0, 500)
	checkText(p, at+".cta", c.CTA, 0, 40)
	checkURL(p, at+".image_url", c.ImageURL, false)
	for i, a := range c.Attr {
		checkRange(p, indexed(at+".attr", i), a, 1, 999)
	}
	if len(c.Attr) > 50 {
		p.add(at+".attr", "has %d attributes, at most 50 are allowed", len(c.Attr))
	}
	switch {
	case c.Video != nil && c.Media != campaigns.MediaVideo:
		p.add(at+".video", "is for media video only")
	case c.Video != nil:
		if c.Asset == "" {
			checkURL(p, at+".video.url", c.Video.URL, true)
		}
		checkVideo(p, at+".video", c.Video)
	case c.Media == campaigns.MediaVideo:
		p.add(at+".video", "is missing")
	}
}

func checkVideo(p *problems, at string, v *campaigns.Video) {
	checkOneOf(p, at+".mime", v.MIME, "video/mp4", "video/webm")
	checkRange(p, at+".duration_ms", v.DurationMS, 1_000, maxVideoMS)
	checkRange(p, at+".w", v.W, 1, maxSide)
	checkRange(p, at+".h", v.H, 1, maxSide)
	checkRange(p, at+".bitrate_kbps", v.BitrateKbps, 1, 100_000)
	if v.SkipAfterMS < 0 || v.SkipAfterMS != 0 && v.SkipAfterMS >= v.DurationMS {
		p.add(at+".skip_after_ms", "%d must be 0 (not skippable) or less than the duration", v.SkipAfterMS)
	}
}
