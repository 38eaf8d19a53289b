package warehouse

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// writeWatch remembers which files of the engine lost bytes. Its methods are
// called by the engine's threads.
type writeWatch struct {
	errno func() uintptr // where C's errno of this thread is
	log   *slog.Logger
	spill string // the folder of files that the engine reads back itself, with its separator

	failed  atomic.Int64 // writes
	spilled atomic.Int64 // of these, into spill

	mu    sync.Mutex
	lost  map[inode]bool // files that lost bytes and were not synced since
	order []inode        // the same, the oldest first; some may be gone from lost
	said  time.Time
}

// inode names a file. Numbers are given out again; born, ns, tells a new file
// from the one that was thrown away, where the file system keeps it.
type inode struct {
	device, number uint64
	born           int64
}

const (
	// maxLost bounds the files that are remembered: those of hours without a
	// disk. What is thrown away unsynced stays until then.
	maxLost = 1 << 16
	// sayEvery is how often failed writes are logged at most.
	sayEvery = 10 * time.Second
)

// note remembers the file that lost bytes, if it is one.
func (w *writeWatch) note(fd int, err error) {
	k, file := inodeOf(fd)
	if !file {
		return // a pipe: nothing is kept in it
	}
	n := w.failed.Add(1)
	path, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)) // empty: an unknown file is none of the spill's
	if strings.HasPrefix(path, w.spill) {
		w.spilled.Add(1)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.lost[k] {
		if len(w.order) >= maxLost {
			delete(w.lost, w.order[0])
			w.order = append(w.order[:0], w.order[1:]...)
		}
		w.lost[k] = true
		w.order = append(w.order, k)
	}
	if time.Since(w.said) >= sayEvery {
		w.said = time.Now()
		w.log.Error("the engine cannot write; inserts and merges that needed it are undone and tried again", slog.String("file", path),
			slog.Any("error", err), slog.Int64("failed", n))
	}
}

// forget tells whether the file lost bytes, and forgets it: who hears of it
// throws it away.
func (w *writeWatch) forget(fd int) bool {
	if w.failed.Load() == 0 {
		return false
	}
	k, _ := inodeOf(fd)
	w.mu.Lock()
	defer w.mu.Unlock()
	lost := w.lost[k]
	delete(w.lost, k)
	return lost
}

// errSpill is the answer to a statement whose own files may lack something.
func errSpill() *Error {
	return errorf(codeCannotWrite, "CANNOT_WRITE_TO_FILE_DESCRIPTOR", "There was no room for what the statement did not keep in memory, or the disk failed; try again.")
}
