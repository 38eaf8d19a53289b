package plan

import "math"

// LiveState is what outlives a restart.
type LiveState struct {
	BeganMS int64          `json:"began"`
	K       float64        `json:"k"`
	Spend   []float32      `json:"spend"` // of the curve
	Square  []float32      `json:"square"`
	Exposed []float32      `json:"exposed"`
	Wins    float64        `json:"wins"`
	Delays  []float32      `json:"delays"`
	Asked   [][3]float64   `json:"asked"` // by exchange: opportunities, of them first price, of so many requests
	Hours   [24][2]float64 `json:"hours"`
	Spent   []float64      `json:"spent,omitempty"` // by exchange, currency, fading
}

// State copies what was learned; Plan's goroutine calls it.
func (l *Live) State() LiveState {
	s := LiveState{BeganMS: l.beganMS, K: l.k, Wins: l.curve.wins}
	s.Spend, s.Square, s.Exposed = singles(l.curve.spend[:]), singles(l.curve.square[:]), singles(l.curve.exposed[:])
	for _, c := range l.delays.count {
		s.Delays = append(s.Delays, float32(c/l.delays.total))
	}
	for i := range l.sources {
		o := &l.sources[i]
		s.Asked = append(s.Asked, [3]float64{o.asked, o.firstAsked, o.requests})
		s.Spent = append(s.Spent, o.spent)
	}
	for i := range l.hours {
		s.Hours[i] = [2]float64{l.hours[i].came, l.hours[i].expected}
	}
	return s
}

func singles(list []float64) []float32 {
	out := make([]float32, len(list))
	for i, v := range list {
		out[i] = float32(v)
	}
	return out
}

// Restore puts back what State gave, before the first Plan. Exchanges are in
// the order of State's; what does not fit is left out.
func (l *Live) Restore(s LiveState) {
	fill := func(dst []float64, src []float32) {
		if len(dst) != len(src) {
			return
		}
		for i, v := range src {
			if v >= 0 && !math.IsInf(float64(v), 0) {
				dst[i] = float64(v)
			}
		}
	}
	fill(l.curve.spend[:], s.Spend)
	fill(l.curve.square[:], s.Square)
	fill(l.curve.exposed[:], s.Exposed)
	l.curve.wins = math.Max(0, s.Wins)
	l.beganMS = s.BeganMS
	if s.K > 0 && s.K <= 1 {
		l.k, l.varied = s.K, s.K
		l.pace.set(s.K, s.K)
	}
	if len(s.Delays) == delayBins {
		d := newDelays()
		fill(d.count[:], s.Delays)
		d.total = 0
		for i := range d.count {
			d.count[i] *= restoredDelays
			d.total += d.count[i]
		}
		if d.total > 0 {
			l.delays = d
		}
	}
	for i := range min(len(s.Asked), len(l.sources)) {
		if a := s.Asked[i]; a[0] >= 0 && a[1] >= 0 && a[1] <= a[0] && a[2] > 0 {
			l.sources[i].asked, l.sources[i].firstAsked, l.sources[i].requests = a[0], a[1], a[2]
		}
	}
	for i := range min(len(s.Spent), len(l.sources)) {
		if v := s.Spent[i]; v >= 0 && !math.IsInf(v, 0) {
			l.sources[i].spent = v
		}
	}
	for i := range l.hours {
		if s.Hours[i][0] >= 0 && s.Hours[i][1] >= 0 {
			l.hours[i].came, l.hours[i].expected = s.Hours[i][0], s.Hours[i][1]
		}
	}
}

// restoredDelays is how many notices a restored distribution counts for.
const restoredDelays = 300
