package openrtb

// slabs hold the objects of all lists of a request. A list is a part of its slab; what lies behind a slab's length is
// always zero, so that a new element needs no clearing.
type slabs struct {
	deals      []Deal
	formats    []Format
	companions []Banner
	durFloors  []DurFloor
	metrics    []Metric
	eids       []EID
	uids       []UID
	data       []Data
	segments   []Segment
	nodes      []SChainNode
	brands     []BrandVersion
}

func (l *slabs) release() {
	releaseSlab(&l.deals)
	releaseSlab(&l.formats)
	releaseSlab(&l.companions)
	releaseSlab(&l.durFloors)
	releaseSlab(&l.metrics)
	releaseSlab(&l.eids)
	releaseSlab(&l.uids)
	releaseSlab(&l.data)
	releaseSlab(&l.segments)
	releaseSlab(&l.nodes)
	releaseSlab(&l.brands)
}

// releaseSlab empties a slab and drops what it refers to.
func releaseSlab[T any](slab *[]T) {
	if len(*slab) == 0 {
		return
	}
	if cap(*slab) > keepObjects {
		*slab = nil
		return
	}
	clear(*slab)
	*slab = (*slab)[:0]
}

// grow adds a zero element to a slab. It returns nil when the slab is at its limit.
func grow[T any](slab *[]T, limit int) *T {
	n := len(*slab)
	if n < cap(*slab) && n < limit {
		*slab = (*slab)[:n+1]
		return &(*slab)[n]
	}
	if n >= limit {
		return nil
	}
	var zero T
	*slab = append(*slab, zero)
	return &(*slab)[n]
}

// part sets dst to the elements of a slab from start, if there are any.
func part[T any](dst *[]T, slab []T, start int) {
	if n := len(slab); n > start {
		*dst = slab[start:n:n]
	}
}

// objects reads a list of objects into a slab, each with read, which is given the index of an object's first byte.
// A value that is no object is stepped over.
func objects[T any](s *scanner, i int, dst, slab *[]T, limit int, read func(i int, m *T) int) int {
	start := len(*slab)
	i, ok, lone := s.list(i)
	for ; ok; i, ok = s.more(i, lone) {
		if i >= len(s.b) || s.b[i] != '{' {
			i = s.other(i, OddObject)
			continue
		}
		element := grow(slab, limit)
		if element == nil {
			s.odd.Truncated |= TruncatedObjects
			i = s.skip(i)
			continue
		}
		i = read(i, element)
	}
	part(dst, *slab, start)
	return i
}
