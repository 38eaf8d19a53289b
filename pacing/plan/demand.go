package plan

import (
	"math"
	"slices"
	"strings"
	"sync"
)

// Demand is the forecast of requests that all campaigns share: by exchange and
// hour of the week (UTC), of all nodes, learned from the counts that nodes
// write into the log each hour; and how this node's own traffic runs against
// it just now. An hour that was never seen is taken as the same hour of other
// days, and before any was seen nights are quiet.
//
// Safe for many goroutines; a lock is held for microseconds. It is slow side:
// a bid does not call it. Memory: some 40 KB an exchange.
type Demand struct {
	mu        sync.Mutex
	exchanges []demand
}

// demand of one exchange.
type demand struct {
	week    [weekHours]float64 // requests of all nodes in that hour; 0: never seen
	open    [openHours]openHour
	newest  int64 // hours since 1970 that were taken into week, up to here
	own     traffic
	day     int64   // since 1970, UTC, that own is about
	total   float64 // this node's requests so far
	shape   [weekHours]float64
	shaped  bool
	scale   float64 // mean of an hour that was seen
	pending float64 // this node's requests since the last record
	hour    int64   // of pending
}

// openHour is what nodes told of an hour. A record may come again, by the spool
// or after a restart that reads the log from further back: a node counts once,
// with the most that it told.
type openHour struct {
	hour  int64
	nodes []nodeCount
}

type nodeCount struct {
	node  string
	count float64
}

func (o *openHour) count() (sum float64) {
	for i := range o.nodes {
		sum += o.nodes[i].count
	}
	return sum
}

func (o *openHour) told(node string, count float64) {
	i := slices.IndexFunc(o.nodes, func(n nodeCount) bool { return n.node == node })
	switch {
	case i >= 0:
		o.nodes[i].count = max(o.nodes[i].count, count)
	case len(o.nodes) < maxNodes:
		o.nodes = append(o.nodes, nodeCount{strings.Clone(node), count})
	}
}

const (
	maxNodes  = 256 // that an hour's counts are taken from; further ones are not in the forecast
	weekHours = 168
	openHours = 4   // whose records may still come
	weekBlend = 0.4 // of what a week teaches about its hours
	hourMS    = 3_600_000
	dayMS     = 24 * hourMS
)

// NewDemand makes room for exchanges 0 to n−1.
func NewDemand(n int) *Demand { return &Demand{exchanges: make([]demand, n)} }

// HourCount is a node's requests of an exchange in one hour, for the log.
type HourCount struct {
	Node     string // empty in what Seen returns: this one
	Exchange int
	HourMS   int64 // when the hour began
	Count    int64
}

// Seen counts n of this node's requests up to nowMS. Calls come in order of
// time, every ten seconds or oftener. What it returns is to be told to all nodes:
// the count of an hour that is over.
func (d *Demand) Seen(exchange int, nowMS int64, n float64) (HourCount, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := &d.exchanges[exchange]
	if day := floorDiv(nowMS, dayMS); day != x.day || x.own.foretold == 0 {
		x.begin(day)
	}
	x.refresh()
	t := float64(nowMS-x.day*dayMS) / 1000
	x.own.advance(t)
	if n > 0 {
		if !x.own.began {
			x.own.began, x.own.first, x.own.fastAt = true, x.own.minute, t
		}
		x.own.seen[x.own.minute] += n
		x.own.recent += n
		x.total += n
	}
	var done HourCount
	hour := floorDiv(nowMS, hourMS)
	if hour != x.hour {
		done = HourCount{Exchange: exchange, HourMS: x.hour * hourMS, Count: int64(x.pending)}
		x.hour, x.pending = hour, 0
	}
	x.pending += n
	return done, done.Count > 0
}

// Told takes in what a node, this one or another, counted in an hour. Of
// hours that are hours past nothing is taken: they were. The same record again
// changes nothing.
func (d *Demand) Told(c HourCount) {
	if c.Exchange < 0 || c.Exchange >= len(d.exchanges) || c.Count <= 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	x, hour := &d.exchanges[c.Exchange], floorDiv(c.HourMS, hourMS)
	if hour <= x.newest {
		return
	}
	slot := &x.open[hour%openHours]
	switch {
	case slot.hour == hour:
		slot.told(c.Node, float64(c.Count))
		return
	case slot.hour > hour:
		return
	}
	for i := range x.open { // hours whose time is over
		if o := &x.open[i]; len(o.nodes) > 0 && o.hour <= hour-2 {
			x.take(o)
		}
	}
	*slot = openHour{hour: hour}
	slot.told(c.Node, float64(c.Count))
}

// take moves a whole hour into the week.
func (x *demand) take(o *openHour) {
	slot, count := &x.week[o.hour%weekHours], o.count()
	if *slot == 0 {
		*slot = count
	} else {
		*slot += weekBlend * (count - *slot)
	}
	x.newest = max(x.newest, o.hour)
	*o, x.shaped = openHour{}, false
}

// begin starts a day of this node's traffic, at the level of the one before.
func (x *demand) begin(day int64) {
	x.reshape()
	level, known, fast := x.own.level(), x.own.began, x.own.fast
	x.day, x.own = day, traffic{}
	minutes := x.minutes()
	x.own.start(minutes[:])
	x.own.known, x.own.given = x.scale > 0, x.scale > 0
	switch {
	case known:
		x.own.observed = x.own.foretold * level
		x.own.began, x.own.fast = true, fast
	case x.scale == 0: // any level may be
		x.own.observed, x.own.foretold = 1e-6, 1e-6
	}
}

// minutes is the forecast of all nodes for the day.
func (x *demand) minutes() (out [dayMinutes]float64) {
	for m := range out {
		from := x.day*dayMS + int64(m)*60_000
		out[m] = x.between(from, from+60_000)
	}
	return out
}

// refresh brings a forecast that has changed into the running day: what the
// level is about changes with it.
func (x *demand) refresh() {
	if x.shaped {
		return
	}
	before := x.own.shape
	x.reshape()
	if x.own.foretold == 0 {
		return
	}
	x.own.shape = x.minutes()
	var was, is float64
	for m := range before {
		was, is = was+before[m], is+x.own.shape[m]
	}
	if was > 0 && is > 0 {
		x.own.foretold *= is / was
	}
	x.own.known, x.own.given = x.scale > 0, x.scale > 0
}

// reshape fills the hours that were never seen.
func (x *demand) reshape() {
	if x.shaped {
		return
	}
	x.shaped = true
	sum, usualSum := 0.0, 0.0
	for h, n := range x.week {
		if n > 0 {
			sum += n
			usualSum += usualHour(h % 24)
		}
	}
	x.scale = 0
	per := 1.0
	if sum > 0 {
		per = sum / usualSum
		x.scale = per
	}
	for h := range x.week {
		if x.shape[h] = x.week[h]; x.shape[h] > 0 {
			continue
		}
		same, n := 0.0, 0.0
		for i := h % 24; i < weekHours; i += 24 {
			if x.week[i] > 0 {
				same, n = same+x.week[i], n+1
			}
		}
		if x.shape[h] = per * usualHour(h%24); n > 0 {
			x.shape[h] = same / n
		}
	}
}

// usualHour is how busy an hour of any day is against the mean.
func usualHour(hour int) float64 { return 1 + 0.65*math.Cos(2*math.Pi*(float64(hour)+0.5-16)/24) }

// between is the forecast of all nodes' requests from one time to another
// within an hour; the rate runs straight from middle to middle of hours.
func (x *demand) between(fromMS, toMS int64) float64 {
	mid := float64(fromMS+toMS)/2/hourMS - 0.5
	h := math.Floor(mid)
	part := mid - h
	i := int(((int64(h) % weekHours) + weekHours) % weekHours)
	rate := (1-part)*x.shape[i] + part*x.shape[(i+1)%weekHours]
	return rate * float64(toMS-fromMS) / hourMS
}

// Total is how many requests this node has had of an exchange.
func (d *Demand) Total(exchange int) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.exchanges[exchange].total
}

// Level is this node's traffic against the forecast of all nodes; 0 before it is known.
func (d *Demand) Level(exchange int) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x := &d.exchanges[exchange]; x.own.began {
		return x.own.level()
	}
	return 0
}

// Rest is how many requests of an exchange this node is to count on between
// two times, the first of which is now, weighed by weight(ms) from quarter to
// quarter of an hour: somewhat fewer than are to be expected, as traffic's
// remaining says, and with what a crowd that is here will still bring.
func (d *Demand) Rest(exchange int, nowMS, toMS int64, weight func(ms int64) float64) float64 {
	const step = hourMS / 4
	d.mu.Lock()
	defer d.mu.Unlock()
	x := &d.exchanges[exchange]
	if !x.own.began || toMS <= nowMS {
		return 0
	}
	x.refresh()
	sum := 0.0
	for at := nowMS; at < toMS; {
		next := min(at-at%step+step, toMS)
		sum += x.between(at, next) * weight((at+next)/2)
		at = next
	}
	level, hours := x.own.level(), float64(toMS-nowMS)/hourMS
	if x.own.known {
		sum *= 1 - caution/math.Sqrt(hours+0.5)
	}
	expected := level * x.between(nowMS, nowMS+60_000) / 60
	crowd := math.Max(0, x.own.fast-2*expected) * math.Min(crowdHorizon, float64(toMS-nowMS)/1000)
	return level*sum + crowd*weight(nowMS)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
