package bookkeeper

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
)

// The ledger's checkpoint is refused for any damage: entries may depend on it.
func TestACheckpointIsRefusedForAnyDamage(t *testing.T) {
	f := newFold(1000)
	f.next[3] = 77
	var file bytes.Buffer
	require.NoError(t, f.snapshot(&file))
	got, err := restoreFold(bytes.NewReader(file.Bytes()), 1000)
	require.NoError(t, err)
	require.Equal(t, f.next, got.next)
	damagetest.Every(t, file.Bytes(), func(what string, bad []byte) {
		_, err := restoreFold(bytes.NewReader(bad), 1000)
		require.Error(t, err, what)
	})
}
