package bidder

import (
	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// learnt is a request's scratch for predictions. What is said of the place is
// summed once for an impression; what a shop knows of the person is put
// together once for its candidates in a row.
type learnt struct {
	score     value.Score
	placement []value.Feature
	ready     bool // placement is of the impression in work
	domain    value.Feature

	person     []value.Feature // of personShop
	personShop uint32
	pseudonym  uint64 // of the person at personShop
	own        []value.Feature

	worth campaigns.Worth
	known []coefficient // by campaign; nil: those that are there are of another model
	text  []byte        // packed features of the request's bids
}

// reset forgets the request but keeps the memory.
func (l *learnt) reset() {
	l.score.Reset(nil, nil)
	l.ready, l.known, l.personShop, l.text = false, nil, 0, l.text[:0]
}

// Bounds of features of one candidate.
const (
	maxSegmentFeatures = 12
	frequencyDays      = 7
	mostSeen           = 15 // impressions told apart
)

// placement fills the features of the place, once for an impression and
// media type, and sums them.
func (b *Bidder) placement(t *terms) {
	c := t.c
	l := &c.learnt
	if l.ready {
		return
	}
	f := &c.facts
	w, h := sizeOf(t.imp, t.media)
	name := f.Domain
	if f.Inventory == "app" && f.Bundle != "" {
		name = f.Bundle
	}
	domain := value.Text(value.FieldDomain, name)
	device, size := value.Text(value.FieldDevice, f.Device), value.Number(value.FieldSize, uint64(w)<<32|uint64(h))
	exchange, media := value.Text(value.FieldExchange, f.Exchange), value.Number(value.FieldMedia, uint64(t.media))
	hours := uint64(c.nowMS) / 3_600_000
	l.domain = domain
	l.placement = append(l.placement[:0],
		exchange, domain, media, size, device,
		value.Cross(value.FieldPlacement, domain, value.Text(value.FieldPlacement, t.imp.TagID)),
		value.Text(value.FieldOS, f.OS),
		value.Number(value.FieldHour, hours%24), value.Number(value.FieldWeekday, (hours/24+4)%7),
		value.Text(value.FieldCountry, f.Country), value.Text(value.FieldRegion, f.Region), value.Text(value.FieldPosition, f.Position),
		value.Cross(value.FieldDomainDevice, domain, device), value.Cross(value.FieldDomainSize, domain, size),
		value.Cross(value.FieldExchangeMedia, exchange, media),
	)
	if len(f.Categories) > 0 {
		l.placement = append(l.placement, value.Text(value.FieldCategory, f.Categories[0]))
	}
	model := b.model.Load()
	l.score.Reset(model, l.placement)
	l.ready, l.known = true, nil
	if k := b.coefficients.Load(); k != nil && k.model == model && k.snapshot == c.state.Snapshot {
		l.known = k.by
	}
}

func sizeOf(imp *openrtb.Imp, media uint8) (w, h int32) {
	switch media {
	case events.MediaBanner:
		if w, h = imp.Banner.W, imp.Banner.H; w == 0 && len(imp.Banner.Formats) > 0 {
			w, h = imp.Banner.Formats[0].W, imp.Banner.Formats[0].H
		}
	case events.MediaVideo:
		w, h = imp.Video.W, imp.Video.H
	}
	return w, h
}

// candidateFeatures are those of a campaign and of what its own shop knows of
// the person. They are valid until the next call.
func (b *Bidder) candidateFeatures(c *bidContext, camp *campaigns.CompiledCampaign, media uint8) []value.Feature {
	l := &c.learnt
	if l.personShop != camp.ShopID {
		b.personFeatures(c, camp.Shop)
	}
	own := value.Number(value.FieldCampaign, uint64(camp.ID))
	l.own = append(l.own[:0], own, value.Cross(value.FieldCampaignDomain, own, l.domain),
		value.Cross(value.FieldCampaignMedia, own, value.Feature(media)))
	if cr := onlyCreative(camp, media); cr != nil {
		l.own = append(l.own, value.Number(value.FieldCreative, uint64(cr.ID)))
	}
	if l.pseudonym != 0 {
		seen := b.frequency.Count(l.pseudonym, camp.ID, c.nowMS-frequencyDays*24*3_600_000)
		l.own = append(l.own, value.Number(value.FieldFrequency, uint64(min(seen, mostSeen))))
	}
	if camp.Kind == campaigns.KindIntent {
		if m := c.state.Snapshot.Intent(&c.facts, camp.ShopID); m != nil && m.N > 0 {
			l.own = append(l.own, value.Number(value.FieldIntent, uint64(m.Strength*10)))
		}
	}
	l.own = append(l.own, l.person...)
	return l.own
}

// onlyCreative is what will be shown, where there is no choice.
func onlyCreative(camp *campaigns.CompiledCampaign, media uint8) *campaigns.Creative {
	var list []*campaigns.Creative
	switch media {
	case events.MediaBanner:
		list = camp.Banners
	case events.MediaVideo:
		list = camp.Videos
	case events.MediaNative:
		list = camp.Natives
	}
	if len(list) != 1 {
		return nil
	}
	return list[0]
}

// personFeatures are what a shop knows of the person, if it may be looked at.
func (b *Bidder) personFeatures(c *bidContext, shop *campaigns.CompiledShop) {
	l := &c.learnt
	l.personShop, l.person, l.pseudonym = shop.ID, l.person[:0], 0
	if c.basis.Identify && !c.user.IsZero() {
		l.pseudonym = segments.Pseudonym(shop.Salt, c.user)
	}
	p := c.profile(shop.ID)
	if p == nil {
		l.person = append(l.person, value.Number(value.FieldStranger, 1))
	} else {
		l.person = append(l.person,
			value.Number(value.FieldRecency, sinceBucket(c.nowMS, p.Last)), value.Number(value.FieldViews, value.Log2(int64(p.Views))),
			value.Number(value.FieldOrders, uint64(min(p.Orders, 4))))
		if n := p.CartLen(); n > 0 {
			l.person = append(l.person, value.Number(value.FieldCart, value.Log2(int64(p.CartValue)>>30)),
				value.Number(value.FieldCartAge, sinceBucket(c.nowMS, p.LastCart)), value.Number(value.FieldPrice, value.Log2(int64(p.CartPrice[0])>>30)))
		} else if viewed := shop.Catalogue.ByHash(p.Products[0]); p.Products[0] != 0 && viewed != nil {
			l.person = append(l.person, value.Number(value.FieldPrice, value.Log2(int64(viewed.Price)>>30)))
		}
	}
	if shop.Segments != nil {
		l.person = appendSegments(l.person, c, shop)
	}
}

// appendSegments adds the segments that the person is known to be in.
func appendSegments(dst []value.Feature, c *bidContext, shop *campaigns.CompiledShop) []value.Feature {
	for i := range c.facts.Members {
		m := &c.facts.Members[i]
		if m.Shop != shop.ID {
			continue
		}
		n := 0
		for slot, rule := range shop.Segments.Set.Rules() {
			if rule == nil || n == maxSegmentFeatures {
				continue
			}
			if in, known := m.Has(slot, rule, c.nowMS); in && known {
				dst = append(dst, value.Number(value.FieldSegment, uint64(rule.ID)))
				n++
			}
		}
	}
	return dst
}

// sinceBucket is the power of two of the minutes since a time in seconds.
func sinceBucket(nowMS int64, atS uint32) uint64 {
	return value.Log2(max(nowMS/1000-int64(atS), 0) / 60)
}

// predicted notes in a bid that goes out what its value was predicted from,
// and the predictions, for the log.
func (b *Bidder) predicted(t *terms, o *bid) {
	c := t.c
	camp := c.state.Snapshot.Campaigns[o.campaign]
	b.placement(t)
	own := b.candidateFeatures(c, camp, t.media)
	l := &c.learnt
	from := len(l.text)
	l.text = value.AppendFeatures(l.text, l.placement, own)
	o.features = span{from, len(l.text)}
	o.click, o.order = l.chance(value.Click, o.campaign, camp, own), l.chance(value.Order, o.campaign, camp, own)
	if g := c.state.goals[o.campaign]; g != nil {
		g.bids.Add(1)
	}
}

// chance predicts a click, or an order after it; what is usual where nothing
// was learned.
func (l *learnt) chance(t value.Target, campaign int32, camp *campaigns.CompiledCampaign, own []value.Feature) float64 {
	if l.known != nil {
		k := &l.known[campaign]
		if p, ok := l.score.Chance(t, camp.ShopID, k.shop, k.calibration[t], own); ok {
			return p
		}
		return value.Prior(t)
	}
	if p, ok := l.score.Predict(t, camp.ShopID, camp.ID, own); ok {
		return p
	}
	return value.Prior(t)
}
