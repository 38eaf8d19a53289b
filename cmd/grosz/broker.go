package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"

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
	dir := filepath.Join(c.Dir, "broker")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the broker's directory: %w", err)
	}
	if err := repairLog(dir, e.log); err != nil {
		return err
	}
	l, err := listen("broker", c.Addr)
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return fmt.Errorf("read the broker's port: %w", err)
	}
	if c.Told != "" {
		if l, err = advertised(l, c.Told); err != nil {
			return err
		}
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(n), kfake.ClusterID("grosz"),
		kfake.DataDir(dir), kfake.SyncWrites(),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return l, nil }),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}),
	)
	if err != nil {
		_ = l.Close() // unless it has been
		return fmt.Errorf("open the broker's log in %s: %w", dir, err)
	}
	e.log.Info("broker listens", "addr", l.Addr().String(), "data", dir)
	<-ctx.Done()
	cluster.Close()
	return nil
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
