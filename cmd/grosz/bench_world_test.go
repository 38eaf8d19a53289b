package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/segments"
)

// TestBenchWorldWritesWhatUpReads opens what was written the way the roles do.
func TestBenchWorldWritesWhatUpReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	var out bytes.Buffer
	args := []string{"world", "--dir", dir, "--campaigns", "120", "--profiles", "500", "--products", "300", "--requests", "50", "--seed", "3"}
	require.NoError(t, runBench(t.Context(), env{out: &out, errOut: &out}, args))
	require.Contains(t, out.String(), "120 campaigns")

	xs, err := loadExchanges(filepath.Join(dir, "exchanges"))
	require.NoError(t, err)
	require.Len(t, xs, 1)
	require.Equal(t, "demo", xs[0].Name)

	db, err := store.Open(context.Background(), store.Config{Path: filepath.Join(dir, "console.db")}, clock.System{})
	require.NoError(t, err)
	pending, err := db.PendingCount(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, pending, 122, "every campaign and shop is published")
	require.NoError(t, db.Close())

	f, err := os.Open(filepath.Join(dir, "bidder", "profiles.snap"))
	require.NoError(t, err)
	defer f.Close()
	profiles, offsets, err := segments.Restore(f, segments.Config{})
	require.NoError(t, err)
	require.Empty(t, offsets)
	require.EqualValues(t, 500, profiles.Stats().Profiles)

	bodies, err := readBodies([]string{filepath.Join(dir, "requests.jsonl")})
	require.NoError(t, err)
	require.Len(t, bodies, 50)

	require.ErrorContains(t, runBench(t.Context(), env{out: &out, errOut: &out}, args), "already")
	require.ErrorContains(t, runBench(t.Context(), env{out: &out, errOut: &out}, []string{"world", "--requests", "0"}), "--dir")
}
