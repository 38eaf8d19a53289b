package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/bidder/learner"
	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/bidder/value/learn"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/config"
)

type learnerConfig struct {
	kafkaNet
	Dir      string        `config:"data" help:"directory of all data; what was learned is in DIR/learner" default:"./data"`
	Kafka    []string      `config:"kafka" help:"Kafka brokers, host:port, comma separated" default:"127.0.0.1:9092"`
	Metrics  string        `config:"metrics" help:"loopback address of metrics and profiles" default:"127.0.0.1:8097"`
	Parts    int           `config:"partitions" help:"partitions of new event topics" default:"4"`
	Every    time.Duration `config:"model-every" help:"how often a model is published" default:"1m"`
	MinShops int           `config:"model-min-shops" help:"shops that must have contributed to what all shops may use" default:"3"`
}

func (c *learnerConfig) Validate() error {
	err := errors.Join(listening{}.check("metrics", c.Metrics), c.kafkaNet.check(c.Kafka))
	if c.Every <= 0 {
		err = errors.Join(err, fmt.Errorf("--model-every %v must be positive", c.Every))
	}
	if c.MinShops < 1 || c.MinShops > 64 {
		err = errors.Join(err, fmt.Errorf("--model-min-shops %d must be 1 to 64", c.MinShops))
	}
	return err
}

// runLearner learns from the log and publishes models until ctx ends.
func runLearner(ctx context.Context, e env, args []string) error {
	var c learnerConfig
	if _, err := config.Load("learner", args, e.environ, &c, e.out); err != nil {
		return err
	}
	dir := filepath.Join(c.Dir, "learner")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the learner's directory: %w", err)
	}
	brokers, err := c.cluster(c.Kafka)
	if err != nil {
		return err
	}
	w := brokers.NewWriter(e.log)
	l, err := learner.New(learner.Config{
		Brokers: c.Kafka, Security: brokers.Security, Path: filepath.Join(dir, "state"), Every: c.Every, Clock: clock.System{}, Log: e.log,
		Trainer: learn.Config{K: c.MinShops},
		Publish: func(ctx context.Context, chunks []value.Chunk) error {
			for _, k := range chunks { // one by one: each is nearly as large as a message may be
				if err := w.WriteMessages(ctx, kafkago.Message{Topic: events.TopicModels, Key: k.Key, Value: k.Value}); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		return errors.Join(err, w.Close())
	}
	stop, err := serveMetrics(c.Metrics, l.WriteMetrics, e.log)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	defer stop()
	if err := brokers.EnsureTopics(ctx, kafka.Topics(c.Parts), e.log); err != nil {
		return errors.Join(unlessStopped(ctx, err), w.Close())
	}
	e.log.Info("learner runs", "kafka", c.Kafka)
	return errors.Join(l.Run(ctx), w.Close())
}
