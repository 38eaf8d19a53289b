package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"

	"github.com/grosz/grosz/bench/chaos"
)

type chaosStep = func(ctx context.Context, rng *rand.Rand) error

// faults lists every way to break the demo.
func (s *chaosStack) faults() []chaos.Fault {
	var out []chaos.Fault
	for _, p := range s.procs {
		deaf := p.name == "bidder"
		out = append(out,
			chaos.Fault{Name: "kill -9 " + p.name, Deaf: deaf, Begin: step(func() error { return p.kill() }), End: step(p.start)},
			chaos.Fault{Name: "stopped: " + p.name, Deaf: deaf, Begin: signalled(p, syscall.SIGSTOP), End: signalled(p, syscall.SIGCONT)})
		if canLimitFiles && p.name != "exchange" { // the truth needs a disk
			out = append(out, chaos.Fault{Name: "disk full: " + p.name, Begin: limited(p, 4096), End: limited(p, -1)})
		}
	}
	for _, via := range []struct {
		name string
		*chaos.Proxy
	}{{"Kafka", s.kafkaVia}, {"ClickHouse", s.houseVia}} {
		for i, name := range []string{"gone", "slow", "silent"} {
			mode := []chaos.Mode{chaos.Cut, chaos.Slow, chaos.Silent}[i]
			out = append(out, chaos.Fault{Name: via.name + " " + name,
				Begin: step(func() error { via.Set(mode); return nil }), End: step(func() error { via.Set(chaos.Through); return nil })})
		}
	}
	out = append(out, s.torn()...)
	out = append(out, s.clockSteps()...)
	return append(out, s.hostile()...)
}

func step(do func() error) chaosStep {
	return func(context.Context, *rand.Rand) error { return do() }
}

func signalled(p *stormProc, sig syscall.Signal) chaosStep {
	return step(func() error {
		pid := p.pid()
		if pid == 0 {
			return fmt.Errorf("%s does not run", p.name)
		}
		return syscall.Kill(pid, sig)
	})
}

// limited makes a process's disk full, or lets it have room again. A process
// that was started again meanwhile has room anyway.
func limited(p *stormProc, size int64) chaosStep {
	return step(func() error {
		if err := limitFiles(p.pid(), size); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return nil
	})
}

// torn are crashes that leave files half written.
func (s *chaosStack) torn() []chaos.Fault {
	dir := s.cfg.Dir
	bidder, broker, learner, console := s.named("bidder"), s.named("broker"), s.named("learner"), s.named("console")
	return []chaos.Fault{
		{Name: "torn files: bidder", Deaf: true, End: step(bidder.start), Begin: func(_ context.Context, rng *rand.Rand) error {
			state := filepath.Join(dir, "bidder")
			errs := []error{bidder.kill()}
			for _, name := range []string{"book.snap", "profiles.snap", "holds.json"} {
				errs = append(errs, chaos.CutFile(filepath.Join(state, name), rng), chaos.HalfFile(filepath.Join(state, name), rng))
			}
			for _, name := range []string{"match.log", "erased.log"} {
				errs = append(errs, chaos.HalfWrite(filepath.Join(state, name), false, rng))
			}
			return errors.Join(append(errs, chaos.HalfWrite(chaos.Newest(filepath.Join(state, "spool", "*.wal")), true, rng))...)
		}},
		{Name: "torn files: broker", End: step(broker.start), Begin: func(_ context.Context, rng *rand.Rand) error {
			errs := []error{broker.kill()}
			parts, err := filepath.Glob(filepath.Join(dir, "broker", "partitions", "*"))
			for _, part := range parts {
				if seg := chaos.Newest(filepath.Join(part, "*.dat")); seg != "" {
					errs = append(errs, chaos.HalfWrite(seg, false, rng))
				}
			}
			return errors.Join(append(errs, err, chaos.HalfWrite(filepath.Join(dir, "broker", "groups.log"), false, rng))...)
		}},
		{Name: "torn files: console", End: step(console.start), Begin: func(_ context.Context, rng *rand.Rand) error {
			db := filepath.Join(dir, "console.db")
			return errors.Join(console.kill(), chaos.HalfWrite(db+"-wal", false, rng), chaos.HalfFile(db+".pages", rng))
		}},
		{Name: "torn files: learner, ledger", End: step(func() error { return errors.Join(learner.start(), s.named("ledger").start()) }),
			Begin: func(_ context.Context, rng *rand.Rand) error {
				return errors.Join(learner.kill(), s.named("ledger").kill(), chaos.CutFile(chaos.Newest(filepath.Join(dir, "learner", "*")), rng),
					chaos.HalfFile(filepath.Join(dir, "ledger", "ledger.snap"), rng))
			}},
	}
}

// hostile are messages, campaigns, traffic and clients that nobody wants.
func (s *chaosStack) hostile() []chaos.Fault {
	away := step(func() error { s.clients.Close(); s.clients = nil; return nil })
	return []chaos.Fault{
		{Name: "corrupt messages", Begin: func(ctx context.Context, rng *rand.Rand) error { return chaos.Corrupt(ctx, s.broker, 40, rng) }},
		{Name: "poison campaigns", Begin: func(ctx context.Context, rng *rand.Rand) error { return chaos.Poison(ctx, s.broker, rng) }},
		{Name: "ten times the traffic", Begin: step(func() error { s.rate(fmt.Sprint(10 * s.cfg.Rate)); return nil }),
			End: step(func() error { s.rate(fmt.Sprint(s.cfg.Rate)); return nil })},
		{Name: "slow clients", Begin: step(func() error { s.clients = chaos.SlowClients(s.bidder, 200); return nil }), End: away},
		{Name: "half-open connections", Begin: func(_ context.Context, rng *rand.Rand) error {
			s.clients = chaos.SilentClients(s.bidder, 500, rng.Uint64())
			return nil
		}, End: away},
	}
}
