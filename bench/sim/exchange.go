package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/grosz/grosz/bench/check"
	"github.com/grosz/grosz/internal/money"
)

// Loss reasons that the exchange states (OpenRTB 3.0, loss reason codes).
const (
	lossInvalid  = 3
	lossNoMarkup = 7
	lossNoCrid   = 8
	lossNoPrice  = 9
	lossFloor    = 100
	lossOutbid   = 102
)

// exchange sells page views.
type exchange struct {
	cfg    Exchange
	index  int
	pubs   []publisher
	book   *book
	seq    uint64 // of requests, this run
	tmax   int
	secure float64
	w      *World
}

// ask posts a request and judges the answer.
func (x *exchange) ask(ctx context.Context, p page) (check.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(x.tmax)*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.w.cfg.BidderURL+"/openrtb2/"+x.cfg.Name, bytes.NewReader(p.body))
	if err != nil {
		return check.Result{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Openrtb-Version", "2.6")
	resp, err := x.w.courier.client.Do(req)
	if err != nil {
		return check.Result{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return check.Result{}, err
	}
	a := check.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	return check.Answered(p.body, a, check.Options{Rates: x.w.cfg.Rates}), nil
}

// pageView sells one page view of s.
func (x *exchange) pageView(ctx context.Context, s *shopper, p page) {
	res, err := x.ask(ctx, p)
	x.w.stats.add(x.cfg.Name, func(f *Figures) {
		f.Requests++
		switch {
		case err != nil:
			f.Failed++
		case len(res.Bids) == 0:
			f.NoBids++
		}
		f.Bids += uint64(len(res.Bids))
	})
	if err != nil {
		return
	}
	x.report(p, res)
	for _, o := range p.imps {
		x.sell(ctx, s, p, o, &res)
	}
}

// report makes breaches loud: each is counted, the first of a rule logged
// with its request.
func (x *exchange) report(p page, res check.Result) {
	for _, v := range res.Violations {
		if x.w.stats.violation(v) {
			x.w.cfg.Log.Error("the bidder broke a rule", slog.String("exchange", x.cfg.Name), slog.String("violation", v.String()), slog.String("request", string(p.body)))
		}
	}
}

func (s *stats) violation(v check.Violation) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations[string(v.Rule)]++
	s.last = v.String()
	return s.violations[string(v.Rule)] == 1
}

// won is a bid on its way from the auction to the impression.
type won struct {
	bid   check.Bid
	line  Line
	track tracked
	burl  string
	media string
	shop  int // index, -1 if the ad is of none of the shops
}

// sell auctions one imp among our bid and the rivals'.
func (x *exchange) sell(ctx context.Context, s *shopper, p page, o offered, res *check.Result) {
	var bid *check.Bid
	for i := range res.Bids {
		if b := &res.Bids[i]; b.ImpID == o.id {
			if !b.Valid {
				x.refuse(ctx, p, b, res, lossOf(b.ID, res.Violations))
			} else if bid == nil || b.Price > bid.Price {
				bid = b
			}
		}
	}
	if bid == nil {
		return
	}
	out := x.cfg.Auction(o.floor, append([]money.CPM{bid.Price}, o.rivals...))
	f := x.facts(p, bid, res)
	if out.Winner != 0 {
		f.loss, f.minToWin = lossOutbid, out.LoserMin
		x.w.stats.add(x.cfg.Name, func(f *Figures) { f.Competitors++ })
		x.notify(ctx, noticeLoss, bid.LURL, &f)
		return
	}
	f.price, f.minToWin = out.Clear, out.WinnerMin
	adm := f.replacer().Replace(bid.AdM)
	track, err := readMarkup(o.slot.media, adm)
	track = x.fetchable(track)
	if err != nil || (x.cfg.Settles == SettleImpression && len(track.impressions) == 0) || (x.cfg.Settles == SettleBurl && !x.w.courier.ours(bid.BURL)) {
		x.w.cfg.Log.Error("a bid that could not be billed", slog.String("exchange", x.cfg.Name), slog.Any("error", err), slog.String("adm", bid.AdM), slog.String("burl", bid.BURL))
		f.price, f.minToWin = 0, 0
		x.refuse(ctx, p, bid, res, lossInvalid)
		return
	}
	x.w.stats.add(x.cfg.Name, func(f *Figures) { f.Wins++ })
	x.notify(ctx, noticeWin, bid.NURL, &f)
	win := &won{bid: *bid, track: track, burl: f.replacer().Replace(bid.BURL), media: o.slot.media, shop: x.w.shopOf(bid.ADomain),
		line: Line{BidID: bid.ID, RequestID: p.id, ImpID: o.id, Price: out.Clear, Amount: out.Clear.PerImpression(),
			Currency: x.cfg.Currency, Media: o.slot.media, Campaign: bid.CID, Domain: bid.ADomain[0]}}
	x.w.later(func(rng *rand.Rand) (int64, bool) { return 200 + rng.Int64N(2500), rng.Float64() < 0.95 },
		func(ctx context.Context) { x.render(ctx, s, win) })
}

// fetchable keeps the URLs that lead to the bidder, each once: what the
// markup loads from others (product images) concerns nobody here.
func (x *exchange) fetchable(t tracked) tracked {
	keep := func(list []string) []string {
		var out []string
		for _, u := range list {
			if x.w.courier.ours(u) && !containsStr(out, u) {
				out = append(out, u)
			}
		}
		return out
	}
	return tracked{keep(t.impressions), keep(t.clicks)}
}

func containsStr(list []string, v string) bool {
	for _, e := range list {
		if e == v {
			return true
		}
	}
	return false
}

func lossOf(bidID string, vs []check.Violation) int {
	for _, v := range vs {
		if v.BidID != bidID {
			continue
		}
		switch v.Rule {
		case check.RuleMarkup:
			return lossNoMarkup
		case check.RuleCrid:
			return lossNoCrid
		case check.RulePrice:
			return lossNoPrice
		case check.RuleFloor:
			return lossFloor
		}
	}
	return lossInvalid
}

func (x *exchange) refuse(ctx context.Context, p page, b *check.Bid, res *check.Result, loss int) {
	x.w.stats.add(x.cfg.Name, func(f *Figures) { f.Invalid++ })
	f := x.facts(p, b, res)
	f.loss = loss
	x.notify(ctx, noticeLoss, b.LURL, &f)
}

func (x *exchange) facts(p page, b *check.Bid, res *check.Result) facts {
	return facts{auctionID: p.id, bidID: res.BidID, impID: b.ImpID, seat: b.Seat, adID: b.AdID, bid: b.Price,
		currency: x.cfg.Currency, timeMS: x.w.cfg.Timer.NowMS(), trim: x.cfg.TrimPrice}
}

// notify sends a notice that bills nothing.
func (x *exchange) notify(ctx context.Context, kind, raw string, f *facts) {
	if raw == "" {
		return
	}
	u := f.replacer().Replace(raw)
	if !x.w.courier.ours(u) {
		x.w.cfg.Log.Error("a notice URL leads elsewhere", slog.String("kind", kind), slog.String("url", u))
		return
	}
	x.send(ctx, nil, &notice{Kind: kind, URL: u})
}

// send makes notices and the line they bill durable, then delivers them. If
// the journal fails nothing is sent: the impression never happened.
func (x *exchange) send(ctx context.Context, line *Line, list ...*notice) {
	now := x.w.cfg.Timer.NowMS()
	for _, n := range list {
		n.TimeMS = now
	}
	if err := x.book.note(line, list...); err != nil {
		x.w.fail(fmt.Errorf("exchange %s: %w", x.cfg.Name, err))
		return
	}
	if line != nil {
		x.w.stats.add(x.cfg.Name, func(f *Figures) { f.Billed++; f.Spend = money.Add(f.Spend, line.Amount) })
	}
	for _, n := range list {
		x.w.courier.deliver(ctx, n)
		if x.w.chance(x.w.cfg.DuplicateShare) {
			_, _, _ = x.w.courier.get(ctx, n.URL, n.UA) // sent again, as exchanges do; its fate does not matter
		}
	}
}

// render is the moment at which the exchange bills: the ad is shown.
func (x *exchange) render(ctx context.Context, s *shopper, win *won) {
	win.line.TimeMS = x.w.cfg.Timer.NowMS()
	ua, _, _ := userAgent(s)
	clicks := win.shop >= 0 && len(win.track.clicks) > 0 && x.w.clicks(s, win)
	var list []*notice
	for i, u := range win.track.impressions {
		n := &notice{Kind: noticeImpression, URL: u, UA: ua}
		known := i == 0 && win.shop >= 0 && s.known(x.index)
		if known {
			n.Touch = x.w.touch(s, win, false)
		}
		n.after = func(string) {
			if known {
				x.w.viewed(s, win.shop, n.Touch)
			}
			if i == 0 && clicks {
				x.clickSoon(s, win)
			}
		}
		list = append(list, n)
	}
	if x.w.courier.ours(win.burl) {
		list = append(list, &notice{Kind: noticeBill, URL: win.burl})
	}
	x.send(ctx, &win.line, list...)
	if clicks && len(win.track.impressions) == 0 {
		x.clickSoon(s, win)
	}
}

// clickSoon lets the shopper click a second or more after the bidder has heard
// of the impression: who needs less is no person.
func (x *exchange) clickSoon(s *shopper, win *won) {
	x.w.later(func(rng *rand.Rand) (int64, bool) { return 1000 + rng.Int64N(9000), true }, func(ctx context.Context) { x.click(ctx, s, win) })
}

// click follows the ad. A banner may have a link for each of several products
// and small ones beside; one is chosen, the larger ones mostly. The landing page is then visited as the redirect says.
func (x *exchange) click(ctx context.Context, s *shopper, win *won) {
	u := win.track.clicks[0]
	if win.media == "banner" {
		u = win.track.clicks[min(x.w.pick(len(win.track.clicks)), x.w.pick(len(win.track.clicks)), x.w.pick(len(win.track.clicks)))]
	}
	ua, _, _ := userAgent(s)
	n := &notice{Kind: noticeClick, URL: u, UA: ua, Touch: x.w.touch(s, win, true)}
	n.after = func(location string) { x.w.clicked(s, win.shop, n.Touch, location) }
	x.send(ctx, nil, n)
	if win.media == "banner" {
		return
	}
	for _, t := range win.track.clicks[1:] {
		_, _, _ = x.w.courier.get(ctx, t, n.UA) // a player's click trackers: tried once
	}
}
