package forget

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/kafkanet"
	"github.com/grosz/grosz/reporting/erase"
	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/segments"
)

// Node is the name under which ClickHouse's receipts are written.
const Node = "clickhouse"

// For how long an erasure is repeated, and how often at least and at most.
const (
	repeatFor = 35 * 24 * time.Hour
	seldom    = 24 * time.Hour
	soon      = time.Minute
)

// maxWishes bounds the wishes in hand: 100 bytes each. The oldest give way.
const maxWishes = 500_000

// maxPairs bounds the people at shops who are looked for in one go.
const maxPairs = 20_000

// Config of a Job.
type Config struct {
	Brokers []string
	// Security of the connections to Kafka; nil: plain.
	Security   *kafkanet.Security
	ClickHouse schema.Server
	// Clock decides what is due; nil is the machine's.
	Clock clock.Clock
	// Tick is how often it is looked for what is due; 0 is a second.
	Tick time.Duration
	// Emit makes a receipt durable in events.TopicErasures.
	Emit func(context.Context, *events.Erasure) error
}

// wish is one erasure and where it stands.
type wish struct {
	e        events.Erasure
	dueMS    int64
	received bool // there is a receipt in the log, or this run has written one
}

// Job takes people out of ClickHouse.
type Job struct {
	cfg Config
	log *slog.Logger

	mu     sync.Mutex
	salts  map[uint32]segments.Salt
	wishes map[events.ID]*wish

	done, rows, errs, repeats *metrics.Counter
}

// New returns a Job; its metrics go to set.
func New(cfg Config, set *metrics.Set, log *slog.Logger) *Job {
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	if cfg.Tick == 0 {
		cfg.Tick = time.Second
	}
	j := &Job{
		cfg: cfg, log: log, salts: make(map[uint32]segments.Salt), wishes: make(map[events.ID]*wish),
		done:    set.NewCounter("grosz_erasures_warehouse_total"),
		rows:    set.NewCounter("grosz_erasures_warehouse_rows_total"),
		errs:    set.NewCounter("grosz_erasures_warehouse_errors_total"),
		repeats: set.NewCounter("grosz_erasures_warehouse_repeats_total"),
	}
	set.NewGauge("grosz_erasures_warehouse_pending", func() float64 { return float64(j.pending()) })
	return j
}

// pending is how many wishes have no receipt of ClickHouse yet.
func (j *Job) pending() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, w := range j.wishes {
		if !w.received {
			n++
		}
	}
	return n
}

// Run follows the log and erases until ctx ends. While ClickHouse or Kafka is
// away it waits.
func (j *Job) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	salted, read := make(chan struct{}), make(chan struct{})
	follow := func(topic string, handle func(kafka.Message) error, caughtUp chan struct{}) error {
		f := &kafka.Follower{Brokers: j.cfg.Brokers, Security: j.cfg.Security, Topic: topic, Handle: handle, CaughtUp: sync.OnceFunc(func() { close(caughtUp) }), Log: j.log}
		return f.Run(ctx)
	}
	g.Go(func() error { return follow(events.TopicCampaigns, j.campaign, salted) })
	g.Go(func() error { return follow(events.TopicErasures, j.erasure, read) })
	g.Go(func() error {
		for _, c := range []chan struct{}{salted, read} {
			select {
			case <-c:
			case <-ctx.Done():
				return nil
			}
		}
		j.work(ctx)
		return nil
	})
	return g.Wait()
}

// campaign notes a shop's salt.
func (j *Job) campaign(m kafka.Message) error {
	if head, ok := campaigns.ReadHead(m.Value); ok && head.Kind() != "shop" {
		return nil
	}
	var r campaigns.Record
	if err := json.Unmarshal(m.Value, &r); err != nil || r.Shop == nil {
		return nil // a campaign, products, a deletion, or what the loader calls poison
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.salts[r.Shop.ID] = segments.SaltOf(r.Shop.Salt)
	return nil
}

// erasure notes a wish, or that ClickHouse has answered one.
func (j *Job) erasure(m kafka.Message) error {
	var dec events.Decoder
	err := dec.Erasures(m.Value, func(_ int, e *events.Erasure) error {
		j.note(e)
		return nil
	})
	if err != nil {
		j.log.Error("message skipped", "topic", events.TopicErasures, "offset", m.Offset, "err", err)
	}
	return nil
}

func (j *Job) note(e *events.Erasure) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.Type == events.TypeErased {
		if w := j.wishes[e.EraseID]; w != nil && e.Node == Node { // it stands behind its wish
			w.received = true
		}
		return
	}
	now := j.cfg.Clock.NowMS()
	if j.wishes[e.EventID] != nil || now-e.TimeMS > repeatFor.Milliseconds() {
		return
	}
	if len(j.wishes) >= maxWishes {
		j.dropOldest()
	}
	j.wishes[e.EventID] = &wish{e: *e}
}

func (j *Job) dropOldest() {
	var oldest *wish
	for _, w := range j.wishes {
		if oldest == nil || w.e.TimeMS < oldest.e.TimeMS {
			oldest = w
		}
	}
	delete(j.wishes, oldest.e.EventID)
	j.log.Error("more erasures at once than can be repeated: the oldest is not looked for again", "erasure", oldest.e.EventID)
}

// work erases what is due, until ctx ends.
func (j *Job) work(ctx context.Context) {
	var conn driver.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	tick := time.NewTicker(j.cfg.Tick)
	defer tick.Stop()
	var lastSaid time.Time
	for {
		var err error
		if conn == nil {
			conn, err = j.cfg.ClickHouse.Open()
		}
		for err == nil && ctx.Err() == nil {
			var more bool
			if more, err = j.round(ctx, conn); !more {
				break
			}
		}
		if err != nil && ctx.Err() == nil {
			j.errs.Inc()
			if time.Since(lastSaid) > time.Minute {
				j.log.Warn("people are not erased from ClickHouse yet; trying until they are", "err", err)
				lastSaid = time.Now()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// due takes wishes whose time has come, up to maxPairs people at shops, and
// lets those go that are old enough.
func (j *Job) due(nowMS int64) (out []*wish, people [][]erase.Person) {
	j.mu.Lock()
	defer j.mu.Unlock()
	shops := make([]uint32, 0, len(j.salts))
	for id := range j.salts {
		shops = append(shops, id)
	}
	slices.Sort(shops)
	pairs := 0
	for id, w := range j.wishes {
		if w.received && nowMS-w.e.TimeMS > repeatFor.Milliseconds() {
			delete(j.wishes, id)
			continue
		}
		if w.dueMS > nowMS || pairs >= maxPairs {
			continue
		}
		list := j.people(&w.e, shops)
		out, people = append(out, w), append(people, list)
		pairs += len(list)
	}
	return out, people
}

// people are what the shops call the person of an erasure.
func (j *Job) people(e *events.Erasure, shops []uint32) (out []erase.Person) {
	until := e.TimeMS
	if e.OptOut {
		until = 0 // all of it, what comes late too
	}
	for _, shop := range shops {
		if e.ShopID == 0 || e.ShopID == shop {
			out = append(out, erase.Person{Shop: shop, User: segments.Pseudonym(j.salts[shop], e.UID), UntilMS: until})
		}
	}
	return out
}

// round erases what is due now; more tells whether there was anything.
func (j *Job) round(ctx context.Context, conn driver.Conn) (more bool, err error) {
	now := j.cfg.Clock.NowMS()
	wishes, people := j.due(now)
	if len(wishes) == 0 {
		return false, nil
	}
	var all []erase.Person
	for _, p := range people {
		all = append(all, p...)
	}
	found, err := erase.Erase(ctx, conn, all)
	if errors.Is(err, erase.ErrLeft) {
		err = nil // they are counted and gone; what came meanwhile goes the next time
	}
	if err != nil {
		return false, err
	}
	for i, w := range wishes {
		var sum erase.Receipt
		for _, r := range found[:len(people[i])] {
			sum.Add(r)
		}
		found = found[len(people[i]):]
		if err := j.settle(ctx, w, sum, now); err != nil {
			return false, err
		}
	}
	return true, nil
}

// settle writes the receipt and says when to look again: soon at first, for
// what was still on its way, and at least daily.
func (j *Job) settle(ctx context.Context, w *wish, sum erase.Receipt, nowMS int64) error {
	again := w.dueMS != 0
	j.mu.Lock()
	received := w.received
	j.mu.Unlock()
	if !received || sum != (erase.Receipt{}) {
		r := w.e.Receipt(Node, nowMS)
		if again { // one more of the same store: another event
			r.EventID = events.EventID(r.EventID, events.TypeErased, uint64(nowMS))
		}
		r.Events, r.Bids, r.ShopEvents = int64(sum.Events), int64(sum.Bids), int64(sum.Orders+sum.ShopEvents)
		if err := j.cfg.Emit(ctx, &r); err != nil {
			return fmt.Errorf("receipt of erasure %s: %w", w.e.EventID, err)
		}
		j.rows.Add(int(sum.Events + sum.Bids + sum.Orders + sum.ShopEvents))
	}
	if again {
		j.repeats.Inc()
	} else {
		j.done.Inc()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	w.received = true
	age := time.Duration(nowMS-w.e.TimeMS) * time.Millisecond
	w.dueMS = nowMS + min(max(age, soon), seldom).Milliseconds()
	return nil
}
