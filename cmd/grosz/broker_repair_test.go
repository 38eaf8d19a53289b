package main

import (
	"encoding/binary"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
)

func batchOf(offset uint64, body string) []byte {
	b := binary.BigEndian.AppendUint64(nil, offset)
	b = binary.BigEndian.AppendUint32(b, uint32(batchHead-12+len(body)))
	b = append(b, 0, 0, 0, 0, 2)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum([]byte(body), castagnoli))
	return append(b, body...)
}

// However the end of a segment is damaged, what is left is a beginning of
// whole batches, and nothing of it is lost that is whole.
func TestTornWritesAreCutOffTheBrokersLog(t *testing.T) {
	dir := t.TempDir()
	part := filepath.Join(dir, "partitions", "x-0")
	require.NoError(t, os.MkdirAll(part, 0o700))
	one, two := batchOf(7, "the first batch"), batchOf(8, "the second")
	whole := append(append([]byte(nil), one...), two...)
	path := filepath.Join(part, "7.dat")
	repaired := func(b []byte) string {
		damagetest.Overwrite(t, b, path)
		damagetest.Overwrite(t, []byte("index"), part, "7.idx")
		require.NoError(t, repairLog(dir, slog.New(slog.DiscardHandler)))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		if len(got) < len(b) {
			require.NoFileExists(t, filepath.Join(part, "7.idx"))
		}
		return string(got)
	}
	require.Equal(t, string(whole), repaired(whole))
	require.Equal(t, string(whole), repaired(append(append([]byte(nil), whole...), one[:20]...)))
	require.Equal(t, string(whole), repaired(append(append([]byte(nil), whole...), make([]byte, 100)...)))
	damagetest.Every(t, whole, func(what string, bad []byte) {
		got := repaired(bad)
		require.Contains(t, []string{"", string(one), string(bad)}, got, what)
		if len(bad) >= len(one) && string(bad[:len(one)]) == string(one) {
			require.GreaterOrEqual(t, len(got), len(one), what)
		}
	})
}
