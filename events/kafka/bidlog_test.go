package kafka

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
)

func bidEvent(n int) *events.Event {
	var id events.ID
	id[0], id[1], id[2], id[3] = byte(n), byte(n>>8), byte(n>>16), 1
	return &events.Event{EventID: id, BidID: id, Type: events.TypeBid, ShopID: uint32(n%3 + 1), CampaignID: uint32(n%5 + 1), Exchange: "demo"}
}

// recorded reads all bids from the topic, each once, and counts them by campaign.
func (b *broker) recorded(t *testing.T) (n int, byCampaign map[uint32]int64) {
	t.Helper()
	w := startFollower(t, &Follower{Brokers: []string{b.addr}, Topic: events.TopicBids})
	eventually(t, "caught up", func() bool { return w.timesCaught() == 1 })
	require.NoError(t, w.end(t))
	seen := map[events.ID]bool{}
	byCampaign = map[uint32]int64{}
	var d events.Decoder
	for _, m := range w.got {
		require.NoError(t, d.Events(m.Value, func(_ int, e *events.Event) error {
			if !seen[e.EventID] {
				seen[e.EventID] = true
				byCampaign[e.CampaignID]++
			}
			return nil
		}))
	}
	return len(seen), byCampaign
}

func bidsTopic() TopicSpec { return TopicSpec{Name: events.TopicBids, Partitions: 2, RetentionMS: day} }

// TestBidsAreRecordedOrCounted: bids = recorded + dropped, per campaign, while
// Kafka is away first, and refuses some writes later.
func TestBidsAreRecordedOrCounted(t *testing.T) {
	addr := freeAddr(t)
	log := NewBidLog(20_000, quiet()) // some 100 bids
	w := newWriter(t, addr)
	w.MaxAttempts = 1
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { log.Run(ctx, w) })

	const goroutines, each = 8, 500
	var putting sync.WaitGroup
	put := func(from int) {
		for g := range goroutines {
			putting.Go(func() {
				for i := range each {
					log.Put(bidEvent(from + g*each + i))
				}
			})
		}
		putting.Wait()
	}
	put(0)
	st := log.Stats()
	require.Positive(t, st.Dropped, "the memory is full")
	require.Less(t, st.Held, st.MaxBytes+1000*int64(goroutines))

	b := startBrokerAt(t, addr)
	b.ensure(t, bidsTopic())
	var produces atomic.Int32
	b.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		if produces.Add(1)%2 == 1 {
			return refuse(kreq.(*kmsg.ProduceRequest), kerr.InvalidRequiredAcks.Code), nil, true
		}
		return nil, nil, false
	})
	eventually(t, "what was held is sent", func() bool { return log.Stats().Held == 0 })
	put(goroutines * each)
	cancel()
	running.Wait()

	want := map[uint32]int64{}
	for n := range 2 * goroutines * each {
		want[bidEvent(n).CampaignID]++
	}
	n, got := b.recorded(t)
	dropped := 0
	for _, d := range log.TakeDrops() {
		got[d.CampaignID] += d.Count
		dropped += int(d.Count)
	}
	require.Equal(t, want, got)
	st = log.Stats()
	require.EqualValues(t, n, st.Sent)
	require.EqualValues(t, dropped, st.Dropped)
	require.Zero(t, st.Held)
	require.Empty(t, log.TakeDrops(), "each is told once")
}

// TestWhatIsOnItsWayAtTheEndIsSent: a write that Kafka is slow with when the
// node ends is waited for.
func TestWhatIsOnItsWayAtTheEndIsSent(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, bidsTopic())
	ctx, cancel := context.WithCancel(context.Background())
	b.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cancel() // the node ends while its write is here
		return nil, nil, false
	})
	log := NewBidLog(0, quiet())
	for n := range 50 {
		log.Put(bidEvent(n))
	}
	log.Run(ctx, newWriter(t, b.addr))
	n, _ := b.recorded(t)
	require.Equal(t, 50, n)
	require.Empty(t, log.TakeDrops())
}

func TestWhatCannotBeSentAtTheEndIsCounted(t *testing.T) {
	log := NewBidLog(0, quiet())
	for n := range 30 {
		log.Put(bidEvent(n))
	}
	log.grace = 300 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	log.Run(ctx, newWriter(t, freeAddr(t)))
	sum := int64(0)
	for _, d := range log.TakeDrops() {
		sum += d.Count
	}
	require.EqualValues(t, 30, sum)
	st := log.Stats()
	require.Equal(t, BidLogStats{Dropped: 30, MaxBytes: 64 << 20}, st)
}

func TestALineThatNoMessageTakesIsDropped(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, bidsTopic())
	log := NewBidLog(0, quiet())
	for n := range 20 {
		e := bidEvent(n)
		if n == 7 {
			e.RequestID = strings.Repeat("r", maxMessage)
		}
		log.Put(e)
	}
	require.Equal(t, []Drop{{ShopID: 2, CampaignID: 3, Count: 1}}, log.TakeDrops())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	log.Run(ctx, newWriter(t, b.addr))
	n, _ := b.recorded(t)
	require.Equal(t, 19, n)
}

// TestLinesStayWhole: whatever their lengths, every chunk is whole lines that
// a message takes, and all that was put is in one of them.
func TestLinesStayWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		log := NewBidLog(0, quiet())
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 3_000), rapid.IntRange(50_000, maxMessage+100)), 1, 60).Draw(rt, "sizes")
		want, dropped := map[string]int{}, 0
		for i, n := range sizes {
			e := bidEvent(i)
			e.RequestID = strings.Repeat("r", n)
			if line := e.AppendJSON(nil); len(line) > maxMessage {
				dropped++
			} else {
				want[string(line)]++
			}
			log.Put(e)
		}
		held := int64(0)
		for i := range log.shards {
			s := &log.shards[i]
			for _, c := range append(s.full, s.buf) {
				require.LessOrEqual(rt, len(c), maxMessage)
				held += int64(len(c))
				for line := range bytes.Lines(c) {
					want[string(line)]--
				}
			}
		}
		for line, n := range want {
			require.Zero(rt, n, "%.80s", line)
		}
		require.Equal(rt, BidLogStats{Dropped: uint64(dropped), Held: held, MaxBytes: bidLogSize}, log.Stats())
	})
}

func TestPutAllocatesNothingWhileThereIsRoom(t *testing.T) {
	log := NewBidLog(0, quiet())
	for range 40 {
		log.spare <- make([]byte, 0, chunkSize)
	}
	for i := range log.shards {
		log.shards[i].full = make([][]byte, 0, 40)
	}
	e := bidEvent(1)
	require.Zero(t, testing.AllocsPerRun(2000, func() { log.Put(e) }))
	require.Positive(t, log.Stats().Held)
}

func BenchmarkBidLogPut(b *testing.B) {
	log := NewBidLog(1<<20, quiet())
	e := bidEvent(1)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			log.Put(e)
			if log.held.Load() > 1<<19 { // as Run does, without sending
				for i := range log.shards {
					s := &log.shards[i]
					s.mu.Lock()
					for _, c := range append(s.full, s.buf) {
						log.held.Add(-int64(len(c)))
						if cap(c) >= chunkSize {
							select {
							case log.spare <- c:
							default:
							}
						}
					}
					s.full, s.buf = s.full[:0], nil
					s.mu.Unlock()
				}
			}
		}
	})
	if log.Stats().Dropped > 0 {
		b.Fatal("bids were dropped")
	}
}
