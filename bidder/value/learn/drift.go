package learn

import (
	"math"
	"slices"

	"github.com/grosz/grosz/bidder/value"
)

// drift measures how far the mean weights moved all predictions since the
// last look: what was predicted an hour ago is compared with what came as the
// weights of now would have predicted it. Without it a correction would go on
// making good what the weights have learned since.
type drift struct {
	Fixed []Example // a sample of the time of the last look
	Was   []float64 // log-odds then
	Fresh []Example // the latest examples, in a ring
	Next  int
}

// driftOf is how many examples the sample has.
const driftOf = 1_000

// note keeps a copy of an example among the latest.
func (d *drift) note(e *Example) {
	if len(d.Fresh) < driftOf {
		d.Next = len(d.Fresh)
		d.Fresh = slices.Grow(d.Fresh, 1)[:d.Next+1] // with the memory of what stood there
	}
	x := &d.Fresh[d.Next]
	x.Shop, x.Campaign = e.Shop, e.Campaign
	x.Placement, x.Own = append(x.Placement[:0], e.Placement...), append(x.Own[:0], e.Own...)
	d.Next = (d.Next + 1) % driftOf
}

// look returns by what predictions have been multiplied since the last look.
func (d *drift) look(tg value.Target, score func(*Example) float64) float64 {
	was, is := 0.0, 0.0
	for i := range d.Fixed {
		was += chance(tg, d.Was[i])
		is += chance(tg, score(&d.Fixed[i]))
	}
	d.Fixed, d.Fresh, d.Next = d.Fresh, d.Fixed[:0], 0
	d.Was = d.Was[:0]
	for i := range d.Fixed {
		d.Was = append(d.Was, score(&d.Fixed[i]))
	}
	if was <= 0 || is <= 0 {
		return 1
	}
	return is / was
}

// chance is what log-odds mean: an order's are learned from a stream of
// negatives with the orders beside them.
func chance(tg value.Target, logOdds float64) float64 {
	odds := math.Exp(logOdds)
	if tg == value.Click {
		return odds / (1 + odds)
	}
	return min(odds, 1)
}

// lately compares what was given out with what came of it, for people to see:
// half is forgotten in half an hour, of orders in two days.
type lately struct {
	Expected, Observed float64
	AtMS               int64
}

func (l *lately) add(tg value.Target, nowMS int64, expected, observed float64) {
	if age := nowMS - l.AtMS; age >= minuteMS {
		half := hourMS / 2.0
		if tg == value.Order {
			half = 2 * dayMS
		}
		fade := math.Exp2(-float64(age) / half)
		l.Expected, l.Observed, l.AtMS = l.Expected*fade, l.Observed*fade, nowMS
	}
	l.Expected, l.Observed = l.Expected+expected, l.Observed+observed
}

// ratio is expected ÷ observed, near 1 while little is known.
func (l *lately) ratio() float64 {
	return (l.Expected + priorTargets) / (max(l.Observed, 0) + priorTargets)
}
