package certify

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/check"
)

// maxRounds bounds how many advertisers are blocked one after another.
const maxRounds = 24

// learn blocks what the bidder has just bid, and expects something else or
// nothing. One ordinary bid per media type is what it learns from.
func (r *run) learn(ctx context.Context) error {
	r.rec.weight = learned
	defer func() { r.rec.weight = aimed }()
	r.blockAdvertisers(ctx)
	for _, k := range []struct {
		name, field string
		imp         m
	}{
		{"banner", "banner", banner(300, 250)}, {"video", "video", video(5, 30)}, {"native", "native", native("1.2", nativeAsk("1.2"))},
	} {
		b, ok := r.firstBid(ctx, "a "+k.name+" to learn from", one(k.imp), false)
		if ok {
			r.blockWhatIsIn(ctx, k.name, k.field, k.imp, b)
		}
	}
	r.sameCreative(ctx)
	return nil
}

// firstBid asks until a valid bid comes, a few times.
func (r *run) firstBid(ctx context.Context, name string, req m, onlyValid bool) (check.Bid, bool) {
	for range 3 {
		body := r.body(req)
		res, ok := r.judge(ctx, evidence{name, string(body)}, body)
		for i := range res.Bids {
			if b := res.Bids[i]; b.Valid || !onlyValid {
				return b, true
			}
		}
		if !ok {
			break
		}
	}
	return check.Bid{}, false
}

// blockAdvertisers blocks one advertiser after another, until nobody is left
// to bid. Capitals do not matter in a domain.
func (r *run) blockAdvertisers(ctx context.Context) {
	var blocked list
	for round := range maxRounds {
		body := r.body(with(m{"badv": blocked}))
		ev := evidence{fmt.Sprintf("badv with %d advertisers of earlier bids", len(blocked)), string(body)}
		res, ok := r.judge(ctx, ev, body)
		if !ok {
			return
		}
		if len(res.Bids) == 0 {
			if round > 0 {
				r.rec.pass(string(check.RuleBAdv), ev, "nobody is left, 204")
			} else {
				r.rec.unseen(string(check.RuleBAdv), ev, "no bid to learn an advertiser from")
			}
			return
		}
		for _, d := range res.Bids[0].ADomain {
			if slices.ContainsFunc(blocked, func(e any) bool { return strings.EqualFold(fmt.Sprint(e), d) }) {
				return // bid again all the same: judge has it
			}
			if round%2 == 1 {
				d = strings.ToUpper(d)
			}
			blocked = append(blocked, d)
		}
		if round > 0 {
			r.rec.pass(string(check.RuleBAdv), ev, "another advertiser: %s", describe(res.Bids[0]))
		}
	}
}

// blockWhatIsIn sends a bid's own properties back as what is not wanted.
func (r *run) blockWhatIsIn(ctx context.Context, media, field string, ad m, b check.Bid) {
	again := func(name string, rule check.Rule, w want, more m) {
		r.play(ctx, &sample{media + ": " + name, rules(rule), w, request(list{imp("1", ad)}, more)})
	}
	if len(b.Cat) > 0 {
		again("the bid's category blocked", check.RuleBCat, wantRight, m{"bcat": anys(b.Cat)})
		parent, _, _ := strings.Cut(b.Cat[0], "-")
		again("the bid's whole category blocked", check.RuleBCat, wantRight, m{"bcat": list{parent}})
		again("only the bid's category allowed", check.RuleACat, wantBid, m{"acat": anys(b.Cat)})
	} else {
		r.rec.unseen(string(check.RuleBCat), evidence{name: media}, "the bid names no category")
	}
	if b.Bundle != "" {
		again("the bid's app blocked", check.RuleBApp, wantRight, m{"bapp": list{b.Bundle}})
	} else {
		r.rec.unseen(string(check.RuleBApp), evidence{name: media}, "no bid was for an app (bid.bundle)")
	}
	if b.Language != "" {
		again("the bid's language wanted", check.RuleLanguage, wantBid, m{"wlang": list{b.Language}})
	}
	if len(b.Attr) > 0 {
		attrs := make(list, 0, len(b.Attr))
		for _, a := range b.Attr {
			attrs = append(attrs, a)
		}
		r.play(ctx, &sample{media + ": the bid's attributes blocked", rules(check.RuleBAttr), wantRight, one(overMedia(ad, field, m{"battr": attrs}))})
	}
	if b.Seat != "" {
		again("the bid's seat wanted", check.RuleSeat, wantBid, m{"wseat": list{b.Seat}})
		again("the bid's seat blocked", check.RuleSeat, wantNone, m{"bseat": list{b.Seat}})
		pmp := m{"pmp": m{"private_auction": 1, "deals": list{m{"id": "certify-own", "at": 1, "bidfloor": 0.02, "wseat": list{b.Seat}, "wadomain": anys(b.ADomain)}}}}
		r.play(ctx, &sample{media + ": deal for the bid's seat and advertiser", rules(check.RuleDealSeat, check.RuleDeal), wantBid, one(ad, pmp)})
	}
	price := b.Price.String()
	r.play(ctx, &sample{media + ": floor at the bid", rules(check.RuleFloor), wantRight, one(ad, m{"bidfloor": number(price)})})
	r.play(ctx, &sample{media + ": floor a thousand times the bid", rules(check.RuleFloor), wantRight, one(ad, m{"bidfloor": number((b.Price * 1000).String())})})
}

// overMedia is an imp's media object with fields over it.
func overMedia(ad m, field string, more m) m {
	inner := m{}
	if old, ok := ad[field].(m); ok {
		for k, v := range old {
			inner[k] = v
		}
	}
	for k, v := range more {
		inner[k] = v
	}
	return m{field: inner}
}

func anys(in []string) list {
	out := make(list, 0, len(in))
	for _, s := range in {
		out = append(out, s)
	}
	return out
}

// sameCreative asks for the same thing over and over: an exchange that
// reviews creatives must not meet a new id every time.
func (r *run) sameCreative(ctx context.Context) {
	const asked = 12
	ids := map[string]bool{}
	bids, last := 0, evidence{}
	for range asked {
		body := r.body(one(banner(300, 250)))
		last = evidence{"the same slot again and again", string(body)}
		res, ok := r.judge(ctx, last, body)
		if !ok {
			return
		}
		for i := range res.Bids {
			bids++
			ids[res.Bids[i].CrID] = true
		}
	}
	if bids < 3 {
		r.rec.unseen(ruleCridSame, last, "%d bids are too few to tell", bids)
		return
	}
	r.rec.verdict(len(ids) < bids, ruleCridSame, last, "%d creative ids in %d bids for one slot", len(ids), bids)
}

// timing looks at tmax, and measures how fast the bidder says no.
func (r *run) timing(ctx context.Context) error {
	const tmax, tries = 250, 3
	var fastest time.Duration
	var last evidence
	for range tries { // a busy machine may be slow once
		body := r.body(with(m{"tmax": tmax}))
		last = evidence{"tmax 250", string(body)}
		r.rec.report.Requests++
		a, took, err := r.wire.post(ctx, body)
		if err != nil {
			r.rec.fail(ruleTMax, last, "no answer: %v", err)
			return nil
		}
		r.judged(last, body, a, took)
		if fastest == 0 || took < fastest {
			fastest = took
		}
	}
	r.rec.verdict(fastest <= tmax*time.Millisecond, ruleTMax, last, "answered after %v", fastest.Round(10*time.Microsecond))
	r.play(ctx, &sample{"tmax 1, which is no time at all", rules(check.RuleStatus), wantRight, with(m{"tmax": 1})})
	for range 100 {
		body := r.body(request(list{imp("1", banner(300, 250), m{"bidfloor": 1_000_000})}, nil))
		if _, ok := r.judge(ctx, evidence{"floor that nobody pays", string(body)}, body); !ok {
			return nil
		}
	}
	return nil
}

// alive asks once more, on a new connection.
func (r *run) alive(ctx context.Context) error {
	r.wire.close()
	body := r.body(one(banner(300, 250)))
	r.rec.report.Requests++
	a, _, err := r.wire.post(ctx, body)
	ok := err == nil && (a.Status == http.StatusOK || a.Status == http.StatusNoContent)
	r.rec.verdict(ok, ruleAlive, evidence{"an ordinary request at the end", string(body)}, "status %d%s", a.Status, errText(err))
	return nil
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return ", " + err.Error()
}
