package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/reporting/warehouse"
)

// runStormTest is `grosz storm` with processes of this test binary.
func runStormTest(t *testing.T, args ...string) {
	t.Helper()
	if _, err := warehouse.FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var out bytes.Buffer
	err := runStorm(context.Background(), env{os.Environ(), &out, &out, slog.New(slog.DiscardHandler)}, append([]string{"--data", t.TempDir()}, args...))
	t.Log(out.String())
	require.NoError(t, err)
	for _, want := range []string{"equal to the nano-unit", "equal in both bidders' books", "kill -9 a", "kill -9 b"} {
		require.Contains(t, out.String(), want)
	}
}

func TestStormOnEmbeddedParts(t *testing.T) {
	runStormTest(t, "--notices", "10000", "--real-bids", "1000", "--hold", "5s")
}

func TestStormOnApacheKafka(t *testing.T) {
	broker := kafkatest.Start(t)
	runStormTest(t, "--notices", "10000", "--real-bids", "300", "--hold", "5s", "--seed", "2", "--kafka", broker.Addr())
}

func TestAStormWantsADirectoryOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(dir+"/a", 0o700))
	_, err := runRole(t, "storm", "--data", dir, "--hold", "1ms")
	require.ErrorContains(t, err, "a storm was there already")
	require.ErrorContains(t, err, "--hold 1ms")
}
