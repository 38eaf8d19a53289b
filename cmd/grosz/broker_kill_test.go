package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/kafkatest"
)

// A broker that is killed amid a large compaction loses nothing: the newest
// document of each key is there and all of what is not compacted, each at the
// offset at which it was acknowledged; and those that follow go on.
func TestABrokerThatIsKilledAmidACompactionLosesNothing(t *testing.T) {
	size := killSize{MB: 4, Kills: 4}
	for name, into := range map[string]*int{"GROSZ_KILL_MB": &size.MB, "GROSZ_KILLS": &size.Kills} {
		if v := os.Getenv(name); v != "" {
			_, err := fmt.Sscan(v, into)
			require.NoError(t, err, name)
		}
	}
	keep, err := json.Marshal(housekeeping{Start: 1, Running: int64(size.MB) << 19, Look: 20 * time.Millisecond, Retain: time.Hour})
	require.NoError(t, err)
	r := &killRig{t: t, dir: t.TempDir(), addr: freeAddr(), keep: string(keep), last: map[string]ackedAt{}}
	t.Cleanup(func() { _ = r.end(syscall.SIGKILL) })
	r.start()
	b := &logBroker{t: t, addr: r.addr}
	kafkatest.Eventually(t, "the broker", func() error { return dialed(r.addr) })
	b.topic(docs, map[string]string{"cleanup.policy": "compact", "segment.bytes": fmt.Sprint(size.MB << 20 / 40)})
	b.topic(killEvents, map[string]string{"retention.ms": "-1", "segment.bytes": "20000"})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	done := r.load(size, rand.New(rand.NewPCG(seed, 2)))
	t.Cleanup(done)
	documents, events := r.follow(docs), r.follow(killEvents)

	found := map[string]int{}
	var first int64
	for kills, tries := 0, 0; kills < size.Kills; tries++ {
		require.Less(t, tries, 20*size.Kills, "kills that met no compaction: %v", found)
		want := []string{"new", "away", "new", "old", "new"}[(found["new"]+found["away"]+found["old"]+found[""])%5]
		place := r.killAmid(want, time.Duration(rng.IntN(10+4*size.MB))*time.Millisecond)
		found[place]++
		t.Logf("killed at %q, %s", place, time.Now().UTC().Format(time.TimeOnly))
		if place != "" {
			kills++
		}
		r.log = lockedBuffer{}
		last, sent := r.acked()
		if r.start(); rng.IntN(2) == 0 { // and again while it starts
			time.Sleep(time.Duration(rng.IntN(100+4*size.MB)) * time.Millisecond)
			r.kill()
			r.start()
		}
		begins, ends := r.ends(docs)
		require.GreaterOrEqual(t, begins, first, "a log does not grow at its beginning")
		first = begins
		for key, was := range last {
			require.Greater(t, ends, was.offset, key)
		}
		_, ends = r.ends(killEvents)
		require.Greater(t, ends, sent[len(sent)-1].offset)
		r.nothingIsMissing()
	}
	t.Logf("killed at %v", found)
	done()
	last, sent := r.acked()
	r.settledFollowers(documents, events, last, sent)
	r.nothingIsMissing()
	require.NoError(t, r.end(syscall.SIGTERM))
	require.Empty(t, r.place(), "litter")
}

// settledFollowers waits until those that followed all the time have it all.
func (r *killRig) settledFollowers(documents, events *follower, last map[string]ackedAt, sent []ackedAt) {
	r.t.Helper()
	for f, topic := range map[*follower]string{documents: docs, events: killEvents} {
		_, end := r.ends(topic)
		kafkatest.Eventually(r.t, "the follower of "+topic, func() error {
			if at, err := f.at(); err != nil || at < end {
				return errors.Join(fmt.Errorf("at offset %d of %d", at, end), err)
			}
			return nil
		})
		require.NoError(r.t, f.end(), topic)
	}
	require.Equal(r.t, last, documents.last)
	for i, was := range sent {
		require.Equal(r.t, was.value, events.seen[was.offset], "message %d, acknowledged at offset %d", i, was.offset)
	}
}

func dialed(addr string) error {
	c, err := kafkago.Dial("tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}
