package campaigns

import "math/bits"

// InSegments appends the numbers of the shop's segments that the user of the
// latest Match is in, at most most of them. It allocates only to grow dst.
func (m *Matcher) InSegments(shop *CompiledShop, dst []uint32, most int) []uint32 {
	if shop.Segments == nil || m.f == nil || m.f.User.IsZero() {
		return dst
	}
	set := shop.Segments.Set
	for i := range m.f.Members {
		if m.f.Members[i].Shop != shop.ID {
			continue
		}
		b, sure := m.f.Members[i].Bits(set, m.f.NowMS)
		if !sure {
			break
		}
		for w := range b {
			for word := b[w]; word != 0 && len(dst) < most; word &= word - 1 {
				if r := set.Rule(w<<6 + bits.TrailingZeros64(word)); r != nil {
					dst = append(dst, r.ID)
				}
			}
		}
		return dst
	}
	for slot := 0; slot < set.Slots() && len(dst) < most; slot++ {
		if r := set.Rule(slot); r != nil && m.inSegment(shop.ID, slot, r) {
			dst = append(dst, r.ID)
		}
	}
	return dst
}
