package plan

import (
	"math"

	"github.com/grosz/grosz/internal/money"
)

// PerClick says, before the first day, that the campaign is billed by clicks:
// its budget pays what Charge tells. Wins tell what impressions cost, which is
// about what their clicks will be billed, less a margin.
func (c *Controller) PerClick() { c.clicks = true }

// Charge tells what was billed at second t beside wins.
func (c *Controller) Charge(t float64, amount money.Nano) {
	if !c.running {
		return
	}
	c.tick(t)
	c.reported = money.Add(c.reported, max(0, amount))
	c.committed += nanoFloat(amount) // until the next plan sorts it out
}

// billedRatio is what clicks are billed for each unit that impressions cost; 1
// where wins are billed. It goes by the day so far, and at its beginning by the
// day before.
func (c *Controller) billedRatio(billed float64) float64 {
	if !c.clicks {
		return 1
	}
	media := 0.0
	for i := range c.buckets {
		media += c.buckets[i].reported
	}
	prior := 0.01 * nanoFloat(c.budget)
	c.ratio = (billed + prior*c.usual) / (media + prior)
	return math.Max(1.0/mostRatio, math.Min(mostRatio, c.ratio))
}

// mostRatio bounds the ratio, either way.
const mostRatio = 50
