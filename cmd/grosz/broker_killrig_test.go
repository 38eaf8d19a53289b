package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/kafkatest"
)

// killEnv makes the test binary the broker's role with the housekeeping that it
// holds, JSON: the ordinary one looks every five minutes.
const killEnv = "GROSZ_TEST_HOUSEKEEPING"

// killedBroker is what TestMain runs for killEnv.
func killedBroker(keep string) error {
	var h housekeeping
	if err := json.Unmarshal([]byte(keep), &h); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c := &brokerConfig{Dir: os.Args[2], Addr: os.Args[3]}
	return c.run(withParent(ctx, os.Environ()), slog.New(slog.NewTextHandler(os.Stderr, nil)), clock.System{}, h)
}

// killSize is how much there is to lose. GROSZ_KILL_MB (of documents that are
// needed) and GROSZ_KILLS make it larger, by hand.
type killSize struct {
	MB, Kills int
}

func (s killSize) documents() int { return s.MB << 20 / killValue }

const (
	killValue  = 2000 // bytes of a document, about; they do not compress
	killBatch  = 100
	killEvents = "grosz.bids"
)

// killRig is a broker in a process of its own, with a writer and a follower
// of a compacted topic and of one that is not.
type killRig struct {
	t     *testing.T
	dir   string
	addr  string
	keep  string
	cmd   *exec.Cmd
	stdin io.Closer
	log   lockedBuffer

	turn sync.RWMutex // writers read-lock it until what they write is acknowledged
	mu   sync.Mutex
	last map[string]ackedAt // of grosz.campaigns: what was acknowledged last of each key
	sent []ackedAt          // of grosz.bids: all
}

// ackedAt is an acknowledged message.
type ackedAt struct {
	offset int64
	value  uint64 // its hash
}

func hashValue(v []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(v) // never fails
	return h.Sum64()
}

func (r *killRig) start() {
	r.t.Helper()
	self, err := os.Executable()
	require.NoError(r.t, err)
	r.cmd = exec.Command(self, "broker", r.dir, r.addr)
	r.cmd.Env = append(os.Environ(), killEnv+"="+r.keep, supervised+"=1")
	r.cmd.Stderr = &r.log
	r.stdin, err = r.cmd.StdinPipe() // it ends with us
	require.NoError(r.t, err)
	require.NoError(r.t, r.cmd.Start())
}

func (r *killRig) end(sig syscall.Signal) error {
	if r.cmd == nil {
		return nil
	}
	_ = r.cmd.Process.Signal(sig)
	err := r.cmd.Wait()
	r.cmd = nil
	return errors.Join(err, unlessClosed(r.stdin.Close()))
}

func unlessClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// kill ends it at once; it must not have ended by itself.
func (r *killRig) kill() {
	r.t.Helper()
	var exit *exec.ExitError
	require.ErrorAs(r.t, r.end(syscall.SIGKILL), &exit)
	require.Equal(r.t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "it ended by itself:\n%s", r.log.String())
}

// ends waits until the broker answers, and says where a topic begins and ends.
func (r *killRig) ends(topic string) (first, next int64) {
	r.t.Helper()
	kafkatest.Eventually(r.t, "the broker", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c, err := kafkago.DialLeader(ctx, "tcp", r.addr, topic, 0)
		if err != nil {
			return fmt.Errorf("%w; it says:\n%s", err, r.log.String())
		}
		defer c.Close()
		first, next, err = c.ReadOffsets()
		return err
	})
	return first, next
}

func (r *killRig) writer(topic string, noted func(m *kafkago.Message)) *kafkago.Writer {
	return &kafkago.Writer{
		Addr: kafkago.TCP(r.addr), Topic: topic, RequiredAcks: kafkago.RequireAll, BatchSize: killBatch, BatchTimeout: time.Millisecond,
		Compression: kafkago.Lz4, Transport: &kafkago.Transport{}, MaxAttempts: 3, WriteBackoffMax: 50 * time.Millisecond,
		Completion: func(ms []kafkago.Message, err error) {
			if err != nil {
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			for i := range ms {
				noted(&ms[i])
			}
		},
	}
}

// write writes batches, one after the other and again until each is
// acknowledged, until stop is closed.
func (r *killRig) write(stop <-chan struct{}, w *kafkago.Writer, batch func() []kafkago.Message) error {
	for {
		select {
		case <-stop:
			return w.Close()
		default:
		}
		if err := r.acknowledged(w, batch()); err != nil {
			return errors.Join(err, w.Close())
		}
	}
}

func (r *killRig) acknowledged(w *kafkago.Writer, ms []kafkago.Message) (err error) {
	r.turn.RLock()
	defer r.turn.RUnlock()
	for range 1000 {
		if err = w.WriteMessages(context.Background(), ms...); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// load keeps writing until done.
func (r *killRig) load(size killSize, rng *rand.Rand) (done func()) {
	stop, ended := make(chan struct{}), make(chan error, 2)
	docsWriter := r.writer(docs, func(m *kafkago.Message) { r.last[string(m.Key)] = ackedAt{m.Offset, hashValue(m.Value)} })
	version, next := 0, 0
	go func() {
		ended <- r.write(stop, docsWriter, func() (ms []kafkago.Message) {
			for range killBatch {
				n := rng.IntN(size.documents())
				if next < size.documents() { // all of them at first
					n = next
					next++
				}
				version++
				m := kafkago.Message{Key: fmt.Appendf(nil, "doc-%d", n), Value: noise(version)}
				if version%101 == 0 {
					m.Value = nil // a deletion
				}
				ms = append(ms, m)
			}
			return ms
		})
	}()
	n := 0
	go func() {
		ended <- r.write(stop, r.writer(killEvents, func(m *kafkago.Message) { r.sent = append(r.sent, ackedAt{m.Offset, hashValue(m.Value)}) }), func() (ms []kafkago.Message) {
			time.Sleep(5 * time.Millisecond)
			for range 10 {
				ms = append(ms, kafkago.Message{Value: fmt.Appendf(nil, "event %d", n)})
				n++
			}
			return ms
		})
	}()
	return sync.OnceFunc(func() {
		close(stop)
		require.NoError(r.t, <-ended)
		require.NoError(r.t, <-ended)
	})
}

// noise is a value that does not compress.
func noise(seed int) []byte {
	out := make([]byte, 0, killValue)
	rng := rand.NewPCG(uint64(seed), 7)
	for len(out) < killValue-40 {
		out = binary.LittleEndian.AppendUint64(out, rng.Uint64())
	}
	return out
}

// follower reads a topic as Grosz's parts do, and notes what it has seen.
type follower struct {
	mu     sync.Mutex
	next   int64
	seen   map[int64]uint64 // offset → value
	last   map[string]ackedAt
	failed error
	caught atomic.Bool
	end    func() error
}

func (r *killRig) follow(topic string) *follower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{seen: map[int64]uint64{}, last: map[string]ackedAt{}}
	k := &kafka.Follower{Brokers: []string{r.addr}, Topic: topic, Log: slog.New(slog.DiscardHandler), CaughtUp: func() { f.caught.Store(true) }}
	k.Handle = func(m kafka.Message) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if m.Offset < f.next {
			f.failed = fmt.Errorf("%s: offset %d after %d", topic, m.Offset, f.next-1)
			return f.failed
		}
		f.next = m.Offset + 1
		if m.Key == nil {
			f.seen[m.Offset] = hashValue(m.Value)
		} else {
			f.last[string(m.Key)] = ackedAt{m.Offset, hashValue(m.Value)}
		}
		return nil
	}
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	f.end = sync.OnceValue(func() error { cancel(); return <-ended })
	r.t.Cleanup(func() { _ = f.end() })
	return f
}

// whole reads a topic from its beginning to its end.
func (r *killRig) whole(topic string) *follower {
	r.t.Helper()
	f := r.follow(topic)
	kafkatest.Eventually(r.t, "all of "+topic+" to be read", func() error {
		if !f.caught.Load() {
			at, err := f.at()
			return errors.Join(fmt.Errorf("it is at offset %d; the broker says:\n%s", at, r.log.String()), err)
		}
		return nil
	})
	require.NoError(r.t, f.end())
	return f
}

// at is the offset that it reads next, and why it reads no more.
func (f *follower) at() (int64, error) { f.mu.Lock(); defer f.mu.Unlock(); return f.next, f.failed }

// acked is what has been acknowledged until now.
func (r *killRig) acked() (last map[string]ackedAt, sent []ackedAt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last = make(map[string]ackedAt, len(r.last))
	for k, v := range r.last {
		last[k] = v
	}
	return last, r.sent[:len(r.sent):len(r.sent)]
}

// nothingIsMissing reads both topics from the beginning, while nobody writes:
// what a later message replaced may be compacted away before it is read.
func (r *killRig) nothingIsMissing() {
	r.t.Helper()
	r.turn.Lock()
	defer r.turn.Unlock()
	last, sent := r.acked()
	got := r.whole(docs)
	for key, was := range last {
		require.Equal(r.t, was, got.last[key], "%s, acknowledged at offset %d", key, was.offset)
	}
	require.Len(r.t, got.last, len(last))
	got = r.whole(killEvents)
	for i, was := range sent {
		require.Equal(r.t, was.value, got.seen[was.offset], "message %d, acknowledged at offset %d", i, was.offset)
	}
}

// place tells how far a compaction of the documents is: "", "new", "away" or "old".
func (r *killRig) place() string {
	small := &compactor{dir: filepath.Join(r.dir, "broker")}
	isNew, isOld := exists(small.fresh(docsPart)), exists(small.before(docsPart))
	switch {
	case isOld && !exists(small.partition(docsPart)):
		return "away"
	case isOld:
		return "old"
	case isNew:
		return "new"
	}
	return ""
}

// killAmid waits for a compaction, and kills the broker when it is at a place of
// it: a random moment after new has begun, at once for the others, which are short.
func (r *killRig) killAmid(want string, after time.Duration) (place string) {
	r.t.Helper()
	end := time.Now().Add(kafkatest.Bound)
	for now := r.place(); now != want; now = r.place() {
		require.True(r.t, time.Now().Before(end), "no compaction:\n%s", r.log.String())
		if now != "" && want != "new" {
			continue // look as often as possible
		}
		time.Sleep(200 * time.Microsecond)
		if want != "new" && strings.Count(r.log.String(), "is compacted") > 3 {
			break // it is too fast for us
		}
	}
	if want == "new" {
		time.Sleep(after)
	}
	r.kill()
	return r.place()
}
