package volume

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/VictoriaMetrics/metrics"

	"github.com/grosz/grosz/bench/load"
	"github.com/grosz/grosz/reporting/rollup"
	"github.com/grosz/grosz/reporting/schema"
)

// Config of a Run.
type Config struct {
	// ClickHouse must be empty, or hold what an earlier run of as many bids
	// left.
	ClickHouse schema.Server
	// Bids to make; of each follow about 1.5 further rows. At least 1000.
	Bids int
	// Again makes none: it asks of what an earlier run of as many left.
	Again bool
	// Slice is how many bids are inserted at once; 0 is 1,000,000.
	Slice int
	// Now dates the traffic: the days before it.
	Now time.Time
	// Process is the engine's, whose CPU time is told beside the time that
	// passes; 0: it is not.
	Process int
	// Live asks every view before the roll-ups are worked out, too: of many
	// rows that takes long.
	Live bool
	Log  *slog.Logger
}

// Result of a Run.
type Result struct {
	Rows   uint64 // loaded, all tables
	Loaded Took
	Rolled Took // until every unit was worked out
	Units  int
	Goals  Took // until the touches of every goal were, after them
	Tables []Table
	Views  []View // before the roll-ups, then after them
}

// Took is the time that passed, and the engine's CPU time in it, of all cores.
type Took struct{ Time, CPU time.Duration }

// Table is how big one is.
type Table struct {
	Name  string `ch:"name"`
	Rows  uint64 `ch:"rows"`
	Bytes uint64 `ch:"bytes"` // on disk
}

// View is how long a question took.
type View struct {
	Name          string
	Live, Rolled  Took // without and with roll-ups
	RollupsAnswer bool // it reads roll-ups alone
}

// questions are asked of every documented view.
var questions = []struct {
	name, sql string
	rollups   bool
}{
	{"rollup: one shop by day", "SELECT day, sum(spend), sum(clicks) FROM grosz.daily WHERE shop = 7 GROUP BY day", true},
	{"rollup: all by day and exchange", "SELECT day, exchange, sum(bids), sum(spend) FROM grosz.daily GROUP BY day, exchange", true},
	{"rollup: one shop by hour, a day", "SELECT at_hour, sum(spend) FROM grosz.hourly WHERE shop = 7 AND day = (SELECT max(day) - 3 FROM grosz.rollup_day) GROUP BY at_hour", true},
	{"cost_per_order", "SELECT day, shop, campaign, sum(spend), sum(orders), sum(kept_orders) FROM grosz.cost_per_order GROUP BY day, shop, campaign", false},
	{"cost_per_order, one shop", "SELECT day, campaign, sum(spend), sum(orders) FROM grosz.cost_per_order WHERE shop = 7 GROUP BY day, campaign", false},
	{"cost_by_creative", "SELECT creative, sum(spend), sum(orders) FROM grosz.cost_by_creative GROUP BY creative", false},
	{"cost_by_device", "SELECT device, sum(spend), sum(orders) FROM grosz.cost_by_device GROUP BY device", false},
	{"cost_by_domain", "SELECT domain, sum(spend), sum(orders) FROM grosz.cost_by_domain GROUP BY domain", false},
	{"cost_by_hour", "SELECT hour, sum(spend), sum(orders) FROM grosz.cost_by_hour GROUP BY hour", false},
	{"cost_by_segment", "SELECT segment, sum(spend), sum(orders) FROM grosz.cost_by_segment GROUP BY segment", false},
	{"attributions", "SELECT model, count(), sum(net) FROM grosz.attributions GROUP BY model", false},
	{"attributed_orders", "SELECT shop, count() FROM grosz.attributed_orders GROUP BY shop", false},
	{"orders", "SELECT shop, count(), sum(net) FROM grosz.orders GROUP BY shop", false},
	{"settlements, one shop", "SELECT day, sum(amount) FROM grosz.settlements WHERE shop = 7 GROUP BY day", false},
	{"settlements", "SELECT exchange, sum(amount), sum(disputed) FROM grosz.settlements GROUP BY exchange", false},
	{"places", "SELECT domain, sum(bids), sum(wins) FROM grosz.places GROUP BY domain", true},
	{"click_quality", "SELECT exchange, sum(clicks), sum(invalid_clicks) FROM grosz.click_quality GROUP BY exchange", false},
	{"dropped", "SELECT sum(bids), sum(dropped) FROM grosz.dropped", false},
	{"freshness", "SELECT * FROM grosz.freshness", false},
	{"cost_by_product", "SELECT product, sum(spend), sum(orders) FROM grosz.cost_by_product GROUP BY product", false},
	{"cost_per_conversion", "SELECT goal, sum(spend), sum(conversions) FROM grosz.cost_per_conversion GROUP BY goal", false},
	{"reach", "SELECT shop, exchange, browser, visitors, seen, bid_on, won, viewable, clicked, ordered FROM grosz.reach", false},
	{"price_landscape", "SELECT exchange, price_from, sum(bids), sum(wins) FROM grosz.price_landscape GROUP BY exchange, price_from", false},
	{"price_landscape, one shop", "SELECT exchange, price_from, sum(bids), sum(wins) FROM grosz.price_landscape WHERE shop = 7 GROUP BY exchange, price_from", false},
	{"losses", "SELECT exchange, meaning, sum(losses) FROM grosz.losses GROUP BY exchange, meaning", false},
	{"refusals", "SELECT campaign, reason, sum(times) FROM grosz.refusals GROUP BY campaign, reason", false},
	{"no_bids", "SELECT exchange, reason, sum(times) FROM grosz.no_bids GROUP BY exchange, reason", false},
	{"traffic", "SELECT exchange, browser, sum(requests), sum(visitors) FROM grosz.traffic GROUP BY exchange, browser", false},
	{"latency", "SELECT exchange, hour, p99_ms FROM grosz.latency", false},
	{"pacing", "SELECT campaign, hour, avg(pace) FROM grosz.pacing GROUP BY campaign, hour", false},
	{"frequency", "SELECT campaign, impressions, sum(people) FROM grosz.frequency GROUP BY campaign, impressions", false},
	{"conversions", "SELECT name, count() FROM grosz.conversions GROUP BY name", false},
	{"order_places", "SELECT domain, count() FROM grosz.order_places GROUP BY domain", false},
	{"video_plays", "SELECT exchange, sum(started) FROM grosz.video_plays GROUP BY exchange", false},
	{"viewability", "SELECT exchange, sum(viewable) FROM grosz.viewability GROUP BY exchange", false},
	{"adjustments", "SELECT exchange, sum(amount) FROM grosz.adjustments GROUP BY exchange", false},
	{"conflicts", "SELECT exchange, count() FROM grosz.conflicts GROUP BY exchange", false},
	{"rejections", "SELECT exchange, reason, count() FROM grosz.rejections GROUP BY exchange, reason", false},
	{"statement", "SELECT month, sum(billed) FROM grosz.statement GROUP BY month", false},
	{"statement_exchanges", "SELECT month, exchange, sum(owed) FROM grosz.statement_exchanges GROUP BY month, exchange", false},
	{"account_balances", "SELECT currency, sum(balance) FROM grosz.account_balances GROUP BY currency", false},
	{"beyond_budget", "SELECT campaign, sum(amount) FROM grosz.beyond_budget GROUP BY campaign", false},
	{"invoices", "SELECT exchange, sum(difference) FROM grosz.invoices GROUP BY exchange", false},
}

// Run fills the warehouse and measures it.
func Run(ctx context.Context, cfg Config, out io.Writer) (*Result, error) {
	if cfg.Bids < 1000 {
		return nil, fmt.Errorf("volume: %d bids; at least 1000", cfg.Bids)
	}
	if cfg.Slice == 0 {
		cfg.Slice = 1_000_000
	}
	conn, err := cfg.ClickHouse.Open()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := schema.Migrate(ctx, conn, cfg.Log); err != nil {
		return nil, err
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_execution_time": 1200}))
	r := new(Result)
	if !cfg.Again {
		if err := fill(ctx, conn, &cfg, r, out); err != nil {
			return nil, err
		}
	}
	watch := stopwatch{cfg.Process}
	if cfg.Live {
		if r.Views, err = ask(ctx, conn, watch, 1); err != nil {
			return nil, err
		}
	}
	if err := roll(ctx, conn, &cfg, r); err != nil {
		return nil, err
	}
	after, err := ask(ctx, conn, watch, 2)
	if err != nil {
		return nil, err
	}
	for i := range after {
		after[i].Rolled = after[i].Live
		after[i].Live = Took{}
		if cfg.Live {
			after[i].Live = r.Views[i].Live
		}
	}
	r.Views = after
	err = conn.Select(ctx, &r.Tables, `SELECT table AS name, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts
		WHERE database = 'grosz' AND active GROUP BY table HAVING rows > 0 ORDER BY bytes DESC`)
	if err != nil {
		return nil, fmt.Errorf("asking for sizes: %w", err)
	}
	return r, nil
}

// roll works out all roll-ups and the touches of all goals.
func roll(ctx context.Context, conn driver.Conn, cfg *Config, r *Result) error {
	watch := stopwatch{cfg.Process}
	took, err := watch.start()
	if err != nil {
		return err
	}
	roller, err := rollup.New(rollup.Config{ClickHouse: cfg.ClickHouse, Margin: rollup.NoMargin, Hours: atOnce(hours, cfg.Bids), Days: atOnce(shops*days, cfg.Bids)}, metrics.NewSet(), cfg.Log)
	if err != nil {
		return err
	}
	for n := 1; n > 0; r.Units += n {
		if n, err = roller.Round(ctx, conn); err != nil {
			return err
		}
	}
	for n := 1; n > 0; r.Units += n {
		if n, err = roller.Reach(ctx, conn); err != nil {
			return err
		}
	}
	if r.Rolled, err = took(); err != nil {
		return err
	}
	if took, err = watch.start(); err != nil {
		return err
	}
	for n := 1; n > 0; {
		if n, err = roller.Goals(ctx, conn); err != nil {
			return err
		}
	}
	r.Goals, err = took()
	return err
}

func fill(ctx context.Context, conn driver.Conn, cfg *Config, r *Result, out io.Writer) error {
	start := cfg.Now.UTC().Truncate(24 * time.Hour).Add(-days * 24 * time.Hour)
	took, err := stopwatch{cfg.Process}.start()
	if err != nil {
		return err
	}
	began := time.Now()
	for from := 0; from < cfg.Bids; from += cfg.Slice {
		for _, sql := range slice(start, cfg.Bids, from, min(cfg.Slice, cfg.Bids-from)) {
			if err := conn.Exec(ctx, sql); err != nil {
				return fmt.Errorf("filling: %w", err)
			}
		}
		fmt.Fprintf(out, "  %d of %d bids after %s\n", min(from+cfg.Slice, cfg.Bids), cfg.Bids, time.Since(began).Round(time.Second))
	}
	if r.Loaded, err = took(); err != nil {
		return err
	}
	if err := conn.Exec(ctx, tallies(start)); err != nil {
		return fmt.Errorf("filling: %w", err)
	}
	if err := conn.QueryRow(ctx, "SELECT (SELECT count() FROM grosz.events) + (SELECT count() FROM grosz.bids) + (SELECT count() FROM grosz.shop_events)").Scan(&r.Rows); err != nil {
		return fmt.Errorf("counting rows: %w", err)
	}
	return nil
}

// stopwatch times what a process is asked to do.
type stopwatch struct{ process int }

func (s stopwatch) cpu() (time.Duration, error) {
	if s.process == 0 {
		return 0, nil
	}
	u, err := load.ReadUsage(s.process)
	return u.CPU, err
}

// start returns what says how long it took since.
func (s stopwatch) start() (func() (Took, error), error) {
	before, err := s.cpu()
	began := time.Now()
	return func() (Took, error) {
		t := Took{Time: time.Since(began)}
		after, err := s.cpu()
		t.CPU = after - before
		return t, err
	}, err
}

// ask times every question: the best of some tries, by each measure.
func ask(ctx context.Context, conn driver.Conn, watch stopwatch, tries int) ([]View, error) {
	var all []View
	for _, q := range questions {
		v := View{Name: q.name, RollupsAnswer: q.rollups}
		for try := range tries {
			took, err := watch.start()
			if err != nil {
				return nil, err
			}
			if err := conn.Exec(ctx, q.sql+" FORMAT Null"); err != nil {
				return nil, fmt.Errorf("%s: %w", q.name, err)
			}
			t, err := took()
			if err != nil {
				return nil, err
			}
			if try > 0 {
				t = Took{min(t.Time, v.Live.Time), min(t.CPU, v.Live.CPU)}
			}
			v.Live = t
			if t.Time > slow {
				break
			}
		}
		all = append(all, v)
	}
	return all, nil
}

// Units of the synthetic traffic: of bids and of what follows them.
const (
	shops = 20
	hours = 2 * shops * days * 24
)

// atOnce is how many units hold about 900,000 bids, so that a statement stays
// within its share of the engine's memory.
func atOnce(units, bids int) int { return max(20, min(6000, units*900_000/bids)) }

// slow is what is not asked again.
const slow = 10 * time.Second

// Goals: of roll-ups, and of every other view.
const (
	rollupGoal = 200 * time.Millisecond
	viewGoal   = 2 * time.Second
)

// missed says whether a view took longer than its goal, with roll-ups.
func (v *View) missed() bool {
	if v.RollupsAnswer {
		return v.Rolled.Time > rollupGoal
	}
	return v.Rolled.Time > viewGoal
}

// Print writes the result as a person reads it.
func (r *Result) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if r.Rows > 0 {
		fmt.Fprintf(w, "%d rows made and loaded in %s, %.0f rows/s (%s of CPU)\n", r.Rows, r.Loaded.Time.Round(time.Second), float64(r.Rows)/r.Loaded.Time.Seconds(), r.Loaded.CPU.Round(time.Second))
	}
	fmt.Fprintf(w, "%d units worked out in %s (%s of CPU), attribution in %.1f s (%.1f s of CPU)\n\n", r.Units, r.Rolled.Time.Round(time.Second), r.Rolled.CPU.Round(time.Second), r.Goals.Time.Seconds(), r.Goals.CPU.Seconds())
	fmt.Fprintln(w, "table\trows\tMB\tbytes/row")
	for _, t := range r.Tables {
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\n", t.Name, t.Rows, float64(t.Bytes)/1e6, float64(t.Bytes)/float64(t.Rows))
	}
	fmt.Fprintln(w, "\nquestion\ttime\tCPU\twithout roll-ups\tCPU\t")
	over := 0
	for _, v := range r.Views {
		live, note := "\t", ""
		if v.Live.Time > 0 {
			live = fmt.Sprintf("%.2f s\t%.2f s", v.Live.Time.Seconds(), v.Live.CPU.Seconds())
		}
		if v.missed() {
			note = "over its goal"
			over++
		}
		fmt.Fprintf(w, "%s\t%.2f s\t%.2f s\t%s\t%s\n", v.Name, v.Rolled.Time.Seconds(), v.Rolled.CPU.Seconds(), live, note)
	}
	fmt.Fprintf(w, "\n%d of %d are over their goal: 0.2 s of what roll-ups answer, 2 s of all else\n", over, len(r.Views))
	return w.Flush()
}
