package docs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryDurableFileNamesItsTest: of each file that is checked the table of
// what is on disk names the tests that damage it, and they exist.
func TestEveryDurableFileNamesItsTest(t *testing.T) {
	have := make(map[string]bool)
	sources(t, func(_ string, text []byte) {
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			have[string(m[1])] = true
		}
	})
	_, table, ok := strings.Cut(read(t, "docs/reliability.md"), "\n## What is on disk\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n## ")
	rows := 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		require.Len(t, cells, 4, line)
		if check := strings.TrimSpace(cells[1]); strings.HasPrefix(check, "none") || strings.HasPrefix(check, "**no") {
			continue
		}
		rows++
		named := 0
		for _, s := range spans(cells[3]) {
			if testName.MatchString(s) {
				named++
				require.True(t, have[s], "docs/reliability.md names %s: there is no such test", s)
			}
		}
		require.Positive(t, named, line)
	}
	require.Greater(t, rows, 13)
}
