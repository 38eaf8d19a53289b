package bidder

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// seenSlots is how many people are remembered as told of today: 8 MB. Of two
// in one slot the later one stays, and the other is told again, which changes
// no figure.
const seenSlots = 1 << 20

// seenToday remembers which visitors of shops were met at which exchange
// today, so that a person's meeting is one row a day and not one a request.
// Safe for many goroutines; allocates nothing.
type seenToday struct {
	slots [seenSlots]atomic.Uint64
	// lately are whole requests of the last quarter of an hour: a person with
	// the same shops at the same exchange is not looked up shop by shop again.
	lately [latelySlots]atomic.Uint64
}

const (
	latelySlots = 1 << 18 // 2 MB
	latelyMS    = 15 * 60 * 1000
)

// met tells whether a request of the person was looked at lately, with the
// same shops; days of all time zones begin with a quarter of an hour.
func (s *seenToday) met(u segments.UserKey, profiles []segments.ShopProfile, exchange uint16, nowMS int64) bool {
	h := uint64(nowMS/latelyMS)<<16 | uint64(exchange)
	for i := range profiles {
		h = mix(h ^ uint64(profiles[i].Shop))
	}
	h = mix(binary.LittleEndian.Uint64(u[:8])^mix(binary.LittleEndian.Uint64(u[8:])^h)) | 1
	slot := &s.lately[h>>46]
	if slot.Load() == h {
		return true
	}
	slot.Store(h)
	return false
}

// first tells whether the pair was not told of this day yet, and remembers it.
func (s *seenToday) first(user uint64, shop uint32, exchange uint16, day int32, matched bool) bool {
	h := mix(user ^ mix(uint64(shop)<<32|uint64(exchange)<<16|uint64(uint16(day))))
	if matched {
		h = mix(h + 1)
	}
	h |= 1 // never the empty slot's 0
	slot := &s.slots[h>>44]
	return slot.Load() != h && slot.Swap(h) != h
}

// mix is a bijection of 64 bits that spreads them (splitmix64's finaliser).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// noteSeen records, once a day, that visitors of shops are in the traffic.
func (b *Bidder) noteSeen(c *bidContext) {
	if b.shadowed || c.view.Test || len(c.facts.Profiles) == 0 || b.seen.met(c.user, c.facts.Profiles, c.exchange.number, c.nowMS) {
		return
	}
	for i := range c.facts.Profiles {
		b.tellOf(c.state, c.facts.Profiles[i].Shop, c.user, c.exchange, c.browser, c.nowMS, events.TypeSeen, &c.event)
	}
}

// noteMatched records, once a day, that an exchange's id is known of a person
// for the shops that the person was at.
func (b *Bidder) noteMatched(exchange string, uid segments.UserKey, browser uint8, nowMS int64) {
	s, x := b.state.Load(), b.exchanges[exchange]
	if s == nil || x == nil {
		return
	}
	var e events.Event
	for _, p := range b.profiles.Load().Lookup(uid, nil) {
		b.tellOf(s, p.Shop, uid, x, browser, nowMS, events.TypeMatched, &e)
	}
}

func (b *Bidder) tellOf(s *State, shop uint32, u segments.UserKey, x *Exchange, browser uint8, nowMS int64, typ events.Type, e *events.Event) {
	sh := s.Snapshot.Shop(shop)
	if sh == nil {
		return
	}
	user, day := segments.Pseudonym(sh.Salt, u), b.days.at(sh.Location, nowMS)
	if user == 0 || !b.seen.first(user, shop, x.number, day.number, typ == events.TypeMatched) {
		return
	}
	*e = events.Event{
		EventID: events.EventID(seenID(user, shop, x.number, day.number), typ, 0), Type: typ, TimeMS: nowMS, BidMS: nowMS, Day: day.text,
		ShopID: shop, Exchange: x.Name, User: user, Browser: events.BrowserName(browser), Node: b.cfg.Node,
	}
	b.bidLog.Offer(e)
	*e = events.Event{}
}

// seenID is the same on every node that numbers its exchanges alike.
func seenID(user uint64, shop uint32, exchange uint16, day int32) (id events.ID) {
	for i := range 8 {
		id[i] = byte(user >> (8 * i))
	}
	id[8], id[9], id[10], id[11] = byte(shop), byte(shop>>8), byte(shop>>16), byte(shop>>24)
	id[12], id[13] = byte(exchange), byte(exchange>>8)
	id[14], id[15] = byte(day), byte(day>>8)
	return id
}
