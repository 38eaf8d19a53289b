package certify

import (
	"context"
	"fmt"

	"github.com/grosz/grosz/bench/check"
	"github.com/grosz/grosz/internal/money"
)

// Kinds of notice.
const (
	kindWin        = "nurl"
	kindBilling    = "burl"
	kindLoss       = "lurl"
	kindImpression = "impression"
)

// call is one notice of a play, with what stands for ${AUCTION_PRICE}.
type call struct {
	kind  string
	price string
}

// play is one bid's fate: what is called, in which order, and what the books
// must say then. A bid is billed by nurl, burl or impression, whichever was
// agreed; a play calls all three alike, so it need not know.
type play struct {
	name string
	// rule that the calls show as they are taken; the kinds' own are shown
	// by every play.
	rule string
	// books is the rule that the ledger shows; expect what it must say.
	books  string
	expect func(bid money.CPM) expectation
	calls  func(bid money.CPM) []call
	test   bool
}

// expectation is what the books say of a bid.
type expectation struct {
	settled          bool
	amount, disputed money.Nano
}

// booking is a bid whose calls were taken.
type booking struct {
	bid    string
	rule   string
	expect expectation
	ev     evidence
}

func nothing(money.CPM) expectation { return expectation{} }

func atBid(bid money.CPM) expectation {
	return expectation{settled: true, amount: bid.PerImpression()}
}

// below is a price under the bid: nine tenths of it.
func below(bid money.CPM) money.CPM { return bid / 10 * 9 }

func atBelow(bid money.CPM) expectation {
	return expectation{settled: true, amount: below(bid).PerImpression()}
}

// won are the three events of an impression that was won, at one price text.
func won(price string) []call {
	return []call{{kindWin, price}, {kindBilling, price}, {kindImpression, price}}
}

func says(text string) func(money.CPM) []call {
	return func(money.CPM) []call { return won(text) }
}

func plays() []play {
	reported := func(bid money.CPM) string { return below(bid).String() }
	out := []play{
		{name: "won at nine tenths of the bid", rule: rulePriceText, books: ruleBooked, expect: atBelow, calls: func(b money.CPM) []call { return won(reported(b)) }},
		{name: "won at the bid", rule: rulePriceText, books: ruleBooked, expect: atBid, calls: func(b money.CPM) []call { return won(b.String()) }},
		{name: "won at a whole number", rule: rulePriceText, books: ruleBooked,
			expect: func(b money.CPM) expectation {
				return expectation{settled: true, amount: whole(b).PerImpression(), disputed: max(0, whole(b)-b).PerImpression()}.atMost(b)
			},
			calls: func(b money.CPM) []call { return won(fmt.Sprint(int64(whole(b) / money.CPMUnit))) }},
		{name: "thirty times the bid", rule: rulePriceText, books: ruleDisputed,
			expect: func(b money.CPM) expectation {
				return expectation{settled: true, amount: b.PerImpression(), disputed: (29 * b).PerImpression()}
			},
			calls: func(b money.CPM) []call { return won((30 * b).String()) }},
		{name: "AUDIT", rule: rulePriceText, books: ruleAudited, expect: nothing, calls: says("AUDIT")},
		{name: "every notice three times", rule: ruleRepeat, books: ruleOnce, expect: atBelow, calls: func(b money.CPM) []call {
			return append(append(won(reported(b)), won(reported(b))...), won(reported(b))...)
		}},
		{name: "every notice again, with another price", rule: ruleRepeat, books: ruleOnce, expect: atBelow, calls: func(b money.CPM) []call {
			return append(won(reported(b)), won((b / 2).String())...)
		}},
		{name: "burl, impression, then nurl", rule: ruleOrder, books: ruleBooked, expect: atBelow, calls: func(b money.CPM) []call {
			p := reported(b)
			return []call{{kindBilling, p}, {kindImpression, p}, {kindWin, p}}
		}},
		{name: "lost", rule: ruleLoss, books: ruleLost, expect: nothing, calls: func(b money.CPM) []call { return []call{{kindLoss, b.String()}} }},
		{name: "won, then lurl", rule: ruleLateLoss, books: ruleAfterLoss, expect: atBelow, calls: func(b money.CPM) []call {
			return append(won(reported(b)), call{kindLoss, b.String()})
		}},
		{name: "lurl, then won", rule: ruleOrder, books: ruleAfterLoss, expect: atBelow, calls: func(b money.CPM) []call {
			return append([]call{{kindLoss, b.String()}}, won(reported(b))...)
		}},
		{name: "test traffic", rule: rulePriceText, books: ruleTestFree, expect: nothing, test: true, calls: func(b money.CPM) []call { return won(b.String()) }},
	}
	for _, text := range []struct{ name, price string }{
		{"no price", ""}, {"the macro itself", "${AUCTION_PRICE}"}, {"a word", "abc"}, {"NaN", "NaN"}, {"a decimal comma", "1,25"},
		{"a negative price", "-1"}, {"an exponent", "1e3"}, {"an encrypted price", "SjVLvgAGpzsK0qDBABCDEFGHijklmnopQRSTUA"},
	} {
		out = append(out, play{name: text.name + " for ${AUCTION_PRICE}", rule: rulePriceText, books: ruleAtBid, expect: atBid, calls: says(text.price)})
	}
	return out
}

// whole is the bid without its fraction, at least 1.
func whole(b money.CPM) money.CPM { return max(b-b%money.CPMUnit, money.CPMUnit) }

// atMost books no more than the bid.
func (e expectation) atMost(b money.CPM) expectation {
	e.amount = min(e.amount, b.PerImpression())
	return e
}

// notices plays every fate of a bid, then what nobody honest would send.
func (r *run) notices(ctx context.Context) error {
	for i, p := range plays() {
		media := []m{banner(300, 250), video(5, 30), native("1.2", nativeAsk("1.2"))}
		at := 0
		if i < len(media) { // each format once, banners for the rest
			at = i
		}
		r.playNotices(ctx, &p, media[at])
		if ctx.Err() != nil {
			return nil // Run tells
		}
	}
	for _, ad := range []m{banner(300, 250), video(5, 30), native("1.2", nativeAsk("1.2"))} {
		r.markup(ctx, ad)
	}
	r.altered(ctx)
	return nil
}

// auction gets one valid bid and what it wants called.
func (r *run) auction(ctx context.Context, name string, req m) (check.Bid, calls, evidence, bool) {
	b, ok := r.firstBid(ctx, name, req, true)
	if !ok {
		return b, calls{}, evidence{}, false
	}
	ev := evidence{name, r.bidIDs[b.ID]}
	c, err := callsOf(b, r.ours(b))
	if err != nil {
		r.rec.fail(string(check.RuleMarkup), ev, "%v", err)
		return b, c, ev, false
	}
	return b, c, ev, true
}

// ours are the hosts that notices may be sent to: the endpoint's own, and
// those of the bid's notice URLs.
func (r *run) ours(b check.Bid) map[string]bool {
	out := map[string]bool{r.wire.url.Host: true}
	for _, u := range []string{b.NURL, b.BURL, b.LURL} {
		if h := hostOf(u); h != "" {
			out[h] = true
		}
	}
	return out
}

func (r *run) playNotices(ctx context.Context, p *play, ad m) {
	req := one(ad)
	if p.test {
		req["test"] = 1
	}
	b, c, ev, ok := r.auction(ctx, p.name, req)
	if !ok {
		r.rec.unseen(p.rule, evidence{name: p.name}, "no valid bid to send notices for")
		return
	}
	taken, sent := true, 0
	for _, k := range p.calls(b.Price) {
		raw, rule := c.of(k.kind)
		if raw == "" {
			r.rec.unseen(rule, ev, "the bid has no %s of the bidder's", k.kind)
			continue
		}
		url := fill(raw, b, r.id, k.price)
		at := evidence{p.name + ": " + k.kind, url}
		res, err := r.get(ctx, url)
		if ctx.Err() != nil {
			return
		}
		ok := err == nil && (res.status == 200 || res.status == 204)
		r.rec.verdict(ok, rule, at, "%s answered %d%s", k.kind, res.status, errText(err))
		if p.rule != rule {
			r.rec.verdict(ok, p.rule, at, "%s with %q answered %d%s", k.kind, k.price, res.status, errText(err))
		}
		taken = taken && ok
		sent++
	}
	if taken && sent > 0 {
		r.expect(b, p, ev)
	}
}

// expect notes what the books must say; in a run of test traffic, nothing.
func (r *run) expect(b check.Bid, p *play, ev evidence) {
	want := p.expect(b.Price)
	if r.cfg.Test {
		want = expectation{}
	}
	r.booked = append(r.booked, booking{bid: b.ID, rule: p.books, expect: want, ev: ev})
}

// of is the URL of a kind of notice, and the rule that it shows.
func (c *calls) of(kind string) (raw, rule string) {
	switch kind {
	case kindWin:
		return c.win, ruleWin
	case kindBilling:
		return c.billing, ruleBilling
	case kindLoss:
		return c.loss, ruleLoss
	}
	if len(c.impressions) > 0 {
		raw = c.impressions[0]
	}
	return raw, ruleImpression
}
