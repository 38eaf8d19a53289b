package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReplaceIsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	require.NoError(t, ReplaceBytes(path, 0o600, []byte("old")))
	failed := errors.New("the disk is full")
	err := Replace(path, 0o600, func(w io.Writer) error {
		_, _ = w.Write([]byte("half of the ne"))
		return failed
	})
	require.ErrorIs(t, err, failed)
	require.ErrorContains(t, err, path)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(got))
	require.NoError(t, ReplaceBytes(path, 0o644, []byte("new")))
	got, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new", string(got))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o644, info.Mode().Perm())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing unfinished is left behind")
	require.Error(t, ReplaceBytes(filepath.Join(dir, "absent", "state"), 0o600, nil))
}

// What a crash left of replacements goes with the next one; what somebody is
// writing, what is fresh and what has another name stays.
func TestUnfinishedReplacementsAreSwept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	put := func(name string, age time.Duration) string {
		t.Helper()
		full := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(full, []byte("half"), 0o600))
		then := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(full, then, then))
		return full
	}
	gone := []string{put("state.new-1", 2*sweepAfter), put("state.new-22", 100*sweepAfter)}
	stay := []string{put("state.new-fresh", 0), put("state.newer", 2*sweepAfter), put("other.new-1", 2*sweepAfter), put("state.new-held", 2*sweepAfter)}
	held, err := os.Open(stay[len(stay)-1])
	require.NoError(t, err)
	defer func() { require.NoError(t, held.Close()) }()
	require.NoError(t, hold(held))
	require.NoError(t, ReplaceBytes(path, 0o600, []byte("new")))
	for _, name := range gone {
		require.NoFileExists(t, name)
	}
	for _, name := range stay {
		require.FileExists(t, name)
	}
	require.FileExists(t, path)
}

func TestCreateLeavesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { assert.NoError(t, CreateBytes(path, 0o600, []byte{byte('a' + i)})) })
	}
	wg.Wait()
	first, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, first, 1)
	require.NoError(t, CreateBytes(path, 0o644, []byte("later")))
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, first, again)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.ErrorContains(t, CreateBytes(filepath.Join(dir, "absent", "key"), 0o600, nil), "create")
}
