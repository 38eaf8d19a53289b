package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// Fault is one way to break things.
type Fault struct {
	Name string
	// Deaf: the only bidder cannot answer while it lasts.
	Deaf bool
	// Begin breaks, End mends; End may be nil. The fault lasts in between.
	Begin, End func(ctx context.Context, rng *rand.Rand) error
}

// Config of a Run.
type Config struct {
	Faults []Fault
	// Rounds is how often every fault is played, however long that takes; 0:
	// as often as For allows, which is how long faults are begun.
	Rounds int
	For    time.Duration
	// Hold is how long a fault lasts, Rest the calm before each.
	Hold, Rest time.Duration
	Seed       uint64
	// BidURL is where bids are asked for, one each Every; an answer is in time
	// within TMax.
	BidURL      string
	Every, TMax time.Duration
	// InTime is the least share of answers in time during a kind of fault that
	// leaves the bidder alive, in parts of what it is in the calm between: how
	// fast the machine is does not count.
	InTime float64
	// Recover bounds how long bids and books may take after a fault.
	Recover time.Duration
	Books   Books
	// Inspect tells of memory, disk and processes; an error is a bound that was
	// broken. It is called after each fault.
	Inspect func(ctx context.Context) error
	Out     io.Writer
}

// Outcome is what one fault came to.
type Outcome struct {
	Name         string
	Asked        int
	Due          int // that were to be asked; fewer are where the harness itself had no processor
	InTime, Bids int
	BidAgain     time.Duration // after the fault's end, until a bid was answered
	BooksAgain   time.Duration // … until all that was billed by its end was in the reports
	Deaf         bool
	Why          map[string]int // there was no bid while it lasted
	WhyAfter     map[string]int // … nor from then until there was one again
}

// Calm is the name of the outcome that has the times between the faults.
const Calm = "(calm between)"

// ErrLate begins what was answered too late, too often. The run goes on.
var ErrLate = errors.New("answers were late")

// warmUp is the calm before the first fault: leases follow what is spent.
const warmUp = 5 * time.Second

// maxAgain is how often a kind of fault is played again at the end whose
// answers were late, or could not be judged: a few dozen answers are late by
// chance where others use the machine too, but not every time.
const maxAgain = 2

// Run begins one fault after the other, in an order that Seed draws, every one
// once before any comes again, and measures. The first thing that must never
// happen ends it; ErrLate comes at the end, with all outcomes.
func Run(ctx context.Context, c Config) ([]Outcome, error) {
	if len(c.Faults) == 0 {
		return nil, errors.New("chaos: no faults")
	}
	rng := rand.New(rand.NewPCG(c.Seed, 8))
	p := newProber(c.BidURL, c.Every, c.TMax)
	pctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.run(pctx) })
	defer func() { stop(); wg.Wait() }()
	var out []Outcome
	calm := Outcome{Name: Calm}
	play := func(f Fault) error {
		began := time.Now()
		if !sleep(ctx, c.Rest) {
			return context.Cause(ctx)
		}
		calm.add(p.between(began, time.Now().Add(-c.TMax)))
		o, err := c.one(ctx, f, p, rng)
		out = append(out, o)
		fmt.Fprintf(c.Out, "  %-28s %s\n", o.Name, o.line())
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		return context.Cause(ctx)
	}
	if !sleep(ctx, warmUp) {
		return nil, context.Cause(ctx)
	}
	for list := c.order(rng); ; {
		f, more := list()
		if !more {
			break
		}
		if err := play(f); err != nil {
			return out, err
		}
	}
	for range maxAgain {
		for _, f := range c.doubtful(append(slices.Clip(out), calm)) {
			if err := play(f); err != nil {
				return out, err
			}
		}
	}
	out = append(out, calm)
	return out, c.late(out)
}

// order hands out the faults: every one once, in a drawn order, before any
// comes again.
func (c *Config) order(rng *rand.Rand) func() (Fault, bool) {
	var left []Fault
	end, rounds := time.Now().Add(c.For), 0
	return func() (f Fault, ok bool) {
		if len(left) == 0 {
			if rounds++; c.Rounds > 0 && rounds > c.Rounds {
				return f, false
			}
			left = slices.Clone(c.Faults)
			rng.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		}
		if c.Rounds == 0 && time.Now().After(end) {
			return f, false
		}
		f, left = left[0], left[1:]
		return f, true
	}
}

// judged sums the outcomes up by kind of fault and tells which kinds were
// answered late, too often, and of which that cannot be told. calm is the share
// of answers in time between the faults.
func (c *Config) judged(all []Outcome) (late, starved []*Outcome, calm float64) {
	by := map[string]*Outcome{}
	for _, o := range all {
		if by[o.Name] == nil {
			by[o.Name] = &Outcome{Name: o.Name, Deaf: o.Deaf}
		}
		by[o.Name].add(tally{asked: o.Asked, inTime: o.InTime})
		by[o.Name].Due += o.Due
	}
	calm = 1
	if by[Calm] != nil {
		calm = by[Calm].share()
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		switch o := by[name]; {
		case o.Deaf:
		case o.starved():
			starved = append(starved, o)
		case o.share() < c.InTime*calm:
			late = append(late, o)
		}
	}
	return late, starved, calm
}

// doubtful are the kinds of fault to play again before they are judged.
func (c *Config) doubtful(all []Outcome) []Fault {
	late, starved, _ := c.judged(all)
	return slices.DeleteFunc(slices.Clone(c.Faults), func(f Fault) bool {
		return !slices.ContainsFunc(append(late, starved...), func(o *Outcome) bool { return o.Name == f.Name })
	})
}

// late holds the shares of answers in time, by kind of fault, against that of
// the calm.
func (c *Config) late(all []Outcome) error {
	late, starved, calm := c.judged(all)
	for _, o := range starved {
		fmt.Fprintf(c.Out, "%s: of %d requests %d could be sent: this machine had no processor for the harness, so whether answers were late is not judged\n", o.Name, o.Due, o.Asked)
	}
	var errs []error
	for _, o := range late {
		errs = append(errs, fmt.Errorf("%w: %s: %d of %d were in time, less than %.0f %% of the %.1f %% in the calm", ErrLate, o.Name, o.InTime, o.Asked, 100*c.InTime, 100*calm))
	}
	return errors.Join(errs...)
}

// starved tells whether less than three quarters of the requests could be sent
// when they were due: who asks late is answered late.
func (o *Outcome) starved() bool { return 4*o.Asked < 3*o.Due }

func (o *Outcome) add(t tally) {
	o.Asked, o.InTime, o.Bids = o.Asked+t.asked, o.InTime+t.inTime, o.Bids+t.bids
}

// share is that of answers in time; 1 where nothing was asked.
func (o *Outcome) share() float64 {
	if o.Asked == 0 {
		return 1
	}
	return float64(o.InTime) / float64(o.Asked)
}

// one plays a fault and waits until all is well again.
func (c *Config) one(ctx context.Context, f Fault, p *prober, rng *rand.Rand) (Outcome, error) {
	o := Outcome{Name: f.Name, Deaf: f.Deaf}
	began := time.Now()
	if err := f.Begin(ctx, rng); err != nil {
		return o, err
	}
	sleep(ctx, c.Hold)
	mended := time.Now()
	if f.End != nil {
		mended = time.Now()
		if err := f.End(ctx, rng); err != nil {
			return o, err
		}
	}
	err := errors.Join(c.recovered(ctx, &o, p, mended), Insist(ctx, c.Recover, c.Books.NotAbove))
	t := p.between(began, mended)
	if err != nil {
		t = p.between(began, time.Now())
	}
	if err == nil && c.Every > 0 {
		o.Due = int(mended.Sub(began) / c.Every)
	}
	o.Asked, o.InTime, o.Bids, o.Why = t.asked, t.inTime, t.bids, t.why
	o.WhyAfter = p.between(mended, mended.Add(o.BidAgain)).why
	if err == nil && c.Inspect != nil {
		err = c.Inspect(ctx)
	}
	return o, err
}

// recovered waits until a bid is answered and the reports have all that was
// billed when the fault ended.
func (c *Config) recovered(ctx context.Context, o *Outcome, p *prober, from time.Time) error {
	want, err := c.Books.billed()
	if err != nil {
		return err
	}
	var have int64
	var asked error
	for end := from.Add(c.Recover); ; {
		if at, ok := p.bidAfter(from); ok && o.BidAgain == 0 {
			o.BidAgain = at.Sub(from)
		}
		if o.BooksAgain == 0 {
			if have, asked = c.Books.Settled(ctx); asked == nil && have >= want {
				o.BooksAgain = time.Since(from)
			}
		}
		switch {
		case o.BidAgain > 0 && o.BooksAgain > 0:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Now().After(end) && o.BidAgain == 0:
			return fmt.Errorf("no bid within %s after it", c.Recover)
		case time.Now().After(end):
			return errors.Join(asked, fmt.Errorf("the reports have %d settled bids, %d were billed %s ago", have, want, c.Recover))
		}
		sleep(ctx, 50*time.Millisecond)
	}
}

func (o *Outcome) line() string {
	s := fmt.Sprintf("%4d of %4d in time, %4d bids; bids again after %s, books after %s",
		o.InTime, o.Asked, o.Bids, round(o.BidAgain), round(o.BooksAgain))
	for _, why := range slices.Sorted(maps.Keys(o.Why)) {
		s += fmt.Sprintf("; %s %d", why, o.Why[why])
	}
	if o.BidAgain > time.Second {
		for _, why := range slices.Sorted(maps.Keys(o.WhyAfter)) {
			s += fmt.Sprintf("; after it %s %d", why, o.WhyAfter[why])
		}
	}
	return s
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

// Table sums the outcomes up by fault: shares over all times, and the median
// and worst times of recovery.
func Table(w io.Writer, all []Outcome) error {
	by := map[string][]Outcome{}
	var names []string
	for _, o := range all {
		if by[o.Name] == nil {
			names = append(names, o.Name)
		}
		by[o.Name] = append(by[o.Name], o)
	}
	slices.Sort(names)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "fault\ttimes\tanswered in time\tbids\tbids again: median\tworst\tbooks again: median\tworst")
	for _, n := range names {
		var sum tally
		var bids, books []time.Duration
		for _, o := range by[n] {
			sum.asked, sum.inTime, sum.bids = sum.asked+o.Asked, sum.inTime+o.InTime, sum.bids+o.Bids
			bids, books = append(bids, o.BidAgain), append(books, o.BooksAgain)
		}
		slices.Sort(bids)
		slices.Sort(books)
		share := fmt.Sprintf("%.1f %%", 100*float64(sum.inTime)/float64(max(sum.asked, 1)))
		if by[n][0].Deaf {
			share += " (no bidder)"
		}
		if n == Calm && sum.asked == 0 { // the rests were too short to tell
			continue
		}
		if n == Calm {
			fmt.Fprintf(t, "%s\t\t%s\t%.1f %%\n", n, share, 100*float64(sum.bids)/float64(max(sum.asked, 1)))
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%.1f %%\t%s\t%s\t%s\t%s\n", n, len(by[n]), share, 100*float64(sum.bids)/float64(max(sum.asked, 1)),
			round(middle(bids)), round(bids[len(bids)-1]), round(middle(books)), round(books[len(books)-1]))
	}
	return t.Flush()
}

// middle is the median of sorted times.
func middle(list []time.Duration) time.Duration {
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}
