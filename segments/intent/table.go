package intent

// Table finds the shops that may have what a Query looks for: those with a
// type or brand that one of its words names. It is immutable; a Query that
// asks it belongs to one goroutine.
type Table struct {
	slots []tableSlot
	list  []uint32 // places in shops
	shops []uint32
}

type tableSlot struct {
	hash     uint64
	from, to uint32
}

// NewTable joins the indexes of shops.
func NewTable(shops []uint32, indexes []*Index) *Table {
	t := &Table{shops: shops}
	counts := map[uint64]uint32{}
	each := func(f func(h uint64, place uint32)) {
		for i, x := range indexes {
			for j := range x.terms {
				if w := &x.terms[j]; w.hfrom < w.hto {
					f(tableHash(w.hash, x.lang), uint32(i))
				}
			}
		}
	}
	total := uint32(0)
	each(func(h uint64, _ uint32) { counts[h]++; total++ })
	n := 16
	for n < 2*len(counts) {
		n *= 2
	}
	t.slots, t.list = make([]tableSlot, n), make([]uint32, total)
	next := uint32(0)
	each(func(h uint64, place uint32) {
		s := t.slot(h)
		if s.hash == 0 {
			s.hash, s.from, s.to = h, next, next
			next += counts[h]
		}
		t.list[s.to] = place
		s.to++
	})
	return t
}

func tableHash(h uint64, l Language) uint64 { return max(h^uint64(l)*0x9e3779b97f4a7c15, 1) }

func (t *Table) slot(h uint64) *tableSlot {
	mask := uint64(len(t.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		if s := &t.slots[at]; s.hash == h || s.hash == 0 {
			return s
		}
	}
}

// Shops appends the shops that one of the Query's words may concern, each
// once.
func (t *Table) Shops(dst []uint32, q *Query) []uint32 {
	q.prepare()
	for len(q.stamps) < len(t.shops) {
		q.stamps = append(q.stamps, 0)
	}
	if q.epoch++; q.epoch == 0 {
		clear(q.stamps)
		q.epoch = 1
	}
	for i := range q.words {
		w := &q.words[i]
		for l := English; l <= Polish; l++ {
			if c := w.class[l]; c != plain && c != attr {
				continue
			}
			s := t.slot(tableHash(w.hash[l], l))
			for _, place := range t.list[s.from:s.to] {
				if q.stamps[place] != q.epoch {
					q.stamps[place] = q.epoch
					dst = append(dst, t.shops[place])
				}
			}
		}
	}
	return dst
}
