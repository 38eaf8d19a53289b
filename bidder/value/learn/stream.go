package learn

import (
	"container/heap"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/events"
)

// stream joins impressions, clicks and orders by bid id, in the order in
// which their time comes.
type stream struct {
	open             map[events.ID]*entry
	due              queue
	shown            int
	clicked          int
	dropped, unknown int64
}

func newStream() stream { return stream{open: map[events.ID]*entry{}} }

// entry is an impression that waits for its click, then a click that waits
// for its order.
type entry struct {
	id      events.ID
	example Example
	atMS    int64 // of the impression; of the click once it came
	dueMS   int64
	clicked bool
	step    int8 // of ages, of a click
	ordered int8 // the step in which its order came, from 1; 0: none yet
	index   int
}

// Counts tells how full a Trainer is and what it left out.
type Counts struct {
	Shown, Clicked int   // waiting
	Dropped        int64 // impressions and clicks beyond the bounds
	Unknown        int64 // clicks and orders of bids that wait for none
}

// Counts of now.
func (t *Trainer) Counts() Counts {
	s := &t.stream
	return Counts{s.shown, s.clicked, s.dropped, s.unknown}
}

// Impression notes an impression of a bid at a time, ms UTC. The example is
// copied. An impression that is known is not counted again.
func (t *Trainer) Impression(id events.ID, atMS int64, e *Example) {
	s := &t.stream
	if _, ok := s.open[id]; ok {
		return
	}
	if s.shown >= t.cfg.MaxShown {
		s.dropped++
		return
	}
	x := &entry{id: id, atMS: atMS, dueMS: atMS + t.cfg.ClickWindowMS, example: Example{
		Shop: e.Shop, Campaign: e.Campaign,
		Placement: append([]value.Feature(nil), e.Placement...), Own: append([]value.Feature(nil), e.Own...),
	}}
	s.open[id] = x
	s.shown++
	heap.Push(&s.due, x)
	// Clicks follow within seconds, their absence is learned minutes later:
	// what is expected counts from here, or every rise of traffic would look
	// like a better click rate.
	t.at(atMS)
	t.gauge(value.Click, &x.example, 1, 0)
}

// Click notes a click of a bid. The first counts.
func (t *Trainer) Click(id events.ID, atMS int64) {
	s := &t.stream
	x, ok := s.open[id]
	switch {
	case !ok:
		s.unknown++
		return
	case x.clicked:
		return
	}
	t.at(atMS)
	t.gauge(value.Click, &x.example, 0, 1)
	t.learn(value.Click, &x.example, true, 1)
	s.shown--
	if s.clicked >= t.cfg.MaxClicked {
		s.dropped++
		s.drop(x)
		return
	}
	s.clicked++
	x.clicked, x.step, x.atMS, x.dueMS = true, 0, atMS, atMS+ages[0]
	heap.Fix(&s.due, x.index)
	t.Learn(value.Order, &x.example, false, t.order.in(0)/2)
}

// Touched is what an order is counted for.
type Touched struct {
	Shop, Campaign uint32
	AtMS           int64 // of the click
}

// Order notes the first order that a click led to. counted is false for a
// further one, and where the click is not known.
func (t *Trainer) Order(id events.ID, atMS int64) (to Touched, counted bool) {
	x, ok := t.stream.open[id]
	if !ok || !x.clicked {
		t.stream.unknown++
		return to, false
	}
	if x.ordered != 0 {
		return to, false
	}
	x.ordered = int8(max(stepOf(max(atMS-x.atMS, 0)), int(x.step))) + 1
	t.at(atMS)
	t.Learn(value.Order, &x.example, true, 1)
	return Touched{x.example.Shop, x.example.Campaign, x.atMS}, true
}

// TakeBack undoes the order of a click that was cancelled or returned: what it
// taught is taught the other way. counted is false where there is none.
func (t *Trainer) TakeBack(id events.ID, atMS int64) (to Touched, counted bool) {
	x, ok := t.stream.open[id]
	if !ok || x.ordered == 0 {
		return to, false
	}
	x.ordered = 0
	t.at(atMS)
	t.Learn(value.Order, &x.example, true, -1)
	return Touched{x.example.Shop, x.example.Campaign, x.atMS}, true
}

// Knows tells whether a bid's impression or click waits, and whether it is a
// click.
func (t *Trainer) Knows(id events.ID) (shown, clicked bool) {
	x, ok := t.stream.open[id]
	return ok, ok && x.clicked
}

// Advance lets time pass to now, ms UTC: impressions whose click did not come
// are learned, and clicks bit by bit.
func (t *Trainer) Advance(nowMS int64) {
	s := &t.stream
	for len(s.due) > 0 && s.due[0].dueMS <= nowMS {
		x := s.due[0]
		t.at(x.dueMS)
		if !x.clicked {
			t.notClicked(x)
			s.shown--
			s.drop(x)
			continue
		}
		t.exposed(x)
	}
	t.at(nowMS)
}

// at moves the trainer's time, which never goes back; each minute of it the
// young learners' means follow.
func (t *Trainer) at(ms int64) {
	if t.nowMS = max(t.nowMS, ms); t.nowMS-t.followMS >= minuteMS {
		t.follow()
	}
}

func (t *Trainer) follow() {
	t.followMS = t.nowMS
	for i := range t.targets {
		t.targets[i].global.follow()
		for _, f := range t.targets[i].shops {
			f.follow()
		}
	}
}

// notClicked learns a negative, or leaves it out for another's weight: which
// one is drawn from the bid id, so that a replay draws alike.
func (t *Trainer) notClicked(x *entry) {
	keep := t.cfg.KeepNegatives
	if keep < 1 && float64(x.id[15])+float64(x.id[14])/256 >= keep*256 {
		return
	}
	t.learn(value.Click, &x.example, false, 1/keep)
}

// exposed learns that a step of a click's time has passed: half of the step's
// share of orders as a negative, and half of the next one's, so that what is
// learned is neither ahead of the orders of a step nor behind them.
func (t *Trainer) exposed(x *entry) {
	d, s := &t.order, &t.stream
	d.clicks[x.step]++
	if x.ordered == x.step+1 {
		d.came[x.step]++ // counted with its step, as the clicks are: else the young ones weigh too much
	}
	w := d.in(int(x.step)) / 2
	x.step++
	last := int(x.step) == len(ages)
	if !last {
		w += d.in(int(x.step)) / 2
	}
	t.Learn(value.Order, &x.example, false, w)
	if last {
		s.clicked--
		s.drop(x)
		return
	}
	x.dueMS = x.atMS + ages[x.step]
	heap.Fix(&s.due, x.index)
}

func (s *stream) drop(x *entry) {
	heap.Remove(&s.due, x.index)
	delete(s.open, x.id)
}

// queue is a heap by due time.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].dueMS < q[j].dueMS }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *queue) Push(x any) {
	e := x.(*entry)
	e.index = len(*q)
	*q = append(*q, e)
}
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return x
}
