package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// ended runs a program as a supervised role until it ends by itself.
func ended(t *testing.T, program string, args ...string) (dir string) {
	t.Helper()
	self, err := exec.LookPath(program)
	require.NoError(t, err)
	lock, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer lock.Close()
	dir = t.TempDir()
	s := &supervisor{self: self, dir: dir, log: slog.New(slog.DiscardHandler), lock: lock}
	_, err = s.once(context.Background(), child{"loader", args})
	require.Error(t, err, "it ended, and nobody had asked for it")
	return dir
}

// TestOperatorsAreToldWhereMetricsAre: under up most roles have any free port.
func TestOperatorsAreToldWhereMetricsAre(t *testing.T) {
	dir := ended(t, "true", "--kafka", "127.0.0.1:9092", "--metrics", "127.0.0.1:4711")
	text, err := os.ReadFile(filepath.Join(dir, "run", "loader.metrics"))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:4711\n", string(text))
	require.FileExists(t, filepath.Join(dir, "run", "loader.pid"))
	require.NoFileExists(t, filepath.Join(ended(t, "true"), "run", "loader.metrics"), "a role without metrics")
}

// TestALogGoesOnFromItsSize: what a role wrote in its runs before counts.
func TestALogGoesOnFromItsSize(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "logs"), 0o700))
	path := filepath.Join(dir, "logs", "loader.log")
	require.NoError(t, os.WriteFile(path, make([]byte, maxLog), 0o600))
	lock, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer lock.Close()
	self, err := exec.LookPath("sh")
	require.NoError(t, err)
	s := &supervisor{self: self, dir: dir, log: slog.New(slog.DiscardHandler), lock: lock}
	script := filepath.Join(dir, "loader")
	require.NoError(t, os.WriteFile(script, []byte("echo one; sleep 0.2; echo two; exit 1"), 0o600))
	t.Chdir(dir)
	_, err = s.once(context.Background(), child{"loader", nil})
	require.Error(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "two")
	require.Less(t, len(text), maxLog, "the full one has become the one before")
	require.FileExists(t, path+".1")
}

// TestALongRunsLogGoesOn: who says much for long still says the latest, and no
// more than two files are kept.
func TestALongRunsLogGoesOn(t *testing.T) {
	dir := ended(t, "sh", "-c", "x") // there is no script of the role's name
	text, err := os.ReadFile(filepath.Join(dir, "logs", "loader.log"))
	require.NoError(t, err)
	require.Contains(t, string(text), "loader")

	var files []*bytes.Buffer
	next := func() (io.Writer, error) {
		files = append(files, new(bytes.Buffer))
		return files[len(files)-1], nil
	}
	first, _ := next()
	w := &tailWriter{w: first, next: next}
	line := bytes.Repeat([]byte("x"), 1<<20)
	for range 40 {
		n, err := w.Write(line)
		require.NoError(t, err)
		require.Equal(t, len(line), n)
	}
	_, err = w.Write([]byte("the latest"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	require.Equal(t, 17<<20, files[0].Len())
	require.Equal(t, "the latest", files[2].String()[files[2].Len()-10:])
}

// TestALogThatCannotBeWrittenEndsNoChild: neither a full disk nor a next file
// that cannot be opened is the child's trouble.
func TestALogThatCannotBeWrittenEndsNoChild(t *testing.T) {
	full := errors.New("no space left")
	r, broken := io.Pipe()
	require.NoError(t, r.CloseWithError(full))
	for name, next := range map[string]func() (io.Writer, error){
		"no next": nil, "a next that fails": func() (io.Writer, error) { return nil, full },
	} {
		w := &tailWriter{w: broken, next: next, n: maxLog - 1}
		for range 3 {
			n, err := w.Write([]byte("abc"))
			require.NoError(t, err, name)
			require.Equal(t, 3, n, name)
		}
		require.Equal(t, "abcabcabc", w.last(), name)
	}
}
