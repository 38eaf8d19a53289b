package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	testName = regexp.MustCompile(`^(?:Test|Fuzz)[A-Z]\w*$`)
)

// sources calls fn with every Go test file of the repository.
func sources(t *testing.T, fn func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil {
			fn(path, text)
		}
		return err
	})
	require.NoError(t, err)
}

// TestEveryTestThatSecurityNamesExists, and every row of its threats names one.
func TestEveryTestThatSecurityNamesExists(t *testing.T) {
	have := make(map[string]bool)
	sources(t, func(_ string, text []byte) {
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			have[string(m[1])] = true
		}
	})
	doc := read(t, "docs/security.md")
	named := 0
	for _, s := range spans(doc) {
		if testName.MatchString(s) {
			named++
			require.True(t, have[s], "docs/security.md names %s: there is no such test", s)
		}
	}
	require.Greater(t, named, 50)

	_, threats, ok := strings.Cut(doc, "\n## Threats\n")
	require.True(t, ok)
	threats, _, _ = strings.Cut(threats, "\n## ")
	rows := 0
	for line := range strings.Lines(threats) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 || strings.HasPrefix(line, "|---") || strings.Contains(line, "| shown by |") {
			continue
		}
		rows++
		require.Regexp(t, "`(Test|Fuzz)[A-Z]", cells[2], line)
	}
	require.Greater(t, rows, 20)
}

// TestImagesAndToolsArePinned: nothing is fetched by a name that may mean
// something else tomorrow.
func TestImagesAndToolsArePinned(t *testing.T) {
	tag := regexp.MustCompile(`(?m)^\s*(?:FROM|image:)\s+(\S+)`)
	for _, path := range []string{"deploy/Dockerfile", "deploy/compose.yaml"} {
		images := tag.FindAllStringSubmatch(read(t, path), -1)
		require.NotEmpty(t, images, path)
		for _, m := range images {
			if strings.HasPrefix(m[1], "grosz") || m[1] == "scratch" || m[1] == "build" {
				continue // our own, and the stage in front
			}
			require.Regexp(t, `:[\w.-]*\d+\.\d+`, m[1], path)
			require.NotContains(t, m[1], "latest", path)
		}
	}
	make := read(t, "Makefile") + read(t, "scripts/vuln.sh")
	for _, tool := range []string{"golangci-lint", "govulncheck"} {
		require.Regexp(t, tool+`@v\d+\.\d+\.\d+`, make)
	}
	require.NotContains(t, make, "@latest")
}
