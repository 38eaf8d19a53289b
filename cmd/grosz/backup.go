package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/internal/backup"
	"github.com/grosz/grosz/internal/config"
)

type backupConfig struct {
	Dir     string        `config:"data" help:"directory of all data; it may be at work" default:"./data"`
	Metrics string        `config:"bidder-metrics" help:"metrics address of the bidder whose directory it is, if it runs" default:"127.0.0.1:8091"`
	Wait    time.Duration `config:"wait" help:"how long the bidder may take to ship what it has acknowledged" default:"1m"`
}

// Arguments names what stands behind the flags.
func (c *backupConfig) Arguments() string { return "DIR" }

type restoreConfig struct {
	Dir string `config:"data" help:"directory to make; empty or absent" default:"./data"`
}

// Arguments names what stands behind the flags.
func (c *restoreConfig) Arguments() string { return "DIR" }

// runBackup copies all state of a data directory. What refers to the log is
// copied before the log, so that the copy of the log holds whatever the rest
// has seen of it; and what the log does not have yet is waited for.
func runBackup(ctx context.Context, e env, args []string) error {
	var c backupConfig
	rest, err := config.Load("backup", args, e.environ, &c, e.out)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("grosz backup --data DATA DIR: name the directory to make")
	}
	if _, err := os.Stat(c.Dir); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	began := time.Now()
	w, err := backup.New(c.Dir, rest[0], began.UnixMilli())
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, *backup.Writer) error{
		c.folds, c.settings, c.console, c.warehouse, c.spool, c.broker,
	} {
		if err := step(ctx, w); err != nil {
			return fmt.Errorf("%w; what is in %s is no backup", err, rest[0])
		}
	}
	m, err := w.Close(time.Now().UnixMilli())
	if err != nil {
		return err
	}
	var size int64
	for _, f := range m.Files {
		size += f.Size
	}
	fmt.Fprintf(e.out, "%d files, %d MB, in %s: everything that was acknowledged before %s\n", len(m.Files), size>>20, time.Since(began).Round(time.Millisecond), began.UTC().Format(time.RFC3339))
	return nil
}

// folds are what was computed from the log, with the offsets that it was
// computed up to, and the loader's offsets: they must be older than the log,
// and than the tables.
func (c *backupConfig) folds(_ context.Context, w *backup.Writer) error {
	errs := []error{w.Copy("broker/groups.log"), w.Copy("ledger/ledger.snap"), w.CopyDir("learner", whole)}
	for _, name := range []string{"book.snap", "book.snap.before", "profiles.snap", "holds.json", "match.log", "erased.log"} {
		errs = append(errs, w.Copy("bidder/"+name))
	}
	return errors.Join(append(errs, w.CopyDir("exchange", whole))...)
}

// whole leaves out what is being written.
func whole(path string, folder bool) bool {
	name := filepath.Base(path)
	return folder || !strings.Contains(name, ".new") && !strings.HasSuffix(name, ".tmp") && name != "lock"
}

// settings are keys and what the operator wrote.
func (c *backupConfig) settings(_ context.Context, w *backup.Writer) error {
	return errors.Join(w.CopyDir("exchanges", whole), w.CopyDir(".", func(path string, folder bool) bool {
		return !folder && whole(path, false) && !strings.HasPrefix(path, "console.db") && !strings.HasPrefix(path, "feed-")
	}))
}

// console copies the database by its own means, then the files that it names.
func (c *backupConfig) console(ctx context.Context, w *backup.Writer) error {
	db := filepath.Join(c.Dir, "console.db")
	if exists(db) {
		to, err := w.Path("console.db")
		if err == nil {
			err = store.Backup(ctx, db, to)
		}
		if err == nil {
			err = os.Chmod(to, 0o600)
		}
		if err == nil {
			err = w.Add("console.db")
		}
		if err != nil {
			return err
		}
	}
	return w.CopyDir("assets", whole)
}

// warehouse copies the embedded engine's tables. Parts never change and stay
// for minutes after they were merged, so the list of a table's parts is that
// table at one moment. What says which batches were inserted comes first: a
// batch that it does not know is inserted again, and its rows have the same keys.
func (c *backupConfig) warehouse(_ context.Context, w *backup.Writer) error {
	data := filepath.Join("warehouse", "data")
	logs := func(path string, folder bool) bool {
		return folder && notTemporary(path) || strings.Contains(path, "deduplication_logs/")
	}
	parts := func(path string, _ bool) bool {
		return notTemporary(path) && path != "status" && !strings.Contains(path, "deduplication_logs")
	}
	return errors.Join(w.CopyDir(data, logs), w.CopyDir(data, parts))
}

func notTemporary(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(part, "tmp") || strings.HasPrefix(part, "delete_tmp") || part == "shadow" {
			return false
		}
	}
	return true
}

// spool waits until the bidder has shipped what it had acknowledged; the spool
// of a bidder that does not run is copied.
func (c *backupConfig) spool(ctx context.Context, w *backup.Writer) error {
	dir := filepath.Join(c.Dir, "bidder", "spool")
	if !exists(dir) {
		return nil
	}
	lock, err := openLock(filepath.Join(dir, "lock"))
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return w.CopyDir(filepath.Join("bidder", "spool"), whole)
	}
	upTo := -1.0
	for end := time.Now().Add(c.Wait); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		var m map[string]float64
		if m, err = scrape(ctx, "http://"+c.Metrics+"/metrics"); err != nil {
			continue
		}
		if upTo < 0 {
			upTo = m["grosz_spool_last_entry"]
		}
		if m["grosz_spool_shipped_entry"] >= upTo {
			return nil
		}
	}
	return errors.Join(ctx.Err(), err, fmt.Errorf("the bidder, by --bidder-metrics %s, has not shipped within %s what it has acknowledged: is Kafka there?", c.Metrics, c.Wait))
}

// broker copies the embedded Kafka's log last. Its indexes and summaries are
// left out: they are made again. No partition is compacted meanwhile; one that a
// crash left amid its compaction is in the folder beside.
func (c *backupConfig) broker(ctx context.Context, w *backup.Writer) error {
	dir := filepath.Join(c.Dir, "broker")
	if !exists(dir) {
		return nil
	}
	release, err := holdFile(filepath.Join(dir, "lock"), syscall.LOCK_SH)
	for end := time.Now().Add(c.Wait); err != nil && time.Now().Before(end) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		release, err = holdFile(filepath.Join(dir, "lock"), syscall.LOCK_SH)
	}
	if err != nil {
		return fmt.Errorf("backup: wait for the broker's compaction: %w", errors.Join(ctx.Err(), err))
	}
	defer release()
	return w.CopyDir("broker", func(path string, folder bool) bool {
		name := filepath.Base(path)
		return whole(path, folder) && !(folder && strings.HasSuffix(path, compactedSuffix)) && name != brokerLock && name != "groups.log" && name != "snapshot.json" && !strings.HasSuffix(name, ".idx")
	})
}

// runRestore makes a data directory from a backup.
func runRestore(_ context.Context, e env, args []string) error {
	var c restoreConfig
	rest, err := config.Load("restore", args, e.environ, &c, e.out)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("grosz restore --data DATA DIR: name the backup")
	}
	m, err := backup.Restore(rest[0], c.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.out, "%d files, every one as it was copied; %s is as of %s\n", len(m.Files), c.Dir, time.UnixMilli(m.BeganMS).UTC().Format(time.RFC3339))
	return nil
}
