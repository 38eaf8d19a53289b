package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/damagetest"
)

// Without our sums, as in a restored copy, a damaged database is refused or
// opens, but it is never a panic. A copy of it while it is open is whole.
func TestADamagedDatabaseIsNoPanic(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "console.db"), filepath.Join(dir, "copy.db")
	s, err := Open(t.Context(), Config{Path: path}, clock.System{})
	require.NoError(t, err)
	require.NoError(t, Backup(t.Context(), path, copied))
	require.Error(t, Backup(t.Context(), path, copied), "there is one")
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(copied)
	require.NoError(t, err)
	opened, refused := 0, 0
	try := func(what string, b []byte) {
		for _, suffix := range []string{"-wal", "-shm", ".pages"} {
			_ = os.Remove(path + suffix)
		}
		damagetest.Overwrite(t, b, path)
		s, err := Open(t.Context(), Config{Path: path}, clock.System{})
		if err != nil {
			refused++
			return
		}
		opened++
		_ = s.Ping(t.Context())
		require.NoError(t, s.Close(), what)
	}
	try("whole", whole)
	require.Equal(t, 1, opened)
	damagetest.Some(t, whole[:len(whole):len(whole)], 20_011, try)
	require.Positive(t, refused)
}
