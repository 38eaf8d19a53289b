package plan

import (
	"math"
	"sort"
)

// close takes in the counts since the last plan.
func (l *Live) close(m *Moment) {
	var second, first, foretold float64
	hour := floorDiv(m.NowMS, hourMS)
	h := &l.hours[((hour%24)+24)%24]
	if h.hour != hour {
		h.hour, h.came, h.expected = hour, h.came/2, h.expected/2
	}
	dt := float64(m.NowMS-l.lastMS) / 1000
	fresh := l.lastMS == 0
	if fresh || dt < 0 { // the clock was set back: nothing is forgotten twice
		dt = 0
	}
	keep := math.Exp(-dt / liveMemory)
	for x := range l.sources {
		s, a := &l.sources[x], &l.pace.asked[x]
		now2, now1, total := a.second.Load(), a.first.Load(), m.Demand.Total(x)
		d2, d1, dr := float64(now2-s.second), float64(now1-s.first), total-s.total
		s.second, s.first, s.total = now2, now1, total
		if fresh {
			d2, d1, dr = 0, 0, 0 // what was before is nothing to it
		}
		foretold += s.ratio() * dr
		s.spent *= keep
		s.asked, s.requests, s.firstAsked = s.asked*keep+d2+d1, s.requests*keep+dr, s.firstAsked*keep+d1
		second, first = second+d2, first+d1
	}
	if foretold > 0 {
		h.came, h.expected = h.came+second+first, h.expected+foretold
		recent := math.Exp(-dt / recentMemory)
		l.came, l.expected = l.came*recent+second+first, l.expected*recent+foretold*h.factor()
	}
	if n := len(l.lots); n > 0 {
		o := &l.lots[n-1]
		o.toMS, o.second, o.first = m.NowMS, o.second+second, o.first+first
	}
	l.merge(m.NowMS)
}

// ratio is how many times the campaign could bid for a request.
func (s *source) ratio() float64 {
	if s.requests <= 0 {
		return 0
	}
	return s.asked / s.requests
}

func (h *hourFactor) factor() float64 { return (h.came + hourPrior) / (h.expected + hourPrior) }

// merge puts old lots together, and lets go what nothing is expected of.
func (l *Live) merge(nowMS int64) {
	horizon := int64(1000 * (l.delays.quantile(0.9999) + 2*replanSeconds))
	gone := 0
	for gone < l.unripe && nowMS-l.lots[gone].toMS > max(horizon, correctionSeconds*1000) {
		gone++
	}
	if len(l.lots)-gone > lotsMost {
		gone = len(l.lots) - lotsMost
	}
	l.lots = append(l.lots[:0], l.lots[gone:]...)
	l.unripe = max(0, l.unripe-gone)
	out := 0
	for i := 1; i < len(l.lots); i++ {
		a, b := &l.lots[out], l.lots[i]
		if a.ripe && b.ripe && nowMS-b.toMS > lotsMerged && b.toMS-a.fromMS <= lotLong {
			n := a.second + a.first + b.second + b.first
			if n > 0 {
				w := (b.second + b.first) / n
				a.k, a.varied = a.k+w*(b.k-a.k), a.varied+w*(b.varied-a.varied)
			}
			a.toMS, a.second, a.first, a.reported = b.toMS, a.second+b.second, a.first+b.first, a.reported+b.reported
			l.unripe--
			continue
		}
		out++
		l.lots[out] = b
	}
	if len(l.lots) > 0 {
		l.lots = l.lots[:out+1]
	}
}

// hear takes in the wins since the last plan.
func (l *Live) hear() {
	l.wins = l.pace.take(l.wins)
	for i := range l.wins {
		w := &l.wins[i]
		l.delays.observe(math.Max(0, float64(w.HeardMS-w.BidMS)/1000))
		cost := nanoFloat(w.Cost)
		at := sort.Search(len(l.lots), func(i int) bool { return l.lots[i].fromMS > w.BidMS }) - 1
		if at >= 0 {
			l.lots[at].reported += cost
		}
		if int(w.Exchange) < len(l.sources) {
			l.sources[w.Exchange].spent += cost
		}
		if w.First {
			continue
		}
		got := won{critical: math.Min(w.K, w.K*w.Share), cost: cost}
		if at >= 0 && !l.lots[at].ripe {
			l.lots[at].wins = append(l.lots[at].wins, got)
		} else {
			l.curve.won(got.critical, got.cost)
		}
	}
}

// ripen lets the curve learn from lots whose notices have come, nearly all.
func (l *Live) ripen(nowMS int64) {
	age := int64(1000 * math.Min(900, l.delays.quantile(0.98)+replanSeconds))
	for ; l.unripe < len(l.lots); l.unripe++ {
		o := &l.lots[l.unripe]
		if nowMS-o.toMS < age {
			return
		}
		o.ripe = true
		if o.second > 0 {
			l.curve.tried(o.k, o.second*(1-1.0/varyEvery))
			l.curve.tried(o.varied, o.second/varyEvery)
		}
		for _, w := range o.wins {
			l.curve.won(w.critical, w.cost)
		}
		o.wins = nil
	}
}
