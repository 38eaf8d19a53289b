package segments

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/grosz/grosz/internal/money"
)

// A stored profile is packed: a set of the parts that are there, then each of
// them. Times are varints counted from the profile's latest event, amounts
// varints of hundredths where that is exact. A visitor with two products takes
// some 60 bytes instead of the 800 of a Profile.
const (
	partCounts = 1 << iota
	partProducts
	partTerms
	partCategories
	partConversions
	partSeen
	partHorizon
	partLinks
	partCart
	partTimes // of shopping
	partPurchased
	partOrders
	partOldOrders
	partOldMargin
)

// maxPacked bounds a packed profile, in bytes.
const maxPacked = 1400

var errPacked = errors.New("a packed profile is damaged")

// pack appends p to dst. The latest event's time is kept beside it.
func (p *Profile) pack(dst []byte) []byte {
	k := packer{b: dst, last: p.Last}
	start := len(dst)
	k.b = append(k.b, 0, 0)
	var parts uint16
	part := func(bit uint16, there bool) bool {
		if there {
			parts |= bit
		}
		return there
	}
	k.time(p.First)
	if part(partCounts, p.Visits|p.Views|p.LastView|p.LastSearch != 0) {
		k.num(uint64(p.Visits))
		k.num(uint64(p.Views))
		k.time(p.LastView)
		k.time(p.LastSearch)
	}
	if part(partProducts, p.Products[0] != 0) {
		packRecent(&k, p.Products[:], p.ProductAt[:], p.ProductCount[:])
	}
	if part(partTerms, p.Terms[0] != 0) {
		packRecent(&k, p.Terms[:], p.TermAt[:], nil)
	}
	if part(partCategories, p.Categories[0] != 0) {
		packRecent(&k, p.Categories[:], p.CategoryAt[:], p.CategoryCount[:])
	}
	if part(partConversions, p.Conversions[0] != 0) {
		packRecent(&k, p.Conversions[:], p.ConversionAt[:], p.ConversionCount[:])
	}
	if part(partSeen, p.seen.n > 0) {
		k.seen(&p.seen)
	}
	if part(partHorizon, p.seen.horizon != 0) {
		k.time(p.seen.horizon)
	}
	if part(partLinks, p.links != [linkKinds]link{}) {
		for i := range p.links {
			k.time(p.links[i].at)
			if p.links[i].at != 0 {
				k.b = append(k.b, p.links[i].key[:]...)
			}
		}
	}
	p.packShopping(&k, part)
	binary.LittleEndian.PutUint16(k.b[start:], parts)
	return k.b
}

func (p *Profile) packShopping(k *packer, part func(uint16, bool) bool) {
	s := &p.Shopping
	if part(partCart, s.Cart[0] != 0) {
		n := s.CartLen()
		k.b = append(k.b, byte(n))
		for i := range n {
			k.b = binary.LittleEndian.AppendUint64(k.b, s.Cart[i])
			k.amount(s.CartPrice[i])
			k.num(uint64(s.CartQty[i]))
		}
	}
	if part(partTimes, s.LastCart|s.LastCheckout|s.emptied != 0) {
		k.time(s.LastCart)
		k.time(s.LastCheckout)
		k.time(s.emptied)
	}
	if part(partPurchased, s.Purchased[0] != 0) {
		n := 0
		for n < RecentPurchases && s.Purchased[n] != 0 {
			n++
		}
		k.b = append(k.b, byte(n))
		for i := range n {
			k.b = binary.LittleEndian.AppendUint64(k.b, s.Purchased[i])
		}
	}
	l := &s.orders
	if part(partOrders, l.n > 0) {
		k.b = append(k.b, l.n)
		for i := range l.n {
			k.order(&l.list[i])
		}
	}
	if part(partOldOrders, l.oldCount|l.horizon|l.oldLast != 0) {
		k.num(uint64(l.oldCount))
		k.amount(l.oldRevenue)
		k.time(l.oldLast)
		k.time(l.horizon)
	}
	if part(partOldMargin, l.oldMargin != 0) {
		k.signed(l.oldMargin)
	}
}

type packer struct {
	b    []byte
	last uint32
}

func (k *packer) num(v uint64) { k.b = binary.AppendUvarint(k.b, v) }

// time writes 0 for never.
func (k *packer) time(t uint32) { k.num(timeCode(t, k.last)) }

func timeCode(t, from uint32) uint64 {
	if t == 0 {
		return 0
	}
	d := int64(from) - int64(t)
	return uint64(d<<1^d>>63) + 1
}

// cent is a hundredth of a currency unit.
const cent = money.NanoUnit / 100

func (k *packer) amount(v money.Nano) {
	if v%cent == 0 {
		k.num(uint64(v/cent) << 1)
		return
	}
	k.num(uint64(v)<<1 | 1)
}

// signed writes an amount that may be negative.
func (k *packer) signed(v money.Nano) {
	if v < 0 {
		k.b = append(k.b, 1)
		k.amount(-v)
		return
	}
	k.b = append(k.b, 0)
	k.amount(v)
}

func packRecent[H uint32 | uint64](k *packer, hashes []H, times []uint32, counts []uint16) {
	n := 0
	for n < len(hashes) && hashes[n] != 0 {
		n++
	}
	k.b = append(k.b, byte(n))
	from := k.last
	for i := range n {
		k.hash(uint64(hashes[i]), uint64(^H(0)) > math.MaxUint32)
		k.num(timeCode(times[i], from))
		from = times[i]
		if counts != nil {
			k.num(uint64(counts[i]))
		}
	}
}

func (k *packer) hash(h uint64, wide bool) {
	if wide {
		k.b = binary.LittleEndian.AppendUint64(k.b, h)
		return
	}
	k.b = binary.LittleEndian.AppendUint32(k.b, uint32(h))
}

func (k *packer) seen(s *seenEvents) {
	k.b = append(k.b, s.n)
	from := k.last
	for i := range s.n {
		k.b = append(k.b, byte(s.id[i]), byte(s.id[i]>>8), byte(s.id[i]>>16))
		k.num(timeCode(s.at[i], from))
		from = s.at[i]
	}
}

func (k *packer) order(o *order) {
	k.b = binary.LittleEndian.AppendUint32(k.b, o.id)
	flags := byte(o.status) << 2
	if o.placed {
		flags |= 1
	}
	if o.back != 0 {
		flags |= 2
	}
	if o.margin != 0 {
		flags |= 16
	}
	k.b = append(k.b, flags)
	k.time(o.at)
	k.time(o.statusAt)
	k.amount(o.value)
	if o.back != 0 {
		k.amount(o.back)
	}
	if o.margin != 0 {
		k.signed(o.margin)
	}
}
