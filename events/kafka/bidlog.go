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
	max     int64 // bytes
	held    atomic.Int64
	next    atomic.Uint32
	sent    atomic.Uint64
	dropped atomic.Uint64
	grace   time.Duration // for the last writes when Run is to end
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
	return &BidLog{shards: make([]bidShard, 8), max: maxBytes, grace: 5 * time.Second, log: log}
}

// Put records a bid, or counts it as dropped.
func (b *BidLog) Put(e *events.Event) {
	s := &b.shards[b.next.Add(1)%uint32(len(b.shards))]
	s.mu.Lock()
	if b.held.Load() < b.max {
		before := len(s.buf)
		s.buf = e.AppendJSON(s.buf)
		if n := len(s.buf) - before; n <= maxMessage {
			b.held.Add(int64(n))
			s.mu.Unlock()
			return
		}
		s.buf = s.buf[:before] // no message takes such a line
	}
	s.drop(dropKey{e.ShopID, e.CampaignID})
	s.mu.Unlock()
	b.dropped.Add(1)
}

// Offer records what need not be complete, if there is room.
func (b *BidLog) Offer(e *events.Event) {
	s := &b.shards[b.next.Add(1)%uint32(len(b.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.held.Load() >= b.max {
		return
	}
	before := len(s.buf)
	s.buf = e.AppendJSON(s.buf)
	b.held.Add(int64(len(s.buf) - before))
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
	spare := make([][]byte, len(b.shards))
	for last := false; !last; {
		select {
		case <-ctx.Done():
			last = true
		case <-tick.C:
		}
		b.flush(send, spare, w)
	}
}

// flush takes the shards' buffers, leaving spares in their place, and sends
// them in one write: a round trip to Kafka costs as much as hundreds of bids.
// The buffers are the next spares.
func (b *BidLog) flush(ctx context.Context, spare [][]byte, w *kafka.Writer) {
	var msgs []kafka.Message
	size := 0
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		s.buf, spare[i] = spare[i][:0], s.buf
		s.mu.Unlock()
		msgs = append(msgs, cutLines(spare[i])...)
		size += len(spare[i])
	}
	if size == 0 {
		return
	}
	defer b.held.Add(-int64(size))
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
			clear(spare) // kafka-go may still hold on to them
			return
		}
	}
	for i := range spare {
		if cap(spare[i]) > 4<<20 {
			spare[i] = nil // grown in an outage: give it back
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

// cutLines splits lines into messages of at most maxMessage bytes. The
// messages alias buf.
func cutLines(buf []byte) []kafka.Message {
	var msgs []kafka.Message
	for len(buf) > 0 {
		n := len(buf)
		if n > maxMessage { // no line is longer: Put sees to it
			n = bytes.LastIndexByte(buf[:maxMessage], '\n') + 1
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
