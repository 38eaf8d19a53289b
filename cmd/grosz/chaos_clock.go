package main

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/grosz/grosz/bench/chaos"
	"github.com/grosz/grosz/internal/clock"
)

// clockRoles are the processes that read the time of day. The ledger is not
// among them: its time is the log's. Broker and warehouse read the machine's.
func clockRoles() []string { return []string{"bidder", "console", "learner", "loader"} }

// ownClocks gives each of them a clock of its own, in a program that was built
// for it.
func (s *chaosStack) ownClocks() error {
	if !clock.CanStep {
		return nil
	}
	for _, p := range s.procs {
		if !slices.Contains(clockRoles(), p.name) {
			continue
		}
		path := s.clockOf(p)
		if err := clock.Step(path, 0); err != nil {
			return err
		}
		p.environ = append(p.environ, clock.StepFile+"="+path)
	}
	return nil
}

func (s *chaosStack) clockOf(p *stormProc) string {
	return filepath.Join(s.cfg.Dir, "logs", p.name+".clock")
}

// clockSteps set one process's clock while all others keep theirs, and then
// set it right again: two steps each.
func (s *chaosStack) clockSteps() (out []chaos.Fault) {
	if !clock.CanStep {
		return nil
	}
	for _, name := range clockRoles() {
		path := s.clockOf(s.named(name))
		for _, by := range []struct {
			name string
			time.Duration
		}{{"an hour ahead", time.Hour}, {"an hour behind", -time.Hour}, {"5 min ahead", 5 * time.Minute}, {"5 min behind", -5 * time.Minute}} {
			out = append(out, chaos.Fault{
				Name:  "clock " + by.name + ": " + name,
				Begin: step(func() error { return clock.Step(path, by.Duration) }),
				End:   step(func() error { return clock.Step(path, 0) }),
			})
		}
	}
	return out
}
