package bidder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/segments"
)

// A person with the same shops is looked at once in a quarter of an hour and
// exchange: a further shop, or a new day anywhere, is seen.
func TestWhoWasMetLatelyIsNotLookedUpAgain(t *testing.T) {
	s := new(seenToday)
	one, two := []segments.ShopProfile{{Shop: 1}}, []segments.ShopProfile{{Shop: 1}, {Shop: 2}}
	require.False(t, s.met(person(1), one, 0, noon))
	require.True(t, s.met(person(1), one, 0, noon+latelyMS-1))
	for name, again := range map[string]bool{
		"a further shop":     s.met(person(1), two, 0, noon),
		"another exchange":   s.met(person(1), one, 1, noon),
		"another person":     s.met(person(2), one, 0, noon),
		"a later quarter":    s.met(person(1), one, 0, noon+latelyMS),
		"shops of the other": s.met(person(2), two, 0, noon),
	} {
		require.False(t, again, name)
	}
	third := person(3)
	require.Zero(t, testing.AllocsPerRun(10, func() { s.met(third, two, 0, noon) }))
}
