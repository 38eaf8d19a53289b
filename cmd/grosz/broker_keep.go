package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// housekeeping is when the broker's log is made smaller.
type housekeeping struct {
	Start   int64         // bytes of a compacted partition from which on it is looked into, at a start
	Running int64         // the same meanwhile, for which the broker is closed for moments
	Look    time.Duration // between two looks at them
	Retain  time.Duration // between two removals of what has expired
}

// ordinaryHousekeeping: a start reads all of the log anyway, and readers read
// all of a compacted topic when they start.
var ordinaryHousekeeping = housekeeping{Start: 16 << 20, Running: 64 << 20, Look: 5 * time.Minute, Retain: time.Hour}

// never is the interval of the library's own compaction and retention, ms. The
// one is not safe (see compactor); the other also drops what is old of compacted
// topics, and empties partitions, whose offsets then begin at 0 again.
const never = "315360000000" // ten years

// Defaults of Kafka, where a topic does not say.
const (
	defaultRetention = 7 * 24 * time.Hour
	noLimit          = -1
)

// housekeep waits for the end of ctx, or until something is to be compacted.
func (b *broker) housekeep(ctx context.Context, cluster *kfake.Cluster) (grown []string) {
	look, expire := time.NewTicker(b.keep.Look), time.NewTicker(b.keep.Retain)
	defer look.Stop()
	defer expire.Stop()
	b.retain(cluster) // those before may all have ended too soon for it
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-expire.C:
			b.retain(cluster)
		case <-look.C:
			grown, err := b.small.worth(b.keep.Running)
			if err != nil {
				b.log.Error("the broker's log is not looked into", "err", err)
			} else if len(grown) > 0 && b.small.free() {
				return grown
			}
		}
	}
}

func (b *broker) retain(cluster *kfake.Cluster) {
	if err := retain(cluster, b.dir, b.clock.NowMS()); err != nil {
		b.log.Error("the broker keeps what has expired", "err", err)
	}
}

// retain drops what topics no longer keep. The last batch of each partition
// stays: after a crash it is what says where offsets go on.
func retain(cluster *kfake.Cluster, dir string, nowMS int64) error {
	topics, err := listedTopics(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range topics {
		if !isExpired(t.Configs) {
			continue
		}
		ms := setting(t.Configs, "retention.ms", defaultRetention.Milliseconds())
		most := setting(t.Configs, "retention.bytes", noLimit)
		cutoff := int64(math.MinInt64)
		if ms >= 0 {
			cutoff = nowMS - ms
		}
		for p, name := range t.folders() {
			upTo, err := expiredUpTo(filepath.Join(dir, "partitions", name), cutoff, most)
			if err != nil {
				errs = append(errs, fmt.Errorf("drop what has expired of %s: %w", name, err))
				continue
			}
			if at := cluster.PartitionInfo(t.Name, int32(p)); at == nil || upTo <= at.LogStartOffset {
				continue
			}
			if err := cluster.DeleteRecords(t.Name, int32(p), upTo); err != nil {
				errs = append(errs, fmt.Errorf("drop what has expired of %s up to offset %d: %w", name, upTo, err))
			}
		}
	}
	return errors.Join(errs...)
}

func setting(configs map[string]string, name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(configs[name], 10, 64); err == nil {
		return n
	}
	return otherwise
}

// expiredUpTo is the first offset of a partition that is kept: that of the first
// batch with a message since cutoff (ms) where what is there from it on has at
// most most bytes, or of the last batch of all.
func expiredUpTo(part string, cutoff, most int64) (int64, error) {
	segments, err := segmentsOf(part)
	if err != nil || len(segments) == 0 {
		return 0, err
	}
	left, err := logBytes(part)
	if err != nil {
		return 0, err
	}
	kept := segments[0].base
	for _, s := range segments {
		done, err := s.eachHead(func(base, latest, size int64) bool {
			kept = base
			if latest >= cutoff && (most < 0 || left <= most) {
				return false
			}
			left -= size
			return true
		})
		if errors.Is(err, fs.ErrNotExist) {
			continue // dropped meanwhile
		}
		if err != nil || done {
			return kept, err
		}
	}
	return kept, nil
}

// eachHead reads the heads of a segment's whole batches until do says false:
// the first offset, the time of the latest message (ms), and the size.
func (s segment) eachHead(do func(base, latest, size int64) bool) (ended bool, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	head := make([]byte, batchFront)
	for at := int64(0); at+batchFront <= info.Size(); {
		if _, err := f.ReadAt(head, at); errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		size := int64(int32(binary.BigEndian.Uint32(head[atLength:]))) + 12
		if size < batchFront {
			return false, fmt.Errorf("%w: a batch of %d bytes at byte %d of %s", errDamaged, size, at, s.path)
		}
		if at+size > info.Size() {
			return false, nil
		}
		if !do(int64(binary.BigEndian.Uint64(head)), int64(binary.BigEndian.Uint64(head[atLastTime:])), size) {
			return true, nil
		}
		at += size
	}
	return false, nil
}

// endOf is the offset behind a batch.
func endOf(raw []byte) int64 {
	return int64(binary.BigEndian.Uint64(raw)) + int64(binary.BigEndian.Uint32(raw[atLastDelta:])) + 1
}
