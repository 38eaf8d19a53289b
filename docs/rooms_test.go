package docs_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every folder with Go code has its line in the map of architecture.md and
// its place in the walk.
func TestEveryRoomIsOnTheMap(t *testing.T) {
	text := read(t, "docs/architecture.md")
	_, text, found := strings.Cut(text, "## Rooms\n")
	require.True(t, found)
	rooms, _, found := strings.Cut(text, "Imports run one way")
	require.True(t, found)
	walk := read(t, "docs/walk.md")
	seen := map[string]bool{"docs": true} // the documents themselves
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "testdata" || d.Name() == "data" || strings.HasPrefix(d.Name(), ".") && path != root {
				return fs.SkipDir
			}
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil || seen[dir] || filepath.Ext(path) != ".go" {
			return err
		}
		seen[dir] = true
		assert.Regexp(t, `(^|[\s(])`+filepath.Base(dir)+`/`, strings.ReplaceAll(rooms, "cmd/grosz/", "grosz/"), dir)
		assert.Contains(t, walk, dir, "docs/walk.md")
		return nil
	}))
	require.Greater(t, len(seen), 60)
}
