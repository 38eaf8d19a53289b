package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	vm "github.com/VictoriaMetrics/metrics"

	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/reporting/bookkeeper"
)

type ledgerConfig struct {
	kafkaNet
	clickhouse
	Dir     string   `config:"data" help:"directory of all data; the ledger's checkpoint is in DIR/ledger" default:"./data"`
	Kafka   []string `config:"kafka" help:"Kafka brokers, host:port, comma separated" default:"127.0.0.1:9092"`
	Metrics string   `config:"metrics" help:"loopback address of metrics and profiles" default:"127.0.0.1:8096"`
	Parts   int      `config:"partitions" help:"partitions of new event topics" default:"4"`
	Fresh   bool     `config:"ledger-fresh" help:"begin without a checkpoint although Kafka's log has been cut"`
}

func (c *ledgerConfig) Validate() error {
	return errors.Join(listening{}.check("metrics", c.Metrics), c.kafkaNet.check(c.Kafka), c.keeper(kafka.Cluster{Brokers: c.Kafka}).Validate())
}

func (c *ledgerConfig) keeper(k kafka.Cluster) bookkeeper.Config {
	return bookkeeper.Config{Brokers: k.Brokers, Security: k.Security, ClickHouse: c.server(c.Dir), Dir: filepath.Join(c.Dir, "ledger"), Fresh: c.Fresh}
}

// runLedger keeps the ledger until ctx ends.
func runLedger(ctx context.Context, e env, args []string) error {
	var c ledgerConfig
	if _, err := config.Load("ledger", args, e.environ, &c, e.out); err != nil {
		return err
	}
	brokers, err := c.cluster(c.Kafka)
	if err != nil {
		return err
	}
	set := vm.NewSet()
	k, err := bookkeeper.New(c.keeper(brokers), set, e.log)
	if err != nil {
		return err
	}
	stop, err := serveMetrics(c.Metrics, func(w io.Writer) { set.WritePrometheus(w) }, e.log)
	if err != nil {
		return err
	}
	defer stop()
	if err := brokers.EnsureTopics(ctx, kafka.Topics(c.Parts), e.log); err != nil {
		return unlessStopped(ctx, err)
	}
	e.log.Info("ledger is kept", "kafka", c.Kafka, "clickhouse", c.ClickHouse)
	return k.Run(ctx)
}
