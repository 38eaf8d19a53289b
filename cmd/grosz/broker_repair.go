package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// repairLog cuts torn writes off the ends of the embedded broker's log before
// it is opened: what stands behind the last whole batch was acknowledged to
// nobody, and batches that were appended behind it would not be found again.
// Where whole batches follow it is damage, and an error.
func repairLog(dir string, log *slog.Logger) error {
	parts, err := filepath.Glob(filepath.Join(dir, "partitions", "*"))
	if err != nil {
		return fmt.Errorf("look through the broker's log: %w", err)
	}
	listed, err := listedPartitions(dir)
	if err != nil {
		return err
	}
	for _, part := range parts {
		segments, err := filepath.Glob(filepath.Join(part, "*.dat"))
		if err != nil {
			return fmt.Errorf("look through the broker's log: %w", err)
		}
		if err := repairPartition(segments, log); err != nil {
			return err
		}
		if err := sweepIndexes(part, segments); err != nil {
			return err
		}
		compacted, known := listed[filepath.Base(part)]
		if len(segments) > 0 && !known {
			return fmt.Errorf("%w: %s holds messages of a topic that is not in topics.json, or meta.json is missing: put copies of the two back", errDamaged, part)
		}
		if err := checkOffsets(segments, compacted); err != nil {
			return err
		}
	}
	return nil
}

// sweepIndexes removes indexes whose segment is gone: a crash came between the
// two when the segment had expired.
func sweepIndexes(part string, segments []string) error {
	list, err := filepath.Glob(filepath.Join(part, "*.idx"))
	if err != nil {
		return fmt.Errorf("look through the broker's log: %w", err)
	}
	for _, path := range list {
		if slices.Contains(segments, strings.TrimSuffix(path, ".idx")+".dat") {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove an index without its segment: %w", err)
		}
	}
	return nil
}

// listedPartitions are the folders of the topics that the broker knows, and
// whether they are compacted. It would begin anew without its files, beside a log that is there.
func listedPartitions(dir string) (map[string]bool, error) {
	topics, err := listedTopics(dir)
	out := map[string]bool{}
	for _, t := range topics {
		for _, name := range t.folders() {
			out[name] = isCompacted(t.Configs)
		}
	}
	return out, err
}

// listedTopic is a topic as the broker's own file has it.
type listedTopic struct {
	Name       string            `json:"name"`
	Partitions int               `json:"partitions"`
	Configs    map[string]string `json:"configs"`
}

// folders are those of the topic's partitions, in their order.
func (t listedTopic) folders() []string {
	list := make([]string, max(0, min(t.Partitions, maxPartitions)))
	for p := range list {
		list[p] = fmt.Sprintf("%s-%d", t.Name, p)
	}
	return list
}

// listedTopics are the topics that the broker knows; none before its first start.
func listedTopics(dir string) ([]listedTopic, error) {
	if !exists(filepath.Join(dir, "meta.json")) {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "topics.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list struct {
		Topics []listedTopic `json:"topics"`
	}
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("read the broker's topics.json: %w", err)
	}
	return list.Topics, nil
}

// maxPartitions bounds what a damaged number of partitions can make of one.
const maxPartitions = 10_000

// repairPartition cuts a torn write off the newest of a partition's segments.
// The others were whole when the next one was begun.
func repairPartition(segments []string, log *slog.Logger) error {
	newest := ""
	if list := inOrder(segments); len(list) > 0 {
		newest = list[len(list)-1].path
	}
	for _, s := range segments {
		if s != newest {
			if err := checkWhole(s); err != nil {
				return fmt.Errorf("check %s: %w", s, err)
			}
			continue
		}
		cut, err := cutTorn(s)
		if err != nil {
			return fmt.Errorf("repair %s: %w", s, err)
		}
		if cut > 0 {
			log.Warn("a torn write was cut off the broker's log", "file", s, "bytes", cut)
		}
	}
	return nil
}

// checkWhole reads a segment that nothing is written to any more.
func checkWhole(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	good, err := wholeBatches(bufio.NewReaderSize(f, 1<<20), info.Size())
	if err == nil && good < info.Size() {
		err = fmt.Errorf("%w: no whole batch at byte %d of %d: put a copy of the file back", errDamaged, good, info.Size())
	}
	return err
}

// A record batch: base offset (8), length of what follows (4), leader epoch
// (4), magic (1), CRC-32C (4) of the rest.
const batchHead = 8 + 4 + 4 + 1 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cutTorn cuts a segment behind its last whole batch, and lets its index and
// the partition's summary be made again if there was something to cut.
func cutTorn(path string) (cut int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	good, err := wholeBatches(bufio.NewReaderSize(f, 1<<20), info.Size())
	if err != nil || good == info.Size() {
		return 0, err
	}
	if at, err := batchBehind(f, good, info.Size()); err != nil || at >= 0 {
		return 0, errors.Join(err, damagedAt(good, at))
	}
	if err := errors.Join(f.Truncate(good), f.Sync()); err != nil {
		return 0, err
	}
	for _, made := range []string{path[:len(path)-len(".dat")] + ".idx", filepath.Join(filepath.Dir(path), "snapshot.json")} {
		if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	return info.Size() - good, nil
}

// errDamaged is what stops the broker: to cut there would lose what was
// acknowledged.
var errDamaged = errors.New("the log is damaged")

func damagedAt(good, at int64) error {
	if at < 0 {
		return nil
	}
	return fmt.Errorf("%w: no whole batch at byte %d, and there are whole ones from byte %d on, so no crash has cut it: put a copy of the file back, or truncate it to %d bytes and lose what is behind", errDamaged, good, at, good)
}

// batchBehind looks for a whole batch behind a place where there is none: -1
// if what follows is only what a crash left of a write.
func batchBehind(f io.ReaderAt, from, size int64) (int64, error) {
	rest := make([]byte, min(size-from, maxTorn))
	if n, err := f.ReadAt(rest, from); n < len(rest) {
		return -1, err
	}
	for i := 1; i+batchHead <= len(rest); i++ {
		head := rest[i:]
		n := int(int32(binary.BigEndian.Uint32(head[8:]))) + 12
		if head[16] == batchMagic && n > batchHead && n <= len(head) && crc32.Checksum(head[batchHead:n], castagnoli) == binary.BigEndian.Uint32(head[17:]) {
			return from + int64(i), nil
		}
	}
	return -1, nil
}

const (
	batchMagic = 2
	// maxTorn bounds how far is looked for a whole batch, bytes: more than
	// the largest that is taken.
	maxTorn = 64 << 20
)

// wholeBatches is the length of the batches from the beginning that are whole.
func wholeBatches(r io.Reader, size int64) (good int64, err error) {
	head := make([]byte, batchHead)
	for {
		if _, err := io.ReadFull(r, head); err != nil {
			return good, unlessTorn(err)
		}
		n := int64(int32(binary.BigEndian.Uint32(head[8:]))) + 12
		if n < batchHead || good+n > size {
			return good, nil
		}
		sum := crc32.New(castagnoli)
		if _, err := io.CopyN(sum, r, n-batchHead); err != nil {
			return good, unlessTorn(err)
		}
		if sum.Sum32() != binary.BigEndian.Uint32(head[17:]) {
			return good, nil
		}
		good += n
	}
}

func unlessTorn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
