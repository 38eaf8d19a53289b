package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/damagetest"
)

// A damaged key is refused: a node that signed by it would take the others'
// URLs for forged, and they its own.
func TestADamagedTokenKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := loadKeyring(dir)
	require.NoError(t, err)
	whole, err := os.ReadFile(filepath.Join(dir, "token.keys"))
	require.NoError(t, err)
	want, err := readKeys(whole)
	require.NoError(t, err)
	refused := 0
	damagetest.Every(t, whole, func(what string, bad []byte) {
		keys, err := readKeys(bad)
		if err == nil {
			_, err = events.NewKeyring(keys...)
		}
		if err != nil {
			refused++
			return
		}
		require.Equal(t, want, keys, what) // blanks, capitals, and the name of the sum itself
	})
	require.Greater(t, refused, 4*len(whole))
	damagetest.Overwrite(t, []byte(`[{"id": 2, "secret": "MDEyMzQ1Njc4OWFiY2RlZg=="}]`), dir, "token.keys")
	_, err = loadKeyring(dir)
	require.NoError(t, err, "an operator's key needs no sum")
	damagetest.Overwrite(t, []byte(`[{"id": 2, "secret": "MDEyMzQ1Njc4OWFiY2RlZg==", "crc32c": "00000000"}]`), dir, "token.keys")
	_, err = loadKeyring(dir)
	require.ErrorContains(t, err, "leave crc32c out")
}

// Nodes that share a directory and start at once sign by the same key.
func TestNodesThatStartAtOnceShareTheirTokenKey(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	rings := make([]*events.Keyring, 6)
	for i := range rings {
		wg.Go(func() {
			var err error
			rings[i], err = loadKeyring(dir)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	for _, r := range rings {
		require.Equal(t, rings[0].Append(nil, &events.Token{}), r.Append(nil, &events.Token{}))
	}
}
