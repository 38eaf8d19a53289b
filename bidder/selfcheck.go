package bidder

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"sync/atomic"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// The self-check is the last look at a bid before it leaves. It reads the
// bytes that were written, not the struct they were written from, and holds
// them against the request in its own way: it shares no line with filter.go
// and price.go, so that a mistake there does not repeat itself here. What it
// finds is a defect of ours: the bid is dropped, counted and logged.
//
// Hot: about a microsecond for a banner, no allocation.

// maxMarkup bounds adm, in bytes as written.
const maxMarkup = 128 << 10

// fullCheckEvery is how many bids go by between two whose markup is walked
// byte by byte; of the others its two ends are checked.
const fullCheckEvery = 64

// selfRule is a rule that a written bid broke.
type selfRule uint8

// The rules; § of OpenRTB 2.6.
const (
	ruleNone     selfRule = iota
	ruleJSON              // the bytes are one well-formed bid object
	ruleResponse          // § 4.2.1: the request's id
	ruleCurrency          // § 3.2.1: cur is listed
	ruleSeat              // § 3.2.1: wseat, bseat
	ruleImpID             // § 4.2.3: an imp of the request
	ruleOneBid            // § 4.2.2: open_bids open bids per imp, one per deal
	rulePrice             // § 4.2.3: above zero, not above what is held
	ruleFloor             // § 3.2.4, 3.2.12, I § 7.11
	ruleIDs               // id, cid and crid are there
	ruleMType             // offered by the imp, taken from the exchange, true of adm
	ruleMarkup            // adm is there and not too large
	ruleSize              // § 3.2.6, 3.2.10
	ruleADomain           // adomain is there
	ruleBAdv              // § 3.2.1
	ruleBCat              // § 3.2.1
	ruleACat              // § 3.2.1
	ruleAttr              // battr of the media, expdir for what expands
	ruleBType             // § 3.2.6
	ruleMIME              // § 3.2.6, 3.2.7
	ruleDuration          // § 3.2.7
	ruleProtocol          // § 3.2.7
	ruleBitrate           // § 3.2.7
	ruleSkip              // § 3.2.7
	ruleLinear            // § 3.2.7: linearity, delivery
	ruleAsset             // native: every required asset is answered
	ruleLanguage          // § 3.2.1
	ruleDeal              // § 3.2.12: dealid is offered, its wseat and wadomain
	rulePrivate           // § 3.2.11
	ruleSecure            // § 3.2.4
	ruleToken             // the settling notice and the impression carry the token
	ruleExp               // § 4.2.3
	ruleDSA               // § 3.2.3
	numSelfRules
)

var selfRuleNames = [numSelfRules]string{
	"none", "json", "response_id", "currency", "seat", "impid", "one_bid", "price", "floor", "ids", "mtype", "markup", "size",
	"adomain", "badv", "bcat", "acat", "battr", "btype", "mimes", "duration", "protocol", "bitrate", "skip", "linearity",
	"native_asset", "language", "deal", "private_auction", "secure", "token", "exp", "dsa",
}

// String is the rule's name in metrics and the log.
func (r selfRule) String() string {
	if r < numSelfRules {
		return selfRuleNames[r]
	}
	return "unknown"
}

// selfChecks counts what was dropped, by rule.
type selfChecks struct {
	dropped [numSelfRules]atomic.Uint64
	logged  [numSelfRules]limiter
	checked atomic.Uint64
}

func newSelfChecks() *selfChecks {
	s := new(selfChecks)
	for i := range s.logged {
		s.logged[i].n = 1
	}
	return s
}

// write writes the counters in Prometheus' text format, zeros too: an alert
// wants to see a rule before it is first broken.
func (s *selfChecks) write(w io.Writer) {
	for r := ruleJSON; r < numSelfRules; r++ {
		fmt.Fprintf(w, "grosz_selfcheck_dropped_total{rule=%q} %d\n", r, s.dropped[r].Load())
	}
}

// violated counts a dropped bid; one a minute of each rule is logged.
func (b *Bidder) violated(r selfRule, request string, o *bid) {
	b.checks.dropped[r].Add(1)
	const minuteAsSecond = 60 // limiter counts by seconds
	if b.checks.logged[r].allow(b.clock.NowMS() / minuteAsSecond) {
		b.log.LogAttrs(context.Background(), slog.LevelError, "self-check dropped a bid",
			slog.String("rule", r.String()), slog.String("request", clip(request, 64)), slog.String("media", events.MediaName(o.media)))
	}
	if b.cfg.OnViolation != nil {
		b.cfg.OnViolation(r.String(), request)
	}
}

// answered is a bid of this response that has passed the check.
type answered struct {
	imp  int
	deal *openrtb.Deal
}

// selfCheck is one response's check.
type selfCheck struct {
	c    *bidContext
	o    *bid // for what cannot be read back: the hold
	full bool
	head head
	bid  written
	imp  *openrtb.Imp
	n    int // index of imp
	deal *openrtb.Deal
	sent []answered
}

// begin reads the part of the response that stands before its bids.
func (k *selfCheck) begin(c *bidContext, w []byte, full bool) {
	k.c, k.full, k.sent = c, full, k.sent[:0]
	k.head.read(w)
}

// check judges the bid object obj, whose adm is said to stand at adm.
func (k *selfCheck) check(o *bid, obj []byte, adm span) selfRule {
	k.o = o
	if !k.head.ok || !k.bid.read(obj, adm, k.full) {
		return ruleJSON
	}
	if r := k.response(); r != ruleNone {
		return r
	}
	if r := k.placement(); r != ruleNone {
		return r
	}
	if r := k.money(); r != ruleNone {
		return r
	}
	if r := k.advertiser(); r != ruleNone {
		return r
	}
	r := ruleMType
	switch k.bid.mtype {
	case 1:
		r = k.banner()
	case 2:
		r = k.video()
	case 4:
		r = k.native()
	}
	if r != ruleNone {
		return r
	}
	if r := k.delivery(); r != ruleNone {
		return r
	}
	k.sent = append(k.sent, answered{imp: k.n, deal: k.deal})
	return ruleNone
}

// response judges what all bids share.
func (k *selfCheck) response() selfRule {
	v := &k.c.view
	if !sameText(k.head.id, v.ID) {
		return ruleResponse
	}
	listed := len(v.Cur) == 0 && string(k.head.cur) == "USD"
	for _, cur := range v.Cur {
		listed = listed || equalFold(k.head.cur, cur)
	}
	if !listed {
		return ruleCurrency
	}
	if !seatTaken(v.WSeat, k.head.seat) {
		return ruleSeat
	}
	for _, s := range v.BSeat {
		if len(k.head.seat) > 0 && sameText(k.head.seat, s) {
			return ruleSeat
		}
	}
	return ruleNone
}

func seatTaken(wseat []string, seat []byte) bool {
	for _, s := range wseat {
		if sameText(seat, s) {
			return true
		}
	}
	return len(wseat) == 0
}

// placement finds the imp and the deal that the bid names.
func (k *selfCheck) placement() selfRule {
	v, w := &k.c.view, &k.bid
	k.imp, k.deal = nil, nil
	for i := range v.Imps {
		if sameText(w.impid, v.Imps[i].ID) {
			k.imp, k.n = &v.Imps[i], i
			break
		}
	}
	if k.imp == nil || len(w.impid) == 0 {
		return ruleImpID
	}
	if len(w.id) != 2*len(events.ID{}) || len(w.cid) == 0 || len(w.crid) == 0 {
		return ruleIDs
	}
	if w.has&hasDeal == 0 {
		if k.imp.PMP.Private == openrtb.Yes {
			return rulePrivate
		}
	} else if r := k.findDeal(); r != ruleNone {
		return r
	}
	open := 0
	for i := range k.sent {
		switch s := &k.sent[i]; {
		case s.imp != k.n:
		case s.deal == nil && k.deal == nil:
			open++
		case s.deal == k.deal:
			return ruleOneBid
		}
	}
	if open >= max(k.c.exchange.openBids, 1) {
		return ruleOneBid
	}
	return ruleNone
}

func (k *selfCheck) findDeal() selfRule {
	for i := range k.imp.PMP.Deals {
		if d := &k.imp.PMP.Deals[i]; d.ID != "" && sameText(k.bid.dealid, d.ID) {
			k.deal = d
			break
		}
	}
	if k.deal == nil || !seatTaken(k.deal.WSeat, k.head.seat) {
		return ruleDeal
	}
	if len(k.deal.WADomain) == 0 {
		return ruleNone
	}
	for _, d := range k.deal.WADomain {
		if equalFold(bareHost(k.bid.adomain), bareHost(d)) {
			return ruleNone
		}
	}
	return ruleDeal
}

// money judges the price: above zero, held, and at the floor that applies.
func (k *selfCheck) money() selfRule {
	w := &k.bid
	if w.price <= 0 || w.price > k.o.price {
		return rulePrice
	}
	floor, code, perSecond := k.imp.BidFloor, k.imp.BidFloorCur, openrtb.Price{}
	var byDuration []openrtb.DurFloor
	switch {
	case k.deal != nil:
		floor, code, perSecond, byDuration = k.deal.BidFloor, k.deal.BidFloorCur, k.deal.MinCPMPerSec, k.deal.DurFloors
	case w.mtype == 2:
		perSecond, byDuration = k.imp.Video.MinCPMPerSec, k.imp.Video.DurFloors
	}
	if w.mtype == 2 {
		for i := range byDuration {
			f := &byDuration[i]
			if w.dur >= int64(f.MinDur) && (f.MaxDur == 0 || w.dur <= int64(f.MaxDur)) {
				floor = f.BidFloor
				break
			}
		}
		if perSecond.Micro > 0 && !k.reaches(perSecond, code, w.dur) {
			return ruleFloor
		}
	}
	if !k.reaches(floor, code, 1) {
		return ruleFloor
	}
	return ruleNone
}

// reaches tells whether the price is at least n times the floor, compared in
// 128 bits at the rate from the floor's currency.
func (k *selfCheck) reaches(floor openrtb.Price, code string, n int64) bool {
	if floor.Micro <= 0 || n <= 0 {
		return true
	}
	from := money.Currency{'U', 'S', 'D'}
	if len(code) == 3 {
		for i := range from {
			from[i] = code[i] &^ 0x20
		}
	} else if code != "" {
		return false
	}
	to := money.Currency{k.head.cur[0], k.head.cur[1], k.head.cur[2]}
	rate, ok := k.c.state.Rates.Rate(from, to)
	if !ok {
		return false
	}
	const longest = 10_000 // seconds: a product that fits
	hi, lo := bits.Mul64(uint64(floor.Micro)*uint64(min(n, longest)), uint64(rate))
	ownHi, ownLo := bits.Mul64(uint64(k.bid.price), uint64(money.RateOne))
	return ownHi > hi || (ownHi == hi && ownLo >= lo)
}
