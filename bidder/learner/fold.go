package learner

import (
	"encoding/json"
	"errors"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
)

// errSeen ends the reading of a message whose time is known.
var errSeen = errors.New("seen")

// timeOf is the time of a message's first event; 0 where it says none.
func timeOf(topic string, d *events.Decoder, msg []byte) (at int64) {
	if topic == events.TopicShopEvents {
		_ = d.ShopEvents(msg, func(_ int, e *events.ShopEvent) error { at = max(e.ReceivedMS, e.TimeMS); return errSeen })
		return at
	}
	_ = d.Events(msg, func(_ int, e *events.Event) error { at = e.TimeMS; return errSeen })
	return at
}

// message folds one message; mu is held.
func (l *Learner) message(topic string, d *events.Decoder, m kafka.Message) {
	var err error
	switch topic {
	case events.TopicBids:
		err = d.Events(m.Value, func(_ int, e *events.Event) error { l.bid(e); return nil })
	case events.TopicEvents:
		err = d.Events(m.Value, func(_ int, e *events.Event) error { l.event(e); return nil })
	default:
		err = d.ShopEvents(m.Value, func(_ int, e *events.ShopEvent) error { l.shopEvent(e); return nil })
	}
	if err != nil {
		l.counts.unreadable++
		l.cfg.Log.Debug("message passed over", "topic", topic, "partition", m.Partition, "offset", m.Offset, "err", err)
	}
	l.next[topic][m.Partition] = m.Offset + 1
}

// at moves the learner's time to an event's, less what topics may be apart.
func (l *Learner) at(ms int64) {
	if ms > l.lastMS {
		l.lastMS = ms
		l.pass(ms - slackMS)
	}
}

// advance is at, for a quiet log.
func (l *Learner) advance(nowMS int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass(nowMS)
}

func (l *Learner) pass(nowMS int64) {
	l.nowMS = max(l.nowMS, nowMS)
	l.trainer.Advance(nowMS)
	l.control.Advance(nowMS)
	l.pending.expire(nowMS)
	l.early.expire(nowMS)
}

// bid remembers what a bid was made from.
func (l *Learner) bid(e *events.Event) {
	if e.Type != events.TypeBid || e.Test || e.Features == "" {
		return
	}
	placement, own, err := value.ReadFeatures(e.Features)
	if err != nil {
		l.counts.unreadable++
		return
	}
	l.counts.bids++
	if l.firstMS == 0 {
		l.firstMS = e.TimeMS
	}
	l.at(e.TimeMS)
	l.pending.add(&bidInfo{
		ID: e.BidID, Shop: e.ShopID, Campaign: e.CampaignID, AtMS: e.TimeMS, Placement: placement, Own: own,
		Expected: float64(e.ClickPPB) * float64(e.OrderPPB) / 1e18,
	})
	l.again(e.BidID)
}

// event learns from what became of a bid. Clicks that were told to be
// machines' or impossible carry a reason and teach nothing.
func (l *Learner) event(e *events.Event) {
	if e.Test || e.BidID.IsZero() {
		return
	}
	x := earlyEvent{Bid: e.BidID, AtMS: e.TimeMS}
	l.at(e.TimeMS)
	if e.Settles {
		x.Kind, x.Amount = kindCost, e.ShopAmount+e.ShopFee
		l.try(x)
	}
	if e.Type == events.TypeAdjustment && e.Reason == events.ReasonClick {
		x.Kind, x.Amount = kindClickCost, e.ShopAmount+e.ShopFee
		l.try(x)
	}
	switch {
	case e.Type == events.TypeImpression && e.Reason == "":
		x.Kind = kindImpression
		l.try(x)
	case e.Type == events.TypeClick && e.Reason == "":
		x.Kind = kindClick
		l.try(x)
	}
}

// shopEvent learns from orders, and takes those back that were cancelled or
// returned as a whole.
func (l *Learner) shopEvent(e *events.ShopEvent) {
	id := events.NamedID(e.ShopID, "order", e.OrderID)
	switch {
	case e.OrderID == "":
	case e.Type == events.ShopPurchase:
		v := e.Value
		if s := l.docs.Shop(e.ShopID); s != nil && e.Currency.String() != "" && e.Currency != s.Currency {
			v = 0 // in another currency: it is an order, its worth is not told
		}
		if !l.orders.add(id, orderInfo{e.ClickBid, v}) {
			return
		}
		if v > 0 {
			l.basket(e.ShopID).add(v)
		}
		if !e.ClickBid.IsZero() {
			l.try(earlyEvent{Bid: e.ClickBid, AtMS: e.TimeMS, Kind: kindOrder})
		}
	case e.Type == events.ShopOrderStatus && (e.Status == events.OrderCancelled || e.Status == events.OrderReturned):
		o, ok := l.orders.byID[id]
		if !ok {
			return
		}
		whole := e.Status == events.OrderCancelled || e.Value == 0 || e.Value >= o.Value
		back := o.Value
		if !whole {
			back = e.Value
		}
		l.basket(e.ShopID).takeBack(back, whole && o.Value > 0)
		o.Value -= back
		l.orders.byID[id] = o
		if whole && !o.Bid.IsZero() {
			bid := o.Bid
			o.Bid = events.ID{} // once
			l.orders.byID[id] = o
			l.try(earlyEvent{Bid: bid, AtMS: e.TimeMS, Kind: kindTakeBack})
		}
	}
}

func (l *Learner) basket(shop uint32) *basket {
	b := l.shops[shop]
	if b == nil {
		b = &basket{}
		l.shops[shop] = b
	}
	return b
}

// again tries what waited for a bid or for its click.
func (l *Learner) again(id events.ID) {
	for _, x := range l.early.take(id) {
		l.try(x)
	}
}

// try learns from an event, or lets it wait for what it belongs to.
func (l *Learner) try(x earlyEvent) {
	if !l.learned(x) && x.AtMS >= l.lastMS-earlyMS {
		l.early.add(x)
	}
}

func (l *Learner) learned(x earlyEvent) bool {
	b := l.pending.byID[x.Bid]
	shown, clicked := l.trainer.Knows(x.Bid)
	switch x.Kind {
	case kindCost:
		if b != nil {
			l.control.Won(b.Campaign, b.AtMS, float64(x.Amount), b.Expected)
		}
		return b != nil
	case kindClickCost:
		if b != nil {
			l.control.Won(b.Campaign, b.AtMS, float64(x.Amount), 0) // its orders were expected when it was won
		}
		return b != nil
	case kindImpression:
		if b == nil || shown {
			return b != nil || shown
		}
		l.counts.impressions++
		l.trainer.Impression(x.Bid, x.AtMS, b.example())
	case kindClick:
		if !shown && b != nil { // an ad whose pixel was blocked was seen all the same
			l.trainer.Impression(x.Bid, x.AtMS, b.example())
			shown = true
		}
		if !shown {
			return false
		}
		if !clicked {
			l.counts.clicks++
		}
		l.trainer.Click(x.Bid, x.AtMS)
		l.again(x.Bid)
	case kindOrder:
		if !clicked {
			return false
		}
		if to, counted := l.trainer.Order(x.Bid, x.AtMS); counted {
			l.counts.orders++
			l.control.Ordered(to.Campaign, to.AtMS, 1)
		}
	case kindTakeBack:
		if !clicked {
			return false
		}
		if to, counted := l.trainer.TakeBack(x.Bid, x.AtMS); counted {
			l.counts.takenBack++
			l.control.Ordered(to.Campaign, to.AtMS, -1)
		}
	}
	return true
}

// document follows what campaigns aim at.
func (l *Learner) document(m kafka.Message) error {
	head, ok := campaigns.ReadHead(m.Value)
	if ok && head.Kind() != "shop" && head.Kind() != "campaign" {
		return nil // feeds and lists: not read here
	}
	l.mu.Lock()
	held := ok && l.docs.Has(head)
	l.mu.Unlock()
	if held {
		return nil
	}
	var rec campaigns.Record
	if err := json.Unmarshal(m.Value, &rec); err != nil {
		return nil //nolint:nilerr // a broken document must not stop the learning; the bidder tells of it
	}
	if rec.Shop == nil && rec.Campaign == nil && !rec.Deleted {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.docs.Apply(&rec)
	return nil
}

// aims tells the control what orders are to cost, now that baskets moved.
func (l *Learner) aims() {
	l.docs.EachCampaign(func(c *campaigns.Campaign) {
		target := float64(c.Goal.TargetCPO)
		if roas := c.Goal.TargetROASBPS; roas > 0 {
			if worth := float64(l.shops[c.ShopID].mean()) * 10_000 / float64(roas); worth > 0 && (target == 0 || worth < target) {
				target = worth
			}
		}
		if c.Status != campaigns.StatusActive {
			return // it keeps what it has
		}
		l.control.SetTarget(c.ID, target)
	})
}
