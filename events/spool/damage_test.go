package spool

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
)

// filled is a closed spool of three sealed segments and a tail.
func filled(t *testing.T) (dir string, all map[string]bool) {
	t.Helper()
	dir, all = t.TempDir(), map[string]bool{}
	s, err := Open(Config{Dir: dir, SegmentBytes: 4 << 10}, quiet())
	require.NoError(t, err)
	for i := range 12 {
		v := fmt.Sprintf("value-%d-%0900d", i, i)
		all[v] = true
		require.NoError(t, s.Append(Record{Topic: 1, Key: []byte("key"), Value: []byte(v)}))
	}
	require.NoError(t, s.Close())
	return dir, all
}

// shipped opens a spool and returns what it would send.
func shipped(dir string) (got []string, damaged uint64, err error) {
	s, err := Open(Config{Dir: dir, SegmentBytes: 4 << 10}, quiet())
	if err != nil {
		return nil, 0, err
	}
	err = s.Backlog(func(r Record) error { got = append(got, string(r.Key)+string(r.Value)); return nil })
	damaged = s.Stats().Damaged
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	return got, damaged, err
}

// TestDamageNeverInvents damages every file of a spool: it is refused, or what
// it would send was sent to it, and where that is less it is told.
func TestDamageNeverInvents(t *testing.T) {
	dir, all := filled(t)
	got, _, err := shipped(dir)
	require.NoError(t, err)
	require.Len(t, got, len(all))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	refused, same, told := 0, 0, 0
	for _, f := range files {
		if f.Name() == "lock" {
			continue
		}
		whole, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		copied := t.TempDir()
		damagetest.Some(t, whole, 499, func(what string, bad []byte) {
			require.NoError(t, os.RemoveAll(copied))
			damagetest.CopyDir(t, dir, copied)
			damagetest.Overwrite(t, bad, copied, f.Name())
			got, damaged, err := shipped(copied)
			for _, v := range got {
				require.True(t, all[v[3:]] && v[:3] == "key", "%s, %s: invented %.40q", f.Name(), what, v)
			}
			switch {
			case err != nil:
				refused++
			case damaged > 0:
				told++
			default:
				kinds := map[string]bool{}
				for _, v := range got {
					kinds[v[3:]] = true
				}
				require.Len(t, kinds, len(all), "%s, %s: less than was there, and it is not told", f.Name(), what)
				same++
			}
		})
	}
	t.Logf("refused at opening %d times, entries left out and told %d times, all there %d times", refused, told, same)
	require.Positive(t, refused)
	require.Positive(t, told)
}

func TestADamagedEntryIsPassedOverAndKept(t *testing.T) {
	dir, all := filled(t)
	segs, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	require.NoError(t, err)
	require.Greater(t, len(segs), 2)
	b, err := os.ReadFile(segs[0])
	require.NoError(t, err)
	b[300] ^= 4 // a digit of the first value
	damagetest.Overwrite(t, b, segs[0])
	s, err := Open(Config{Dir: dir, SegmentBytes: 4 << 10}, quiet())
	require.NoError(t, err)
	defer s.Close()
	ctx, stop := context.WithCancel(context.Background())
	n := 0
	require.NoError(t, s.Ship(ctx, func(_ context.Context, recs []Record) error {
		if n += len(recs); n == len(all)-1 {
			stop()
		}
		return nil
	}))
	require.Equal(t, len(all)-1, n, "all but the damaged one")
	require.EqualValues(t, 1, s.Stats().Damaged)
	kept, err := filepath.Glob(filepath.Join(dir, "damaged-*"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
}

// TestASpoolOfBeforeIsTakenOver opens one that the log's own store and
// entries without a checksum were written by.
func TestASpoolOfBeforeIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	w, err := wal.Open(dir, wal.WithSegmentSize(4<<10))
	require.NoError(t, err)
	require.NoError(t, w.StoreLog(&raft.Log{Index: 1, Data: appendFrame(nil, &Record{Topic: 1, Key: []byte("key"), Value: []byte("old")})}))
	require.NoError(t, w.Close())
	for range 2 {
		got, damaged, err := shipped(dir)
		require.NoError(t, err)
		require.Zero(t, damaged)
		require.Equal(t, []string{"keyold"}, got)
		require.NoFileExists(t, filepath.Join(dir, metadb.FileName))
	}
	require.NoError(t, os.Remove(filepath.Join(dir, metaFile)))
	_, _, err = shipped(dir)
	require.ErrorContains(t, err, "it is missing, and 1 segments are there")
}

// tailOf is the newest segment of a spool.
func tailOf(t *testing.T, dir string) (path string, raw []byte) {
	t.Helper()
	seg, err := readTail(dir)
	require.NoError(t, err)
	return seg.path, seg.raw
}

// TestDamageInTheNewestSegment flips a bit of every byte that was written, and
// cuts it: what is whole is shipped, and what is not is told.
func TestDamageInTheNewestSegment(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir, SegmentBytes: 4 << 10}, quiet())
	require.NoError(t, err)
	const all = 3
	for i := range all {
		require.NoError(t, s.Append(Record{Topic: 1, Key: []byte("key"), Value: fmt.Appendf(nil, "value-%d", i)}))
	}
	require.NoError(t, s.Close())
	path, whole := tailOf(t, dir)
	written := len(bytes.TrimRight(whole, "\x00"))
	require.Less(t, written, len(whole))
	copied := t.TempDir()
	try := func(i int, what string, bad []byte) {
		require.NoError(t, os.RemoveAll(copied))
		damagetest.CopyDir(t, dir, copied)
		damagetest.Overwrite(t, bad, copied, filepath.Base(path))
		got, damaged, err := shipped(copied)
		if err != nil {
			require.ErrorContains(t, err, copied, what)
			return
		}
		kinds := map[string]bool{}
		for _, v := range got {
			kinds[v] = true
		}
		require.GreaterOrEqual(t, len(kinds)+int(damaged), all, "%s: %v", what, got)
		require.GreaterOrEqual(t, len(kinds), all-1, "%s: one bit is damaged, so at most one entry is lost", what)
		if i%8 != 0 {
			return // to be quick
		}
		again, _, err := shipped(copied)
		require.NoError(t, err, what)
		require.Equal(t, got, again, "%s: it is mended", what)
	}
	for i := range written {
		bad := bytes.Clone(whole)
		bad[i] ^= 1 << (i % 8)
		try(i, fmt.Sprintf("byte %d of %d", i, written), bad)
	}
	for i := 0; i < written; i += frameHead {
		require.NoError(t, os.RemoveAll(copied))
		damagetest.CopyDir(t, dir, copied)
		damagetest.Overwrite(t, whole[:i], copied, filepath.Base(path))
		if got, damaged, err := shipped(copied); err == nil && len(got) < all {
			require.Positive(t, damaged, "cut to %d bytes", i)
		}
	}
}
