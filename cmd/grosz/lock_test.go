package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A lock that a backup makes belongs to whom the folder belongs to, so that a
// broker of that user can take it afterwards. What is there already is left to
// its owner, and so is what a link leads to.
func TestALockBelongsToWhomItsFolderBelongs(t *testing.T) {
	user, group := os.Getuid(), os.Getgid() // only root can make others' files
	if os.Geteuid() == 0 {
		user, group = 12345, 23456
	}
	owner := func(path string) [2]int {
		info, err := os.Stat(path)
		require.NoError(t, err)
		st := info.Sys().(*syscall.Stat_t)
		return [2]int{int(st.Uid), int(st.Gid)}
	}
	dir := t.TempDir()
	require.NoError(t, os.Chown(dir, user, group))
	mine := filepath.Join(t.TempDir(), "mine")
	require.NoError(t, os.WriteFile(mine, []byte("x"), 0o600))
	was := owner(mine)
	require.NoError(t, os.Symlink(mine, filepath.Join(dir, "link")))

	for range 2 { // it is made, then it is there
		release, err := holdFile(filepath.Join(dir, "lock"), syscall.LOCK_SH)
		require.NoError(t, err)
		release()
		require.Equal(t, [2]int{user, group}, owner(filepath.Join(dir, "lock")))
	}
	info, err := os.Stat(filepath.Join(dir, "lock"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	release, err := holdFile(filepath.Join(dir, "link"), syscall.LOCK_SH)
	require.NoError(t, err)
	release()
	require.Equal(t, was, owner(mine))
}

// A lock that cannot be opened is told, as often as there is something to make
// smaller; that a backup reads is no news.
func TestALockThatCannotBeOpenedIsTold(t *testing.T) {
	dir := t.TempDir()
	var said bytes.Buffer
	small := &compactor{dir: dir, log: slog.New(slog.NewTextHandler(&said, nil))}
	release, err := holdFile(filepath.Join(dir, "lock"), syscall.LOCK_SH)
	require.NoError(t, err)
	require.False(t, small.free())
	require.Empty(t, said.String())
	release()
	require.NoError(t, os.Remove(filepath.Join(dir, "lock")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "lock"), 0o700)) // nobody can write that, nor root
	require.False(t, small.free())
	require.Contains(t, said.String(), "not made smaller now")
}
