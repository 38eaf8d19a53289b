package bidder

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

// A bid's record says which of its shop's segments the person was in, worked
// out before or not; of nobody, and of a person in none, it says nothing.
func TestABidSaysItsAudience(t *testing.T) {
	w := segmentWorld(t, []*campaigns.Segment{
		ruleOf(5, "Lookers", "viewed within 2d"), ruleOf(3, "Cart", "in_cart"), ruleOf(9, "Buyers", "is_buyer"), ruleOf(12, "Known", "known"),
	}, "")
	c := newContext([32]byte{1})
	audience := func(body string) string {
		c.audience.text = c.audience.text[:0]
		require.Equal(t, ReasonNone, w.bidOnce(c, []byte(body)))
		return string(c.audience.text)
	}
	says := func(want string) {
		require.Equal(t, want, audience(personRequest("")), "before it is worked out")
		w.settleSegments()
		require.Equal(t, want, audience(personRequest("")), "and after")
	}
	says("")
	w.does(`"type":"product_view","product":"a"`)
	says("5,12")
	w.does(`"type":"cart_add","product":"b","quantity":1,"price":"10"`)
	says("3,5,12")
	w.clock.Advance(49 * time.Hour)
	says("3,12")
	w.does(`"type":"purchase","order_id":"o1","value":"10"`)
	says("9,12")
	require.Empty(t, audience(bannerRequest), "nobody we may know")
	if body := []byte(personRequest("")); !raceEnabled {
		require.Zero(t, testing.AllocsPerRun(100, func() { w.bidOnce(c, body) }))
		require.Equal(t, "9,12", string(c.audience.text))
	}
}
