package spool

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
)

// What a crash left of a write is no entry: all that was acknowledged is
// there, it is told once, and the log goes on behind it.
func TestATornWriteIsToldAndCleared(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		dir, all := filled(t)
		path, raw := tailOf(t, dir)
		_, end := (&tail{raw: raw, base: 1}).used(0)
		require.Zero(t, end)
		seg, err := readTail(dir)
		require.NoError(t, err)
		_, end = seg.used(uint64(len(all)))
		require.Positive(t, end)
		for i := range 1 + rng.IntN(60) {
			raw[end+i] = byte(rng.Uint32())
		}
		raw[end] |= 1
		damagetest.Overwrite(t, raw, dir, filepath.Base(path))
		for again := range 2 {
			got, damaged, err := shipped(dir)
			require.NoError(t, err)
			require.Len(t, got, len(all)+again)
			require.EqualValues(t, 1-again, damaged)
			if again == 0 {
				s, err := Open(Config{Dir: dir, SegmentBytes: 4 << 10}, quiet())
				require.NoError(t, err)
				require.NoError(t, s.Append(Record{Topic: 1, Key: []byte("key"), Value: []byte("more")}))
				require.NoError(t, s.Close())
			}
		}
	}
}
