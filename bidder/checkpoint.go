package bidder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/durable"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/segments"
)

// checkpointEvery is how often what was folded is written down. A restart
// reads the newest and folds what came after; budgets and profiles so outlive
// the log's retention.
const checkpointEvery = 5 * time.Minute

// checkpoint is a fold of one topic with the offsets it has reached. Its
// methods are called by the goroutine that folds, between two messages.
type checkpoint struct {
	path  string // empty: none is kept
	next  map[int]int64
	write func(w io.Writer, offsets map[int]int64) error
	last  time.Time
	// failed is told of a checkpoint that could not be written.
	failed func(error)
}

func (b *Bidder) newCheckpoint(name string, write func(io.Writer, map[int]int64) error) *checkpoint {
	c := &checkpoint{next: make(map[int]int64), write: write, last: time.Now(), failed: func(err error) {
		b.metrics.checkpointFails.Inc()
		b.log.Error("checkpoint not written, will be tried again", "err", err)
	}}
	if b.cfg.StateDir != "" {
		c.path = filepath.Join(b.cfg.StateDir, name)
	}
	return c
}

// folded notes a message as done, and writes a checkpoint when it is time.
func (c *checkpoint) folded(m kafka.Message) error {
	c.next[m.Partition] = m.Offset + 1
	if time.Since(c.last) < checkpointEvery {
		return nil
	}
	if err := c.save(); err != nil { // a full disk: the log is still there
		c.failed(err)
	}
	return nil
}

// saveOften writes checkpoints until ctx ends, beside the goroutine that
// folds: for a fold whose write can copy it while it goes on.
func (c *checkpoint) saveOften(ctx context.Context) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := c.save(); err != nil { // a full disk: the log is still there
				c.failed(err)
			}
		}
	}
}

// follow folds until ctx ends and saves what was reached, after ended.
func (c *checkpoint) follow(ctx context.Context, f *kafka.Follower, ended func()) error {
	err := f.Run(ctx)
	ended()
	if errors.Is(err, kafka.ErrPastEnd) {
		return fmt.Errorf("%w; the checkpoint %s is of another Kafka log: if that log is gone for good, remove the file, and budgets count from the new log only", err, c.path)
	}
	return errors.Join(err, c.save())
}

// save writes the checkpoint in place of the one before, durably.
func (c *checkpoint) save() error {
	c.last = time.Now()
	if c.path == "" {
		return nil
	}
	if err := durable.Replace(c.path, 0o600, func(w io.Writer) error { return c.write(w, c.next) }); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}

// restore reads a checkpoint with read. None, or a damaged one, is no error:
// the log is then read from its beginning.
func (b *Bidder) restore(c *checkpoint, read func(io.Reader) (map[int]int64, error)) {
	if c.path == "" {
		return
	}
	f, err := os.Open(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		var offsets map[int]int64
		var info fs.FileInfo
		var whole io.Reader
		if info, err = f.Stat(); err == nil {
			whole, err = pacing.OpenSealed(f, info.Size())
		}
		if err == nil {
			offsets, err = read(whole)
		}
		err = errors.Join(err, f.Close())
		if err == nil {
			for p, o := range offsets {
				c.next[p] = o
			}
			return
		}
	}
	b.log.Error("checkpoint is not usable, the log is read from its beginning", "file", c.path, "err", err)
}

func (b *Bidder) profileCheckpoint() *checkpoint {
	// Millions of profiles take seconds to write; a shop event must not wait
	// for them. Each shard is copied by itself, between two events.
	c := b.newCheckpoint("profiles.snap", func(w io.Writer, offsets map[int]int64) error {
		return b.profiles.Load().SnapshotWhile(w, func(copyShard func(map[int]int64)) {
			b.profilesMu.Lock()
			defer b.profilesMu.Unlock()
			copyShard(offsets)
		})
	})
	b.restore(c, func(r io.Reader) (map[int]int64, error) {
		store, offsets, err := segments.Restore(r, b.cfg.Profiles)
		if err == nil {
			b.profiles.Store(store)
		}
		return offsets, err
	})
	return c
}

func (b *Bidder) bookCheckpoint() *checkpoint {
	c := b.newCheckpoint("book.snap", func(w io.Writer, offsets map[int]int64) error {
		return pacing.WriteSealed(w, func(w io.Writer) error {
			return errors.Join(b.book.Snapshot(w, offsets), b.frequency.Snapshot(w), b.leases.snapshot(w), b.hidden.Snapshot(w), b.shown.Snapshot(w))
		})
	})
	// What was written before checkpoints were sealed may lack the later
	// sections. In a sealed one nothing below is damaged.
	b.restore(c, func(r io.Reader) (map[int]int64, error) {
		offsets, err := b.book.Restore(r)
		if err == nil {
			if err := b.frequency.Restore(r); err != nil {
				// Caps count anew; money is not touched.
				b.log.Error("frequency counts are not usable", "file", c.path, "err", err)
			} else if err := b.leases.restore(r); err != nil {
				b.log.Error("the ledger's fold is not usable; limits are told anew", "file", c.path, "err", err)
			} else if err := b.hidden.Restore(r); err != nil {
				b.log.Warn("what people hid is not in the checkpoint", "file", c.path, "err", err)
			} else if err := b.shown.Restore(r); err != nil {
				b.log.Warn("which products people saw is not in the checkpoint", "file", c.path, "err", err)
			}
		}
		return offsets, err
	})
	return c
}
