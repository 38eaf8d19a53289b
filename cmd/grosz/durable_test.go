package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documentedFiles are the patterns of the table 'What is on disk', below the
// data directory. A name without a folder is in that of the name before it.
func documentedFiles(t *testing.T) (out []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "reliability.md"))
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(b), "## What is on disk\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	quoted := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		dir := ""
		for _, m := range quoted.FindAllStringSubmatch(strings.SplitN(line, "|", 3)[1], -1) {
			name, rooted := strings.CutPrefix(m[1], "DIR/")
			if rooted {
				dir = path.Dir(name)
			} else {
				name = path.Join(dir, name)
			}
			out = append(out, name)
		}
	}
	require.Greater(t, len(out), 20, "the table is read")
	return out
}

// requireFilesAreDocumented holds the files of a data directory against the
// table: of each it says what checks it.
func requireFilesAreDocumented(t *testing.T, dir string) {
	t.Helper()
	patterns := documentedFiles(t)
	known := func(name string) bool {
		if base := path.Base(name); base == "lock" || strings.Contains(base, ".new") || strings.HasSuffix(base, ".tmp") {
			return true // the section says so of all of them
		}
		for _, p := range patterns {
			if ok, err := path.Match(p, name); err != nil || ok || strings.HasPrefix(name, p+"/") {
				require.NoError(t, err, p)
				return true
			}
		}
		return false
	}
	seen := 0
	require.NoError(t, filepath.WalkDir(dir, func(full string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // files come and go
		}
		name, err := filepath.Rel(dir, full)
		if seen++; err == nil && !known(filepath.ToSlash(name)) {
			t.Errorf("%s is not in the table 'What is on disk' of docs/reliability.md", name)
		}
		return err
	}))
	require.Greater(t, seen, 20)
}
