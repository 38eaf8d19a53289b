package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/grosz/grosz/internal/money"
)

// shopEvent is one event of POST /api/v1/shops/{shop}/events.
type shopEvent struct {
	ID       string     `json:"id"`
	Type     string     `json:"type"`
	Time     int64      `json:"time"`
	User     eventUser  `json:"user"`
	Product  string     `json:"product,omitempty"`
	Category string     `json:"category,omitempty"`
	Query    string     `json:"query,omitempty"`
	Quantity int64      `json:"quantity,omitempty"`
	Price    money.Nano `json:"price,omitempty"`
	OrderID  string     `json:"order_id,omitempty"`
	Value    money.Nano `json:"value,omitempty"`
	Currency string     `json:"currency,omitempty"`
	Items    []item     `json:"items,omitempty"`
	ClickID  string     `json:"click_id,omitempty"`
	URL      string     `json:"url,omitempty"`
}

type eventUser struct {
	UID string `json:"uid,omitempty"`
	IFA string `json:"ifa,omitempty"`
}

type item struct {
	Product  string     `json:"product"`
	Quantity int64      `json:"quantity"`
	Price    money.Nano `json:"price"`
}

// session is one visit to a shop: steps some seconds apart.
type session struct {
	w       *World
	s       *shopper
	shop    int
	clicked bool
	left    int  // product views to come
	buys    bool // drawn at the start from the true probability
}

// sessionArrives: someone visits a shop by themselves, the more interested
// the likelier.
func (w *World) sessionArrives(ctx context.Context) {
	w.mu.Lock()
	s := w.shoppers[w.rng.IntN(len(w.shoppers))]
	shop := w.rng.IntN(len(w.cfg.Shops))
	for range 4 {
		other := w.rng.IntN(len(w.cfg.Shops))
		if s.shops[other].interest > s.shops[shop].interest {
			shop = other
		}
	}
	w.mu.Unlock()
	w.beginSession(ctx, s, shop, false)
}

func (w *World) beginSession(ctx context.Context, s *shopper, shop int, clicked bool) {
	w.mu.Lock()
	st := &s.shops[shop]
	if st.inSession || w.stopping {
		w.mu.Unlock()
		return
	}
	st.inSession = true
	now := w.cfg.Timer.NowMS()
	se := &session{w: w, s: s, shop: shop, clicked: clicked, left: 1 + w.rng.IntN(4)}
	se.buys = w.rng.Float64() < st.buyChance(now, clicked)
	list := []shopEvent{se.event("visit")}
	if e := se.event("search"); w.rng.Float64() < 0.3 {
		e.Query = lastWord(st.favourite)
		list = append(list, e)
	} else {
		e = se.event("category_view")
		e.Category = st.favourite
		list = append(list, e)
	}
	w.mu.Unlock()
	w.stats.sessions.Add(1)
	w.desk.tell(ctx, shop, list)
	se.next(se.view)
}

// event is a bare event of the session; the caller holds the world's lock.
func (se *session) event(kind string) shopEvent {
	w := se.w
	w.desk.seq++
	e := shopEvent{ID: fmt.Sprintf("e-%d-%d", w.desk.run, w.desk.seq), Type: kind, Time: w.cfg.Timer.NowMS()}
	st := &se.s.shops[se.shop]
	if se.s.ifa != "" {
		e.User.IFA = se.s.ifa
	} else {
		e.User.UID = se.s.uid
	}
	if st.click != nil && e.Time-st.click.AtMS < clickWindowMS {
		e.ClickID = st.clickID
	}
	return e
}

func (se *session) next(step func(context.Context)) {
	w := se.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopping {
		w.push(w.cfg.Timer.NowMS()+1000+w.rng.Int64N(4000), step)
	}
}

// view looks at a product, mostly of the favourite category, and may put it
// into the cart.
func (se *session) view(ctx context.Context) {
	w := se.w
	w.mu.Lock()
	shop, st := &w.cfg.Shops[se.shop], &se.s.shops[se.shop]
	k := w.rng.IntN(len(shop.Products))
	for range 20 {
		if shop.Products[k].Category == st.favourite || w.rng.Float64() < 0.1 {
			break
		}
		k = w.rng.IntN(len(shop.Products))
	}
	st.viewed = remember(st.viewed, k, recentCap)
	e := se.product("product_view", k)
	list := []shopEvent{e}
	se.left--
	if (se.buys && se.left == 0) || w.rng.Float64() < 0.15 {
		add := se.product("cart_add", k)
		add.Quantity = 1
		list = append(list, add)
		if st.cart = append(st.cart, k); len(st.cart) > cartCap {
			list = append(list, se.remove(0))
		}
	} else if len(st.cart) > 0 && w.rng.Float64() < 0.05 {
		list = append(list, se.remove(w.rng.IntN(len(st.cart))))
	}
	w.mu.Unlock()
	w.desk.tell(ctx, se.shop, list)
	switch {
	case se.left > 0:
		se.next(se.view)
	case se.buys:
		se.next(se.checkout)
	default:
		se.end()
	}
}

func (se *session) remove(i int) shopEvent {
	st := &se.s.shops[se.shop]
	e := se.product("cart_remove", st.cart[i])
	e.Quantity = 1
	st.cart = append(st.cart[:i], st.cart[i+1:]...)
	return e
}

func (se *session) product(kind string, k int) shopEvent {
	shop := &se.w.cfg.Shops[se.shop]
	p := shop.Products[k]
	e := se.event(kind)
	e.Product, e.Category, e.Price, e.Currency = p.ID, p.Category, p.Price, shop.Currency.String()
	return e
}

func (se *session) checkout(ctx context.Context) {
	se.w.mu.Lock()
	e := se.event("checkout")
	se.w.mu.Unlock()
	se.w.desk.tell(ctx, se.shop, []shopEvent{e})
	se.next(se.purchase)
}

// purchase buys the cart. It waits while an ad's touch is under way, for the
// truth must know which of the two came first.
func (se *session) purchase(ctx context.Context) {
	w := se.w
	w.mu.Lock()
	if se.s.inflight > 0 {
		w.mu.Unlock()
		se.next(se.purchase)
		return
	}
	shop, st := &w.cfg.Shops[se.shop], &se.s.shops[se.shop]
	e := se.event("purchase")
	for _, k := range st.cart {
		p := shop.Products[k]
		e.Items = append(e.Items, item{p.ID, 1, p.Price})
		e.Value = money.Add(e.Value, p.Price)
	}
	if len(e.Items) == 0 {
		w.mu.Unlock()
		se.end()
		return
	}
	st.cart = nil
	e.Currency = shop.Currency.String()
	e.OrderID = fmt.Sprintf("o-%d-%d-%d", shop.ID, w.desk.run, w.desk.seq)
	o := se.order(st, &e)
	w.mu.Unlock()
	w.desk.buy(ctx, o)
	se.end()
}

// order is the truth about a purchase; the caller holds the world's lock.
func (se *session) order(st *shopState, e *shopEvent) *Order {
	shop := &se.w.cfg.Shops[se.shop]
	o := &Order{Shop: shop.ID, ID: e.OrderID, Value: e.Value, Currency: shop.Currency, TimeMS: e.Time}
	if c := st.click; c != nil && e.Time-c.AtMS < clickWindowMS {
		o.ClickBid, o.ClickCampaign = c.Bid, c.Campaign
	}
	if v := st.view; v != nil && e.Time-v.AtMS < viewWindowMS {
		o.ViewBid, o.ViewCampaign = v.Bid, v.Campaign
	}
	var err error
	if o.Body, err = json.Marshal(e); err != nil {
		se.w.cfg.Log.Error("order", slog.Any("error", err))
	}
	return o
}

func (se *session) end() {
	se.w.mu.Lock()
	se.s.shops[se.shop].inSession = false
	se.w.mu.Unlock()
}
