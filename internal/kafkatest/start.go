package kafkatest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// Bound is how long a test waits for an effect before it fails.
const Bound = 3 * time.Minute

// Start runs a broker for a test and stops it at its end. Without Java or
// Kafka the test is skipped, or fails when CI=true.
func Start(t testing.TB) *Broker {
	t.Helper()
	return start(t, Config{})
}

func start(t testing.TB, cfg Config) *Broker {
	t.Helper()
	// Not t.TempDir: its removal would fail a test over a file that a killed
	// broker still holds.
	dir, err := os.MkdirTemp("", "kafkatest-")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir = filepath.Join(dir, "kafka")
	b, err := Open(context.Background(), cfg)
	if errors.Is(err, ErrMissing) && os.Getenv("CI") != "true" {
		os.RemoveAll(dir)
		t.Skipf("not run: %v", err)
	}
	t.Cleanup(func() {
		if b != nil {
			if err := b.Stop(); err != nil {
				t.Errorf("stopping Kafka: %v", err)
			}
		}
		os.RemoveAll(dir)
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Run runs a broker on dir and port until ctx is done: for tools. ready,
// which may be nil, is called once the broker answers.
func Run(ctx context.Context, dir string, port int, ready func(addr string)) error {
	b, err := Open(ctx, Config{Dir: dir, Port: port})
	if err != nil {
		return err
	}
	if ready != nil {
		ready(b.Addr())
	}
	select {
	case <-ctx.Done():
		return b.Stop()
	case <-b.proc.done:
		return errors.Join(errors.New("kafka: the broker ended by itself"), b.proc.err)
	}
}

// Topic makes a topic of that many partitions and waits until it has
// leaders. A topic that is there already is left as it is.
func (b *Broker) Topic(t testing.TB, name string, partitions int, config ...kafka.ConfigEntry) {
	t.Helper()
	tr := &kafka.Transport{}
	defer tr.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(b.Addr()), Timeout: 10 * time.Second, Transport: tr}
	Eventually(t, "topic "+name, func() error {
		res, err := client.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
			Topic: name, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: config,
		}}})
		if err != nil {
			return err
		}
		if err := res.Errors[name]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return err
		}
		meta, err := client.Metadata(context.Background(), &kafka.MetadataRequest{Topics: []string{name}})
		if err != nil {
			return err
		}
		if len(meta.Topics) != 1 || len(meta.Topics[0].Partitions) < partitions {
			return errors.New("partitions are missing")
		}
		for _, p := range meta.Topics[0].Partitions {
			if p.Error != nil {
				return p.Error
			}
		}
		return nil
	})
}

// Eventually waits, at most Bound, until cond returns nil; what says in the
// failure what was waited for.
func Eventually(t testing.TB, what string, cond func() error) {
	t.Helper()
	deadline := time.Now().Add(Bound)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		err := cond()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, Bound, err)
		}
		time.Sleep(pause)
	}
}
