package forecast

import "math"

// curve is the win rate of each price of a market, as a table by log price,
// and the area below it, from which second prices follow.
type curve struct {
	lo   float64 // the least log price of the table
	win  []float64
	area []float64 // ∫ win d(price) from 0
}

const (
	curveSpan  = 6.0 // of log prices
	curveSteps = 160
	curveStep  = curveSpan / curveSteps
)

// growStep is from a price of the table to the next one.
var growStep = math.Exp(curveStep)

// at is the win rate and the area below it at a log price.
func (c *curve) at(logCPM float64) (win, area float64) {
	x := (logCPM - c.lo) / curveStep
	switch {
	case !(x > 0): // very cheap: nearly nothing is won
		f := math.Exp(x * curveStep)
		return c.win[0] * f, c.area[0] * f * f
	case x >= curveSteps:
		f := math.Exp(logCPM) - math.Exp(c.lo+curveSpan)
		return c.win[curveSteps], c.area[curveSteps] + f*c.win[curveSteps]
	}
	i := int(x)
	s := x - float64(i)
	return c.win[i] + s*(c.win[i+1]-c.win[i]), c.area[i] + s*(c.area[i+1]-c.area[i])
}

// paid is the mean price of an impression times its probability at a bid, in
// a second-price auction with a floor; logFloor is −∞ without one.
func (c *curve) paid(logCPM, logFloor float64) float64 {
	win, upTo := c.at(logCPM)
	_, under := c.at(min(logFloor, logCPM))
	return math.Exp(logCPM)*win - (upTo - under)
}
