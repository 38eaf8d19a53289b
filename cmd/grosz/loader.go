package main

import (
	"context"
	"errors"
	"io"
	"time"

	vm "github.com/VictoriaMetrics/metrics"
	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/reporting/forget"
	"github.com/grosz/grosz/reporting/loader"
	"github.com/grosz/grosz/reporting/rollup"
)

type loaderConfig struct {
	kafkaNet
	clickhouse
	Dir     string        `config:"data" help:"directory of all data, for the embedded warehouse's password" default:"./data"`
	Kafka   []string      `config:"kafka" help:"Kafka brokers, host:port, comma separated" default:"127.0.0.1:9092"`
	Metrics string        `config:"metrics" help:"loopback address of metrics and profiles" default:"127.0.0.1:8093"`
	Parts   int           `config:"partitions" help:"partitions of new event topics" default:"4"`
	Wait    time.Duration `config:"batch-wait" help:"longest wait before a batch is inserted" default:"200ms"`
}

func (c *loaderConfig) Validate() error {
	return errors.Join(listening{}.check("metrics", c.Metrics), c.kafkaNet.check(c.Kafka), c.loader(kafka.Cluster{Brokers: c.Kafka}).Validate())
}

func (c *loaderConfig) loader(k kafka.Cluster) loader.Config {
	return loader.Config{Brokers: k.Brokers, Security: k.Security, ClickHouse: c.server(c.Dir), BatchWait: c.Wait}
}

// runLoader moves events from Kafka into ClickHouse until ctx ends.
func runLoader(ctx context.Context, e env, args []string) error {
	var c loaderConfig
	if _, err := config.Load("loader", args, e.environ, &c, e.out); err != nil {
		return err
	}
	brokers, err := c.cluster(c.Kafka)
	if err != nil {
		return err
	}
	set := vm.NewSet()
	l, err := loader.New(c.loader(brokers), set, e.log)
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
	e.log.Info("loader runs", "kafka", c.Kafka, "by", brokers.Security.String(), "clickhouse", c.ClickHouse)
	w := brokers.NewWriter(e.log)
	forgets := forget.New(forget.Config{
		Brokers: c.Kafka, Security: brokers.Security, ClickHouse: c.server(c.Dir),
		Emit: func(ctx context.Context, r *events.Erasure) error {
			return w.WriteMessages(ctx, kafkago.Message{Topic: events.TopicErasures, Key: r.Key(), Value: r.AppendJSON(nil)})
		},
	}, set, e.log)
	rolls, err := rollup.New(rollup.Config{ClickHouse: c.server(c.Dir)}, set, e.log)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.Run(ctx) })
	g.Go(func() error {
		for !l.Ready() { // there is nothing to roll up before the tables are made
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(100 * time.Millisecond):
			}
		}
		return rolls.Run(ctx)
	})
	g.Go(func() error { return forgets.Run(ctx) })
	return errors.Join(g.Wait(), w.Close())
}
