package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
	"github.com/grosz/grosz/internal/durable"
)

func sample(t *testing.T) (from string) {
	t.Helper()
	from = t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(from, "a", "b"), 0o700))
	damagetest.Overwrite(t, []byte("one"), from, "one")
	damagetest.Overwrite(t, []byte("two"), from, "a", "two")
	damagetest.Overwrite(t, nil, from, "a", "b", "empty")
	return from
}

func made(t *testing.T, from string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "backup")
	w, err := New(from, dir, 1)
	require.NoError(t, err)
	require.NoError(t, w.Copy("one"))
	require.NoError(t, w.Copy("not there"))
	require.NoError(t, w.CopyDir("a", nil))
	require.NoError(t, w.CopyDir("nor this", nil))
	m, err := w.Close(2)
	require.NoError(t, err)
	require.Len(t, m.Files, 3)
	return dir
}

func TestARestoreIsWhatWasCopied(t *testing.T) {
	dir := made(t, sample(t))
	to := filepath.Join(t.TempDir(), "new")
	_, err := Restore(dir, to)
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join(to, "a", "two"))
	require.NoError(t, err)
	require.Equal(t, "two", string(b))
	require.FileExists(t, filepath.Join(to, "a", "b", "empty"))
	_, err = Restore(dir, to)
	require.ErrorIs(t, err, ErrNotEmpty)
	_, err = New(dir, to, 1)
	require.ErrorIs(t, err, ErrNotEmpty)
}

func TestADamagedBackupWritesNothing(t *testing.T) {
	dir := made(t, sample(t))
	for _, name := range []string{manifestName, "one", "a/two"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		to := filepath.Join(t.TempDir(), "new")
		damagetest.Some(t, whole, 1+len(whole)/200, func(what string, bad []byte) {
			damagetest.Overwrite(t, bad, path)
			if _, err := Restore(dir, to); err != nil {
				require.ErrorIs(t, err, ErrDamaged, what)
				require.NoDirExists(t, to, what)
				return
			}
			require.Equal(t, manifestName, name, what) // a name in capitals is the same one
			require.NoError(t, os.RemoveAll(to))
		})
		damagetest.Overwrite(t, whole, path)
		require.NoError(t, os.Remove(path))
		_, err = Restore(dir, to)
		require.ErrorIs(t, err, ErrDamaged)
		damagetest.Overwrite(t, whole, path)
	}
}

// A file that is replaced all the time is copied as it was at some moment.
func TestFilesThatAreReplacedAreCopiedWhole(t *testing.T) {
	from := sample(t)
	damagetest.Overwrite(t, []byte("00"), from, "one")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := durable.ReplaceBytes(filepath.Join(from, "one"), 0o600, fmt.Appendf(nil, "%d%0*d", i%10, 1000+i%1000, i%10)); err != nil {
				panic(err)
			}
		}
	})
	for range 20 {
		w, err := New(from, filepath.Join(t.TempDir(), "b"), 1)
		require.NoError(t, err)
		require.NoError(t, w.Copy("one"))
		b, err := os.ReadFile(filepath.Join(w.to, "one"))
		require.NoError(t, err)
		require.Equal(t, b[0], b[len(b)-1])
	}
}
