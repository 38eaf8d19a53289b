package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/internal/kafkanet"
)

// Cluster is Kafka as a role reaches it, and what the topics that it makes are
// like.
type Cluster struct {
	// Brokers to ask first, host:port; they name the others.
	Brokers []string
	// Security of the connections; nil: plain.
	Security *kafkanet.Security
	// Replication of topics that are made; 0: the brokers' default.
	Replication int
	// MinInSync is how many replicas must have a message before a write
	// succeeds (min.insync.replicas of topics that are made); 0: the brokers'
	// default.
	MinInSync int
}

// Validate lists all that is wrong.
func (c Cluster) Validate() error {
	var errs []error
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			errs = append(errs, fmt.Errorf("kafka: broker %q is not host:port", b))
		}
	}
	if c.Replication < 0 || c.MinInSync < 0 {
		errs = append(errs, fmt.Errorf("kafka: replication of %d and %d in sync: neither may be negative", c.Replication, c.MinInSync))
	}
	if c.Replication > 0 && c.MinInSync > c.Replication {
		errs = append(errs, fmt.Errorf("kafka: %d replicas in sync are asked for, of %d that there are: nothing could be written", c.MinInSync, c.Replication))
	}
	return errors.Join(errs...)
}

// NewWriters returns n Writers, for a Sink.
func (c Cluster) NewWriters(n int, log *slog.Logger) []*kafka.Writer {
	out := make([]*kafka.Writer, n)
	for i := range out {
		out[i] = c.NewWriter(log)
	}
	return out
}

// CloseWriters closes all of them.
func CloseWriters(writers []*kafka.Writer) error {
	var errs []error
	for _, w := range writers {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}

// EnsureTopics is Cluster.EnsureTopics by plain connections.
func EnsureTopics(ctx context.Context, brokers []string, specs []TopicSpec, log *slog.Logger) error {
	return Cluster{Brokers: brokers}.EnsureTopics(ctx, specs, log)
}

// NewWriter is Cluster.NewWriter by plain connections.
func NewWriter(brokers []string, log *slog.Logger) *kafka.Writer {
	return Cluster{Brokers: brokers}.NewWriter(log)
}
