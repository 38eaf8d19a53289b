package bidder

import (
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/price"
	"github.com/grosz/grosz/internal/money"
)

// Paths of what a bid's URLs lead to.
const (
	pathWin        = "/n/win"
	pathBill       = "/n/bill"
	pathLoss       = "/n/loss"
	pathImpression = "/i"
	pathClick      = "/c"
	pathWhy        = "/why"
	pathViewable   = "/i/v"
	pathHide       = "/hide"
)

// noticeType is the event that a notice path reports.
func noticeType(path string) (events.Type, bool) {
	switch path {
	case pathWin:
		return events.TypeWin, true
	case pathBill:
		return events.TypeBilling, true
	case pathLoss:
		return events.TypeLoss, true
	case pathImpression:
		return events.TypeImpression, true
	case pathViewable:
		return events.TypeViewable, true
	}
	return "", false
}

// notice takes a win, billing, loss or impression. It is acknowledged once it
// is durable here; whoever calls again, on whichever node, changes nothing.
// What cannot be verified moves no money and is acknowledged as well: trying
// again would not make it true.
func (b *Bidder) notice(ctx *fasthttp.RequestCtx, typ events.Type) {
	if !ctx.IsGet() && !ctx.IsPost() { // HEAD and OPTIONS only look
		ctx.Error("notices are called by GET or POST", fasthttp.StatusMethodNotAllowed)
		ctx.Response.Header.Set("Allow", "GET, POST")
		return
	}
	var tok events.Token
	now := b.clock.NowMS()
	args := ctx.QueryArgs()
	purpose := events.ForNotice
	if typ == events.TypeImpression || typ == events.TypeViewable {
		purpose = events.ForImpression
	}
	if err := b.keys.Verify(&tok, args.Peek("t"), now, purpose); err != nil {
		b.reject(typ, &tok, err, args.Peek("t"), now)
		answerNotice(ctx, typ)
		return
	}
	e := b.eventOf(&tok, typ, now)
	b.readPrice(&e, &tok, args.Peek("p"))
	if typ == events.TypeLoss {
		e.LossReason = max(min(args.GetUintOrZero("r"), 1<<15), 0)
		e.MinToWin, _ = price.Clear().Decode(args.Peek("m"))
	}
	if b.repeated(&e, &tok) {
		b.metrics.repeated.Inc()
		b.conflict(&e, tok.SettleOn)
		answerNotice(ctx, typ)
		return
	}
	if err := b.settle(&e, &tok); err != nil {
		unavailable(ctx)
		return
	}
	b.repeats.add(e.EventID, e.Price)
	b.judge.noticed(&e)
	b.noticed(typ)
	answerNotice(ctx, typ)
}

// eventOf starts an event from what the token says.
func (b *Bidder) eventOf(tok *events.Token, typ events.Type, now int64) events.Event {
	e := events.Event{
		EventID: events.EventID(tok.BidID, typ, 0), Type: typ, TimeMS: now, BidMS: tok.BidMS, BidID: tok.BidID,
		ShopID: tok.ShopID, CampaignID: tok.CampaignID, CreativeID: tok.CreativeID,
		Exchange: tok.Exchange, Media: events.MediaName(tok.Media), User: tok.User,
		BidPrice: tok.Price, Currency: tok.Currency, ShopCurrency: tok.ShopCurrency, Rate: tok.Rate,
		Test: tok.Test, Browser: events.BrowserName(tok.Browser), Node: b.cfg.Node, Lease: tok.Lease, BidDay: b.bidDay(tok), ClickPrice: tok.ClickPrice,
	}
	e.Day = b.days.at(b.location(tok.ShopID), now).text
	return e
}

// location is the shop's time zone; UTC for a shop that is gone.
func (b *Bidder) location(shop uint32) *time.Location {
	if s := b.state.Load(); s != nil {
		if sh := s.Snapshot.Shop(shop); sh != nil {
			return sh.Location
		}
	}
	return time.UTC
}

// readPrice classifies the price macro (§ 4.4): exchanges replace it blindly.
func (b *Bidder) readPrice(e *events.Event, tok *events.Token, raw []byte) {
	if e.Type == events.TypeLoss || e.Type == events.TypeViewable {
		return
	}
	p, status := money.CPM(0), events.PriceUnreadable
	if x := b.exchanges[tok.Exchange]; x != nil {
		p, status = x.decoder().Decode(raw)
	}
	if status == events.PriceOK && p == 0 {
		status = events.PriceUnreadable // nothing is sold for nothing: never settled as 0
	}
	e.PriceStatus = status
	if status == events.PriceAudit {
		// A test of the exchange is an event of its own: the real one, with
		// the same type, may still come.
		e.EventID = events.EventID(tok.BidID, e.Type+"_audit", 0)
	}
	if status != events.PriceOK {
		e.Raw = clip(string(raw), 64)
		return
	}
	e.Price = p
	if p > tok.Price {
		e.PriceStatus, e.Raw = events.PriceAboveBid, clip(string(raw), 64)
	}
}

// repeated tells whether the event is in the log already: by the book for what
// settles, else by the latest that this node took. Nothing is written twice,
// so that a URL called in a loop fills no disk.
func (b *Bidder) repeated(e *events.Event, tok *events.Token) bool {
	if b.repeats.has(e.EventID) {
		return true
	}
	return events.SettleType(tok.SettleOn) == e.Type && e.PriceStatus != events.PriceAudit && b.book.Settled(tok.BidID, tok.BidMS)
}

// reject records a notice that could not be verified. Of these, which anyone
// can send in any number, some are recorded and all are counted.
func (b *Bidder) reject(typ events.Type, tok *events.Token, err error, text []byte, now int64) {
	reason := events.RejectMalformed
	switch {
	case errors.Is(err, events.ErrTokenExpired):
		reason = events.RejectExpired
	case errors.Is(err, events.ErrTokenForged):
		reason = events.RejectForged
	}
	b.metrics.rejected(reason)
	if !b.rejections.allow(now) {
		return
	}
	e := b.eventOf(tok, events.TypeRejection, now)
	e.Reason, e.Raw = reason+"_"+string(typ), clip(string(text), 64)
	e.EventID = events.NamedID(tok.ShopID, "rejection", string(typ)+string(text))
	if err := b.appendEvent(&e); err != nil {
		b.log.Debug("rejection not recorded", "err", err)
	}
}

// pixelGIF is a transparent GIF of 1×1, for impressions.
var pixelGIF = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")

func answerNotice(ctx *fasthttp.RequestCtx, typ events.Type) {
	if typ != events.TypeImpression && typ != events.TypeViewable {
		ctx.SetStatusCode(fasthttp.StatusNoContent)
		return
	}
	h := &ctx.Response.Header
	h.SetContentType("image/gif")
	h.Set("Cache-Control", "no-store")
	ctx.SetBody(pixelGIF)
}

// unavailable asks the sender to try again: nothing was taken.
func unavailable(ctx *fasthttp.RequestCtx) {
	ctx.Error("not taken: the event log is full or closing, try again", fasthttp.StatusServiceUnavailable)
	ctx.Response.Header.Set("Retry-After", "5") // after Error, which starts the answer anew
}

// limiter lets n through per second; the rest is only counted.
type limiter struct {
	n      int64
	window slotCounter
}

func (l *limiter) allow(nowMS int64) bool { return l.window.add(nowMS/1000) <= l.n }
