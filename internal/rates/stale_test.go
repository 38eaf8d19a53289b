package rates

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/clock"
)

// Rates that are too old already at the start are said to be, or nothing
// would tell why no bid is made in another currency.
func TestRatesTooOldAtTheStartAreTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rates.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"as_of": 1790000000000, "base": "USD", "rates": {"PLN": "4"}}`), 0o600))
	for name, age := range map[string]time.Duration{"fresh": time.Hour, "too old": 97 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			r, err := New(Config{File: file, Clock: clock.NewManual(1790000000000 + age.Milliseconds()), Log: slog.New(slog.NewTextHandler(&log, nil))})
			require.NoError(t, err)
			require.NoError(t, r.Step(t.Context()))
			require.Equal(t, age > DefaultMaxAge, r.Expired())
			if r.Expired() {
				require.Contains(t, log.String(), "too old")
			} else {
				require.NotContains(t, log.String(), "too old")
			}
		})
	}
}
