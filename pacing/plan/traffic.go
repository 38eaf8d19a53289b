package plan

import "math"

// traffic foretells how many requests are still to come today: a forecast by
// the minute, times the level at which today runs, plus what a crowd that is
// here now will still bring.
type traffic struct {
	shape    [dayMinutes]float64     // requests per minute, as foretold
	after    [dayMinutes + 1]float64 // the shape's sum from a minute on
	seen     [dayMinutes]float64
	minute   int     // the running one
	began    bool    // a request was seen
	first    int     // minute of the first request
	observed float64 // discounted requests of calm minutes
	foretold float64 // discounted forecast of the same
	crowd    int     // minutes that the present crowd has lasted
	held     [2]float64
	fast     float64 // requests per second, now
	fastAt   float64 // when that was brought up to date
	recent   float64
	given    bool // a forecast was given
	known    bool // given, or yesterday's
}

const (
	dayMinutes   = 1440
	daySeconds   = 86400
	levelMemory  = 300.0 // minutes
	guessMemory  = 60.0  // minutes, where the shape of the day is a guess
	fastMemory   = 40.0  // seconds
	crowdTimes   = 3.0   // of what was to be expected is a crowd
	crowdHorizon = 300.0 // seconds that a crowd is expected to stay
	crowdLong    = 75    // minutes from which on a crowd is the new normal
	levelPrior   = 10.0  // minutes' worth of trust in the forecast's level
	caution      = 0.17  // part of an hour's requests that may fail to come
)

// start begins a day. Without a forecast the shape is yesterday's, else that
// of any day: quiet nights.
func (f *traffic) start(forecast []float64) {
	yesterday, known := f.smoothed()
	*f = traffic{}
	f.given = usable(forecast)
	f.known = f.given || known
	total := 0.0
	for m := range f.shape {
		switch {
		case f.given:
			f.shape[m] = math.Max(0, forecast[m*len(forecast)/dayMinutes])
		case known:
			f.shape[m] = yesterday[m]
		default:
			f.shape[m] = 1 + 0.65*math.Cos(2*math.Pi*(float64(m)/60-16)/24)
		}
		total += f.shape[m]
	}
	for m := dayMinutes - 1; m >= 0; m-- {
		f.after[m] = f.after[m+1] + f.shape[m]
	}
	prior := levelPrior * total / dayMinutes
	if !f.given && !known {
		prior = 1e-6 * total
	}
	f.observed, f.foretold = prior, prior
}

func usable(forecast []float64) bool {
	sum := 0.0
	for _, v := range forecast {
		if v > 0 {
			sum += v
		}
	}
	return sum > 0 && !math.IsInf(sum, 0)
}

// smoothed is what was seen of a whole day, over half an hour around each
// minute.
func (f *traffic) smoothed() (out [dayMinutes]float64, ok bool) {
	const around = 15
	total := 0.0
	for m := range out {
		lo, hi := max(0, m-around), min(dayMinutes, m+around+1)
		for _, n := range f.seen[lo:hi] {
			out[m] += n
		}
		out[m] /= float64(hi - lo)
		total += out[m]
	}
	return out, total > 0
}

// request notes one at second t.
func (f *traffic) request(t float64) {
	f.advance(t)
	if !f.began {
		f.began, f.first, f.fastAt = true, f.minute, t
	}
	f.seen[f.minute]++
	f.recent++
}

// advance moves the clock; minutes that are over move the level.
func (f *traffic) advance(t float64) {
	if dt := t - f.fastAt; dt >= 10 {
		keep := math.Exp(-dt / fastMemory)
		f.fast = keep*f.fast + (1-keep)*f.recent/dt
		f.recent, f.fastAt = 0, t
	}
	to := min(dayMinutes-1, max(0, int(t/60)))
	for ; f.minute < to; f.minute++ {
		f.close(f.minute)
	}
}

// close learns from a minute that is over. Dead ones are an outage and crowds
// are an exception: neither tells how the rest of the day will be.
func (f *traffic) close(m int) {
	if !f.began || m < f.first {
		return
	}
	n, foretold := f.seen[m], f.shape[m]
	if !f.given && f.foretold < 1e-3 {
		f.observed, f.foretold = n, foretold
		return
	}
	expected := foretold * f.level()
	settled := m-f.first >= 20
	if settled && expected >= 8 && n < 0.1*expected {
		return
	}
	if settled && n > crowdTimes*expected+3*math.Sqrt(expected)+3 {
		f.crowd++
		f.held[0] += n
		f.held[1] += foretold
		if f.crowd < crowdLong {
			return
		}
		n, foretold = f.held[0], f.held[1] // it stayed: this is the level now
		f.observed, f.foretold = 0, 0
	}
	f.crowd, f.held = 0, [2]float64{}
	memory := levelMemory
	if !f.known {
		memory = guessMemory
	}
	keep := math.Exp(-1 / memory)
	f.observed = keep*f.observed + n
	f.foretold = keep*f.foretold + foretold
}

func (f *traffic) level() float64 {
	if f.foretold <= 0 {
		return 1
	}
	return f.observed / f.foretold
}

// remaining is how many requests are to be counted on from second t to the end
// of the day: somewhat fewer than are to be expected, the more so the fewer
// hours are left to be wrong about, since a day that ends early leaves money
// over and one that ends late only has it spent a little sooner.
func (f *traffic) remaining(t float64) float64 {
	f.advance(t)
	m := f.minute
	left := f.shape[m]*math.Max(0, float64(m+1)-t/60) + f.after[m+1]
	level := f.level()
	expected := level * f.shape[m] / 60
	crowd := math.Max(0, f.fast-2*expected) * math.Min(crowdHorizon, daySeconds-t)
	hours := (daySeconds - math.Min(t, daySeconds)) / 3600
	if f.known {
		left *= 1 - caution/math.Sqrt(hours+0.5)
	}
	return level*left + crowd
}
