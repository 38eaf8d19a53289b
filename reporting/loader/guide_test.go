package loader

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnalystGuide runs every SQL block of docs/analyst.md and checks that
// the columns it lists are those of the views.
func TestAnalystGuide(t *testing.T) {
	w := start(t)
	text, err := os.ReadFile("../../docs/analyst.md")
	require.NoError(t, err)
	ran := 0
	for i, block := range strings.Split(string(text), "```") {
		sql, ok := strings.CutPrefix(block, "sql\n")
		if i%2 == 0 || !ok {
			continue
		}
		rows, err := w.conn.Query(t.Context(), sql)
		require.NoError(t, err, sql)
		for rows.Next() {
		}
		require.NoError(t, rows.Err(), sql)
		require.NoError(t, rows.Close())
		ran++
	}
	require.GreaterOrEqual(t, ran, 12)

	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		name, ok := strings.CutPrefix(cells[0], "| `grosz.")
		if !ok || len(cells) != 3 || !strings.Contains(cells[2], ", ") {
			continue
		}
		want := strings.TrimSuffix(strings.TrimSpace(cells[2]), " |")
		require.Equal(t, want, w.text(t, `SELECT arrayStringConcat(groupArray(name), ', ')
			FROM (SELECT name FROM system.columns WHERE database = 'grosz' AND table = ? ORDER BY position)`, strings.TrimSuffix(name, "`")), name)
	}
}
