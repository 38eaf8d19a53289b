package kafka

import (
	"bytes"
	"context"
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
	max     int64 // bytes
	held    atomic.Int64
	next    atomic.Uint32
	sent    atomic.Uint64
	dropped atomic.Uint64
	log     *slog.Logger
}

type bidShard struct {
	mu    sync.Mutex
	buf   []byte
	drops map[dropKey]int64
	_     [64]byte // a cache line of its own
}

type dropKey struct{ shop, campaign uint32 }

// Drop counts bids of a campaign that were not recorded.
type Drop struct {
	ShopID, CampaignID uint32
	Count              int64
}

// NewBidLog holds at most maxBytes of bids; 0 means 64 MiB.
func NewBidLog(maxBytes int64, log *slog.Logger) *BidLog {
	if maxBytes == 0 {
		maxBytes = 64 << 20
	}
	return &BidLog{shards: make([]bidShard, 8), max: maxBytes, log: log}
}

// Put records a bid, or counts it as dropped.
func (b *BidLog) Put(e *events.Event) {
	s := &b.shards[b.next.Add(1)%uint32(len(b.shards))]
	s.mu.Lock()
	if b.held.Load() >= b.max {
		if s.drops == nil {
			s.drops = make(map[dropKey]int64)
		}
		s.drops[dropKey{e.ShopID, e.CampaignID}]++
		s.mu.Unlock()
		b.dropped.Add(1)
		return
	}
	before := len(s.buf)
	s.buf = e.AppendJSON(s.buf)
	b.held.Add(int64(len(s.buf) - before))
	s.mu.Unlock()
}

// Run sends what Put gathered, several times a second, until ctx ends, and
// then once more. While Kafka is away it holds what fits.
func (b *BidLog) Run(ctx context.Context, w *kafka.Writer) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	spare := make([][]byte, len(b.shards))
	for {
		last := false
		select {
		case <-ctx.Done():
			last = true
		case <-tick.C:
		}
		sendCtx := ctx
		if last {
			var cancel context.CancelFunc
			sendCtx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
		}
		for i := range b.shards {
			spare[i] = b.flush(sendCtx, &b.shards[i], spare[i], w)
		}
		if last {
			return
		}
	}
}

// flush takes a shard's buffer, leaving spare in its place, and sends it.
func (b *BidLog) flush(ctx context.Context, s *bidShard, spare []byte, w *kafka.Writer) []byte {
	s.mu.Lock()
	full := s.buf
	s.buf = spare[:0]
	s.mu.Unlock()
	if len(full) == 0 {
		return full
	}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := w.WriteMessages(ctx, cutLines(full)...)
		if err == nil {
			break
		}
		b.log.Debug("bids wait for Kafka", "bytes", len(full), "err", err)
		select {
		case <-ctx.Done():
			b.log.Warn("bids lost at shutdown: Kafka is away", "bytes", len(full))
			b.held.Add(-int64(len(full)))
			return full
		case <-time.After(pause):
		}
	}
	b.sent.Add(uint64(bytes.Count(full, []byte{'\n'})))
	b.held.Add(-int64(len(full)))
	if cap(full) > 4<<20 {
		return nil // grown in an outage: give it back
	}
	return full
}

// cutLines splits lines into messages of at most maxMessage bytes. The
// messages alias buf.
func cutLines(buf []byte) []kafka.Message {
	var msgs []kafka.Message
	for len(buf) > 0 {
		n := len(buf)
		if n > maxMessage {
			n = bytes.LastIndexByte(buf[:maxMessage], '\n') + 1
			if n == 0 { // one line longer than that
				n = bytes.IndexByte(buf, '\n') + 1
			}
		}
		msgs = append(msgs, kafka.Message{Topic: events.TopicBids, Value: buf[:n:n]})
		buf = buf[n:]
	}
	return msgs
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

// BidLogStats of a BidLog, for metrics.
type BidLogStats struct {
	Sent, Dropped  uint64
	Held, MaxBytes int64
}

// Stats reads the counters.
func (b *BidLog) Stats() BidLogStats {
	return BidLogStats{b.sent.Load(), b.dropped.Load(), b.held.Load(), b.max}
}
