package forecast

import "math/rand/v2"

// tries is how many lives of a person are played out where there are caps.
const tries = 4

// capped plays which bids of a person caps let pass: what was won before is
// drawn, some times over. The draws of a person are the same whatever is
// asked, so that answers differ by what was asked.
type capped struct {
	caps []Cap
	won  [tries][]int64 // when, of the person
	src  rand.PCG
	rng  *rand.Rand
}

func newCapped(caps []Cap) *capped {
	c := &capped{caps: caps}
	c.rng = rand.New(&c.src)
	return c
}

// next begins with another person.
func (c *capped) next(person int32) {
	if len(c.caps) == 0 {
		return
	}
	c.src.Seed(uint64(uint32(person)), 0xca9)
	for i := range c.won {
		c.won[i] = c.won[i][:0]
	}
}

// pass is the part of a bid, which wins with p, that the caps let pass. none
// is the probability that nothing was won so far, and is brought up to date.
func (c *capped) pass(atMS int64, p float64, none *float64) float64 {
	if len(c.caps) == 0 {
		*none *= 1 - p
		return 1
	}
	open, empty := 0, 0
	for i := range c.won {
		u := c.rng.Float64()
		if c.room(c.won[i], atMS) {
			open++
			if u < p {
				c.won[i] = append(c.won[i], atMS)
			}
		}
		if len(c.won[i]) == 0 {
			empty++
		}
	}
	*none = float64(empty) / tries
	return float64(open) / tries
}

func (c *capped) room(won []int64, atMS int64) bool {
	for _, k := range c.caps {
		since := atMS - k.Within.Milliseconds()
		if n := len(won) - k.Impressions; n >= 0 && won[n] > since {
			return false
		}
	}
	return true
}
