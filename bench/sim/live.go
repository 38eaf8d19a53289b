package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/grosz/grosz/bench/check"
	"github.com/grosz/grosz/internal/money"
)

// Visit is a real browser's view of a page with one slot to sell.
type Visit struct {
	Exchange string // by name
	// User is the exchange's own id of the browser; empty: it knows none, or
	// may not pass it on.
	User string
	// Consent is the TC string of the page; empty where nobody was asked.
	Consent  string
	UA, Lang string
	Domain   string // of the publisher
	Page     string // URL
	Site     string // name
	Cat      []string
	Keywords string
	// Slot is its tag, size in CSS pixels, and usual prices in USD cents CPM.
	Slot          string
	W, H          int
	Median, Floor int64
	// Secure asks for https throughout; GPC is the browser's Global Privacy
	// Control.
	Secure, GPC bool
}

// Sale is what the auction of a Visit came to. Prices are CPM in Currency.
type Sale struct {
	ID       string          `json:"id"`
	Exchange string          `json:"exchange"`
	Auction  string          `json:"auction"` // "first price" or "second price"
	Slot     string          `json:"slot"`
	Size     string          `json:"size"`
	Currency string          `json:"currency"`
	Floor    string          `json:"floor"`
	Bid      string          `json:"bid,omitempty"`
	Rivals   []string        `json:"rivals"`
	Won      bool            `json:"won"`
	Paid     string          `json:"paid,omitempty"`
	Why      string          `json:"why"` // the outcome in words
	NoBid    string          `json:"no_bid,omitempty"`
	Campaign string          `json:"campaign,omitempty"`
	Crid     string          `json:"crid,omitempty"`
	Domain   string          `json:"domain,omitempty"` // advertiser
	Broken   []string        `json:"broken,omitempty"` // rules that the bid broke
	TookMS   float64         `json:"took_ms"`
	Request  json.RawMessage `json:"request"`
	// AdM is the winner's markup, macros replaced; empty when somebody else
	// won, or nobody.
	AdM string `json:"-"`
}

// Bounds of live sales: how many may wait to be shown.
const (
	maxLive    = 1024
	maxLiveAge = 10 * time.Minute
)

// live are the sales whose ad has not been shown yet.
type live struct {
	mu    sync.Mutex
	sales map[string]*liveSale
	order []string
}

type liveSale struct {
	x    *exchange
	win  *won
	atMS int64
}

func (l *live) put(id string, s *liveSale) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sales == nil {
		l.sales = map[string]*liveSale{}
	}
	l.sales[id] = s
	if l.order = append(l.order, id); len(l.order) > maxLive {
		delete(l.sales, l.order[0])
		l.order = l.order[1:]
	}
}

func (l *live) take(id string) *liveSale {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sales[id]
	delete(l.sales, id)
	return s
}

// ErrNoSale is what Shown returns for a sale that is not waiting: of another
// run, shown already, or too old.
var ErrNoSale = errors.New("no such sale is waiting")

// Sell auctions a real browser's page view as the simulated ones are: the
// bidder is asked, rivals bid, the outcome is told, and what is won is billed
// once Shown says that the ad is on the page. Safe for many goroutines.
func (w *World) Sell(ctx context.Context, v *Visit) (Sale, error) {
	var x *exchange
	for _, e := range w.exchanges {
		if e.cfg.Name == v.Exchange {
			x = e
		}
	}
	if x == nil {
		return Sale{}, fmt.Errorf("sell a page view: no exchange %q", v.Exchange)
	}
	w.mu.Lock()
	o := x.offer(w.rng, "1", slot{tag: v.Slot, media: "banner", sizes: [][2]int{{v.W, v.H}}, pos: 1, median: v.Median, floor: v.Floor})
	x.seq++
	p := page{id: fmt.Sprintf("%s-%d-live-%d", x.cfg.Name, x.book.run, x.seq), imps: []offered{o}}
	w.mu.Unlock()
	var err error
	if p.body, err = x.liveRequest(v, &p, o); err != nil {
		return Sale{}, fmt.Errorf("sell a page view: %w", err)
	}
	s := Sale{
		ID: p.id, Exchange: x.cfg.Name, Auction: "second price", Slot: v.Slot, Size: fmt.Sprintf("%dx%d", v.W, v.H),
		Currency: x.cfg.Currency.String(), Floor: o.floor.String(), Rivals: []string{}, Request: p.body,
	}
	if x.cfg.Kind == FirstPrice {
		s.Auction = "first price"
	}
	for _, r := range o.rivals {
		s.Rivals = append(s.Rivals, r.String())
	}
	begin := time.Now()
	res, noBid, err := x.askLive(ctx, p)
	s.TookMS, s.NoBid = float64(time.Since(begin).Microseconds())/1000, noBid
	if err != nil {
		return Sale{}, fmt.Errorf("ask the bidder: %w", err)
	}
	w.stats.add(x.cfg.Name, func(f *Figures) {
		f.Requests++
		f.Bids += uint64(len(res.Bids))
		if len(res.Bids) == 0 {
			f.NoBids++
		}
	})
	x.report(p, res)
	for _, broken := range res.Violations {
		s.Broken = append(s.Broken, broken.String())
	}
	x.sellLive(ctx, &s, p, o, &res)
	return s, nil
}

// sellLive is the auction of a live sale among our bid and the rivals'.
func (x *exchange) sellLive(ctx context.Context, s *Sale, p page, o offered, res *check.Result) {
	var bid *check.Bid
	for i := range res.Bids {
		if b := &res.Bids[i]; b.Valid && (bid == nil || b.Price > bid.Price) {
			bid = b
		}
	}
	if bid == nil {
		s.Why = "the bidder did not bid"
		return
	}
	s.Bid, s.Campaign, s.Crid, s.Domain = bid.Price.String(), bid.CID, bid.CrID, bid.ADomain[0]
	out := x.cfg.Auction(o.floor, append([]money.CPM{bid.Price}, o.rivals...))
	f := x.facts(p, bid, res)
	if out.Winner != 0 {
		s.Why = "somebody else bid more"
		f.loss, f.minToWin = lossOutbid, out.LoserMin
		x.w.stats.add(x.cfg.Name, func(f *Figures) { f.Competitors++ })
		x.notify(ctx, noticeLoss, bid.LURL, &f)
		return
	}
	f.price, f.minToWin = out.Clear, out.WinnerMin
	adm := f.replacer().Replace(bid.AdM)
	track, err := readMarkup("banner", adm)
	track = x.fetchable(track)
	if err != nil || (x.cfg.Settles == SettleImpression && len(track.impressions) == 0) || (x.cfg.Settles == SettleBurl && !x.w.courier.ours(bid.BURL)) {
		s.Why = "the bid could not have been billed"
		f.price, f.minToWin = 0, 0
		x.refuse(ctx, p, bid, res, lossInvalid)
		return
	}
	s.Won, s.Paid, s.AdM, s.Why = true, out.Clear.String(), adm, "the highest of all bids"
	x.w.stats.add(x.cfg.Name, func(f *Figures) { f.Wins++ })
	x.notify(ctx, noticeWin, bid.NURL, &f)
	x.w.live.put(s.ID, &liveSale{x: x, atMS: x.w.cfg.Timer.NowMS(), win: &won{
		bid: *bid, track: track, burl: f.replacer().Replace(bid.BURL), media: "banner", shop: -1,
		line: Line{BidID: bid.ID, RequestID: p.id, ImpID: o.id, Price: out.Clear, Amount: out.Clear.PerImpression(),
			Currency: x.cfg.Currency, Media: "banner", Campaign: bid.CID, Domain: bid.ADomain[0]},
	}})
}

// Shown bills a sale: call it before the ad is put on the page, so that no ad
// is seen that the exchange has not billed. The browser calls the impression
// pixel as well; it counts once.
func (w *World) Shown(ctx context.Context, id string) error {
	s := w.live.take(id)
	if s == nil || w.cfg.Timer.NowMS()-s.atMS > maxLiveAge.Milliseconds() {
		return ErrNoSale
	}
	s.win.line.TimeMS = w.cfg.Timer.NowMS()
	var list []*notice
	for _, u := range s.win.track.impressions {
		list = append(list, &notice{Kind: noticeImpression, URL: u})
	}
	if w.courier.ours(s.win.burl) {
		list = append(list, &notice{Kind: noticeBill, URL: s.win.burl})
	}
	s.x.send(ctx, &s.win.line, list...)
	return w.failed()
}

// liveRequest is the bid request of a Visit. The publisher is in the EU, so
// the GDPR applies, and says so.
func (x *exchange) liveRequest(v *Visit, p *page, o offered) ([]byte, error) {
	floor, _ := strconv.ParseFloat(o.floor.String(), 64)
	imp := m{
		"id": o.id, "tagid": v.Domain + "/" + v.Slot, "bidfloor": floor, "bidfloorcur": x.cfg.Currency.String(), "exp": 3600,
		"banner": m{"w": v.W, "h": v.H, "format": []m{{"w": v.W, "h": v.H}}, "pos": 1, "battr": []int{8, 17}},
	}
	if v.Secure {
		imp["secure"] = 1
	}
	user, device := m{}, m{"ua": v.UA, "js": 1, "devicetype": 2, "geo": m{"country": "POL", "type": 2}}
	if v.Lang != "" {
		device["language"] = v.Lang
	}
	if v.Consent != "" {
		user["consent"] = v.Consent
	}
	if v.User != "" {
		user["id"] = v.User
	}
	req := m{
		"id": p.id, "imp": []m{imp}, "tmax": x.tmax, "cur": []string{x.cfg.Currency.String()}, "user": user, "device": device,
		"site": m{"name": v.Site, "domain": v.Domain, "page": v.Page, "cat": v.Cat, "keywords": v.Keywords, "publisher": m{"name": v.Site, "domain": v.Domain}},
		"regs": m{"gdpr": 1}, "source": m{"fd": 0, "tid": p.id + "-t"},
	}
	if v.GPC {
		req["regs"] = m{"gdpr": 1, "ext": m{"gpc": "1"}}
	}
	if x.cfg.StateAt {
		req["at"] = x.cfg.Kind
	}
	return json.Marshal(req)
}

// askLive is ask, and asks for the reason where there is no bid.
func (x *exchange) askLive(ctx context.Context, p page) (res check.Result, noBid string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.w.cfg.BidderURL+"/openrtb2/"+x.cfg.Name, bytes.NewReader(p.body))
	if err != nil {
		return res, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Openrtb-Version", "2.6")
	req.Header.Set("X-Grosz-Debug", "1")
	resp, err := x.w.courier.client.Do(req)
	if err != nil {
		return res, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return res, "", err
	}
	a := check.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	return check.Answered(p.body, a, check.Options{Rates: x.w.cfg.Rates}), strings.TrimSpace(resp.Header.Get("X-Grosz-Nobid")), nil
}
