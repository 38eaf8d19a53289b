package bidder

import (
	"bytes"
	"cmp"
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/plan"
	"github.com/grosz/grosz/segments"
)

// What Explain wraps.
var (
	ErrNoExchange  = errors.New("no such exchange")
	ErrNotRequest  = errors.New("not an OpenRTB bid request")
	ErrNoShop      = campaigns.ErrNoShop
	errNoSuchLimit = errors.New("limit is 1 to 10000 campaigns")
)

// ExplainOptions narrow an explanation. The zero value is everything.
type ExplainOptions struct {
	// Shop looks at one shop's campaigns as if there were no other; 0: all.
	Shop uint32
	// Limit bounds the campaigns listed per imp and media type; 0 means 50.
	Limit int

	seed [32]byte // zero: drawn
}

const maxExplained = 10_000

// Explain tells what the request would be answered now and, for every
// campaign, all that is against it. It changes nothing: no hold, no counter,
// no log. Slow: all campaigns are looked at, in every media type of every
// imp. Safe for many goroutines.
func (b *Bidder) Explain(exchange string, request []byte) (*Explanation, error) {
	return b.ExplainWith(exchange, request, ExplainOptions{})
}

// ExplainWith is Explain, narrowed.
func (b *Bidder) ExplainWith(exchange string, request []byte, opt ExplainOptions) (*Explanation, error) {
	if opt.Limit == 0 {
		opt.Limit = 50
	}
	if opt.Limit < 0 || opt.Limit > maxExplained {
		return nil, errNoSuchLimit
	}
	live := b.state.Load()
	x := live.Exchanges[exchange]
	if x == nil {
		return nil, fmt.Errorf("%w: %q", ErrNoExchange, exchange)
	}
	snap := live.Snapshot
	if opt.Shop != 0 {
		var err error
		if snap, err = live.Snapshot.OnlyShop(opt.Shop); err != nil {
			return nil, err
		}
	}
	o := outside{
		snapshot: snap, exchange: x, rates: live.Rates, nowMS: b.clock.NowMS(),
		profiles: b.profiles.Load(), frequency: b.frequency, book: b.room(opt.Shop),
	}
	if o.seed = opt.seed; o.seed == ([32]byte{}) {
		_, _ = crand.Read(o.seed[:]) // never fails, by its contract
	}
	e := &explaining{live: b, shadow: b.shadow(o), opt: opt, body: bytes.Clone(request)}
	for _, camp := range snap.Campaigns {
		day := e.b.days.at(camp.Shop.Location, o.nowMS).number
		s := b.book.Account(camp.ID).State(day)
		e.spend(camp, s.Used, s.DayUsed)
		e.lendAs(b, camp.ID)
	}
	return e.explain()
}

// room is how many holds are still possible: none when the live book is full.
// A shop is not shown what others have open.
func (b *Bidder) room(shop uint32) pacing.Config {
	if s := b.book.Stats(); shop == 0 && s.Holds >= s.MaxHolds {
		return pacing.Config{MaxHolds: -1}
	}
	return pacing.Config{}
}

// explaining is one explanation being made.
type explaining struct {
	*shadow
	live *Bidder
	opt  ExplainOptions
	body []byte
	c    *bidContext // of the analysis
	out  Explanation
}

func (e *explaining) explain() (*Explanation, error) {
	c, err := e.parsed()
	if err != nil {
		return nil, err
	}
	e.c = c
	e.out.Exchange, e.out.Shop = e.exchange.Name, e.opt.Shop
	e.request()
	e.b.describeRequest(c)
	e.inputs()
	for i := range c.view.Imps {
		e.imp(i)
	}
	if err := e.decide(); err != nil {
		return nil, err
	}
	for i := range e.out.Imps {
		e.finish(&e.out.Imps[i])
	}
	return &e.out, nil
}

func (e *explaining) parsed() (*bidContext, error) {
	c := e.context()
	err := c.view.Parse(e.body)
	if err == nil && c.view.ID == "" {
		err = errNoID
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotRequest, err)
	}
	return c, nil
}

// request lists what is against the request as a whole; what can be taken
// away is, so that the campaigns can be looked at all the same.
func (e *explaining) request() {
	if !e.live.bidding() {
		_, why := e.live.Ready()
		e.out.Reasons = append(e.out.Reasons, Miss{Rule: ReasonNotReady.String(), Detail: why})
	}
	var met [numReasons]bool
	for {
		r := e.b.accept(e.c)
		if r == ReasonNone || met[r] {
			break
		}
		met[r] = true
		e.out.Reasons = append(e.out.Reasons, Miss{Rule: r.String(), Detail: requestDetail(e.c, r)})
		if !relaxRequest(e.c, r) {
			break
		}
	}
	if e.c.deadline <= 0 && !met[ReasonNoTime] {
		e.out.Reasons = append(e.out.Reasons, Miss{Rule: ReasonNoTime.String(), Detail: requestDetail(e.c, ReasonNoTime)})
	}
}

func (e *explaining) inputs() {
	c, in := e.c, &e.out.Inputs
	in.Time, in.TimeMS = time.UnixMilli(e.nowMS).UTC().Format(time.RFC3339Nano), e.nowMS
	in.AuctionType, in.DeadlineMS, in.Test = c.at, c.deadline.Milliseconds(), c.view.Test
	if c.currency != (money.Currency{}) {
		in.Currency = c.currency.String()
	}
	in.MayProfile, in.Known = c.basis.Profile, !c.user.IsZero()
	for i := range c.facts.Profiles {
		if p := &c.facts.Profiles[i]; e.opt.Shop == 0 || p.Shop == e.opt.Shop {
			in.Profiles = append(in.Profiles, profileFacts(p))
		}
	}
	if e.opt.Shop == 0 { // the version counts everybody's changes
		in.Node, in.ConfigVersion, in.Seed = e.live.cfg.Node, e.snapshot.Version, hex.EncodeToString(e.seed[:])
	}
	for _, camp := range e.snapshot.Campaigns {
		from := camp.Shop.Currency.String()
		if slices.ContainsFunc(in.Rates, func(r RateUsed) bool { return r.From == from }) {
			continue
		}
		if rate, ok := e.rates.Rate(camp.Shop.Currency, c.currency); ok {
			in.Rates = append(in.Rates, RateUsed{From: from, To: in.Currency, Rate: rate})
		}
	}
}

func profileFacts(p *segments.ShopProfile) ProfileFacts {
	at := func(s uint32) string {
		if s == 0 {
			return ""
		}
		return time.Unix(int64(s), 0).UTC().Format(time.RFC3339)
	}
	return ProfileFacts{
		Shop: p.Shop, First: at(p.First), Last: at(p.Last), LastView: at(p.LastView), LastSearch: at(p.LastSearch),
		LastCart: at(p.LastCart), LastCheckout: at(p.LastCheckout), LastPurchase: at(p.LastPurchase),
		Visits: p.Visits, Views: p.Views, Orders: p.Orders, CartLines: p.CartLen(), CartValue: p.CartValue,
	}
}

// imp looks at one imp in each media type that it offers.
func (e *explaining) imp(i int) {
	imp := &e.c.view.Imps[i]
	var always []Miss
	if imp.Multiplier != 0 && imp.Multiplier != 1_000_000 {
		always = append(always, Miss{Rule: ReasonMultiplier.String(), Detail: "one bid would buy several impressions"})
	}
	if duplicateImp(e.c, i) {
		always = append(always, Miss{Rule: ReasonMalformed.String(), Detail: "the imp has no id, or an earlier one has the same"})
	}
	any := false
	for media := events.MediaBanner; media <= events.MediaNative; media++ {
		if !offered(imp, media) {
			continue
		}
		any = true
		out := ExplainedImp{Imp: imp.ID, Index: i, Media: events.MediaName(media), Reasons: slices.Clone(always)}
		if e.exchange.media[media] {
			e.media(&out, i, media)
		} else {
			out.Reasons = append(out.Reasons, Miss{Rule: ReasonMediaNotTaken.String(), Detail: "not taken from this exchange"})
		}
		e.out.Imps = append(e.out.Imps, out)
	}
	if !any {
		always = append(always, Miss{Rule: ReasonMediaNotTaken.String(), Detail: "neither banner, video nor native is offered"})
		e.out.Imps = append(e.out.Imps, ExplainedImp{Imp: imp.ID, Index: i, Reasons: always})
	}
}

// media looks at every campaign for one media type of an imp.
func (e *explaining) media(out *ExplainedImp, i int, media uint8) {
	t := &terms{c: e.c, imp: &e.c.view.Imps[i], index: i, media: media}
	before := t.save()
	defer t.restore(before)
	misses, opened := t.openMisses()
	out.Reasons = append(out.Reasons, misses...)
	e.b.describeImp(e.c, i, media)
	e.c.learnt.ready = false
	out.Matched = len(e.snapshot.Match(&e.c.facts, e.c.matcher))
	out.Looked, out.Failing = len(e.snapshot.Campaigns), map[string]int{}
	var nearest *ExplainedCampaign
	for k := range e.snapshot.Campaigns {
		camp := e.campaign(t, int32(k), opened)
		seen := map[string]bool{}
		for _, m := range camp.Failing {
			if !seen[m.Rule] {
				out.Failing[m.Rule]++
			}
			seen[m.Rule] = true
		}
		if len(camp.Failing) > 0 && (nearest == nil || byNearness(camp, *nearest) < 0) {
			nearest = &camp
		}
		out.Campaigns = append(out.Campaigns, camp)
		if len(out.Campaigns) >= e.opt.Limit+1000 {
			e.cut(out)
		}
	}
	e.cut(out)
	if nearest != nil {
		out.Nearest = nearest.ID
	}
}

// cut keeps the campaigns that come first.
func (e *explaining) cut(out *ExplainedImp) {
	slices.SortFunc(out.Campaigns, byNearness)
	if n := len(out.Campaigns) - e.opt.Limit; n > 0 {
		clear(out.Campaigns[e.opt.Limit:])
		out.Campaigns, out.Cut = out.Campaigns[:e.opt.Limit], out.Cut+n
	}
}

func byNearness(a, b ExplainedCampaign) int {
	return cmp.Or(cmp.Compare(len(a.Failing), len(b.Failing)), cmp.Compare(b.Price, a.Price), cmp.Compare(a.ID, b.ID))
}

// campaign lists all that is against one campaign, stage by stage.
func (e *explaining) campaign(t *terms, k int32, opened bool) ExplainedCampaign {
	c, camp := e.c, e.snapshot.Campaigns[k]
	out := ExplainedCampaign{ID: camp.ID, ShopID: camp.ShopID, Name: camp.Name, Version: camp.Version, Unexamined: !opened}
	for _, clause := range e.snapshot.Explain(&c.facts, c.matcher, k) {
		out.Failing = append(out.Failing, Miss{Rule: "targeting", Detail: clause.Text, Pos: clause.Pos})
	}
	out.Intent = e.intent(camp)
	out.Value = e.value(t, k)
	to, back, ok := c.rates.of(c.state.Rates, camp.Shop.Currency, c.currency)
	if ok {
		out.Rate, out.Price = to, out.Value.CPM.ConvertDown(to)
		if p := c.state.paces[k]; p != nil {
			out.Value.Pace, out.Value.Plan = p.K(), p.Report()
			out.Price = plan.Scale(out.Price, uint32(p.K()*(1<<16)))
		}
	} else if c.currency != (money.Currency{}) { // else the request was refused before one was chosen
		out.Failing = append(out.Failing, Miss{Rule: ReasonCurrency.String(), Detail: "no rate from " + camp.Shop.Currency.String() + " to the bid's currency"})
	}
	if ok && out.Price <= 0 {
		out.Failing = append(out.Failing, Miss{Rule: ReasonNoPrice.String(), Detail: "the value is less than a millionth of a CPM"})
	}
	if opened {
		e.rules(t, k, &out, ok)
	}
	e.paces(t, camp, &out, back, ok)
	return out
}

func (e *explaining) value(t *terms, k int32) ExplainedValue {
	camp := e.snapshot.Campaigns[k]
	v := ExplainedValue{
		Currency: camp.Shop.Currency.String(), Base: camp.Bid.CPM, Max: camp.Bid.MaxCPM, CPM: e.snapshot.BidCPM(k, e.c.matcher),
	}
	for _, b := range e.snapshot.ExplainBoosts(k, e.c.matcher) {
		v.Boosts = append(v.Boosts, ExplainedBoost{When: b.When, BPS: b.BPS, Holds: b.Holds})
	}
	if goal, orders := e.snapshot.HasGoal(k); goal {
		v.CPM = e.b.goalCPM(t, k, orders)
		v.Goal = e.goal(camp.ID)
	}
	return v
}

// rules asks filter.go and price.go.
func (e *explaining) rules(t *terms, k int32, out *ExplainedCampaign, priced bool) {
	cand := candidate{campaign: k, cpm: out.Price}
	if !priced {
		cand.cpm = math.MaxInt64 // let no floor stand in the way of the other rules
	}
	o, misses, whole := t.filterMisses(cand)
	out.Failing = append(out.Failing, misses...)
	out.Unexamined = !whole
	if o.creative == nil {
		return
	}
	out.Creative, out.W, out.H = o.creative.ID, o.w, o.h
	if o.deal != nil {
		out.Deal = o.deal.ID
	}
	if !priced {
		return
	}
	floor, ok := t.floor(&o)
	if ok {
		out.Floor = floor
	}
	if r := t.price(&o); r != ReasonNone {
		detail := fmt.Sprintf("%v %s is below the floor of %v", out.Price, e.c.currency, floor)
		switch {
		case !ok:
			detail = "no rate for the floor's currency"
		case o.price >= floor:
			detail = "below the least price per second"
		}
		out.Failing = append(out.Failing, Miss{Rule: r.String(), Detail: detail})
	}
	out.Price = o.price
}

// paces tells what pace would say, holding nothing.
func (e *explaining) paces(t *terms, camp *campaigns.CompiledCampaign, out *ExplainedCampaign, back money.Rate, priced bool) {
	c := t.c
	if c.basis.Identify && !c.user.IsZero() && e.b.hidden.Campaign(segments.Pseudonym(camp.Shop.Salt, c.user), camp.ID) {
		out.Failing = append(out.Failing, Miss{Rule: ReasonHidden.String(), Detail: "the person asked not to be shown it"})
	}
	if c.basis.Identify && !c.user.IsZero() && heldOut(camp, segments.Pseudonym(camp.Shop.Salt, c.user)) {
		out.Failing = append(out.Failing, Miss{Rule: ReasonHoldout.String(), Detail: "the person is held out: the bid is made and not sent"})
	}
	if limit := camp.Frequency; limit.Impressions > 0 {
		f := &ExplainedCap{Cap: limit.Impressions, Hours: limit.Hours}
		window := int64(limit.Hours) * int64(time.Hour/time.Millisecond)
		switch {
		case c.user.IsZero():
			out.Failing = append(out.Failing, Miss{Rule: ReasonFrequency.String(), Detail: "nobody is known whose impressions could be counted"})
		default:
			f.Seen = e.frequency.Count(segments.Pseudonym(camp.Shop.Salt, c.user), camp.ID, c.nowMS-window)
			if f.Seen >= pacing.Allowed(segments.Pseudonym(camp.Shop.Salt, c.user), pacing.WhatCampaign(camp.ID), f.Cap, limit.Strict) {
				out.Failing = append(out.Failing, Miss{Rule: ReasonFrequency.String(), Detail: fmt.Sprintf("seen %d times in %d h, the cap is %d", f.Seen, f.Hours, f.Cap)})
			}
		}
		out.Frequency = f
	}
	if len(camp.Frequency.Caps) > 0 {
		out.Failing = append(out.Failing, e.b.missedCaps(c, camp)...)
		out.Products = e.products(c, camp)
	}
	if !priced {
		return
	}
	b := &ExplainedBudget{Hold: gross(out.Price.PerImpression(), back, camp.Shop.Fee())}
	out.Budget = b
	day := e.b.days.at(camp.Shop.Location, c.nowMS).number
	free := e.b.book.Account(camp.ID).Free(day)
	if camp.Budget.Total > 0 || camp.Budget.Day > 0 {
		b.Free = &free
	}
	e.leased(camp, out, day)
	if camp.PerClick() && e.b.book.Account(camp.ID).Wallet().Costly() {
		out.Failing = append(out.Failing, e.b.clickLossMiss(camp))
	}
	if b.Hold > free && !c.view.Test { // a test bid holds nothing
		out.Failing = append(out.Failing, Miss{Rule: ReasonBudget.String(), Detail: fmt.Sprintf("an impression takes %v %s, %v are free", b.Hold, camp.Shop.Currency, free)})
	}
}
