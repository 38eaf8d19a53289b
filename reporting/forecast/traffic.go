package forecast

import (
	"math"
	"math/rand/v2"
)

// traffic is how the bids of a campaign vary from day to day, learned from the
// sample. Days are of 24 hours and end with the sample, so that the earliest
// may be a part of one. The logarithm of a day's traffic is one level, the
// weekday's own, a level that wanders, and chance; how large each of them is
// the sample tells as far as it can, on top of what is usual.
type traffic struct {
	part  []float64 // of each day that is in the sample, the latest first
	logs  []float64 // of the day's traffic for a whole day, about their mean
	noise []float64 // variance of logs by which people the sample has
	sizes []sizes
	upTo  []float64 // cumulated probability of sizes
	known [][]float64
}

// sizes are standard deviations of a day's traffic, in logarithm.
type sizes struct{ day, week, wander float64 }

const (
	maxTrafficDays = 35
	// levelSD stands for a level of which nothing is known.
	levelSD = 3.0
	// hourSD is how far a part of a day may differ from the whole.
	hourSD = 0.5
	// leastPart of a day is one.
	leastPart = 0.05
)

// What is usual: sizes and how likely they are beforehand.
var (
	daySizes    = [...][2]float64{{0.05, 2}, {0.1, 2}, {0.15, 2}, {0.2, 1}, {0.3, 0.7}, {0.45, 0.3}}
	weekSizes   = [...][2]float64{{0.02, 3}, {0.1, 2}, {0.2, 0.8}, {0.35, 0.3}}
	wanderSizes = [...][2]float64{{0.005, 4}, {0.03, 0.7}, {0.06, 0.15}}
)

// newTraffic learns it. perDay has the traffic of each of people on each day.
func newTraffic(window float64, totals, squares []float64) *traffic {
	t := &traffic{}
	for d := range totals {
		part := min(window-float64(d), 1)
		if part < leastPart && d > 0 {
			break
		}
		// A day without bids is not impossible where there are few.
		n := totals[d] * totals[d] / max(squares[d], 1e-12) // people that it speaks of
		if totals[d] <= 0 {
			n = 0
		}
		t.part = append(t.part, max(part, leastPart))
		t.noise = append(t.noise, 1/max(n, 0.5))
		t.logs = append(t.logs, math.Log(max(totals[d], 1e-12)/max(part, leastPart)))
	}
	t.centre()
	t.learn()
	return t
}

// centre subtracts the mean, and gives days without bids it.
func (t *traffic) centre() {
	sum, n := 0.0, 0.0
	for i, l := range t.logs {
		if t.noise[i] < 2 {
			sum, n = sum+l, n+1
		}
	}
	for i := range t.logs {
		if t.noise[i] < 2 {
			t.logs[i] -= sum / n
		} else {
			t.logs[i] = -1
		}
	}
}

// learn weighs how large the variations are.
func (t *traffic) learn() {
	var logs []float64
	best := math.Inf(-1)
	for _, d := range daySizes {
		for _, w := range weekSizes {
			for _, u := range wanderSizes {
				s := sizes{d[0], w[0], u[0]}
				k := t.covariance(s)
				l := math.Log(d[1]*w[1]*u[1]) + likelihood(k, t.logs)
				t.sizes, t.known, logs = append(t.sizes, s), append(t.known, k), append(logs, l)
				best = max(best, l)
			}
		}
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - best)
		t.upTo = append(t.upTo, sum)
	}
}

// common is the covariance of the traffic of two days; days that are to come
// count from 0 up, those in the sample from -1 down.
func common(s sizes, a, b int) float64 {
	v := levelSD * levelSD
	if (a-b)%7 == 0 {
		v += s.week * s.week
	}
	// It wanders away from the middle of the first day to come, both ways.
	if (a < 0) == (b < 0) {
		v += s.wander * s.wander * min(math.Abs(float64(a)+0.5), math.Abs(float64(b)+0.5))
	}
	if a == b {
		v += s.day * s.day
	}
	return v
}

// covariance of the days in the sample, as its Cholesky factor, by rows.
func (t *traffic) covariance(s sizes) []float64 {
	n := len(t.logs)
	k := make([]float64, n*n)
	for i := range n {
		for j := range i + 1 {
			v := common(s, -1-i, -1-j)
			if i == j {
				h := hourSD * (1 - t.part[i])
				v += t.noise[i] + h*h
			}
			k[i*n+j] = v
		}
	}
	for i := range n {
		for j := range i + 1 {
			sum := k[i*n+j]
			for m := range j {
				sum -= k[i*n+m] * k[j*n+m]
			}
			if i == j {
				k[i*n+i] = math.Sqrt(max(sum, 1e-12))
			} else {
				k[i*n+j] = sum / k[j*n+j]
			}
		}
	}
	return k
}

// solve returns K⁻¹y for K's Cholesky factor.
func solve(k, y []float64) []float64 {
	n := len(y)
	out := make([]float64, n)
	for i := range n {
		out[i] = y[i]
		for m := range i {
			out[i] -= k[i*n+m] * out[m]
		}
		out[i] /= k[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for m := i + 1; m < n; m++ {
			out[i] -= k[m*n+i] * out[m]
		}
		out[i] /= k[i*n+i]
	}
	return out
}

// likelihood is the log density of y, up to a constant.
func likelihood(k, y []float64) float64 {
	n, l := len(y), 0.0
	x := solve(k, y)
	for i := range n {
		l -= math.Log(k[i*n+i]) + x[i]*y[i]/2
	}
	return l
}

// draw is what the traffic of the days to come may be, by that of the sample.
// It draws days of both, and moves them to what the sample's were (Matheron's
// rule).
func (t *traffic) draw(r *rand.Rand, days float64) float64 {
	u, pick := r.Float64()*t.upTo[len(t.upTo)-1], 0
	for pick < len(t.upTo)-1 && t.upTo[pick] < u {
		pick++
	}
	s := t.sizes[pick]
	var week [7]float64
	for i := range week {
		week[i] = s.week * r.NormFloat64()
	}
	level := levelSD * r.NormFloat64()
	path := func(n, from, step int) []float64 {
		out, at, scale := make([]float64, n), 0.0, math.Sqrt(0.5)
		for i := range out {
			at += s.wander * scale * r.NormFloat64()
			scale = 1
			out[i] = level + week[((from+i*step)%7+7)%7] + at + s.day*r.NormFloat64()
		}
		return out
	}
	past, next := path(len(t.logs), -1, -1), path(int(math.Ceil(days)), 0, 1)
	miss := make([]float64, len(past))
	for i := range past {
		past[i] += hourSD * (1 - t.part[i]) * r.NormFloat64()
		miss[i] = t.logs[i] - past[i] - math.Sqrt(t.noise[i])*r.NormFloat64()
	}
	by := solve(t.known[pick], miss)
	moved := func(x float64, day int) float64 {
		for j := range by {
			x += common(s, day, -1-j) * by[j]
			if day == -1-j {
				h := hourSD * (1 - t.part[j])
				x += h * h * by[j]
			}
		}
		return x
	}
	was, will := 0.0, 0.0
	for i := range past {
		was += t.part[i] * math.Exp(moved(past[i], -1-i))
	}
	for i := range next {
		will += min(days-float64(i), 1) * math.Exp(moved(next[i], i))
	}
	return will / was
}
