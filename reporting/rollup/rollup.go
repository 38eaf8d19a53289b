package rollup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/VictoriaMetrics/metrics"

	"github.com/grosz/grosz/reporting/schema"
)

// Config of a Roller. ClickHouse is needed.
type Config struct {
	ClickHouse schema.Server
	// Margin is how long nothing must have been inserted into a unit before it
	// is worked out. It must be longer than an insert may take, for an insert
	// is noted when it begins; 0 is 90 s, NoMargin none.
	Margin time.Duration
	// Every is the pause when there is nothing to do; 0 is 10 s.
	Every time.Duration
	// Hours and Days are how many units are worked out at once, at most; they
	// bound the memory of a statement. 0 is 1000 and 100.
	Hours, Days int
	// Goals is likewise how many orders and conversions; 0 is 50,000.
	Goals int
}

// NoMargin is for those who know that no insert is under way.
const NoMargin = -1 * time.Nanosecond

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if err := c.ClickHouse.Validate(); err != nil {
		errs = append(errs, err)
	}
	if (c.Margin < 0 && c.Margin != NoMargin) || c.Margin > time.Hour {
		errs = append(errs, fmt.Errorf("rollup: margin of %v; up to an hour, or 0 for the default", c.Margin))
	}
	if c.Every < 0 || c.Every > time.Hour {
		errs = append(errs, fmt.Errorf("rollup: pause of %v; up to an hour, or 0 for the default", c.Every))
	}
	if c.Goals < 0 || c.Goals > 1_000_000 {
		errs = append(errs, fmt.Errorf("rollup: %d goals at once; up to 1,000,000, or 0 for the default", c.Goals))
	}
	if c.Hours < 0 || c.Hours > 100_000 || c.Days < 0 || c.Days > 100_000 {
		errs = append(errs, fmt.Errorf("rollup: %d hours and %d days at once; up to 100,000, or 0 for the default", c.Hours, c.Days))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	switch c.Margin {
	case 0:
		c.Margin = 90 * time.Second
	case NoMargin:
		c.Margin = time.Millisecond
	}
	if c.Every == 0 {
		c.Every = 10 * time.Second
	}
	if c.Hours == 0 {
		c.Hours = 1000
	}
	if c.Days == 0 {
		c.Days = 100
	}
	if c.Goals == 0 {
		c.Goals = 50_000
	}
	return c
}

// sweepEvery is how often rows that no longer count are removed.
const sweepEvery = time.Hour

// Roller works out roll-ups.
type Roller struct {
	cfg    Config
	log    *slog.Logger
	levels [4]level
	reach  level
	marked map[string]time.Time // when it was last noted of a level that all is worked out

	goalsDone time.Time // when attribution was last worked out
	goalsTook time.Duration
	reachDone time.Time // likewise sets of people
	reachTook time.Duration

	units     [4]*metrics.Counter // by level
	windows   *metrics.Counter
	goalShops *metrics.Counter
	errors    *metrics.Counter
	seconds   *metrics.Histogram
	// afterFill, for tests, runs between a version's rows and the note that
	// they count.
	afterFill func() error
}

// New checks the configuration and returns a Roller; its metrics go to set.
func New(cfg Config, set *metrics.Set, log *slog.Logger) (*Roller, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Roller{
		cfg: cfg.withDefaults(), log: log, levels: [4]level{hourLevel(), dayLevel(), seenLevel(), settledLevel()}, reach: reachLevel(), marked: make(map[string]time.Time),
		units: [4]*metrics.Counter{set.NewCounter(`grosz_rollup_units_total{level="hour"}`), set.NewCounter(`grosz_rollup_units_total{level="day"}`),
			set.NewCounter(`grosz_rollup_units_total{level="seen"}`), set.NewCounter(`grosz_rollup_units_total{level="settled"}`)},
		goalShops: set.NewCounter(`grosz_rollup_units_total{level="goals"}`), windows: set.NewCounter(`grosz_rollup_units_total{level="reach"}`),
		errors: set.NewCounter("grosz_rollup_errors_total"), seconds: set.NewHistogram("grosz_rollup_duration_seconds"),
	}, nil
}

// Run works out what is quiet until ctx ends. While ClickHouse is away, or its
// schema is not there yet, it tries again.
func (r *Roller) Run(ctx context.Context) error {
	var lastSaid time.Time
	var conn driver.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	swept := time.Now()
	for ctx.Err() == nil {
		var n int
		var err error
		if conn == nil {
			conn, err = r.cfg.ClickHouse.Open()
		}
		if err == nil {
			n, err = r.Round(ctx, conn)
		}
		if err == nil && r.goalsDue() {
			_, err = r.Goals(ctx, conn)
		}
		if err == nil && r.reachDue() {
			var shops int
			shops, err = r.Reach(ctx, conn)
			n += shops
		}
		if err == nil && time.Since(swept) > sweepEvery {
			swept = time.Now()
			err = r.Sweep(ctx, conn)
		}
		if err != nil && ctx.Err() == nil {
			r.errors.Inc()
			if time.Since(lastSaid) > time.Minute {
				lastSaid = time.Now()
				r.log.Warn("cannot work out roll-ups; figures stay right and are read more slowly", "err", err)
			}
		}
		if n > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(r.cfg.Every):
		}
	}
	return nil
}

// Round works out a bounded number of units and returns how many they were.
func (r *Roller) Round(ctx context.Context, conn driver.Conn) (int, error) {
	all := 0
	for i, limit := range []int{r.cfg.Hours, r.cfg.Days, r.cfg.Days, r.cfg.Days} {
		began := time.Now()
		n, err := r.work(ctx, conn, r.levels[i], limit)
		if err != nil {
			return all, fmt.Errorf("roll-up by %s: %w", r.levels[i].name, err)
		}
		if n > 0 {
			r.units[i].Add(n)
			r.seconds.Update(time.Since(began).Seconds())
		}
		all += n
		if n == limit {
			break // days are worked out from hours: cheaper when those are done
		}
	}
	return all, nil
}

// work draws a version, reads, and writes that the version counts. Of two that
// work on one unit the one with the higher version has read after both were
// drawn, so it has read what either's note says is complete.
func (r *Roller) work(ctx context.Context, conn driver.Conn, l level, limit int) (int, error) {
	ctx = workContext(ctx)
	version, clean, err := r.draw(ctx, conn)
	if err != nil {
		return 0, err
	}
	if err := conn.Exec(ctx, sql(l.pick, version, clean, limit)); err != nil {
		return 0, fmt.Errorf("choosing units: %w", err)
	}
	n, err := countWork(ctx, conn, version)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, r.noteAll(ctx, conn, l, version, clean)
	}
	for _, fill := range l.fill {
		if err := conn.Exec(ctx, sql(fill, version)); err != nil {
			return 0, fmt.Errorf("working out %d units: %w", n, err)
		}
	}
	if r.afterFill != nil {
		if err := r.afterFill(); err != nil {
			return 0, err
		}
	}
	if err := conn.Exec(ctx, sql(done, version, clean, l.name)); err != nil {
		return 0, fmt.Errorf("noting %d units: %w", n, err)
	}
	return int(n), nil
}

// workContext has the settings of statements that work something out.
func workContext(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"async_insert": 0, "max_execution_time": 600, "throw_on_max_partitions_per_insert_block": 0,
	}))
}

// draw returns a version, and until when, in ms, what it reads is complete.
func (r *Roller) draw(ctx context.Context, conn driver.Conn) (version uint64, clean int64, err error) {
	var ns int64
	if err := conn.QueryRow(ctx, "SELECT toUnixTimestamp64Nano(now64(9))").Scan(&ns); err != nil {
		return 0, 0, fmt.Errorf("asking the time: %w", err)
	}
	// The low bits keep two that are drawn in one microsecond apart.
	return uint64(ns)&^0x3ff | uint64(rand.N(0x400)), time.Duration(ns).Milliseconds() - r.cfg.Margin.Milliseconds(), nil
}

// countWork returns how many units of a version were chosen.
func countWork(ctx context.Context, conn driver.Conn, version uint64) (n uint64, err error) {
	if err := conn.QueryRow(ctx, fmt.Sprintf("SELECT count() FROM grosz.rollup_work WHERE version = %d", version)).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting units: %w", err)
	}
	return n, nil
}

// Sweep removes rows that no longer count, and finds units that a note hides.
func (r *Roller) Sweep(ctx context.Context, conn driver.Conn) error {
	var ns int64
	if err := conn.QueryRow(ctx, "SELECT toUnixTimestamp64Nano(now64(9) - INTERVAL 1 HOUR)").Scan(&ns); err != nil {
		return fmt.Errorf("asking the time: %w", err)
	}
	for _, s := range append(retouches(), sweeps(uint64(ns))...) {
		if err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("sweeping roll-ups: %w", err)
		}
	}
	return nil
}
