package plan

import "math"

// DemandState is what outlives a restart, by exchange.
type DemandState struct {
	Week   []float32       `json:"week"`           // requests of all nodes by hour of the week, the epoch's first
	Newest int64           `json:"newest"`         // last hour since 1970 that is in it
	Open   []OpenHourState `json:"open,omitempty"` // later hours, of which more may come
	// Pending are this node's requests of the hour since 1970 that was under way.
	Hour    int64   `json:"hour"`
	Pending float64 `json:"pending"`
}

// OpenHourState is what nodes told of an hour so far.
type OpenHourState struct {
	Hour  int64              `json:"hour"` // since 1970
	Nodes map[string]float64 `json:"nodes"`
}

// State copies what was learned about an exchange.
func (d *Demand) State(exchange int) DemandState {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := &d.exchanges[exchange]
	s := DemandState{Week: make([]float32, weekHours), Newest: x.newest, Hour: x.hour, Pending: x.pending}
	for i, v := range x.week {
		s.Week[i] = float32(v)
	}
	for i := range x.open {
		o := &x.open[i]
		if len(o.nodes) == 0 {
			continue
		}
		told := OpenHourState{Hour: o.hour, Nodes: make(map[string]float64)}
		for _, n := range o.nodes {
			told.Nodes[n.node] = n.count
		}
		s.Open = append(s.Open, told)
	}
	return s
}

// Restore puts back what State gave, before the first Seen.
func (d *Demand) Restore(exchange int, s DemandState) {
	if len(s.Week) != weekHours {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	x := &d.exchanges[exchange]
	for i, v := range s.Week {
		if v >= 0 && !math.IsInf(float64(v), 0) {
			x.week[i] = float64(v)
		}
	}
	x.newest, x.shaped = s.Newest, false
	if s.Hour > 0 && s.Pending >= 0 && !math.IsInf(s.Pending, 0) {
		x.hour, x.pending = s.Hour, s.Pending // told again, if it was told: that changes nothing
	}
	for _, o := range s.Open {
		slot := &x.open[((o.Hour%openHours)+openHours)%openHours]
		if o.Hour <= x.newest || o.Hour <= slot.hour {
			continue
		}
		*slot = openHour{hour: o.Hour}
		for node, count := range o.Nodes {
			if count > 0 && !math.IsInf(count, 0) {
				slot.told(node, count)
			}
		}
	}
}
