package bidder

import (
	"github.com/grosz/grosz/bidder/privacy"
	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/plan"
	"github.com/grosz/grosz/segments"
)

// recalled is what a sampled decision depended on that moves by itself, beside
// the configuration: of all that the node goes on learning the few numbers that
// this request asked for. A replay goes by them. Immutable once made.
type recalled struct {
	basis   privacy.Basis
	user    segments.UserKey
	model   *value.Model
	version int64           // of the model, 0: none
	view    *plan.PriceView // in the sample: of this request's groups alone
	plans   uint64          // number of the plan
	paces   map[uint32]uint64
	worth   map[worthKey]campaigns.Worth
	rates   [8]float32 // share of bids that settle, by media type
	refused []notOffered
	people  []pacing.Person
	// What visitors of the matching campaigns' shops look at, and the prices
	// that they saw.
	together *creatives.Together
	pages    *pagePrices
}

// worthKey is a campaign's case for an imp by one media type.
type worthKey struct {
	imp      int
	media    uint8
	campaign int32
}

// notOffered is an imp that was passed over for another exchange's way to it.
type notOffered struct {
	imp    int
	reason NoBidReason
}

// beforehand takes down, before a request that is sampled is bid on, what may
// change meanwhile. What is the same afterwards was so all the time.
func (s *Sampler) beforehand(c *bidContext) recalled {
	b := s.b
	return recalled{model: b.model.Load(), view: c.exchange.market.View(), plans: b.plans.Load()}
}

// recall completes it after the bid; false where something has changed in
// between, so that nobody can say what the bid went by.
func (s *Sampler) recall(c *bidContext, r *recalled) bool {
	b := s.b
	if b.model.Load() != r.model || c.exchange.market.View() != r.view || b.plans.Load() != r.plans || r.plans%2 == 1 {
		return false
	}
	if r.model != nil {
		r.version = r.model.Version
	}
	r.model = nil // as large as it is it is not kept
	r.basis, r.user, r.refused = c.basis, c.user, append([]notOffered(nil), c.notOffered...)
	r.paces, r.worth = map[uint32]uint64{}, map[worthKey]campaigns.Worth{}
	for media := events.MediaBanner; media <= events.MediaNative; media++ {
		r.rates[media&7] = b.book.WinRate(c.exchange.delayClass(media))
	}
	r.together, r.pages = creatives.NewTogether(), newPagePrices()
	return true
}

// noteMatches keeps what the campaigns that match an imp were worth and paced
// by. t's imp is described, its matches are just made.
func (r *recalled) noteMatches(b *Bidder, t *terms, matches []int32) {
	c := t.c
	snap := c.state.Snapshot
	for _, k := range matches {
		camp := snap.Campaigns[k]
		if p := c.state.paces[k]; p != nil {
			r.paces[camp.ID] = p.Planned()
		}
		if goal, orders := snap.HasGoal(k); goal {
			b.goalCPM(t, k, orders)
			r.worth[worthKey{t.index, t.media, k}] = c.learnt.worth
		}
	}
}

// notePeople keeps what the shops of the campaigns know of the person's
// sightings, but for this request's own bids, and what goes with the products
// of the profile.
func (r *recalled) notePeople(b *Bidder, c *bidContext, known map[int32]bool) {
	type atShop struct {
		shop  *campaigns.CompiledShop
		whats []pacing.What
	}
	shops := map[uint32]*atShop{}
	for k := range known {
		camp := c.state.Snapshot.Campaigns[k]
		a := shops[camp.ShopID]
		if a == nil {
			a = &atShop{shop: camp.Shop, whats: []pacing.What{pacing.WhatShop()}}
			shops[camp.ShopID] = a
		}
		a.whats = append(a.whats, pacing.WhatCampaign(camp.ID))
		for _, list := range [...][]*campaigns.Creative{camp.Banners, camp.Videos, camp.Natives} {
			for _, cr := range list {
				a.whats = append(a.whats, pacing.WhatCreative(cr.ID))
			}
		}
	}
	own := make([]events.ID, 0, len(c.bids))
	for i := range c.bids {
		own = append(own, c.bids[i].id)
	}
	for id, a := range shops {
		if c.basis.Identify && !c.user.IsZero() {
			r.people = append(r.people, pacing.Remember(b.frequency, b.shown, b.hidden, segments.Pseudonym(a.shop.Salt, c.user), a.whats, own))
		}
		var products []uint64
		if p := c.profile(id); p != nil {
			products = append(products, p.Cart[0], p.Products[0])
		}
		b.together.Of(r.together, id, products...)
		if a.shop.PriceMoveBPS > 0 {
			b.pagePrices.copyShop(r.pages, id)
		}
	}
}

// person is what was remembered of somebody, by a shop's pseudonym.
func (r *recalled) person(user uint64) *pacing.Person {
	for i := range r.people {
		if r.people[i].User == user {
			return &r.people[i]
		}
	}
	return &pacing.Person{}
}

// into makes a shadow go by what is recalled.
func (r *recalled) into(s *shadow) {
	b := s.b
	b.recalled = r
	b.hidden, b.shown = pacing.NewHidden(16*len(r.people)+1), pacing.NewShown(16*len(r.people)+1)
	b.together, b.pagePrices = r.together, r.pages
	for i := range r.people {
		r.people[i].Recall(s.frequency, b.shown, b.hidden)
	}
	s.exchange.market = plan.FixedPrices(r.view)
	for i, camp := range s.state.Snapshot.Campaigns {
		if planned, ok := r.paces[camp.ID]; ok && s.state.paces[i] != nil {
			s.state.paces[i] = plan.PlannedPace(planned)
		}
	}
}

// recallWorth sets what an impression was worth to a campaign with goals; ok is
// false where nothing is recalled.
func (b *Bidder) recallWorth(t *terms, campaign int32, w *campaigns.Worth) (ok bool) {
	if b.recalled == nil {
		return false
	}
	known, ok := b.recalled.worth[worthKey{t.index, t.media, campaign}]
	if ok {
		w.Click, w.Order, w.OrderValue, w.Control = known.Click, known.Order, known.OrderValue, known.Control
	}
	return ok
}

// winRate is the share of an exchange's bids of a media type that settle.
func (b *Bidder) winRate(c *bidContext, media uint8) float32 {
	if b.recalled != nil {
		return b.recalled.rates[media&7]
	}
	return b.book.WinRate(c.exchange.delayClass(media))
}

// onlyAsks tells whether bids are counted nowhere: in a shadow that shares the
// live counts. One that recalls a person has counts of its own.
func (b *Bidder) onlyAsks() bool { return b.shadowed && b.recalled == nil }

// offer is claimImp's answer then.
func (r *recalled) offer(imp int) NoBidReason {
	for _, n := range r.refused {
		if n.imp == imp {
			return n.reason
		}
	}
	return ReasonNone
}
