package pacing

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
)

// The seal around a checkpoint tells every cut and every flipped bit but those
// of its mark, where the first section's own head then does not fit.
func TestASealTellsAnyDamage(t *testing.T) {
	var file bytes.Buffer
	require.NoError(t, WriteSealed(&file, func(w io.Writer) error {
		_, err := io.WriteString(w, "one section and another")
		return err
	}))
	whole := bytes.Clone(file.Bytes())
	r, err := OpenSealed(bytes.NewReader(whole), int64(len(whole)))
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "one section and another", string(got))
	damagetest.Every(t, whole, func(what string, bad []byte) {
		r, err := OpenSealed(bytes.NewReader(bad), int64(len(bad)))
		if err == nil {
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, bad, got, "%s: as before there were seals", what)
			require.NotEqual(t, sealMark, string(bad[:len(sealMark)]), what)
		}
	})
	damagetest.Every(t, append(whole, 'x'), func(what string, bad []byte) {
		if _, err := OpenSealed(bytes.NewReader(bad), int64(len(bad))); len(bad) != len(whole) && string(bad[:min(len(bad), len(sealMark))]) == sealMark {
			require.Error(t, err, what)
		}
	})
}
