package segments

import (
	"testing"

	"pgregory.net/rapid"
)

// drawProfile draws a profile whose times lie around base, so that windows of
// days end near it.
func drawProfile(t *rapid.T, base uint32) *Profile {
	at := rapid.Custom(func(t *rapid.T) uint32 {
		if rapid.IntRange(0, 3).Draw(t, "none") == 0 {
			return 0
		}
		return uint32(int64(base) + rapid.Int64Range(-4*dayS, 600).Draw(t, "at"))
	})
	p := &Profile{}
	p.Last, p.LastView, p.LastSearch = at.Draw(t, "last"), at.Draw(t, "view"), at.Draw(t, "search")
	p.LastCart, p.LastCheckout, p.LastPurchase = at.Draw(t, "cart"), at.Draw(t, "checkout"), at.Draw(t, "purchase")
	if rapid.Bool().Draw(t, "line") {
		p.Cart[0] = 1
	}
	p.Orders = rapid.Uint32Range(0, 3).Draw(t, "orders")
	for i := range 3 {
		p.Products[i], p.ProductAt[i], p.ProductCount[i] = uint64(i+1), max(at.Draw(t, "product"), 1), uint16(i+1)
		p.Categories[i], p.CategoryAt[i] = uint32(i+1), max(at.Draw(t, "category"), 1)
		p.Conversions[i], p.ConversionAt[i] = uint32(i+1), max(at.Draw(t, "conversion"), 1)
		p.Terms[i], p.TermAt[i] = uint32(i+1), max(at.Draw(t, "term"), 1)
	}
	return p
}

// What time changes, NextChange has said: until then every answer stays.
func TestNextChangeFromScratch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const base = 1_700_000_000
		p := drawProfile(t, base)
		margins := NewMargins(nil, func(yield func(ProductMargin) bool) {
			for i := range 3 {
				if !yield(ProductMargin{Product: uint64(i + 1), BPS: rapid.Int64Range(0, 4).Draw(t, "bps")}) {
					return
				}
			}
		})
		q := Predicate{
			Op: Op(rapid.IntRange(0, int(OpMargin)+1).Draw(t, "op")), Cmp: Cmp(rapid.IntRange(0, 5).Draw(t, "cmp")),
			Within: rapid.SampledFrom([]uint32{0, 60, 1800, 3600, dayS, 3 * dayS}).Draw(t, "within"),
			Hash:   rapid.Uint64Range(0, 4).Draw(t, "hash"), Value: rapid.Int64Range(0, 4).Draw(t, "value"),
		}
		now := base + rapid.Int64Range(-dayS, dayS).Draw(t, "now")
		next := q.NextChange(p, now)
		if int64(next) <= now {
			t.Fatalf("the next change %d is not after %d", next, now)
		}
		was := q.HoldsWith(p, margins, now*1000)
		end := min(int64(next), now+5*dayS)
		check := func(s int64) {
			if s >= now && s < end && q.HoldsWith(p, margins, s*1000+999) != was {
				t.Fatalf("%+v was %v at %d, is not at %d, before %d", q, was, now, s, next)
			}
		}
		check(now)
		check(end - 1)
		for range 20 {
			check(now + rapid.Int64Range(0, 5*dayS).Draw(t, "later"))
		}
	})
}
