package pacesim

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"sort"

	"gopkg.in/yaml.v3"
)

// Scenario is what a judged day is like. Zero values become those of a plain
// day: see defaults.
type Scenario struct {
	Name          string   `yaml:"name"`
	About         string   `yaml:"about"`
	Order         int      `yaml:"order"`          // in the table of all
	Requests      int      `yaml:"requests"`       // of a plain day, about; 300,000
	Placements    int      `yaml:"placements"`     // 60
	Auction       int      `yaml:"auction"`        // 2 second price (the default), 1 first price
	BudgetRatio   float64  `yaml:"budget_ratio"`   // of what bidding the full value spends on a plain day; 0.2
	ForecastError float64  `yaml:"forecast_error"` // standard deviation of the hourly log error; 0.15, negative for none
	NoForecast    bool     `yaml:"no_forecast"`    // the pacer is told none
	NoWarmup      bool     `yaml:"no_warmup"`      // no day 0: a cold start is judged
	Changes       []Change `yaml:"changes"`        // on the judged day
	Notices       Notices  `yaml:"notices"`        // on both days
	WarmNotices   *Notices `yaml:"warm_notices"`   // on day 0, where they differ
	Goals         Goals    `yaml:"goals"`
	Nodes         *Nodes   `yaml:"nodes"`      // that share the campaign; none: one pacer without leases
	Orders        *Orders  `yaml:"orders"`     // that follow; none: they are not drawn
	Billing       string   `yaml:"billing"`    // cpm (the default), or cpc: the shop pays for clicks
	Clicks        *Clicks  `yaml:"clicks"`     // with billing cpc
	Seeds         int      `yaml:"seeds"`      // played by default; 3
	FirstSeed     uint64   `yaml:"first_seed"` // 1
}

// Change multiplies something for a part of the judged day.
type Change struct {
	What  string  `yaml:"what"`  // traffic, prices or values
	From  float64 `yaml:"from"`  // hours of the day
	To    float64 `yaml:"to"`    // hours; 0 is the day's end
	Times float64 `yaml:"times"` // 0 traffic is an outage
}

// Notices says how wins are reported.
type Notices struct {
	Delay     float64 `yaml:"delay"`      // seconds, always
	Jitter    float64 `yaml:"jitter"`     // seconds more, exponential mean
	LateShare float64 `yaml:"late_share"` // of wins that come later still
	Late      float64 `yaml:"late"`       // seconds after the win, for those
	Lost      float64 `yaml:"lost"`       // share that never comes
}

// Goals are what the worst seed must reach, in percent. Zero asks nothing.
type Goals struct {
	Share     float64 `yaml:"share"`     // of the best known in hindsight
	Delivered float64 `yaml:"delivered"` // of what the best could have spent
}

const (
	minutes    = 24 * 60
	secondsDay = 24 * 3600
)

//go:embed scenarios/*.yaml
var builtin embed.FS

// Builtin returns the scenarios that come with Grosz, in their order.
func Builtin() ([]Scenario, error) {
	files, err := fs.Glob(builtin, "scenarios/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list scenarios: %w", err)
	}
	out := make([]Scenario, 0, len(files))
	for _, f := range files {
		b, err := builtin.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read scenario: %w", err)
		}
		s, err := Parse(b)
		if err != nil {
			return nil, fmt.Errorf("scenario %s: %w", path.Base(f), err)
		}
		out = append(out, s)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Order < out[j].Order })
	return out, nil
}

// Parse reads one scenario and says all that is wrong with it.
func Parse(b []byte) (Scenario, error) {
	var s Scenario
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&s); err != nil {
		return s, fmt.Errorf("read scenario: %w", err)
	}
	s.defaults()
	s.nodeDefaults()
	s.clickDefaults()
	return s, s.Validate()
}

func (s *Scenario) defaults() {
	def := func(v *float64, to float64) {
		if *v == 0 {
			*v = to
		}
	}
	defInt := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	defInt(&s.Requests, 300_000)
	defInt(&s.Placements, 60)
	defInt(&s.Auction, 2)
	defInt(&s.Seeds, 3)
	def(&s.BudgetRatio, 0.2)
	def(&s.ForecastError, 0.15)
	s.ForecastError = math.Max(0, s.ForecastError)
	if s.FirstSeed == 0 {
		s.FirstSeed = 1
	}
	for i := range s.Changes {
		def(&s.Changes[i].To, 24)
	}
}

// Validate lists everything that is wrong.
func (s *Scenario) Validate() error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(s.Name == "", "name is missing")
	bad(s.Requests < 100 || s.Requests > 5_000_000, "requests %d: from 100 to 5,000,000", s.Requests)
	bad(s.Placements < 1 || s.Placements > 10_000, "placements %d: from 1 to 10,000", s.Placements)
	bad(s.Auction != 1 && s.Auction != 2, "auction %d: 1 (first price) or 2 (second price)", s.Auction)
	bad(s.BudgetRatio <= 0, "budget_ratio %v: above 0", s.BudgetRatio)
	bad(s.ForecastError > 2, "forecast_error %v: at most 2", s.ForecastError)
	bad(s.Seeds < 1, "seeds %d: at least 1", s.Seeds)
	for i, c := range s.Changes {
		bad(c.What != "traffic" && c.What != "prices" && c.What != "values", "changes[%d].what %q: traffic, prices or values", i, c.What)
		bad(c.From < 0 || c.To > 24 || c.From >= c.To, "changes[%d]: from %v to %v is no part of a day", i, c.From, c.To)
		bad(c.Times < 0 || c.Times > 1000 || (c.What != "traffic" && c.Times == 0), "changes[%d].times %v", i, c.Times)
	}
	all := []*Notices{&s.Notices}
	if s.WarmNotices != nil {
		all = append(all, s.WarmNotices)
	}
	for _, n := range all {
		bad(n.Delay < 0 || n.Jitter < 0 || n.Late < 0, "notices: a time before the win")
		bad(n.LateShare < 0 || n.LateShare > 1 || n.Lost < 0 || n.Lost > 1, "notices: late_share and lost are shares")
	}
	s.checkNodes(bad)
	s.checkClicks(bad)
	return errors.Join(errs...)
}

// at is the product of the changes of one kind at a second of the day.
func (s *Scenario) at(what string, t float64) float64 {
	out := 1.0
	for _, c := range s.Changes {
		if c.What == what && t >= c.From*3600 && t < c.To*3600 {
			out *= c.Times
		}
	}
	return out
}
