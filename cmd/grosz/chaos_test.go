package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/reporting/warehouse"
)

// TestChaos is `grosz chaos` with processes of this test binary and a fixed
// seed: one fault of each sort, every one once, however long they take. Times
// are printed, not held against a bound that a busy machine could miss:
// answers must come, a small budget is used up and kept, and books are equal.
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
	faults := []string{"torn files: bidder", "stopped: loader", "Kafka gone", "ClickHouse silent", "corrupt messages", "poison campaigns", "half-open connections"}
	if canLimitFiles {
		faults = append(faults, "disk full: bidder")
	}
	var out bytes.Buffer
	err := runChaos(context.Background(), env{os.Environ(), &out, &out, slog.New(slog.DiscardHandler)}, []string{
		"--data", t.TempDir(), "--rounds", "1", "--seed", "8", "--hold", "1s", "--rest", "200ms", "--in-time", "0", "--rate", "50",
		"--recover", "5m", "--faults", strings.Join(faults, ","),
	})
	t.Log(out.String())
	require.NoError(t, err)
	for _, name := range faults {
		require.Contains(t, out.String(), "\n  "+name, "it was played; again, where the machine was too slow to judge by it")
		require.Equal(t, 1, strings.Count(out.String(), "\n"+name+"  "), "%s stands once in the table; with a colon it is told that it could not be judged", name)
	}
	require.Contains(t, out.String(), "equal to the nano-unit, bid by bid")
	require.Contains(t, out.String(), "was billed")
}

func TestChaosSaysWhatIsWrong(t *testing.T) {
	_, err := runRole(t, "chaos", "--minutes", "0", "--in-time", "2", "--rate", "-1", "--rounds", "-1")
	for _, want := range []string{"--minutes 0", "--rounds -1", "--in-time 2", "--rate -1"} {
		require.ErrorContains(t, err, want)
	}
}
