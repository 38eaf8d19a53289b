package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/chaos"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/reporting/warehouse"
)

type chaosConfig struct {
	Dir     string        `config:"data" help:"an empty or absent directory of its own; it is removed at the end unless it is named"`
	Minutes float64       `config:"minutes" help:"how long faults are begun" default:"5"`
	Rounds  int           `config:"rounds" help:"play every fault that often, however long it takes, instead of --minutes"`
	Seed    uint64        `config:"seed" help:"of the order of the faults and of all that is drawn" default:"1"`
	Faults  []string      `config:"faults" help:"only those whose names contain one of these, comma separated; default all"`
	Rate    float64       `config:"rate" help:"bid requests per second of the simulated exchanges" default:"60"`
	Hold    time.Duration `config:"hold" help:"how long a fault lasts" default:"4s"`
	Rest    time.Duration `config:"rest" help:"how long it is calm between two" default:"1s"`
	TMax    time.Duration `config:"tmax" help:"an answer is in time within it" default:"300ms"`
	InTime  float64       `config:"in-time" help:"least share of answers in time during a kind of fault that leaves the bidder alive, in parts of that in the calm between" default:"0.9"`
	Recover time.Duration `config:"recover" help:"bound on the time until bids and books are well again" default:"2m"`
	MaxRSS  int64         `config:"max-memory" help:"bound on the memory of each process, bytes; the warehouse's is twice that" default:"2147483648"`
	MaxDisk int64         `config:"max-disk" help:"bound on the disk of everything, bytes" default:"8589934592"`
	Library string        `config:"libchdb" help:"path of libchdb.so, if it is not where 'make libchdb' puts it"`
}

func (c *chaosConfig) Validate() error {
	var errs []error
	if c.Dir != "" && exists(filepath.Join(c.Dir, "exchange")) {
		errs = append(errs, fmt.Errorf("--data %s: something was there already; name another directory", c.Dir))
	}
	for flag, v := range map[string]float64{"minutes": c.Minutes, "rate": c.Rate} {
		if v <= 0 {
			errs = append(errs, fmt.Errorf("--%s %g: more than 0", flag, v))
		}
	}
	if c.Rounds < 0 {
		errs = append(errs, fmt.Errorf("--rounds %d: not below 0", c.Rounds))
	}
	if c.InTime < 0 || c.InTime > 1 {
		errs = append(errs, fmt.Errorf("--in-time %g: from 0 to 1", c.InTime))
	}
	return errors.Join(errs...)
}

// runChaos breaks a demo of its own for a while and audits it. It fails if a
// nano-unit is wrong, or anything else that must always hold does not.
func runChaos(ctx context.Context, e env, args []string) (err error) {
	var c chaosConfig
	if _, err := config.Load("chaos", args, e.environ, &c, e.out); err != nil {
		return err
	}
	if _, err := warehouse.FindLibrary(c.Library); err != nil {
		return err
	}
	keep := c.Dir != ""
	if !keep {
		if c.Dir, err = os.MkdirTemp("", "grosz-chaos-"); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
	}
	s, err := newChaosStack(&c, e)
	if err != nil {
		return err
	}
	err = s.play(ctx)
	s.close()
	switch {
	case err != nil:
		return fmt.Errorf("%w\nlogs and data are in %s; the seed was %d", err, c.Dir, c.Seed)
	case keep:
		return nil
	}
	return os.RemoveAll(c.Dir)
}

// chosen are the faults that --faults asks for.
func (s *chaosStack) chosen() ([]chaos.Fault, error) {
	all := s.faults()
	if len(s.cfg.Faults) == 0 {
		return all, nil
	}
	list := slices.DeleteFunc(slices.Clone(all), func(f chaos.Fault) bool {
		return !slices.ContainsFunc(s.cfg.Faults, func(part string) bool { return strings.Contains(f.Name, part) })
	})
	if len(list) == 0 {
		var names []string
		for _, f := range all {
			names = append(names, f.Name)
		}
		return nil, fmt.Errorf("--faults %s: none has such a name; there are: %s", strings.Join(s.cfg.Faults, ","), strings.Join(names, ", "))
	}
	return list, nil
}

// play is everything from the start to the audit.
func (s *chaosStack) play(ctx context.Context) error {
	faults, err := s.chosen()
	if err != nil {
		return err
	}
	c, books := s.cfg, chaos.Books{Journals: filepath.Join(s.cfg.Dir, "exchange"), ClickHouse: s.house, Password: s.password, Budgets: map[uint32]money.Nano{}}
	if err := s.startAll(ctx, &books); err != nil {
		return err
	}
	if err := s.oneMore(ctx, &books); err != nil {
		return err
	}
	length := fmt.Sprintf("for %g minutes", c.Minutes)
	if c.Rounds > 0 {
		length = fmt.Sprintf("%d times each", c.Rounds)
	}
	fmt.Fprintf(s.out, "%d kinds of fault %s, seed %d; %g requests a second, and one a 50 ms that must be answered within %s\n", len(faults), length, c.Seed, c.Rate, c.TMax)
	outcomes, late := chaos.Run(ctx, chaos.Config{
		Faults: faults, For: time.Duration(c.Minutes * float64(time.Minute)), Rounds: c.Rounds, Hold: c.Hold, Rest: c.Rest, Seed: c.Seed,
		BidURL: "http://" + s.bidder + "/openrtb2/demo", Every: 50 * time.Millisecond, TMax: c.TMax, InTime: c.InTime, Recover: c.Recover,
		Books: books, Inspect: func(ctx context.Context) error { return errors.Join(s.inspect(ctx), s.nextSmall(ctx, &books)) }, Out: s.out,
	})
	if late != nil && !errors.Is(late, chaos.ErrLate) {
		return errors.Join(late, chaos.Table(s.out, outcomes))
	}
	err = s.usedUp(ctx, &books)
	if err == nil {
		err = s.calm(ctx, &books)
	}
	if err != nil {
		return errors.Join(err, late, chaos.Table(s.out, outcomes))
	}
	fmt.Fprintf(s.out, "equal to the nano-unit, bid by bid, with the exchanges' journals; every order once; the ledger the same\n")
	if err := s.tellSmall(ctx, &books); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "most memory of a process: %s; disk: %d MB; processes that ended by themselves: %d\n\n", s.memory(), s.disk>>20, s.deaths())
	return errors.Join(late, chaos.Table(s.out, outcomes))
}

// calm lets what is under way arrive and then compares.
func (s *chaosStack) calm(ctx context.Context, books *chaos.Books) error {
	s.rate("0.0001")
	var last error
	for end := time.Now().Add(s.cfg.Recover); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		if last = books.Equal(ctx); last == nil {
			return nil
		}
	}
	return errors.Join(ctx.Err(), last)
}

// inspect holds memory and disk against their bounds.
func (s *chaosStack) inspect(ctx context.Context) error {
	var errs []error
	for _, p := range s.procs {
		rss, bound := residentBytes(p.pid()), s.cfg.MaxRSS
		if p.name == "warehouse" {
			bound *= 2
		}
		s.rss[p.name] = max(s.rss[p.name], rss)
		if rss > bound {
			errs = append(errs, fmt.Errorf("%s has %d MB of memory in use; its bound is %d", p.name, rss>>20, bound>>20))
		}
	}
	var size int64
	err := filepath.WalkDir(s.cfg.Dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil // files come and go
	})
	if s.disk = max(s.disk, size); size > s.cfg.MaxDisk {
		errs = append(errs, fmt.Errorf("%d MB of disk in use; the bound is %d", size>>20, s.cfg.MaxDisk>>20))
	}
	// The simulated exchanges check every bid against its request.
	if m, merr := scrape(ctx, "http://"+s.named("exchange").metrics+"/metrics"); merr == nil && m["grosz_sim_violations_total"] > 0 {
		errs = append(errs, fmt.Errorf("the exchanges found %g bids that break a rule", m["grosz_sim_violations_total"]))
	}
	return errors.Join(append(errs, err)...)
}

func (s *chaosStack) memory() string {
	var parts []string
	for _, p := range s.procs {
		parts = append(parts, fmt.Sprintf("%s %d MB", p.name, s.rss[p.name]>>20))
	}
	return strings.Join(parts, ", ")
}

func (s *chaosStack) deaths() (n int) {
	for _, p := range s.procs {
		p.mu.Lock()
		n += p.deaths
		p.mu.Unlock()
	}
	return n
}
