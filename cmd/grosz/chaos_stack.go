package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/grosz/grosz/bench/chaos"
	"github.com/grosz/grosz/reporting/warehouse"
)

// chaosStack is a demo as `up --demo` runs it, but that every process is a
// child of ours to kill and stop, and that proxies stand before Kafka and
// ClickHouse.
type chaosStack struct {
	cfg      *chaosConfig
	lock     *os.File // of the data directory
	out      io.Writer
	bidder   string
	console  string
	broker   string // past the proxy
	house    string // past the proxy
	password string
	kafkaVia *chaos.Proxy
	houseVia *chaos.Proxy
	procs    []*stormProc // from the front to the back
	rss      map[string]int64
	disk     int64
	clients  *chaos.Clients // of the fault that is on
	small    []uint32       // campaigns with a small budget, the oldest first
	played   int            // faults
}

func newChaosStack(c *chaosConfig, e env) (s *chaosStack, err error) {
	s = &chaosStack{cfg: c, out: e.out, bidder: freeAddr(), console: freeAddr(), broker: freeAddr(), house: freeAddr(), rss: map[string]int64{}}
	up := &upConfig{
		Dir: c.Dir, Bidder: s.bidder, Console: s.console, Metrics: freeAddr(), Shop: freeAddr(), Protocol: "http", User: "default",
		Public: "http://" + s.bidder, Library: c.Library, Profiles: 200_000, Demo: true, Rate: c.Rate, Broker: freeAddr(), Warehouse: freeAddr(),
	}
	if s.lock, err = prepare(context.Background(), up, e.out); err != nil {
		return nil, err
	}
	if s.password, err = warehouse.LoadPassword(c.Dir); err != nil {
		return nil, err
	}
	if s.kafkaVia, err = chaos.NewProxy(s.broker); err != nil {
		return nil, err
	}
	if s.houseVia, err = chaos.NewProxy(s.house); err != nil {
		return nil, errors.Join(err, s.kafkaVia.Close())
	}
	up.Kafka, up.Click = s.kafkaVia.Addr(), s.houseVia.Addr()
	list := append(up.children(),
		child{"warehouse", []string{"--warehouse", s.house, "--libchdb", c.Library, "--data", c.Dir}},
		child{"broker", []string{"--broker", s.broker, "--broker-advertise", s.kafkaVia.Addr(), "--data", c.Dir}})
	return s, s.make(list)
}

// make prepares the processes of a list of children.
func (s *chaosStack) make(list []child) error {
	self, err := thisProgram()
	if err != nil {
		return err
	}
	logs := filepath.Join(s.cfg.Dir, "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", logs, err)
	}
	for _, ch := range list {
		p := &stormProc{name: ch.role, self: self, logs: logs, args: append([]string{ch.role}, ch.args...)}
		if i := slices.Index(p.args, "--metrics"); i > 0 {
			p.metrics = p.args[i+1]
		}
		s.procs = append(s.procs, p)
	}
	return s.ownClocks()
}

func (s *chaosStack) named(name string) *stormProc {
	for _, p := range s.procs {
		if p.name == name {
			return p
		}
	}
	return nil
}

// startAll starts from the back to the front and waits until something that
// was billed is in the reports.
func (s *chaosStack) startAll(ctx context.Context, books *chaos.Books) error {
	for _, p := range slices.Backward(s.procs) {
		if err := p.start(); err != nil {
			return err
		}
	}
	for end := time.Now().Add(max(s.cfg.Recover, 3*time.Minute)); ; time.Sleep(100 * time.Millisecond) {
		n, err := books.Settled(ctx)
		switch {
		case err == nil && n > 0:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Now().After(end):
			return errors.Join(err, errors.New("nothing is billed in the demo, or nothing reported"))
		}
	}
}

func (s *chaosStack) close() {
	if s.clients != nil {
		s.clients.Close()
	}
	for _, p := range s.procs {
		if pid := p.pid(); pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		p.stop()
	}
	_ = errors.Join(s.kafkaVia.Close(), s.houseVia.Close(), s.lock.Close()) // only listeners of ours
}

// rate starts the exchanges again with another rate.
func (s *chaosStack) rate(r string) {
	p := s.named("exchange")
	p.stop()
	p.args[slices.Index(p.args, "--rate")+1] = r
	_ = p.start() // who waits for it tells
}
