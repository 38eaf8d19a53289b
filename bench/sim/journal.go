package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/grosz/grosz/internal/durable"
)

// journal is an append-only file of JSON lines, each after its CRC-32. What
// sync returned for is on disk. A torn last line, left by a crash, is cut off
// at the next opening; damage before it is an error.
type journal struct {
	path string

	mu   sync.Mutex // guards buf and next
	buf  []byte
	next uint64 // records appended

	disk   sync.Mutex // guards what follows; taken before mu
	f      *os.File
	synced uint64
	size   int64
	err    error // the first failure: from then on nothing is promised
}

// header is every journal's first line.
type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

const journalFormat, journalVersion = "grosz-exchange-journal", 1

var errJournal = errors.New("damaged journal")

// openJournal opens or makes the file, calls each with every record in order,
// and holds a lock on it until close.
func openJournal(path string, each func([]byte) error) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("journal %s is in use: %w", path, err)
	}
	j := &journal{path: path, f: f}
	good, err := scanJournal(f, path, each)
	if err == nil {
		err = j.f.Truncate(good)
	}
	if err == nil {
		_, err = j.f.Seek(good, io.SeekStart)
	}
	j.size = good
	if err == nil && good == 0 {
		err = j.append(true, header{journalFormat, journalVersion})
		if err == nil {
			err = durable.SyncDir(filepath.Dir(path))
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return j, nil
}

// scanJournal reads records and returns the length of what is whole.
func scanJournal(r io.Reader, path string, each func([]byte) error) (int64, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	var good int64
	for line := 1; ; line++ {
		raw, err := br.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil // nothing, or a line without its end: torn
		}
		if err != nil {
			return good, fmt.Errorf("read %s: %w", path, err)
		}
		body, ok := unframe(raw)
		if !ok {
			if _, err := br.Peek(1); errors.Is(err, io.EOF) {
				return good, nil // the last line, torn inside a block
			}
			return good, fmt.Errorf("%w: %s line %d: checksum", errJournal, path, line)
		}
		if line == 1 {
			var h header
			if err := json.Unmarshal(body, &h); err != nil || h.Format != journalFormat || h.Version != journalVersion {
				return good, fmt.Errorf("%w: %s is not a journal of version %d", errJournal, path, journalVersion)
			}
		} else if err := each(body); err != nil {
			return good, fmt.Errorf("%w: %s line %d: %w", errJournal, path, line, err)
		}
		good += int64(len(raw))
	}
}

func unframe(raw []byte) ([]byte, bool) {
	raw = bytes.TrimSuffix(raw, []byte("\n"))
	if len(raw) < 10 || raw[8] != ' ' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(raw[:8]), 16, 32)
	return raw[9:], err == nil && uint32(sum) == crc32.ChecksumIEEE(raw[9:])
}

// append adds records; with durable it returns once they are on disk. Callers
// that come together share one fsync.
func (j *journal) append(durable bool, recs ...any) error {
	mine, full, err := j.add(recs...)
	if err != nil || (!durable && !full) {
		return err
	}
	return j.sync(mine)
}

// add puts records into the buffer; mine is what to sync for them, full tells
// that it is time to.
func (j *journal) add(recs ...any) (mine uint64, full bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range recs {
		b, err := json.Marshal(r)
		if err != nil {
			return 0, false, fmt.Errorf("journal record: %w", err)
		}
		j.buf = fmt.Appendf(j.buf, "%08x %s\n", crc32.ChecksumIEEE(b), b)
		j.next++
	}
	return j.next, len(j.buf) > 1<<20, nil
}

// sync writes and fsyncs at least the first upTo records.
func (j *journal) sync(upTo uint64) error {
	j.disk.Lock()
	defer j.disk.Unlock()
	if j.err != nil || j.synced >= upTo {
		return j.err
	}
	j.mu.Lock()
	buf, next := j.buf, j.next
	j.buf = nil
	j.mu.Unlock()
	_, err := j.f.Write(buf)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		j.err = fmt.Errorf("write journal %s: %w", j.path, err)
		return j.err
	}
	j.synced, j.size = next, j.size+int64(len(buf))
	return nil
}

func (j *journal) close() error {
	j.mu.Lock()
	all := j.next
	j.mu.Unlock()
	return errors.Join(j.sync(all), j.f.Close())
}

// replace makes recs the whole content, in one step: they must say all that
// the journal says, what is buffered included, and nothing may be added
// meanwhile.
func (j *journal) replace(recs []any) error {
	j.disk.Lock()
	defer j.disk.Unlock()
	if j.err != nil {
		return j.err
	}
	tmp := j.path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replace journal: %w", err)
	}
	fresh, err := openJournal(tmp, func([]byte) error { return nil })
	if err != nil {
		return err
	}
	if err = fresh.append(true, recs...); err == nil {
		err = os.Rename(tmp, j.path)
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(j.path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("replace journal: %w", err), fresh.f.Close())
	}
	old := j.f
	j.mu.Lock()
	j.buf, j.synced = nil, j.next
	j.mu.Unlock()
	j.f, j.size = fresh.f, fresh.size
	return old.Close()
}

func (j *journal) bytes() int64 {
	j.disk.Lock()
	defer j.disk.Unlock()
	return j.size
}
