package kafka

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/grosz/grosz/events"
)

func eventsTopic(partitions int) TopicSpec {
	return TopicSpec{Name: events.TopicEvents, Partitions: partitions, RetentionMS: day}
}

func TestFollowerReadsEveryPartitionAndThenWhatComes(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, eventsTopic(3))
	b.write(t, events.TopicEvents, 0, "a0", "a1", "a2")
	b.write(t, events.TopicEvents, 2, "c0", "c1")
	w := startFollower(t, &Follower{Brokers: []string{b.addr}})
	eventually(t, "caught up", func() bool { return w.timesCaught() == 1 })
	require.Equal(t, 5, w.atEnd)
	b.write(t, events.TopicEvents, 1, "b0")
	b.write(t, events.TopicEvents, 2, "c2")
	eventually(t, "what comes later", func() bool { return w.count() == 7 })
	require.NoError(t, w.end(t))
	require.Equal(t, map[int][]string{0: {"a0", "a1", "a2"}, 1: {"b0"}, 2: {"c0", "c1", "c2"}}, w.byPartition())
	require.Equal(t, 1, w.timesCaught())
	require.EqualValues(t, "a0", w.got[indexOf(w.got, "a0")].Key)
}

func indexOf(msgs []Message, value string) int {
	for i := range msgs {
		if string(msgs[i].Value) == value {
			return i
		}
	}
	return -1
}

func TestFollowerGoesOnFromItsOffsets(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, eventsTopic(2))
	b.write(t, events.TopicEvents, 0, "a0", "a1", "a2")
	b.write(t, events.TopicEvents, 1, "b0", "b1")
	w := startFollower(t, &Follower{Brokers: []string{b.addr}, From: map[int]int64{0: 2, 1: 2}})
	eventually(t, "caught up", func() bool { return w.timesCaught() == 1 })
	require.NoError(t, w.end(t))
	require.Equal(t, map[int][]string{0: {"a2"}}, w.byPartition())
	require.EqualValues(t, 2, w.got[0].Offset)
}

func TestFollowerCatchesUpAtOnceWhenThereIsNothing(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, eventsTopic(2))
	w := startFollower(t, &Follower{Brokers: []string{b.addr}})
	eventually(t, "caught up", func() bool { return w.timesCaught() == 1 })
	b.write(t, events.TopicEvents, 1, "b0")
	eventually(t, "the first message", func() bool { return w.count() == 1 })
	require.NoError(t, w.end(t))
	require.Equal(t, 1, w.timesCaught())
}

// TestFollowerCatchesUpOverGaps: the last offsets of the start hold nothing
// that is delivered.
func TestFollowerCatchesUpOverGaps(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, b *broker)
		want []string
	}{
		{"the last batch lost its last records", func(t *testing.T, b *broker) {
			b.write(t, events.TopicEvents, 0, "a", "b")
			b.writeGap(t, events.TopicEvents, 0, 5, "c")
		}, []string{"a", "b", "c"}},
		{"gaps in the middle", func(t *testing.T, b *broker) {
			b.write(t, events.TopicEvents, 0, "a", "a", "a", "b", "c", "c", "d")
			b.Compact()
		}, []string{"a", "b", "c", "d"}},
		{"the last batches are gone", func(t *testing.T, b *broker) {
			b.write(t, events.TopicEvents, 0, "a", "b", "c")
			b.hide(2, 3)
		}, []string{"a", "b"}},
		{"all batches are gone", func(t *testing.T, b *broker) {
			b.write(t, events.TopicEvents, 0, "a", "b", "c")
			b.hide(0, 3)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := startBroker(t)
			b.ensure(t, TopicSpec{Name: events.TopicEvents, Partitions: 1, Compacted: true})
			c.make(t, b)
			w := startFollower(t, &Follower{Brokers: []string{b.addr}})
			eventually(t, "caught up", func() bool { return w.timesCaught() == 1 })
			require.Equal(t, c.want, w.byPartition()[0])
			b.write(t, events.TopicEvents, 0, "later")
			b.later.Store(true)
			eventually(t, "what comes later", func() bool { return w.count() == len(c.want)+1 })
			require.NoError(t, w.end(t))
			require.Equal(t, 1, w.timesCaught())
		})
	}
}

// hide answers fetches from offset up to end as a log does whose last batches
// were compacted away: with nothing, although the end is further on. What
// comes later is there.
func (b *broker) hide(offset, end int64) {
	b.ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		req := kreq.(*kmsg.FetchRequest)
		if len(req.Topics) == 0 || len(req.Topics[0].Partitions) == 0 {
			return nil, nil, false
		}
		switch p := &req.Topics[0].Partitions[0]; {
		case p.FetchOffset >= end:
			return nil, nil, false
		case p.FetchOffset < offset:
			p.PartitionMaxBytes = 1 // one batch
			return nil, nil, false
		case b.later.Load():
			p.FetchOffset = end
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.FetchResponse)
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic, rt.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
		rp := kmsg.NewFetchResponseTopicPartition()
		rp.Partition = req.Topics[0].Partitions[0].Partition
		rp.HighWatermark, rp.LastStableOffset = end, end
		rt.Partitions = append(rt.Partitions, rp)
		res.Topics = append(res.Topics, rt)
		return res, nil, true
	})
}

// TestFollowerIsNotTooEarly: silence alone is not the end, and is looked into
// less and less often.
func TestFollowerIsNotTooEarly(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, eventsTopic(1))
	b.write(t, events.TopicEvents, 0, "a", "b")
	var probes atomic.Int32
	var first sync.Once
	var over time.Time
	b.ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		if kreq.(*kmsg.FetchRequest).MaxBytes < maxFetch { // what looks into the silence is answered at once
			probes.Add(1)
			return nil, nil, false
		}
		first.Do(func() { over = time.Now().Add(10 * probeAfter) })
		if left := time.Until(over); left > 0 {
			b.SleepControl(func() { time.Sleep(left) })
		}
		return nil, nil, false
	})
	began := time.Now()
	w := startFollower(t, &Follower{Brokers: []string{b.addr}})
	eventually(t, "caught up", func() bool { return w.timesCaught() == 1 })
	took := time.Since(began)
	require.Equal(t, 2, w.atEnd)
	require.NoError(t, w.end(t))
	require.Positive(t, probes.Load())
	most := int32(0) // after 1, 3, 7 and 15 times probeAfter: four, where nothing else is slow
	for patience := probeAfter; took > patience; patience = min(2*patience, probeSeldom) {
		most, took = most+1, took-patience
	}
	require.LessOrEqual(t, probes.Load(), most)
}

func TestFollowerSurvivesARestartOfTheBroker(t *testing.T) {
	dir := kfake.DataDir(t.TempDir())
	b := startBroker(t, dir)
	b.ensure(t, eventsTopic(2))
	b.write(t, events.TopicEvents, 0, "a0")
	w := startFollower(t, &Follower{Brokers: []string{b.addr}})
	eventually(t, "caught up", func() bool { return w.timesCaught() == 1 })
	b.Close()
	time.Sleep(500 * time.Millisecond) // it tries while nothing is there
	again := startBrokerAt(t, b.addr, dir)
	again.write(t, events.TopicEvents, 0, "a1")
	again.write(t, events.TopicEvents, 1, "b0")
	eventually(t, "what came after the restart", func() bool { return w.count() == 3 })
	require.NoError(t, w.end(t))
	require.Equal(t, map[int][]string{0: {"a0", "a1"}, 1: {"b0"}}, w.byPartition())
}

// deleteRecords does what retention does: the log starts at offset.
func (b *broker) deleteRecords(t *testing.T, offset int64) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = events.TopicEvents
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	req.TimeoutMillis = 5000
	res := b.request(t, req).(*kmsg.DeleteRecordsResponse)
	require.Zero(t, res.Topics[0].Partitions[0].ErrorCode)
}

func TestFollowerStartsWhereRetentionLetsIt(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, eventsTopic(1))
	b.write(t, events.TopicEvents, 0, "a", "b", "c", "d")
	b.deleteRecords(t, 3)
	w := startFollower(t, &Follower{Brokers: []string{b.addr}, From: map[int]int64{0: 1}})
	eventually(t, "caught up", func() bool { return w.timesCaught() == 1 })
	require.NoError(t, w.end(t))
	require.Equal(t, []string{"d"}, w.byPartition()[0])
}

// TestFollowerSurvivesRetentionWhileItReads removes what it has not fetched
// yet, its end of the start among it.
func TestFollowerSurvivesRetentionWhileItReads(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, eventsTopic(1))
	const n = 150 // more than a reader takes ahead
	large := make([]byte, 200<<10)
	random := rand.NewChaCha8([32]byte{})
	for range n {
		random.Read(large) // what does not compress
		b.write(t, events.TopicEvents, 0, string(large))
	}
	goOn := make(chan struct{})
	w := startFollower(t, &Follower{Brokers: []string{b.addr}, Handle: func(Message) error {
		<-goOn
		return nil
	}})
	eventually(t, "the first message", func() bool { return w.count() == 1 })
	b.deleteRecords(t, n)
	close(goOn)
	eventually(t, "caught up", func() bool { return w.timesCaught() == 1 })
	b.write(t, events.TopicEvents, 0, "later")
	eventually(t, "what comes later", func() bool {
		got := w.byPartition()[0]
		return got[len(got)-1] == "later"
	})
	require.NoError(t, w.end(t))
	require.Less(t, w.count(), n, "some were removed before they were read")
}

func TestFollowerRefusesOffsetsOfAnotherLog(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, eventsTopic(1))
	b.write(t, events.TopicEvents, 0, "a")
	w := startFollower(t, &Follower{Brokers: []string{b.addr}, From: map[int]int64{0: 5}})
	err := <-w.done
	require.ErrorIs(t, err, ErrPastEnd)
	require.ErrorContains(t, err, "partition 0 from 5, its end is 1")
}

func TestTheHandlersErrorEndsRun(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, eventsTopic(4))
	for p := range 4 {
		b.write(t, events.TopicEvents, p, "x", "y")
	}
	for _, bad := range []error{errors.New("cannot go on"), context.Canceled} {
		w := startFollower(t, &Follower{Brokers: []string{b.addr}, Handle: func(Message) error { return bad }})
		select {
		case err := <-w.done:
			require.ErrorIs(t, err, bad)
		case <-time.After(bound):
			t.Fatal("Run does not end")
		}
		require.Equal(t, 1, w.count(), "after an error nothing more is handled")
		require.Zero(t, w.timesCaught())
	}
}

func TestEndingBeforeThereIsATopicIsNoError(t *testing.T) {
	b := startBroker(t)
	w := startFollower(t, &Follower{Brokers: []string{b.addr}})
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, w.end(t))

	b.ensure(t, eventsTopic(1))
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	f := &Follower{Brokers: []string{b.addr}, Topic: events.TopicEvents, Handle: func(Message) error { return nil }, Log: quiet()}
	require.NoError(t, f.Run(ctx), "a deadline ends it as well")
}

func TestFollowerWaitsForItsTopic(t *testing.T) {
	b := startBroker(t)
	w := startFollower(t, &Follower{Brokers: []string{b.addr}})
	time.Sleep(50 * time.Millisecond)
	b.ensure(t, eventsTopic(1))
	b.write(t, events.TopicEvents, 0, "a")
	eventually(t, "the message", func() bool { return w.count() == 1 })
	require.NoError(t, w.end(t))
}
