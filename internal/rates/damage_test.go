package rates

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/damagetest"

	"log/slog"
)

// A digit of a rate is money: damaged kept rates are not used.
func TestDamagedKeptRatesAreNotUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kept.json")
	const doc = `{"as_of": 1700000000000, "base": "USD", "rates": {"PLN": "3.641", "EUR": "0.853"}}`
	require.NoError(t, keep(path, []byte(doc)))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	kept := func() *Refresher {
		r, err := New(Config{File: path + ".none", Keep: path, MaxAge: -1, Clock: clock.NewManual(1_700_000_001_000), Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		return r
	}
	good := kept().Rates()
	require.Len(t, good.PerBase, 2)
	damagetest.Every(t, whole, func(what string, bad []byte) {
		damagetest.Overwrite(t, bad, path)
		if got := kept().Rates(); len(got.PerBase) > 0 {
			require.Equal(t, good, got, what)
		}
	})
	damagetest.Overwrite(t, []byte(doc), path) // as a version of before kept them
	require.Equal(t, good, kept().Rates())
}
