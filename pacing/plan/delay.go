package plan

import "math"

// delays is the distribution of the time between a bid and its win notice,
// learned from notices that came. Old ones are forgotten.
type delays struct {
	count [delayBins]float64
	total float64
	cum   [delayBins + 1]float64
	stale bool
}

const (
	delayLinear = 64  // bins of a second
	delayBins   = 128 // above: growing by an eighth each
	delayMemory = 3000
)

func newDelays() *delays {
	d := &delays{stale: true}
	for i := range 5 { // before anything is known: some seconds
		d.count[i*4] = 1
		d.total++
	}
	return d
}

func delayBin(seconds float64) int {
	if seconds < delayLinear {
		return max(0, int(seconds))
	}
	return min(delayBins-1, delayLinear+int(8*math.Log2(seconds/delayLinear)))
}

// edge is where a bin begins, in seconds.
func delayEdge(bin int) float64 {
	if bin <= delayLinear {
		return float64(bin)
	}
	return delayLinear * math.Exp2(float64(bin-delayLinear)/8)
}

func (d *delays) observe(seconds float64) {
	const keep = 1 - 1.0/delayMemory
	// Instead of shrinking all old weights, the new one is larger.
	if d.total > 1e12 {
		for i := range d.count {
			d.count[i] /= d.total
		}
		d.total = 1
	}
	weight := 1.0
	if d.total > delayMemory {
		weight = d.total / (delayMemory * keep)
	}
	d.count[delayBin(seconds)] += weight
	d.total += weight
	d.stale = true
}

func (d *delays) refresh() {
	if !d.stale {
		return
	}
	d.stale = false
	sum := 0.0
	for i, c := range d.count {
		d.cum[i] = sum / d.total
		sum += c
	}
	d.cum[delayBins] = 1
}

// reported is the share of wins whose notice has come at this age.
func (d *delays) reported(age float64) float64 {
	d.refresh()
	if age <= 0 {
		return 0
	}
	i := delayBin(age)
	lo, hi := delayEdge(i), delayEdge(i+1)
	return d.cum[i] + (d.cum[i+1]-d.cum[i])*math.Min(1, (age-lo)/(hi-lo))
}

// quantile is the age at which a share of notices has come.
func (d *delays) quantile(share float64) float64 {
	d.refresh()
	for i := range delayBins {
		if d.cum[i+1] >= share {
			return delayEdge(i + 1)
		}
	}
	return delayEdge(delayBins)
}
