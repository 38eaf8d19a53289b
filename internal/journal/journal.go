// Package journal is an append-only file of small records with checksums, for
// tables that live in memory and must survive kill -9: what Append returned
// for is found again by Open, except that a power cut may take what came
// after the last Sync. Compact writes the file anew while appends go on.
//
// The format, little-endian: eight bytes "grzjrnl" and its version, eight
// bytes of the owner's kind and version, then per record a length in two
// bytes, a CRC-32C of length and payload, the payload. A record that is cut
// off or damaged ends the file: Open cuts it off there and says how much.
//
// Slow: every append is a system call. Safe for many goroutines, one process.
package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/grosz/grosz/internal/durable"
)

const (
	magic  = "grzjrnl\x01"
	header = 16
	frame  = 6 // before each payload

	// MaxRecord bounds a payload, bytes.
	MaxRecord = 1<<16 - 1
	// maxSince bounds what is appended while a compaction runs, bytes.
	maxSince = 64 << 20
)

// Errors of Open and Compact.
var (
	// ErrKind: the file is no journal, of another version or another owner's.
	ErrKind = errors.New("not a journal of this kind")
	// ErrBusy: more was appended while compacting than is kept aside; the old
	// file stays in use.
	ErrBusy = errors.New("too much is appended to compact now")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Journal is an open file.
type Journal struct {
	path string
	kind [8]byte

	mu         sync.Mutex
	f          *os.File
	size       int64
	buf        []byte
	since      []byte // frames appended while compacting
	compacting bool
	dirty      bool  // not synced
	err        error // broken for good
}

// Loss is what Open had to cut off: bytes behind the last whole record. A few
// are what a crash leaves. More than one record can be are kept in File.
type Loss struct {
	Bytes int64
	File  string
}

// Open opens or makes the file and calls fn for each record; the payload is
// valid during the call. kind has eight bytes. An error of fn ends it.
func Open(path, kind string, fn func(payload []byte) error) (*Journal, Loss, error) {
	j := &Journal{path: path}
	if copy(j.kind[:], kind) != len(j.kind) || len(kind) != len(j.kind) {
		return nil, Loss{}, fmt.Errorf("journal %s: kind %q has not 8 bytes", path, kind)
	}
	// A compaction that was interrupted: the old file is whole.
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, Loss{}, fmt.Errorf("journal: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, Loss{}, fmt.Errorf("journal: %w", err)
	}
	j.f = f
	loss, err := j.load(fn)
	if err != nil {
		return nil, loss, errors.Join(fmt.Errorf("journal %s: %w", path, err), f.Close())
	}
	return j, loss, nil
}

func (j *Journal) load(fn func([]byte) error) (loss Loss, err error) {
	info, err := j.f.Stat()
	if err != nil {
		return loss, err
	}
	if info.Size() < header { // new, or cut off while it was made
		if err := j.f.Truncate(0); err != nil {
			return loss, err
		}
		_, err := j.f.WriteAt(j.head(), 0)
		j.size = header
		if err == nil {
			err = errors.Join(j.f.Sync(), durable.SyncDir(filepath.Dir(j.path)))
		}
		return loss, err
	}
	r := bufio.NewReaderSize(j.f, 1<<20)
	head := make([]byte, header)
	if _, err := io.ReadFull(r, head); err != nil {
		return loss, err
	}
	if string(head) != string(j.head()) {
		return loss, fmt.Errorf("%w: it begins with %q, not %q", ErrKind, head, j.head())
	}
	j.size = header
	buf := make([]byte, frame+MaxRecord)
	for {
		n, ok, err := next(r, buf)
		if err != nil {
			return loss, err
		}
		if !ok {
			break
		}
		if err := fn(buf[frame:n]); err != nil {
			return loss, fmt.Errorf("record at byte %d: %w", j.size, err)
		}
		j.size += int64(n)
	}
	if loss.Bytes = info.Size() - j.size; loss.Bytes == 0 {
		return loss, nil
	}
	if loss.Bytes > frame+MaxRecord {
		if loss.File, err = j.keepTail(); err != nil {
			return loss, err
		}
	}
	return loss, j.f.Truncate(j.size)
}

// next reads a frame into buf and returns its length; ok is false where no
// whole record follows.
func next(r *bufio.Reader, buf []byte) (n int, ok bool, err error) {
	if _, err := io.ReadFull(r, buf[:frame]); err != nil {
		return 0, false, unlessEnd(err)
	}
	size := int(binary.LittleEndian.Uint16(buf))
	if size == 0 {
		return 0, false, nil
	}
	n = frame + size
	if _, err := io.ReadFull(r, buf[frame:n]); err != nil {
		return 0, false, unlessEnd(err)
	}
	return n, sum(buf[:n]) == binary.LittleEndian.Uint32(buf[2:]), nil
}

func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// sum covers a frame's length and payload.
func sum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:2], castagnoli), castagnoli, b[frame:])
}

func (j *Journal) keepTail() (string, error) {
	name := j.path + ".damaged"
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(out, io.NewSectionReader(j.f, j.size, 1<<62))
	return name, errors.Join(err, out.Close())
}

func (j *Journal) head() []byte { return append([]byte(magic), j.kind[:]...) }

// appendFrame appends payload as the file has it.
func appendFrame(dst, payload []byte) ([]byte, error) {
	if len(payload) == 0 || len(payload) > MaxRecord {
		return dst, fmt.Errorf("journal: a record of %d bytes; 1 to %d", len(payload), MaxRecord)
	}
	at := len(dst)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(payload)))
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, payload...)
	binary.LittleEndian.PutUint32(dst[at+2:], sum(dst[at:]))
	return dst, nil
}

// Append writes the records; when it returns they survive the process.
func (j *Journal) Append(payloads ...[]byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	buf := j.buf[:0]
	for _, p := range payloads {
		var err error
		if buf, err = appendFrame(buf, p); err != nil {
			return err
		}
	}
	if j.buf = buf; cap(buf) > 1<<20 {
		j.buf = nil
	}
	if _, err := j.f.WriteAt(buf, j.size); err != nil {
		// Half a record behind size is written over, or cut off at the next start.
		return fmt.Errorf("journal %s: append: %w", j.path, err)
	}
	j.size += int64(len(buf))
	j.dirty = true
	if j.compacting && len(j.since) <= maxSince {
		j.since = append(j.since, buf...)
	}
	return nil
}

// Sync makes what was appended survive a power cut.
func (j *Journal) Sync() error {
	j.mu.Lock()
	f, dirty, err := j.f, j.dirty, j.err
	j.dirty = false
	j.mu.Unlock()
	if err != nil || !dirty {
		return err
	}
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) { // closed: compacted meanwhile, which synced
		j.mu.Lock()
		j.dirty = true
		j.mu.Unlock()
		return fmt.Errorf("journal %s: %w", j.path, err)
	}
	return nil
}

// Size is the file's, bytes.
func (j *Journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size
}

// Compact writes a new file: what snapshot adds, then what was appended
// meanwhile, and puts it in place of the old one. Records are idempotent and
// the last one about a thing counts, so that snapshot may see some of what is
// appended while it runs. One call at a time.
func (j *Journal) Compact(snapshot func(add func(payload []byte) error) error) error {
	j.mu.Lock()
	if j.err != nil || j.compacting {
		defer j.mu.Unlock()
		return errors.Join(j.err, j.busy())
	}
	j.compacting, j.since = true, nil
	j.mu.Unlock()
	f, size, err := j.writeNew(snapshot)
	j.mu.Lock()
	defer j.mu.Unlock()
	defer func() { j.compacting, j.since = false, nil }()
	if err == nil && len(j.since) > maxSince {
		err = ErrBusy
	}
	if err == nil {
		err = j.swap(f, size)
	}
	if err != nil {
		if f != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
		return fmt.Errorf("journal %s: compact: %w", j.path, err)
	}
	return nil
}

func (j *Journal) busy() error {
	if j.compacting {
		return ErrBusy
	}
	return nil
}

func (j *Journal) writeNew(snapshot func(add func([]byte) error) error) (*os.File, int64, error) {
	f, err := os.OpenFile(j.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	size := int64(header)
	_, err = w.Write(j.head())
	var buf []byte
	if err == nil {
		err = snapshot(func(p []byte) error {
			if buf, err = appendFrame(buf[:0], p); err != nil {
				return err
			}
			size += int64(len(buf))
			_, err := w.Write(buf)
			return err
		})
	}
	if err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	return f, size, err
}

// swap takes the new file into use; j.mu is held.
func (j *Journal) swap(f *os.File, size int64) error {
	if _, err := f.WriteAt(j.since, size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(j.path+".new", j.path); err != nil {
		return err
	}
	old := j.f
	j.f, j.size, j.dirty = f, size+int64(len(j.since)), false
	// From here on the new file counts, whatever else fails.
	_ = errors.Join(durable.SyncDir(filepath.Dir(j.path)), old.Close())
	return nil
}

// Close syncs and closes the file.
func (j *Journal) Close() error {
	err := j.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if errors.Is(j.err, os.ErrClosed) {
		return nil
	}
	j.err = fmt.Errorf("journal %s: %w", j.path, os.ErrClosed)
	return errors.Join(err, j.f.Close())
}
