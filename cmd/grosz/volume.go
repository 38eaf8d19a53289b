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
	Dir     string `config:"data" help:"an empty or absent directory of the measurement's own; it is removed at the end unless it is named"`
	Bids    int    `config:"bids" help:"bids to make; about 1.5 further rows follow each" default:"4000000"`
	Memory  int64  `config:"warehouse-memory" help:"bound on the engine's memory in bytes" default:"4294967296"`
	Library string `config:"libchdb" help:"path of libchdb.so, if it is not where 'make libchdb' puts it"`
}

// Validate lists what is wrong.
func (c *volumeConfig) Validate() error {
	if c.Bids < 1000 {
		return fmt.Errorf("--bids %d: at least 1000", c.Bids)
	}
	return nil
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
	} else if exists(filepath.Join(dir, "warehouse")) {
		return fmt.Errorf("--data %s: a warehouse is there already; name another directory", dir)
	}
	s, err := warehouse.Start(ctx, warehouse.Config{Dir: dir, Addr: "127.0.0.1:0", Library: c.Library, MemoryBytes: c.Memory}, e.log)
	if err != nil {
		return fmt.Errorf("warehouse: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r, err := volume.Run(ctx, volume.Config{
		ClickHouse: schema.Server{Addr: s.Addr(), PasswordFile: warehouse.PasswordFile(dir)}, Bids: c.Bids, Now: time.Now(), Log: e.log,
	}, e.out)
	if err != nil {
		return err
	}
	return r.Print(e.out)
}
