package segments

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// orderList is a person's latest orders, newest first, with what became of
// them; older ones are only summed and can no longer change. A purchase and
// the news about it may come in either order.
type orderList struct {
	list [RecentOrders]order
	n    uint8

	oldCount   uint32 // of those that left the list
	oldRevenue money.Nano
	oldMargin  money.Nano
	oldLast    uint32
	horizon    uint32 // when the newest that left was bought
}

type order struct {
	id       uint32 // part of events.NamedID(shop, "order", id)
	at       uint32 // when bought; until that is known, of the first news
	statusAt uint32
	status   orderStatus
	placed   bool // the purchase itself has been seen
	value    money.Nano
	back     money.Nano // what was given back, of a part return
	margin   money.Nano // of value, by the feed's margins; 0 where it gave none
}

type orderStatus uint8

const (
	statusPlaced orderStatus = iota
	statusPaid
	statusCancelled
	statusReturned
	numStatuses
)

func orderStatusOf(s string) (orderStatus, bool) {
	switch s {
	case events.OrderPaid:
		return statusPaid, true
	case events.OrderCancelled:
		return statusCancelled, true
	case events.OrderReturned:
		return statusReturned, true
	}
	return statusPlaced, false
}

// orderID is by which an order is known: its name's, else the event's own.
func orderID(e *events.ShopEvent) uint32 {
	id := e.EventID
	if e.OrderID != "" {
		id = events.NamedID(e.ShopID, "order", e.OrderID)
	}
	return max(binary.LittleEndian.Uint32(id[:]), 1)
}

// counts tells whether the order stands, and what it is worth.
func (o *order) counts() (money.Nano, bool) {
	if !o.placed || o.status >= statusCancelled {
		return 0, false
	}
	return max(o.value-o.back, 0), true
}

// kept is the margin of what was not given back: a part return takes its part
// of it.
func (o *order) kept() money.Nano {
	v, ok := o.counts()
	switch {
	case !ok || o.margin == 0 || o.value <= 0:
		return 0
	case v == o.value:
		return o.margin
	}
	hi, lo := bits.Mul64(uint64(max(o.margin, -o.margin)), uint64(v))
	part, _ := bits.Div64(hi, lo, uint64(o.value)) // v < value: it fits
	if o.margin < 0 {
		return -money.Nano(part)
	}
	return money.Nano(part)
}

func (l *orderList) find(id uint32) *order {
	for i := range l.n {
		if l.list[i].id == id {
			return &l.list[i]
		}
	}
	return nil
}

// insert makes a place for an order; nil when it is older than all that fit.
func (l *orderList) insert(o order) *order {
	if l.horizon > 0 && o.at <= l.horizon {
		return nil
	}
	n := int(l.n)
	if n == RecentOrders {
		last := &l.list[n-1]
		if o.at < last.at {
			last = &o
		} else {
			n--
		}
		if v, ok := last.counts(); ok {
			l.oldCount, l.oldRevenue, l.oldLast = l.oldCount+1, money.Add(l.oldRevenue, v), max(l.oldLast, last.at)
			l.oldMargin = money.Add(l.oldMargin, last.kept())
		}
		l.horizon = max(l.horizon, last.at)
		if last == &o {
			return last
		}
	} else {
		l.n++
	}
	i := n
	for ; i > 0 && l.list[i-1].at <= o.at; i-- {
		l.list[i] = l.list[i-1]
	}
	l.list[i] = o
	return &l.list[i]
}

// take removes and returns the order, so that it can be inserted again.
func (l *orderList) take(p *order) order {
	o := *p
	for i := range l.n {
		if l.list[i].id == o.id {
			copy(l.list[i:l.n], l.list[i+1:l.n])
			l.n--
			l.list[l.n] = order{}
			break
		}
	}
	return o
}

// placed books a purchase; false when it is known, or too old to tell.
func (l *orderList) placed(id, at uint32, value, margin money.Nano) bool {
	o := order{id: id, at: at, value: value, margin: margin, placed: true}
	if known := l.find(id); known != nil {
		if known.placed {
			return false
		}
		o = l.take(known)
		o.at, o.value, o.margin, o.placed = at, value, margin, true
	}
	return l.insert(o) != nil
}

// news books what became of an order; false when that changes nothing.
func (l *orderList) news(id, at uint32, status orderStatus, back money.Nano) bool {
	o := l.find(id)
	if o == nil {
		if o = l.insert(order{id: id, at: at}); o == nil || l.find(id) == nil {
			return false
		}
	}
	if status == statusReturned && back > 0 {
		o.back = money.Add(o.back, back)
		return true
	}
	if at < o.statusAt || at == o.statusAt && status <= o.status {
		return false
	}
	o.status, o.statusAt = status, at
	return true
}

// sum makes the public figures of the list.
func (s *Shopping) sum() {
	l := &s.orders
	s.Orders, s.Revenue, s.Margin, s.LastPurchase = l.oldCount, l.oldRevenue, l.oldMargin, l.oldLast
	for i := range l.n {
		o := &l.list[i]
		v, ok := o.counts()
		if !ok {
			continue
		}
		if s.Orders < math.MaxUint32 {
			s.Orders++
		}
		s.Revenue, s.LastPurchase = money.Add(s.Revenue, v), max(s.LastPurchase, o.at)
		s.Margin = money.Add(s.Margin, o.kept())
	}
}
