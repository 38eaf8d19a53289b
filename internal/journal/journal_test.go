package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const kind = "testkin1"

func read(t testing.TB, path string) (*Journal, []string, Loss) {
	t.Helper()
	var got []string
	j, loss, err := Open(path, kind, func(p []byte) error { got = append(got, string(p)); return nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	return j, got, loss
}

func TestWhatWasAppendedIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, got, _ := read(t, path)
	require.Empty(t, got)
	require.NoError(t, j.Append([]byte("a"), []byte("bb")))
	require.NoError(t, j.Append(bytes.Repeat([]byte("c"), MaxRecord)))
	require.Error(t, j.Append(nil))
	require.Error(t, j.Append(make([]byte, MaxRecord+1)))
	// Not closed: this is what kill -9 leaves.
	again, got, loss := read(t, path)
	require.Equal(t, []string{"a", "bb", string(bytes.Repeat([]byte("c"), MaxRecord))}, got)
	require.Zero(t, loss)
	require.Equal(t, j.Size(), again.Size())
}

func TestATornEndIsCutOffAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "j")
	j, _, _ := read(t, path)
	for _, s := range []string{"one", "two", "three"} {
		require.NoError(t, j.Append([]byte(s)))
	}
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	ends := map[int]int{header: 0, header + frame + 3: 1, header + 2*frame + 6: 2, header + 3*frame + 11: 3}
	want := 0
	for n := 0; n <= len(whole); n++ {
		if k, ok := ends[n]; ok {
			want = k
		}
		p := filepath.Join(dir, fmt.Sprint("cut", n))
		require.NoError(t, os.WriteFile(p, whole[:n], 0o600))
		cut, got, _ := read(t, p)
		require.Len(t, got, want, "cut at %d", n)
		require.NoError(t, cut.Append([]byte("next")))
		_, got, loss := read(t, p)
		require.Len(t, got, want+1)
		require.Zero(t, loss, "the torn end is gone")
	}
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "j")
	j, _, _ := read(t, path)
	require.NoError(t, j.Append([]byte("one"), []byte("two")))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for bit := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		p := filepath.Join(dir, "flipped")
		require.NoError(t, os.WriteFile(p, b, 0o600))
		var got []string
		f, loss, err := Open(p, kind, func(p []byte) error { got = append(got, string(p)); return nil })
		if bit/8 < header {
			require.ErrorIs(t, err, ErrKind)
			continue
		}
		require.NoError(t, err)
		require.Less(t, len(got), 2)
		require.NotZero(t, loss.Bytes)
		require.NoError(t, f.Close())
	}
}

func TestMuchDamageIsKeptAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _, _ := read(t, path)
	for range 100 {
		require.NoError(t, j.Append(make([]byte, 1000)))
	}
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[header+frame+1006+5]++
	require.NoError(t, os.WriteFile(path, b, 0o600))
	_, got, loss := read(t, path)
	require.Len(t, got, 1)
	kept, err := os.ReadFile(loss.File)
	require.NoError(t, err)
	require.EqualValues(t, loss.Bytes, len(kept))
}

func TestCompactionKeepsWhatIsAppendedMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _, _ := read(t, path)
	for i := range 1000 {
		require.NoError(t, j.Append(fmt.Append(nil, "old", i)))
	}
	var wg sync.WaitGroup
	err := j.Compact(func(add func([]byte) error) error {
		require.ErrorIs(t, j.Compact(nil), ErrBusy)
		wg.Go(func() { // others are not held up
			for i := range 100 {
				if err := j.Append(fmt.Append(nil, "meanwhile", i)); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		return add([]byte("all that was old"))
	})
	require.NoError(t, err)
	require.NoError(t, j.Append([]byte("after")))
	_, got, loss := read(t, path)
	require.Zero(t, loss)
	require.Len(t, got, 102)
	require.Equal(t, "all that was old", got[0])
	require.Equal(t, "after", got[101])
}

func TestAFailedCompactionChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _, _ := read(t, path)
	require.NoError(t, j.Append([]byte("a")))
	boom := errors.New("boom")
	require.ErrorIs(t, j.Compact(func(func([]byte) error) error { return boom }), boom)
	require.NoFileExists(t, path+".new")
	require.NoError(t, j.Append([]byte("b")))
	_, got, _ := read(t, path)
	require.Equal(t, []string{"a", "b"}, got)
}

func TestAnInterruptedCompactionLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _, _ := read(t, path)
	require.NoError(t, j.Append([]byte("a")))
	require.NoError(t, os.WriteFile(path+".new", []byte("half"), 0o600))
	_, got, _ := read(t, path)
	require.Equal(t, []string{"a"}, got)
	require.NoFileExists(t, path+".new")
}

func TestAnotherKindIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	read(t, path)
	_, _, err := Open(path, "another1", nil)
	require.ErrorIs(t, err, ErrKind)
	_, _, err = Open(path, "short", nil)
	require.ErrorContains(t, err, "8 bytes")
}

func TestAfterCloseNothingIsAppended(t *testing.T) {
	j, _, err := Open(filepath.Join(t.TempDir(), "j"), kind, nil)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	require.NoError(t, j.Close())
	require.ErrorIs(t, j.Append([]byte("a")), os.ErrClosed)
}

func FuzzOpen(f *testing.F) {
	ok, _ := appendFrame([]byte(magic+kind), []byte("payload"))
	f.Add(ok)
	f.Add(ok[:20])
	f.Add([]byte(magic + kind + "\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		j, _, err := Open(path, kind, func(p []byte) error { n += len(p); return nil })
		if err != nil {
			return
		}
		if n > len(b) {
			t.Fatal("more was read than there is")
		}
		if err := j.Append([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
