package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/internal/kafkanet"
)

// Message is what a follower sees.
type Message struct {
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
}

// Follower reads every partition of a topic from given offsets on, for as
// long as it runs: each node folds the whole log by itself, without a group.
type Follower struct {
	Brokers []string
	// Security of the connections; nil: plain.
	Security *kafkanet.Security
	Topic    string
	// From holds the first offset to read by partition; a missing partition
	// is read from its beginning, and so is one whose offset retention has
	// removed, with a warning.
	From map[int]int64
	// Whole makes Run fail with ErrCut where retention has removed what From
	// asks for.
	Whole bool
	// Handle is called for one message at a time, of all partitions; it owns
	// nothing of the message afterwards. Its error ends Run.
	Handle func(Message) error
	// CaughtUp, if set, is called once, when everything that was in the topic
	// at the start has been handled; never while Handle runs.
	CaughtUp func()
	Log      *slog.Logger
}

// ErrPastEnd is what Run wraps when From lies past the end of the log: it is
// not the log that those offsets were of.
var ErrPastEnd = errors.New("offset is past the end of the log")

// ErrCut is what Run wraps when it is to read the whole log and retention has
// removed a part.
var ErrCut = errors.New("the log begins after the offset")

// Run reads until ctx ends (nil) or Handle fails.
func (f *Follower) Run(ctx context.Context) error {
	c := client(f.Brokers)
	transport := f.Security.Transport()
	defer transport.CloseIdleConnections()
	c.Transport = transport
	spans, ok := f.spans(ctx, c)
	if !ok {
		return nil
	}
	run := follow{Follower: f, client: c}
	for p, s := range spans {
		if f.Whole && f.From[p] < s.next {
			return fmt.Errorf("follow %s: partition %d from %d, it begins at %d: %w", f.Topic, p, f.From[p], s.next, ErrCut)
		}
		if from, set := f.From[p]; set && from > s.end {
			return fmt.Errorf("follow %s: partition %d from %d, its end is %d: %w", f.Topic, p, from, s.end, ErrPastEnd)
		} else if set && from < s.next {
			f.Log.Warn("log starts later than where we were", "topic", f.Topic, "partition", p, "wanted", from, "starts", s.next)
		} else if set {
			s.next = from
			spans[p] = s
		}
		if s.next < s.end {
			run.behind++
		}
	}
	if run.behind == 0 {
		run.caughtUp()
	}
	inner, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for p, s := range spans {
		wg.Go(func() {
			if err := run.partition(inner, p, s); err != nil {
				run.fail(err)
				stop()
			}
		})
	}
	wg.Wait()
	if run.err != nil {
		return fmt.Errorf("follow %s: %w", f.Topic, run.err)
	}
	return nil
}

// follow is one Run.
type follow struct {
	*Follower
	client *kafka.Client

	probing sync.Mutex
	mu      sync.Mutex // Handle is called for one message at a time
	behind  int        // partitions that have not reached their end of the start
	err     error      // the first; after it Handle is not called
}

func (f *follow) caughtUp() {
	if f.CaughtUp != nil {
		f.CaughtUp()
	}
}

func (f *follow) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *follow) deliver(m Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	f.err = f.Handle(m)
	return f.err
}

// reached tells that a partition has come to its end of the start.
func (f *follow) reached() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.behind--; f.behind == 0 && f.err == nil {
		f.caughtUp()
	}
}

// A partition that is behind and silent for probeAfter is looked into; when
// silentProbes in a row found nothing before its end, that end is reached.
// Where there is something the silence is the machine's, and it is looked into
// half as often, down to probeSeldom: a look reads up to maxProbe, and of a
// slow machine's follower it read more than the reader did.
const (
	probeAfter   = 300 * time.Millisecond
	probeSeldom  = 3 * time.Second
	silentProbes = 2
	maxProbe     = 2 << 20 // bytes: more than one batch, so that the next is seen behind one of which nothing is left
)

// aheadOfHandle is how many messages of a partition are fetched before they are
// handled. One may have maxMessage bytes, and of a follower that is behind all
// partitions are this far ahead: kafka-go's 100 were 300 MB of 12 partitions.
const aheadOfHandle = 8

func (f *follow) partition(ctx context.Context, p int, s span) error {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: f.Brokers, Dialer: f.Security.Dialer(), Topic: f.Topic, Partition: p,
		MinBytes: 1, MaxBytes: maxFetch, MaxWait: 200 * time.Millisecond, QueueCapacity: aheadOfHandle,
		ReadBackoffMin: 10 * time.Millisecond, ReadBackoffMax: time.Second,
		ErrorLogger: errorLogger(f.Log),
	})
	defer r.Close()
	if err := r.SetOffset(s.next); err != nil {
		return fmt.Errorf("seek partition %d to %d: %w", p, s.next, err)
	}
	silent, patience := 0, probeAfter
	for behind := s.next < s.end; ; {
		m, err, quiet := read(ctx, r, behind, patience)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			if err := f.deliver(Message{Partition: m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value}); err != nil {
				return err
			}
			s.next, silent = m.Offset+1, 0
		case quiet:
			if silent++; !f.nothingBefore(ctx, p, s) {
				silent, patience = 0, min(2*patience, probeSeldom)
			}
		default:
			// kafka-go reconnects, and passes over what retention removed, by
			// itself; what reaches here is rare.
			f.Log.Debug("read failed", "topic", f.Topic, "partition", p, "err", err)
			pause(ctx, 200*time.Millisecond)
		}
		if behind && (s.next >= s.end || silent == silentProbes) {
			behind = false
			f.reached()
		}
	}
}

// read waits for a message: for as long as it takes, or while the partition is
// behind until it has been quiet for so long.
func read(ctx context.Context, r *kafka.Reader, behind bool, patience time.Duration) (m kafka.Message, err error, quiet bool) {
	if !behind {
		m, err = r.ReadMessage(ctx)
		return m, err, false
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err = r.ReadMessage(wait)
	return m, err, err != nil && wait.Err() != nil
}

// maxFetch bounds what one fetch brings.
const maxFetch = 4 << 20

// nothingBefore asks the broker whether anything is left to read from s.next
// up to s.end. The last offsets before the end may hold nothing: compaction
// removed their records, retention all, or they are marks of transactions.
func (f *follow) nothingBefore(ctx context.Context, p int, s span) bool {
	f.probing.Lock() // one at a time, of all partitions
	defer f.probing.Unlock()
	now, err := f.ask(ctx, f.client)
	if err != nil || now[p].end < s.end {
		return false
	}
	if s.next = max(s.next, now[p].next); s.next >= s.end {
		return true
	}
	res, err := f.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: f.Topic, Partition: p, Offset: s.next, MinBytes: 1, MaxBytes: maxProbe, MaxWait: 100 * time.Millisecond,
	})
	if err == nil {
		err = res.Error
	}
	if err != nil || res.HighWatermark < s.end {
		f.Log.Debug("cannot tell whether a partition is read to its end", "topic", f.Topic, "partition", p, "err", err)
		return false
	}
	for {
		rec, err := res.Records.ReadRecord()
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			return false
		case rec.Offset >= s.next: // the batch may begin before
			return rec.Offset >= s.end
		}
	}
}

// span is what is to be read of a partition before it has caught up.
type span struct{ next, end int64 }

// spans asks for the offsets of every partition, trying until ctx ends.
func (f *Follower) spans(ctx context.Context, c *kafka.Client) (map[int]span, bool) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		got, err := f.ask(ctx, c)
		if err == nil {
			return got, true
		}
		f.Log.Debug("offsets not to be had yet", "topic", f.Topic, "err", err)
		if !pause(ctx, wait) {
			return nil, false
		}
	}
}

// ask returns the first offset and the one behind the last of every partition.
func (f *Follower) ask(ctx context.Context, c *kafka.Client) (map[int]span, error) {
	meta, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{f.Topic}})
	if err != nil {
		return nil, err
	}
	if len(meta.Topics) == 0 || len(meta.Topics[0].Partitions) == 0 {
		return nil, fmt.Errorf("topic %s does not exist", f.Topic)
	}
	if err := meta.Topics[0].Error; err != nil {
		return nil, err
	}
	parts := meta.Topics[0].Partitions
	var reqs []kafka.OffsetRequest
	for _, p := range parts {
		reqs = append(reqs, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
	}
	res, err := c.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{f.Topic: reqs}})
	if err != nil {
		return nil, err
	}
	got := make(map[int]span, len(parts))
	for _, o := range res.Topics[f.Topic] {
		if o.Error != nil {
			return nil, o.Error
		}
		if o.FirstOffset < 0 || o.LastOffset < 0 {
			return nil, fmt.Errorf("partition %d has no offsets yet", o.Partition)
		}
		got[o.Partition] = span{o.FirstOffset, o.LastOffset}
	}
	if len(got) != len(parts) {
		return nil, fmt.Errorf("offsets of %d of %d partitions", len(got), len(parts))
	}
	return got, nil
}

// pause waits; false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
