package segments

import (
	"encoding/binary"
	"math"

	"github.com/grosz/grosz/internal/money"
)

// unpack makes p what pack wrote of it. It reads bytes from files: whatever
// they are, it ends, and says when they are no profile.
func (p *Profile) unpack(b []byte, last uint32) error {
	*p = Profile{}
	p.Last = last
	if len(b) < 2 {
		return errPacked
	}
	parts := binary.LittleEndian.Uint16(b)
	u := unpacker{b: b[2:], last: last}
	p.First = u.time()
	if parts&partCounts != 0 {
		p.Visits, p.Views = u.num32(), u.num32()
		p.LastView, p.LastSearch = u.time(), u.time()
	}
	if parts&partProducts != 0 {
		unpackRecent(&u, p.Products[:], p.ProductAt[:], p.ProductCount[:])
	}
	if parts&partTerms != 0 {
		unpackRecent(&u, p.Terms[:], p.TermAt[:], nil)
	}
	if parts&partCategories != 0 {
		unpackRecent(&u, p.Categories[:], p.CategoryAt[:], p.CategoryCount[:])
	}
	if parts&partConversions != 0 {
		unpackRecent(&u, p.Conversions[:], p.ConversionAt[:], p.ConversionCount[:])
	}
	if parts&partSeen != 0 {
		u.seen(&p.seen)
	}
	if parts&partHorizon != 0 {
		p.seen.horizon = u.time()
	}
	if parts&partLinks != 0 {
		for i := range p.links {
			if p.links[i].at = u.time(); p.links[i].at != 0 {
				copy(p.links[i].key[:], u.bytes(len(UserKey{})))
			}
		}
	}
	p.unpackShopping(&u, parts)
	if u.bad || len(u.b) != 0 {
		return errPacked
	}
	return nil
}

func (p *Profile) unpackShopping(u *unpacker, parts uint16) {
	s := &p.Shopping
	if parts&partCart != 0 {
		n := u.count(CartLines)
		for i := range n {
			s.Cart[i] = u.hash(true)
			s.CartPrice[i] = u.amount()
			s.CartQty[i] = uint16(min(u.num(), math.MaxUint16))
		}
		s.sumCart()
	}
	if parts&partTimes != 0 {
		s.LastCart, s.LastCheckout, s.emptied = u.time(), u.time(), u.time()
	}
	if parts&partPurchased != 0 {
		for i := range u.count(RecentPurchases) {
			s.Purchased[i] = u.hash(true)
		}
	}
	l := &s.orders
	if parts&partOrders != 0 {
		l.n = uint8(u.count(RecentOrders))
		for i := range l.n {
			u.order(&l.list[i])
		}
	}
	if parts&partOldOrders != 0 {
		l.oldCount, l.oldRevenue = u.num32(), u.amount()
		l.oldLast, l.horizon = u.time(), u.time()
	}
	if parts&partOldMargin != 0 {
		l.oldMargin = u.signed()
	}
	if parts&(partOrders|partOldOrders) != 0 {
		s.sum()
	}
}

// unpacker reads what packer wrote, and notes when there is too little.
type unpacker struct {
	b    []byte
	last uint32
	bad  bool
}

func (u *unpacker) num() uint64 {
	if len(u.b) > 0 && u.b[0] < 0x80 {
		v := u.b[0]
		u.b = u.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.bad, u.b = true, nil
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) num32() uint32 { return uint32(min(u.num(), math.MaxUint32)) }

func (u *unpacker) time() uint32 { return timeOf(u.num(), u.last) }

func timeOf(code uint64, from uint32) uint32 {
	if code == 0 {
		return 0
	}
	code--
	return uint32(int64(from) - (int64(code>>1) ^ -int64(code&1)))
}

func (u *unpacker) amount() money.Nano {
	v := u.num()
	if v&1 != 0 {
		return money.Nano(v >> 1)
	}
	return money.Nano(min(v>>1, math.MaxInt64/uint64(cent))) * cent
}

func (u *unpacker) signed() money.Nano {
	b := u.bytes(1)
	v := u.amount()
	if b != nil && b[0] != 0 {
		return -v
	}
	return v
}

func (u *unpacker) bytes(n int) []byte {
	if len(u.b) < n {
		u.bad, u.b = true, nil
		return nil
	}
	b := u.b[:n]
	u.b = u.b[n:]
	return b
}

func (u *unpacker) hash(wide bool) uint64 {
	if wide {
		if b := u.bytes(8); b != nil {
			return binary.LittleEndian.Uint64(b)
		}
		return 0
	}
	if b := u.bytes(4); b != nil {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// count reads how many entries follow, at most most.
func (u *unpacker) count(most int) int {
	if b := u.bytes(1); b != nil && int(b[0]) <= most {
		return int(b[0])
	}
	u.bad, u.b = true, nil
	return 0
}

func unpackRecent[H uint32 | uint64](u *unpacker, hashes []H, times []uint32, counts []uint16) {
	from := u.last
	for i := range u.count(len(hashes)) {
		hashes[i] = H(u.hash(uint64(^H(0)) > math.MaxUint32))
		times[i] = timeOf(u.num(), from)
		from = times[i]
		if counts != nil {
			counts[i] = uint16(min(u.num(), math.MaxUint16))
		}
	}
}

func (u *unpacker) seen(s *seenEvents) {
	s.n = uint8(u.count(recentEvents))
	from := u.last
	for i := range s.n {
		if b := u.bytes(3); b != nil {
			s.id[i] = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		}
		s.at[i] = timeOf(u.num(), from)
		from = s.at[i]
	}
}

func (u *unpacker) order(o *order) {
	o.id = uint32(u.hash(false))
	flags := byte(0)
	if b := u.bytes(1); b != nil {
		flags = b[0]
	}
	o.status = orderStatus(flags >> 2 & 3)
	u.bad = u.bad || flags >= 32
	o.placed = flags&1 != 0
	o.at, o.statusAt, o.value = u.time(), u.time(), u.amount()
	if flags&2 != 0 {
		o.back = u.amount()
	}
	if flags&16 != 0 {
		o.margin = u.signed()
	}
}
