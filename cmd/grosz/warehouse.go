package main

import (
	"context"
	"fmt"

	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/reporting/warehouse"
)

type warehouseConfig struct {
	listening
	Dir     string `config:"data" help:"directory of all data; tables are in DIR/warehouse, the password in DIR/warehouse.key" default:"./data"`
	Addr    string `config:"warehouse" help:"address of the ClickHouse HTTP interface" default:"127.0.0.1:8123"`
	Library string `config:"libchdb" help:"path of libchdb.so, if it is not where 'make libchdb' puts it"`
	Memory  int64  `config:"warehouse-memory" help:"bound on the engine's memory in bytes" default:"2147483648"`
}

func (c *warehouseConfig) Validate() error { return c.check("warehouse", c.Addr) }

// runWarehouse serves the embedded ClickHouse engine. It has a process of its
// own: the engine uses threads and memory freely and replaces signal handlers.
func runWarehouse(ctx context.Context, e env, args []string) error {
	var c warehouseConfig
	if _, err := config.Load("warehouse", args, e.environ, &c, e.out); err != nil {
		return err
	}
	s, err := warehouse.Start(ctx, warehouse.Config{Dir: c.Dir, Addr: c.Addr, Library: c.Library, MemoryBytes: c.Memory}, e.log)
	if err != nil {
		return fmt.Errorf("warehouse: %w", err)
	}
	e.log.Info("warehouse listens", "addr", s.Addr())
	select {
	case <-ctx.Done():
	case <-s.Done():
	}
	return s.Close()
}
