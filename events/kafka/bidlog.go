package kafka

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/events"
)

// BidLog carries bids off the hot path through a bounded memory. A bid that
// finds it full is dropped and counted for its campaign, and the counts are
// recorded by the owner, so that bids = recorded + dropped. Put is safe for
// many goroutines and does not allocate while it is not full.
type BidLog struct {
	shards  []bidShard
	spare   chan []byte // chunks
	max     int64       // bytes
	held    atomic.Int64
	next    atomic.Uint32
	sent    atomic.Uint64
	dropped atomic.Uint64
	grace   time.Duration // for the last writes when Run is to end
	log     *slog.Logger
}

// bidShard gathers lines in chunks, each of which becomes a message: what was
// written is not copied again, however much waits for Kafka.
type bidShard struct {
	mu    sync.Mutex
	buf   []byte   // the chunk that is being filled, or nil
	full  [][]byte // those before it
	drops map[dropKey]int64
	_     [64]byte // a cache line of its own
}

const (
	chunkSize  = 64 << 10
	chunkEnd   = 2 << 10 // a chunk with less room than that is full; most lines are shorter
	maxSpare   = 64      // chunks kept for the next lines
	bidLogSize = 64 << 20
)

type dropKey struct{ shop, campaign uint32 }

// Drop counts bids of a campaign that were not recorded.
type Drop struct {
	ShopID, CampaignID uint32
	Count              int64
}

// NewBidLog holds at most maxBytes of bids; 0 means 64 MiB.
func NewBidLog(maxBytes int64, log *slog.Logger) *BidLog {
	if maxBytes == 0 {
		maxBytes = bidLogSize
	}
	return &BidLog{shards: make([]bidShard, 8), spare: make(chan []byte, maxSpare), max: maxBytes, grace: 5 * time.Second, log: log}
}

// Put records a bid, or counts it as dropped.
func (b *BidLog) Put(e *events.Event) {
	s := &b.shards[b.next.Add(1)%uint32(len(b.shards))]
	s.mu.Lock()
	ok := b.append(s, e)
	if !ok {
		s.drop(dropKey{e.ShopID, e.CampaignID})
	}
	s.mu.Unlock()
	if !ok {
		b.dropped.Add(1)
	}
}

// Offer records what need not be complete, if there is room.
func (b *BidLog) Offer(e *events.Event) {
	s := &b.shards[b.next.Add(1)%uint32(len(b.shards))]
	s.mu.Lock()
	b.append(s, e)
	s.mu.Unlock()
}

// append writes a line, if there is room and a message takes it; s.mu is held.
func (b *BidLog) append(s *bidShard, e *events.Event) bool {
	if b.held.Load() >= b.max {
		return false
	}
	if cap(s.buf)-len(s.buf) < chunkEnd {
		if len(s.buf) > 0 {
			s.full = append(s.full, s.buf)
		}
		s.buf = b.chunk()
	}
	before := len(s.buf)
	s.buf = e.AppendJSON(s.buf)
	n := len(s.buf) - before
	if n > maxMessage {
		s.buf = s.buf[:before]
		return false
	}
	if before > 0 && len(s.buf) > chunkSize { // a long line: it is a message of its own
		s.full = append(s.full, bytes.Clone(s.buf[before:]))
		s.buf = s.buf[:before]
	}
	b.held.Add(int64(n))
	return true
}

// chunk returns an empty one.
func (b *BidLog) chunk() []byte {
	select {
	case c := <-b.spare:
		return c[:0]
	default:
		return make([]byte, 0, chunkSize)
	}
}

func (s *bidShard) drop(k dropKey) {
	if s.drops == nil {
		s.drops = make(map[dropKey]int64)
	}
	s.drops[k]++
}

// Run sends what Put gathered, several times a second, until ctx ends, and
// then once more. While Kafka is away it holds what fits. What it cannot send
// at the end is counted as dropped: TakeDrops after Run tells.
func (b *BidLog) Run(ctx context.Context, w *kafka.Writer) {
	send, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-ctx.Done():
			select {
			case <-time.After(b.grace):
			case <-ended:
			}
		case <-ended:
		}
		cancel()
	})
	defer wg.Wait()
	defer close(ended)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for last := false; !last; {
		select {
		case <-ctx.Done():
			last = true
		case <-tick.C:
		}
		b.flush(send, w)
	}
}

// flush takes the shards' chunks and sends them in one write: a round trip to
// Kafka costs as much as hundreds of bids.
func (b *BidLog) flush(ctx context.Context, w *kafka.Writer) {
	var msgs []kafka.Message
	size := 0
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		if len(s.buf) > 0 {
			s.full, s.buf = append(s.full, s.buf), nil
		}
		for j, c := range s.full {
			msgs = append(msgs, kafka.Message{Topic: events.TopicBids, Value: c})
			size += len(c)
			s.full[j] = nil
		}
		s.full = s.full[:0]
		s.mu.Unlock()
	}
	if size == 0 {
		return
	}
	defer b.held.Add(-int64(size))
	all := msgs
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := w.WriteMessages(ctx, msgs...)
		if err == nil {
			b.sent.Add(countLines(msgs))
			break
		}
		// What Kafka has taken is not sent again.
		if each := (kafka.WriteErrors)(nil); errors.As(err, &each) && len(each) == len(msgs) {
			failed := msgs[:0:0]
			for i := range msgs {
				if each[i] != nil {
					failed = append(failed, msgs[i])
				}
			}
			b.sent.Add(countLines(msgs) - countLines(failed))
			msgs = failed
		}
		b.log.Debug("bids wait for Kafka", "bytes", size, "err", err)
		if !pause(ctx, wait) {
			b.dropAll(&b.shards[0], msgs)
			return // kafka-go may still hold on to the chunks
		}
	}
	for i := range all {
		c := all[i].Value
		if cap(c) < chunkSize || cap(c) > 2*chunkSize {
			continue // of a long line
		}
		select {
		case b.spare <- c:
		default: // grown in an outage: give it back
		}
	}
}

func countLines(msgs []kafka.Message) (n uint64) {
	for i := range msgs {
		n += uint64(bytes.Count(msgs[i].Value, []byte{'\n'}))
	}
	return n
}

// dropAll counts the bids of msgs as dropped. If a write was cut off in the
// middle, Kafka may have some of them all the same.
func (b *BidLog) dropAll(s *bidShard, msgs []kafka.Message) {
	var d events.Decoder
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range msgs {
		err := d.Events(msgs[i].Value, func(_ int, e *events.Event) error {
			if e.Type == events.TypeSeen || e.Type == events.TypeMatched {
				return nil // not of those that are counted
			}
			s.drop(dropKey{e.ShopID, e.CampaignID})
			b.dropped.Add(1)
			return nil
		})
		if err != nil {
			b.log.Error("bids that were not sent cannot be counted", "err", err)
		}
	}
	b.log.Warn("bids dropped at shutdown: Kafka is away", "bids", countLines(msgs))
}

// TakeDrops returns the counts since the last call; the caller records them.
func (b *BidLog) TakeDrops() []Drop {
	sum := make(map[dropKey]int64)
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		for k, n := range s.drops {
			sum[k] += n
		}
		clear(s.drops)
		s.mu.Unlock()
	}
	out := make([]Drop, 0, len(sum))
	for k, n := range sum {
		out = append(out, Drop{k.shop, k.campaign, n})
	}
	return out
}

// ReturnDrop puts a count back that could not be recorded.
func (b *BidLog) ReturnDrop(d Drop) {
	s := &b.shards[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drops == nil {
		s.drops = make(map[dropKey]int64)
	}
	s.drops[dropKey{d.ShopID, d.CampaignID}] += d.Count
}

// BidLogStats of a BidLog, for metrics.
type BidLogStats struct {
	Sent, Dropped  uint64
	Held, MaxBytes int64
}

// Stats reads the counters.
func (b *BidLog) Stats() BidLogStats {
	return BidLogStats{b.sent.Load(), b.dropped.Load(), b.held.Load(), b.max}
}
