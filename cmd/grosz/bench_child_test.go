package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
	"github.com/grosz/grosz/reporting/warehouse"
)

// The end of a process that is measured ends the measurement, with its last
// words; one that was asked to end does not.
func TestTheEndOfAMeasuredProcessIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   []string
	}{
		"an error":         {"echo one >&2; echo two >&2; exit 3", []string{"the server, which is to be measured, has ended (exit status 3)", "one\ntwo"}},
		"no error":         {"echo bye >&2", []string{"has ended (without an error)", "bye"}},
		"restarts of role": {"for i in 1 2 3; do echo 'level=WARN msg=\"" + childEnded + "\" said='$i >&2; done; exec sleep 600", []string{"end again and again", "said=1", "said=3"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, fail := context.WithCancelCause(t.Context())
			defer fail(nil)
			var out bytes.Buffer
			stop, err := startChild(exec.Command("sh", "-c", c.script), "the server", &out, fail)
			require.NoError(t, err)
			<-ctx.Done()
			stop()
			err = because(ctx, errors.New("connection refused"))
			for _, w := range c.want {
				require.ErrorContains(t, err, w)
			}
			require.NotEmpty(t, out.String(), "it is passed on, too")
			require.Error(t, because(ctx, nil), "a measurement without what was to be measured is none")
		})
	}
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	stop, err := startChild(exec.Command("sleep", "600"), "the server", nil, fail)
	require.NoError(t, err)
	stop()
	require.NoError(t, ctx.Err())
	require.NoError(t, because(ctx, nil))
	_, err = startChild(exec.Command(filepath.Join(t.TempDir(), "absent")), "the server", nil, fail)
	require.ErrorContains(t, err, "start the server")
}

// benchOf runs a short measurement of a small world, and bounds it by far more
// than it takes: a world that never bids would be waited for longer.
func benchOf(t *testing.T, damage func(dir string)) error {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "w")
	var out lockedBuffer
	e := env{out: &out, errOut: &out}
	require.NoError(t, runBench(t.Context(), e, []string{"world", "--dir", dir, "--campaigns", "20", "--profiles", "50", "--products", "50", "--requests", "20"}))
	damage(dir)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 4*time.Minute, fmt.Errorf("it was waited for in vain"))
	defer cancel()
	err := runBench(ctx, e, []string{"--world", dir, "--rounds", "1", "--duration", "100ms", "--pin=false"})
	require.NoError(t, context.Cause(ctx), "%s", &out)
	return err
}

// A Grosz that cannot start ends its measurement at once, and says why.
func TestAMeasurementEndsWithItsGrosz(t *testing.T) {
	t.Run("up", func(t *testing.T) {
		t.Setenv("GROSZ_LIBCHDB", filepath.Join(t.TempDir(), "absent.so"))
		err := benchOf(t, func(string) {})
		require.ErrorContains(t, err, "has ended (exit status 1)")
		require.ErrorContains(t, err, "absent.so")
	})
	t.Run("a role of it", func(t *testing.T) {
		if _, err := warehouse.FindLibrary(""); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
		err := benchOf(t, func(dir string) {
			path := filepath.Join(dir, "console.db")
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			b[len(b)/2] ^= 1
			damagetest.Overwrite(t, b, path)
		})
		require.ErrorContains(t, err, "end again and again")
		require.ErrorContains(t, err, "console")
		require.ErrorContains(t, err, "the database is damaged")
	})
}
