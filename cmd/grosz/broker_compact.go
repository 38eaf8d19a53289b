package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/durable"
)

// compactor makes compacted partitions small while the broker does not have
// them open. The library's own compaction removes a partition's segments
// before it writes them anew: a crash meanwhile loses the topic.
//
// The new segments are written and synced in a folder beside. Then two renames
// put the new folder in the place of the old one, of which a crash leaves
// either: undo, at the next start, takes the old one back where the new one is
// not in its place.
type compactor struct {
	dir   string // the broker's
	clock clock.Clock
	log   *slog.Logger
	// settled is a partition's size, bytes, when it was last looked into: less
	// than twice that has at most half that nobody needs.
	settled map[string]int64
	step    func(name string) error // of tests, which end it there; may be nil
}

// compactionDir is where a partition is put together, below the broker's folder.
const compactionDir = "compaction"

// compactedSuffix ends the name of a folder that is being written.
const compactedSuffix = ".new"

func (c *compactor) partition(name string) string {
	return filepath.Join(c.dir, "partitions", name)
}
func (c *compactor) fresh(name string) string {
	return filepath.Join(c.dir, compactionDir, name+compactedSuffix)
}
func (c *compactor) before(name string) string {
	return filepath.Join(c.dir, compactionDir, name+".old")
}

func (c *compactor) at(step string) error {
	if c.step == nil {
		return nil
	}
	return c.step(step)
}

// undo puts in order what a crash left of a compaction. It goes before anything
// else that looks at the log.
func (c *compactor) undo() error {
	list, err := os.ReadDir(filepath.Join(c.dir, compactionDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("look for unfinished compactions of the broker's log: %w", err)
	}
	for _, e := range list { // .new of a name before its .old
		name, isOld := strings.CutSuffix(e.Name(), ".old")
		switch {
		case isOld:
			err = c.settle(name)
		case strings.HasSuffix(name, compactedSuffix):
			err = os.RemoveAll(filepath.Join(c.dir, compactionDir, name))
		}
		if err != nil {
			return fmt.Errorf("finish the compaction of the broker's %s: %w", name, err)
		}
	}
	return nil
}

// settle decides about a folder that made way for a new one.
func (c *compactor) settle(name string) error {
	if !exists(c.partition(name)) {
		if err := os.MkdirAll(filepath.Dir(c.partition(name)), 0o700); err != nil {
			return err // a backup has no empty folders
		}
		if err := os.Rename(c.before(name), c.partition(name)); err != nil {
			return err
		}
		c.log.Warn("a compaction of the broker's log was cut short and is undone", "partition", name)
		return c.syncFolders()
	}
	was, err := logEnd(c.before(name))
	if err != nil {
		return err
	}
	if now, err := logEnd(c.partition(name)); err != nil {
		return err
	} else if now < was {
		return fmt.Errorf("%w: %s ends at offset %d, %s at %d: another program has begun it anew; keep the one that is right and remove the other", errDamaged, c.partition(name), now, c.before(name), was)
	}
	return os.RemoveAll(c.before(name))
}

// logEnd is the offset behind a partition's last whole batch.
func logEnd(part string) (int64, error) {
	segments, err := segmentsOf(part)
	if err != nil || len(segments) == 0 {
		return 0, err
	}
	end := segments[len(segments)-1].base
	err = eachBatch(segments[len(segments)-1].path, func(_ int64, raw []byte) error {
		end = endOf(raw)
		return nil
	})
	return end, err
}

func (c *compactor) syncFolders() error {
	return errors.Join(durable.SyncDir(filepath.Join(c.dir, "partitions")), durable.SyncDir(filepath.Join(c.dir, compactionDir)))
}

// compactTopics is the compacted partitions, with how long deletions stay.
func (c *compactor) compactTopics() (map[string]time.Duration, error) {
	topics, err := listedTopics(c.dir)
	if err != nil {
		return nil, err
	}
	out := map[string]time.Duration{}
	for _, t := range topics {
		if !isCompacted(t.Configs) {
			continue
		}
		life := tombstoneLife
		if ms := setting(t.Configs, "delete.retention.ms", life.Milliseconds()); ms >= 0 {
			life = time.Duration(min(ms, tombstoneLife.Milliseconds()*3650)) * time.Millisecond
		}
		for _, name := range t.folders() {
			out[name] = life
		}
	}
	return out, nil
}

// worth lists what is at least least bytes large, has doubled since it was
// looked into, and of which nobody needs half. The broker may have it open.
func (c *compactor) worth(least int64) ([]string, error) {
	topics, err := c.compactTopics()
	if err != nil {
		return nil, err
	}
	var out []string
	for name, life := range topics {
		size, err := logBytes(c.partition(name))
		if err != nil {
			return nil, err
		}
		if size < max(least, 2*c.settled[name]) {
			continue
		}
		if have, err := c.read(name, life); err != nil {
			c.log.Warn("a compacted partition of the broker's is not made smaller", "partition", name, "why", err)
		} else if 2*have.dead() >= have.bytes {
			out = append(out, name)
			continue
		}
		c.settled[name] = size
	}
	slices.Sort(out)
	return out, nil
}

func (c *compactor) read(name string, life time.Duration) (*contents, error) {
	return readContents(c.partition(name), c.clock.NowMS()-life.Milliseconds())
}

// run compacts partitions that the broker does not have open. A log that could
// not be made smaller is as it was.
func (c *compactor) run(names []string) error {
	if len(names) == 0 {
		return nil
	}
	release, err := c.hold()
	if err != nil {
		c.log.Warn("the broker's log is not made smaller now", "why", err)
		return nil
	}
	defer release()
	topics, err := c.compactTopics()
	if err != nil {
		return err
	}
	for _, name := range names {
		began := time.Now()
		before, after, err := c.prepare(name, topics[name])
		if err != nil {
			os.RemoveAll(c.fresh(name))
			c.settled[name], _ = logBytes(c.partition(name))
			c.log.Error("a partition of the broker's is not made smaller", "partition", name, "err", err)
			continue
		}
		if err := c.place(name); err != nil {
			return fmt.Errorf("put the compacted log of %s in its place: %w", name, err)
		}
		c.settled[name] = after.bytes
		c.log.Info("a partition of the broker's is compacted", "partition", name, "bytes", after.bytes, "before", before.bytes, "keys", len(after.last), "took", time.Since(began))
	}
	return nil
}

// prepare writes a partition's new segments beside, and reads them again.
func (c *compactor) prepare(name string, life time.Duration) (before, after *contents, err error) {
	if err := c.at("begin"); err != nil {
		return nil, nil, err
	}
	if before, err = c.read(name, life); err != nil {
		return nil, nil, err
	}
	if err := writeContents(before, c.fresh(name)); err != nil {
		return nil, nil, err
	}
	if after, err = readContents(c.fresh(name), 0); err != nil {
		return nil, nil, err
	}
	if err := after.same(before); err != nil {
		return nil, nil, fmt.Errorf("what was written differs: %w", err)
	}
	return before, after, c.at("written")
}

// place puts the new segments where the old ones are.
func (c *compactor) place(name string) error {
	if err := errors.Join(durable.SyncDir(c.dir), durable.SyncDir(filepath.Join(c.dir, compactionDir))); err != nil {
		return err
	}
	for _, r := range []struct{ from, to, step string }{
		{c.partition(name), c.before(name), "away"},
		{c.fresh(name), c.partition(name), "placed"},
	} {
		if err := os.Rename(r.from, r.to); err != nil {
			return err
		}
		if err := errors.Join(c.syncFolders(), c.at(r.step)); err != nil {
			return err
		}
	}
	return os.RemoveAll(c.before(name))
}

// hold keeps a backup off the log while folders change places.
func (c *compactor) hold() (release func(), err error) {
	return holdFile(filepath.Join(c.dir, "lock"), syscall.LOCK_EX)
}

// free tells whether no backup reads the log.
func (c *compactor) free() bool {
	release, err := c.hold()
	if err == nil {
		release()
	} else if !errors.Is(err, syscall.EWOULDBLOCK) { // not a backup, which ends: a file that is not ours
		c.log.Warn("the broker's log is not made smaller now", "why", err)
	}
	return err == nil
}

// holdFile takes a lock that ends with the process, or fails at once.
func holdFile(path string, how int) (release func(), err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is held by another program: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// logBytes is the size of a partition's segments.
func logBytes(part string) (n int64, err error) {
	segments, err := segmentsOf(part)
	for _, s := range segments {
		if info, err := os.Stat(s.path); err == nil {
			n += info.Size()
		}
	}
	return n, err
}
