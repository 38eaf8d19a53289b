package segments

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// The margin of a person's orders follows what becomes of the orders, and
// survives being packed.
func TestTheMarginOfOrders(t *testing.T) {
	left := func(id string, value, margin money.Nano) events.ShopEvent {
		e := bought(id, value)
		e.Margin = margin
		return e
	}
	for _, c := range []struct {
		name string
		do   func(s *shopper)
		want money.Nano
	}{
		{"one", func(s *shopper) { s.does(0, left("1", 90*zl, 30*zl)) }, 30 * zl},
		{"two, one at a loss", func(s *shopper) { s.does(0, left("1", 90*zl, 30*zl)).does(1, left("2", 10*zl, -5*zl)) }, 25 * zl},
		{"none that is known", func(s *shopper) { s.does(0, bought("1", 90*zl)) }, 0},
		{"cancelled", func(s *shopper) { s.does(0, left("1", 90*zl, 30*zl)).does(1, became("1", "cancelled", 0)) }, 0},
		{"a third came back", func(s *shopper) { s.does(0, left("1", 90*zl, 30*zl)).does(1, became("1", "returned", 30*zl)) }, 20 * zl},
		{"a third of a loss came back", func(s *shopper) { s.does(0, left("1", 90*zl, -30*zl)).does(1, became("1", "returned", 30*zl)) }, -20 * zl},
		{"news came first", func(s *shopper) { s.does(1, became("1", "paid", 0)).does(0, left("1", 90*zl, 30*zl)) }, 30 * zl},
		{"told twice", func(s *shopper) { s.does(0, left("1", 90*zl, 30*zl)).does(1, left("1", 90*zl, 40*zl)) }, 30 * zl},
		{"more orders than are remembered one by one", func(s *shopper) {
			for i := range int64(12) {
				s.does(i, left(string(rune('a'+i)), 90*zl, zl*money.Nano(1+i)))
			}
		}, 78 * zl},
		{"of a bad event", func(s *shopper) { s.does(0, left("1", 1, math.MinInt64)) }, -math.MaxInt64},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &shopper{t: t, s: newStore(t, Config{})}
			c.do(s)
			p := s.profile()
			assert.Equal(t, c.want, p.Margin)
			var q Profile
			require.NoError(t, q.unpack(p.pack(nil), p.Last))
			assert.Equal(t, *p, q)
			ask := Predicate{Op: OpMargin, Cmp: GreaterOrEqual, Value: int64(c.want)}
			assert.True(t, ask.Holds(p, startMS))
			ask.Cmp = Greater
			assert.False(t, ask.Holds(p, startMS))
		})
	}
}
