package durable

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
)

func TestASealShowsAnyDamage(t *testing.T) {
	text, err := Seal("test 1", []byte(`{ "time": 17, "held": {"1": "2.5", "x": "<&>"} }`))
	require.NoError(t, err)
	body, err := Unseal("test 1", text)
	require.NoError(t, err)
	require.JSONEq(t, `{"time":17,"held":{"1":"2.5","x":"<&>"}}`, string(body))
	_, err = Unseal("test 2", text)
	require.ErrorIs(t, err, ErrSealed)
	_, err = Seal("test 1", []byte(`{`))
	require.Error(t, err)
	damagetest.Every(t, text, func(what string, bad []byte) {
		got, err := Unseal("test 1", bad)
		if err == nil {
			require.Equal(t, string(body), string(got), what) // a key in capitals is the same key
			return
		}
		require.ErrorIs(t, err, ErrSealed, what)
	})
}

func TestAFileOfBeforeTheSealIsReadAndNoDamagedSealIs(t *testing.T) {
	before := []byte(`{"time": 17}`)
	body, err := UnsealOrBefore("test 1", before)
	require.NoError(t, err)
	require.JSONEq(t, string(before), string(body))
	text, err := Seal("test 1", before)
	require.NoError(t, err)
	body, err = UnsealOrBefore("test 1", text)
	require.NoError(t, err)
	require.JSONEq(t, string(before), string(body))
	_, err = UnsealOrBefore("test 2", text)
	require.ErrorIs(t, err, ErrSealed)
	for _, bad := range []string{``, `null`, `[]`, `{"time":`, `7`} {
		_, err = UnsealOrBefore("test 1", []byte(bad))
		require.ErrorIs(t, err, ErrSealed, bad)
	}
	damagetest.Every(t, text, func(what string, bad []byte) {
		got, err := UnsealOrBefore("test 1", bad)
		if err == nil {
			require.Equal(t, string(body), string(got), what) // a key in capitals is the same key
			return
		}
		require.ErrorIs(t, err, ErrSealed, what)
	})
}
