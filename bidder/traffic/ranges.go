package traffic

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// ranges is a set of IP addresses: sorted ranges that do not touch. The first
// 16 bits lead to the few that may hold an address.
type ranges struct {
	v4     []range4
	index4 []uint32 // by the first 16 bits: first range that does not end before; one more at the end
	v6     []range6
}

type range4 struct{ from, to uint32 } // both within

type range6 struct{ from, to u128 }

type u128 struct{ hi, lo uint64 }

func (a u128) compare(b u128) int {
	if a.hi != b.hi {
		return cmp.Compare(a.hi, b.hi)
	}
	return cmp.Compare(a.lo, b.lo)
}

// compileRanges joins the prefixes into ranges.
func compileRanges(prefixes []netip.Prefix) *ranges {
	r := &ranges{}
	for _, p := range prefixes {
		p = p.Masked()
		if p.Addr().Is4() {
			a := p.Addr().As4()
			from := binary.BigEndian.Uint32(a[:])
			r.v4 = append(r.v4, range4{from, from | uint32(1<<(32-p.Bits())-1)})
			continue
		}
		a := p.Addr().As16()
		from := u128{binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])}
		to := from
		if n := p.Bits(); n < 64 {
			to = u128{from.hi | (1<<(64-n) - 1), 1<<64 - 1}
		} else {
			to.lo |= 1<<(128-n) - 1
		}
		r.v6 = append(r.v6, range6{from, to})
	}
	r.join4()
	r.join6()
	r.index()
	return r
}

func (r *ranges) join4() {
	slices.SortFunc(r.v4, func(a, b range4) int { return cmp.Compare(a.from, b.from) })
	n := 0
	for _, x := range r.v4 {
		if n > 0 && uint64(x.from) <= uint64(r.v4[n-1].to)+1 {
			r.v4[n-1].to = max(r.v4[n-1].to, x.to)
			continue
		}
		r.v4[n] = x
		n++
	}
	r.v4 = r.v4[:n]
}

func (r *ranges) join6() {
	slices.SortFunc(r.v6, func(a, b range6) int { return a.from.compare(b.from) })
	n := 0
	for _, x := range r.v6 {
		if n > 0 && x.from.compare(r.v6[n-1].to) <= 0 {
			if r.v6[n-1].to.compare(x.to) < 0 {
				r.v6[n-1].to = x.to
			}
			continue
		}
		r.v6[n] = x
		n++
	}
	r.v6 = r.v6[:n]
}

func (r *ranges) index() {
	r.index4 = make([]uint32, 1<<16+1)
	i := 0
	for top := range 1 << 16 {
		for i < len(r.v4) && r.v4[i].to < uint32(top)<<16 {
			i++
		}
		r.index4[top] = uint32(i)
	}
	r.index4[1<<16] = uint32(len(r.v4))
}

func (r *ranges) has4(a uint32) bool {
	top := a >> 16
	lo, hi := r.index4[top], r.index4[top+1]
	if hi < uint32(len(r.v4)) {
		hi++ // one may begin here and end further on
	}
	list := r.v4[lo:hi]
	for len(list) > 0 {
		mid := len(list) / 2
		switch x := &list[mid]; {
		case a < x.from:
			list = list[:mid]
		case a > x.to:
			list = list[mid+1:]
		default:
			return true
		}
	}
	return false
}

func (r *ranges) has6(a u128) bool {
	list := r.v6
	for len(list) > 0 {
		mid := len(list) / 2
		switch x := &list[mid]; {
		case a.compare(x.from) < 0:
			list = list[:mid]
		case a.compare(x.to) > 0:
			list = list[mid+1:]
		default:
			return true
		}
	}
	return false
}

// has tells whether the address ip is within; what is no address is not.
func (r *ranges) has(ip string) bool {
	a, v4, ok := parseIP(ip)
	switch {
	case !ok:
		return false
	case v4:
		return r.has4(uint32(a.lo))
	}
	return r.has6(a)
}

// parseIP reads an IPv4 or IPv6 address as netip.ParseAddr does, without a
// zone, and without an allocation when it is none. An IPv4 address inside
// IPv6 is an IPv4 one.
func parseIP(s string) (a u128, v4, ok bool) {
	for i := range len(s) {
		switch s[i] {
		case '.':
			n, ok := parse4(s)
			return u128{lo: uint64(n)}, true, ok
		case ':':
			a, ok := parse6(s)
			if ok && a.hi == 0 && a.lo>>32 == 0xffff {
				return u128{lo: a.lo & 0xffffffff}, true, true
			}
			return a, false, ok
		}
	}
	return u128{}, false, false
}

func parse4(s string) (n uint32, ok bool) {
	part, digits, dots := uint32(0), 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if digits > 0 && part == 0 {
				return 0, false // a leading zero may mean octal
			}
			part = part*10 + uint32(c-'0')
			if digits++; part > 255 {
				return 0, false
			}
		case c == '.' && digits > 0 && dots < 3:
			n, part, digits, dots = n<<8|part, 0, 0, dots+1
		default:
			return 0, false
		}
	}
	return n<<8 | part, dots == 3 && digits > 0
}

// parse6 reads up to eight groups, of which one row of zeros may be '::' and
// the last two an IPv4 address.
func parse6(s string) (u128, bool) {
	var groups [8]uint16
	n, gap := 0, -1
	if len(s) >= 2 && s[0] == ':' && s[1] == ':' {
		gap, s = 0, s[2:]
	}
	for len(s) > 0 {
		if n == 8 {
			return u128{}, false
		}
		v, k := hexGroup(s)
		if k == 0 {
			return u128{}, false
		}
		if k < len(s) && s[k] == '.' {
			four, ok := parse4(s)
			if !ok || n > 6 {
				return u128{}, false
			}
			groups[n], groups[n+1] = uint16(four>>16), uint16(four)
			n += 2
			break
		}
		groups[n], s = v, s[k:]
		n++
		if s == "" {
			break
		}
		if s[0] != ':' || len(s) == 1 {
			return u128{}, false
		}
		s = s[1:]
		if s[0] == ':' {
			if gap >= 0 {
				return u128{}, false
			}
			gap, s = n, s[1:]
		}
	}
	if n == 8 && gap >= 0 || n < 8 && gap < 0 {
		return u128{}, false
	}
	var a u128
	for i := range 8 {
		v := uint16(0)
		switch {
		case gap < 0 || i < gap:
			v = groups[i]
		case i >= gap+8-n:
			v = groups[i-(8-n)]
		}
		a.hi = a.hi<<16 | a.lo>>48
		a.lo = a.lo<<16 | uint64(v)
	}
	return a, true
}

// hexGroup reads up to four hex digits; more are none.
func hexGroup(s string) (v uint16, n int) {
	for ; n < len(s); n++ {
		c := s[n]
		var d uint16
		switch {
		case c >= '0' && c <= '9':
			d = uint16(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			d = uint16(c|0x20-'a') + 10
		default:
			return v, n
		}
		if n == 4 {
			return 0, 0
		}
		v = v<<4 | d
	}
	return v, n
}
