package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/config"
)

type brokerConfig struct {
	listening
	Dir  string `config:"data" help:"directory of all data; the log is in DIR/broker" default:"./data"`
	Addr string `config:"broker" help:"address of the Kafka listener" default:"127.0.0.1:9092"`
	Told string `config:"broker-advertise" help:"address that clients are told to come to, if there is something between them and the listener; default the listener's"`
}

func (c *brokerConfig) Validate() error { return c.check("broker", c.Addr) }

// runBroker serves the Kafka protocol from a directory, every batch fsynced.
func runBroker(ctx context.Context, e env, args []string) error {
	var c brokerConfig
	if _, err := config.Load("broker", args, e.environ, &c, e.out); err != nil {
		return err
	}
	return c.run(ctx, e.log, clock.System{}, ordinaryHousekeeping)
}

// brokerLock is the file, in the broker's folder, that one broker holds for as
// long as it runs: to repair or compact a log that another one appends to would
// lose what comes in.
const brokerLock = "running"

// run serves until ctx ends, and closes the log for moments when it has grown.
func (c *brokerConfig) run(ctx context.Context, log *slog.Logger, clk clock.Clock, keep housekeeping) error {
	b := &broker{
		brokerConfig: c, dir: filepath.Join(c.Dir, "broker"), addr: c.Addr, clock: clk, log: log, keep: keep,
	}
	b.small = &compactor{dir: b.dir, clock: clk, log: log, settled: map[string]int64{}}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("make the broker's directory: %w", err)
	}
	release, err := holdAlone(b.dir, brokerLock, "broker has the log")
	if err != nil {
		return err
	}
	defer release()
	if err := b.small.undo(); err != nil {
		return err
	}
	if err := repairLog(b.dir, log); err != nil {
		return err
	}
	grown, err := b.small.worth(keep.Start)
	for err == nil {
		if err = b.small.run(grown); err != nil {
			break
		}
		if grown, err = b.serve(ctx); len(grown) == 0 {
			break
		}
	}
	return err
}

// broker is the embedded broker.
type broker struct {
	*brokerConfig
	dir   string
	addr  string // where it has listened; before that where it shall
	again bool   // it has listened there
	clock clock.Clock
	log   *slog.Logger
	keep  housekeeping
	small *compactor
}

// serve opens the log and serves until ctx ends, or until partitions have grown
// so much that they are to be compacted: it returns those, with the log closed.
func (b *broker) serve(ctx context.Context) (grown []string, err error) {
	l, err := b.listen(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, nil // stopped while the port was not free again yet
	} else if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, fmt.Errorf("read the broker's port: %w", err)
	}
	b.addr, b.again = l.Addr().String(), true
	if b.Told != "" {
		if l, err = advertised(l, b.Told); err != nil {
			return nil, err
		}
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(n), kfake.ClusterID("grosz"),
		kfake.DataDir(b.dir), kfake.SyncWrites(),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return l, nil }),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0", "log.cleaner.backoff.ms": never}),
	)
	if err != nil {
		_ = l.Close() // unless it has been
		return nil, fmt.Errorf("open the broker's log in %s: %w", b.dir, err)
	}
	defer cluster.Close()
	b.log.Info("broker listens", "addr", b.addr, "data", b.dir)
	return b.housekeep(ctx, cluster), nil
}

// listen takes the broker's port, and waits for the one that it had: a
// connection may go out from it while the log is closed.
func (b *broker) listen(ctx context.Context) (net.Listener, error) {
	for tried := 0; ; tried++ {
		l, err := listen("broker", b.addr)
		if err == nil || !b.again || tried == 100 {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// toldListener tells another address than its own.
type toldListener struct {
	net.Listener
	told net.Addr
}

func (l toldListener) Addr() net.Addr { return l.told }

func advertised(l net.Listener, addr string) (net.Listener, error) {
	told, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--broker-advertise %s: %w", addr, err)
	}
	return toldListener{l, told}, nil
}
