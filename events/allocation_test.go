//go:build !race

package events

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Under the race detector a sync.Pool forgets on purpose, so that these would
// count allocations that are not ours.

func TestTokensAllocateNothing(t *testing.T) {
	k, tok := keyring(t), sampleToken()
	buf := make([]byte, 0, TokenMaxLen)
	require.Zero(t, testing.AllocsPerRun(1000, func() { buf = k.Append(buf[:0], tok) }))
	got := Token{}
	require.NoError(t, k.Verify(&got, buf, tokenNow, ForNotice)) // takes the exchange's name in
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if k.Verify(&got, buf, tokenNow, ForNotice) != nil {
			panic("refused")
		}
	}))
	forged := append([]byte(nil), buf...)
	forged[40] ^= 1
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if k.Verify(&got, forged, tokenNow, ForNotice) == nil {
			panic("accepted")
		}
	}))
}

func TestAppendJSONAllocatesNothing(t *testing.T) {
	e, s := goldenEvent(), goldenShopEvent()
	buf := make([]byte, 0, 4096)
	require.Zero(t, testing.AllocsPerRun(1000, func() { buf = e.AppendJSON(buf[:0]) }))
	require.Zero(t, testing.AllocsPerRun(1000, func() { buf = s.AppendJSON(buf[:0]) }))
}

func TestEventIDAllocatesNothing(t *testing.T) {
	var id ID
	require.Zero(t, testing.AllocsPerRun(1000, func() { id = EventID(id, TypeImpression, 7) }))
}
