// Package kafka is the slow edge of events towards Kafka: topics with their
// retention, the sink that ships a spool, and readers that follow a topic
// from an offset. It works alike on the embedded broker and on Apache Kafka.
// Nothing here is on the hot path.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/spool"
)

// TopicSpec says how a topic is made.
type TopicSpec struct {
	Name        string
	Partitions  int
	Compacted   bool
	RetentionMS int64 // of a topic that is not compacted
}

const day = 24 * 60 * 60 * 1000

// Topics lists Grosz's topics. partitions is for the event topics; 0 means 4.
// It must not change once events are keyed: the order per key is per
// partition. Raw topics expire within 30 days.
func Topics(partitions int) []TopicSpec {
	if partitions == 0 {
		partitions = 4
	}
	return append(CampaignTopics(), []TopicSpec{
		{Name: events.TopicModels, Partitions: 1, Compacted: true},
		{Name: events.TopicEvents, Partitions: partitions, RetentionMS: 30 * day},
		{Name: events.TopicBids, Partitions: partitions, RetentionMS: 2 * day},
		{Name: events.TopicRequests, Partitions: partitions, RetentionMS: 14 * day},
		{Name: events.TopicShopEvents, Partitions: partitions, RetentionMS: 30 * day},
		{Name: events.TopicIntent, Partitions: partitions, RetentionMS: events.MaxIntentLife.Milliseconds()},
		{Name: events.TopicErasures, Partitions: 1, RetentionMS: events.ErasureRetention.Milliseconds()},
	}...)
}

// CampaignTopics is the part of Topics that carries campaigns.
func CampaignTopics() []TopicSpec {
	return []TopicSpec{{Name: events.TopicCampaigns, Partitions: 1, Compacted: true}}
}

// SpoolTopics are the topics that a spool's Record.Topic counts into.
var SpoolTopics = []string{events.TopicEvents, events.TopicShopEvents, events.TopicBids, events.TopicErasures, events.TopicIntent}

// Indices into SpoolTopics.
const (
	SpoolEvents uint8 = iota
	SpoolShopEvents
	SpoolBids
	SpoolErasures
	SpoolIntent
)

func client(brokers []string) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 10 * time.Second}
}

// EnsureTopics makes the topics that are missing, trying until ctx ends while
// Kafka does not answer; then the error is what was wrong before the end of ctx.
// A topic that exists is left as it is.
func (c Cluster) EnsureTopics(ctx context.Context, specs []TopicSpec, log *slog.Logger) error {
	var err error
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		said := c.createTopics(ctx, specs)
		if said == nil {
			return nil
		}
		// What ctx's end made of the last try hides what Kafka said before it.
		if err == nil || ctx.Err() == nil {
			err = said
		}
		if wait >= 2*time.Second {
			log.Warn("Kafka does not make the topics yet", "brokers", c.Brokers, "by", c.Security.String(), "err", err)
		}
		if !pause(ctx, wait) {
			return fmt.Errorf("make Kafka topics at %s: %w", strings.Join(c.Brokers, ","), err)
		}
	}
}

func (c Cluster) createTopics(ctx context.Context, specs []TopicSpec) error {
	req := &kafka.CreateTopicsRequest{}
	for _, s := range specs {
		tc := kafka.TopicConfig{Topic: s.Name, NumPartitions: s.Partitions, ReplicationFactor: -1}
		if c.Replication > 0 {
			tc.ReplicationFactor = c.Replication
		}
		if s.Compacted {
			tc.ConfigEntries = compactedSettings()
		} else {
			tc.ConfigEntries = []kafka.ConfigEntry{
				{ConfigName: "cleanup.policy", ConfigValue: "delete"},
				{ConfigName: "retention.ms", ConfigValue: strconv.FormatInt(s.RetentionMS, 10)},
			}
		}
		if c.MinInSync > 0 {
			tc.ConfigEntries = append(tc.ConfigEntries, kafka.ConfigEntry{ConfigName: "min.insync.replicas", ConfigValue: strconv.Itoa(c.MinInSync)})
		}
		req.Topics = append(req.Topics, tc)
	}
	// A transport of its own: the shared one remembers for seconds that a broker
	// was not there yet.
	transport := c.Security.Transport()
	defer transport.CloseIdleConnections()
	cl := client(c.Brokers)
	cl.Transport = transport
	res, err := cl.CreateTopics(ctx, req)
	if err != nil {
		return err
	}
	var errs []error
	for topic, err := range res.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("topic %s: %w", topic, err))
		}
	}
	return errors.Join(errs...)
}

// compactedSettings keep a compacted topic near the size of what it says: Kafka
// compacts no segment that is written to, and would begin another after 1 GB or
// a week. It compacts when what is new is as much as what it has compacted, so
// that who reads all reads at most twice what there is, and about a segment.
func compactedSettings() []kafka.ConfigEntry {
	return []kafka.ConfigEntry{
		{ConfigName: "cleanup.policy", ConfigValue: "compact"},
		{ConfigName: "segment.bytes", ConfigValue: strconv.Itoa(64 << 20)},
		{ConfigName: "segment.ms", ConfigValue: strconv.Itoa(day / 4)},
	}
}

// NewWriter returns a Writer that returns from WriteMessages only when every
// in-sync replica has the messages, and never makes topics by itself.
func (c Cluster) NewWriter(log *slog.Logger) *kafka.Writer {
	return &kafka.Writer{
		Addr:         kafka.TCP(c.Brokers...),
		Transport:    c.Security.Shared(),
		Balancer:     &kafka.Hash{},
		RequiredAcks: kafka.RequireAll,
		BatchSize:    batchMessages,
		BatchBytes:   batchBytes,
		BatchTimeout: time.Millisecond, // each caller brings a whole batch
		WriteTimeout: 30 * time.Second,
		MaxAttempts:  3,
		Compression:  kafka.Lz4,
		ErrorLogger:  errorLogger(log),
	}
}

// A batch stays below Kafka's default of 1 MB before it is compressed. Each
// batch takes room for batchMessages at once.
const (
	batchMessages = 1000
	batchBytes    = 900_000
)

// maxMessage is where a message of many lines ends; one line may be longer.
const maxMessage = 256 << 10

// Lanes is how many writers a bidder ships its spool through.
const Lanes = 4

// Sink ships a spool through writers, which are NewWriter's and the sink's
// alone. Neighbouring records of one topic and key become one message of many
// lines; their order is kept, also when a write fails: what comes later is
// written only when Kafka has what came before, so that trying again repeats
// records, and never swaps or loses one. A key is of one writer always, and no
// two writers share a batch; they work at the same time, so that several
// batches are on their way to Kafka at once.
func Sink(writers ...*kafka.Writer) spool.Sink {
	return func(ctx context.Context, recs []spool.Record) error {
		if len(writers) == 1 {
			return sinkLane(ctx, writers[0], recs)
		}
		lanes := make([][]spool.Record, len(writers))
		for i := range lanes {
			lanes[i] = make([]spool.Record, 0, 2*len(recs)/len(lanes))
		}
		for i := range recs {
			l := xxhash.Sum64(recs[i].Key) % uint64(len(lanes))
			lanes[l] = append(lanes[l], recs[i])
		}
		var g errgroup.Group // one that fails does not cut the others off
		for i, lane := range lanes {
			if len(lane) > 0 {
				g.Go(func() error { return sinkLane(ctx, writers[i], lane) })
			}
		}
		return g.Wait()
	}
}

func sinkLane(ctx context.Context, w *kafka.Writer, recs []spool.Record) error {
	for len(recs) > 0 {
		msgs, n, err := cutRound(recs)
		if err != nil {
			return err
		}
		if err := w.WriteMessages(ctx, msgs...); err != nil {
			return fmt.Errorf("write %d messages to Kafka: %w", len(msgs), err)
		}
		recs = recs[n:]
	}
	return nil
}

// perMessage is what a message takes in a batch besides key and value; more
// than it really is.
const perMessage = 64

// cutRound makes messages of the first n of recs: as many as fit one batch, so
// that what is of one partition is written whole or not at all.
func cutRound(recs []spool.Record) (msgs []kafka.Message, n int, err error) {
	type place struct {
		topic uint8
		key   string
	}
	at := make(map[place]int, 64)
	size := 0
	for ; n < len(recs); n++ {
		r := &recs[n]
		if int(r.Topic) >= len(SpoolTopics) {
			return nil, 0, fmt.Errorf("spool holds a record for topic number %d, this program knows %d: it was written by a newer one", r.Topic, len(SpoolTopics))
		}
		size += len(r.Key) + len(r.Value) + perMessage
		if n > 0 && (size > batchBytes || len(msgs) == batchMessages) {
			break
		}
		p := place{r.Topic, string(r.Key)}
		if i, ok := at[p]; ok && len(msgs[i].Value)+len(r.Value) <= maxMessage {
			msgs[i].Value = append(msgs[i].Value, r.Value...)
			continue
		}
		at[p] = len(msgs)
		msgs = append(msgs, kafka.Message{Topic: SpoolTopics[r.Topic], Key: r.Key, Value: append([]byte(nil), r.Value...)})
	}
	return msgs, n, nil
}

// errorLogger passes kafka-go's complaints on at debug level: what matters
// comes back as an error, and at the end of a partition it logs timeouts that
// mean nothing.
func errorLogger(log *slog.Logger) kafka.Logger {
	return kafka.LoggerFunc(func(format string, args ...any) {
		log.Debug("kafka", "msg", fmt.Sprintf(format, args...))
	})
}

// IsClosed tells whether err says that a reader or the context has ended.
func IsClosed(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded)
}
