package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

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
