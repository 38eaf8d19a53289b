package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/reporting/warehouse"
)

// TestChaos is `grosz chaos` with processes of this test binary and a fixed
// seed: one fault of each sort. Times are printed, not held against a bound:
// answers must come, and books must be equal.
func TestChaos(t *testing.T) {
	if _, err := warehouse.FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if testing.Short() {
		t.Skip("long")
	}
	var out bytes.Buffer
	err := runChaos(context.Background(), env{os.Environ(), &out, &out, slog.New(slog.DiscardHandler)}, []string{
		"--data", t.TempDir(), "--minutes", "0.45", "--seed", "8", "--hold", "1500ms", "--rest", "300ms", "--in-time", "0", "--rate", "50",
		"--faults", "kill -9 bidder,stopped: loader,disk full: bidder,Kafka gone,ClickHouse silent,corrupt messages,poison campaigns,half-open",
	})
	t.Log(out.String())
	require.NoError(t, err)
	require.Contains(t, out.String(), "equal to the nano-unit, bid by bid")
}

func TestChaosSaysWhatIsWrong(t *testing.T) {
	_, err := runRole(t, "chaos", "--minutes", "0", "--in-time", "2", "--rate", "-1")
	for _, want := range []string{"--minutes 0", "--in-time 2", "--rate -1"} {
		require.ErrorContains(t, err, want)
	}
}
