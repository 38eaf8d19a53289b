package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/grosz/grosz/bench/volume"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/reporting/warehouse"
)

type volumeConfig struct {
	kafkaNet
	Dir     string   `config:"data" help:"an empty or absent directory of the measurement's own; it is removed at the end unless it is named"`
	Bids    int      `config:"bids" help:"bids to make; about 1.5 further rows follow each; 0: none, events are sent alone" default:"4000000"`
	Again   bool     `config:"again" help:"make nothing: ask the views of what an earlier run of as many bids left in --data, once more"`
	Live    bool     `config:"live" help:"ask every view before the roll-ups are worked out, too: takes long"`
	Rate    int      `config:"rate" help:"events a second sent through Kafka and the loader afterwards, to see how soon each can be read; 0: none" default:"5000"`
	Seconds int      `config:"seconds" help:"how long they are sent" default:"60"`
	Kafka   []string `config:"kafka" help:"Kafka brokers, host:port, comma separated; empty: an embedded one of its own"`
	Memory  int64    `config:"warehouse-memory" help:"bound on the engine's memory in bytes" default:"4294967296"`
	Library string   `config:"libchdb" help:"path of libchdb.so, if it is not where 'make libchdb' puts it"`
}

// Validate lists what is wrong.
func (c *volumeConfig) Validate() error {
	var errs []error
	if c.Bids < 1000 && (c.Bids != 0 || c.Rate == 0) {
		errs = append(errs, fmt.Errorf("--bids %d: at least 1000, or 0 to send events alone", c.Bids))
	}
	if c.Again && (c.Dir == "" || c.Bids == 0) {
		errs = append(errs, errors.New("--again asks of what is in --data, which it needs, and of the bids that were made there: name both"))
	}
	if c.Rate < 0 || c.Rate > 1_000_000 {
		errs = append(errs, fmt.Errorf("--rate %d: 0 to 1,000,000", c.Rate))
	}
	if c.Seconds < 1 || c.Seconds > 3600 {
		errs = append(errs, fmt.Errorf("--seconds %d: 1 to 3600", c.Seconds))
	}
	return errors.Join(append(errs, c.kafkaNet.check(c.Kafka))...)
}

// runVolume fills a warehouse of its own and measures its views.
func runVolume(ctx context.Context, e env, args []string) (err error) {
	var c volumeConfig
	if _, err := config.Load("volume", args, e.environ, &c, e.out); err != nil {
		return err
	}
	dir := c.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "grosz-volume-"); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if exists(filepath.Join(dir, "warehouse")) && !c.Again {
		return fmt.Errorf("--data %s: a warehouse is there already; name another directory", dir)
	}
	s, err := warehouse.Start(ctx, warehouse.Config{Dir: dir, Addr: "127.0.0.1:0", Library: c.Library, MemoryBytes: c.Memory}, e.log)
	if err != nil {
		return fmt.Errorf("warehouse: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ch := schema.Server{Addr: s.Addr(), PasswordFile: warehouse.PasswordFile(dir)}
	if c.Bids == 0 {
		return c.fresh(ctx, e, ch, dir)
	}
	// The engine runs in this process, so this process' CPU time is its.
	r, err := volume.Run(ctx, volume.Config{ClickHouse: ch, Bids: c.Bids, Again: c.Again, Now: time.Now(), Process: os.Getpid(), Live: c.Live, Log: e.log}, e.out)
	if err != nil {
		return err
	}
	if err := r.Print(e.out); err != nil || c.Rate == 0 {
		return err
	}
	return c.fresh(ctx, e, ch, dir)
}

// fresh measures how soon events can be read in the warehouse as it is.
func (c *volumeConfig) fresh(ctx context.Context, e env, ch schema.Server, dir string) (err error) {
	if len(c.Kafka) == 0 {
		var fail context.CancelCauseFunc
		ctx, fail = context.WithCancelCause(ctx)
		defer fail(nil)
		defer func() { err = because(ctx, err) }()
		addr, stop, err := startBroker(e, filepath.Join(dir, "broker"), fail)
		if err != nil {
			return err
		}
		defer stop()
		c.Kafka = []string{addr}
	}
	brokers, err := c.cluster(c.Kafka)
	if err != nil {
		return err
	}
	f, err := volume.Fresh(ctx, volume.FreshConfig{
		ClickHouse: ch, Kafka: brokers, Dir: filepath.Join(dir, "spool"), Rate: c.Rate, For: time.Duration(c.Seconds) * time.Second, Tag: uint64(time.Now().UnixNano()), Log: e.log,
	})
	if err != nil {
		return err
	}
	f.Print(e.out)
	return nil
}
