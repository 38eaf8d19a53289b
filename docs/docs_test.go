// Package docs_test holds the documents to the code: paths and names that
// they mention exist, links lead somewhere, and lists are complete.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bench/check"
	"github.com/grosz/grosz/bidder"
	"github.com/grosz/grosz/campaigns"
)

const root = ".."

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(b)
}

// documents lists README.md and everything in docs.
func documents(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(found), 9)
	out := []string{"README.md"}
	for _, f := range found {
		out = append(out, "docs/"+filepath.Base(f))
	}
	return out
}

var (
	fence    = regexp.MustCompile("(?ms)^```.*?^```$")
	span     = regexp.MustCompile("`([^`\n]+)`")
	pathLike = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)*/?$`)
	srcLike  = regexp.MustCompile(`^[\w.-]+\.(go|sh|sql|js|mod|yaml|jsonl)$`)
)

// spans are the texts in backticks, outside of code blocks.
func spans(text string) []string {
	var out []string
	for _, m := range span.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		out = append(out, m[1])
	}
	return out
}

// repoPath takes a text in backticks apart: a path of the repository, and the
// names that stand behind it ("bidder/bid.go: bid, accept").
func repoPath(s string) (path string, names []string, ok bool) {
	path, rest, _ := strings.Cut(s, ": ")
	if rest != "" {
		for _, n := range strings.Split(rest, ",") {
			names = append(names, strings.TrimSpace(n))
		}
	}
	if !pathLike.MatchString(path) || (!strings.Contains(path, "/") && !srcLike.MatchString(path)) {
		return "", nil, false
	}
	for _, made := range []string{"bin/", "data/", "DIR/", "application/", "image/", "text/", "video/"} {
		if strings.HasPrefix(path, made) {
			return "", nil, false // made by a build or a run, or no path
		}
	}
	return path, names, true
}

// declared are the names that a Go file declares, methods and fields too.
func declared(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var out []string
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			out = append(out, d.Name.Name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					out = append(out, s.Name.Name)
				case *ast.ValueSpec:
					for _, n := range s.Names {
						out = append(out, n.Name)
					}
				}
			}
		}
	}
	return out
}

func TestPathsAndNamesExist(t *testing.T) {
	for _, doc := range []string{"README.md", "docs/architecture.md", "docs/walk.md", "docs/decisions.md"} {
		paths := 0
		for _, s := range spans(read(t, doc)) {
			path, names, ok := repoPath(s)
			if !ok {
				continue
			}
			paths++
			file := filepath.Join(root, filepath.FromSlash(path))
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: `%s` is not in the repository", doc, s)
				continue
			}
			if len(names) == 0 {
				continue
			}
			have := declared(t, file)
			for _, n := range names {
				if !slices.Contains(have, n) {
					t.Errorf("%s: %s declares no %s", doc, path, n)
				}
			}
		}
		assert.NotZero(t, paths, "%s names no path", doc)
	}
}

func TestRepoPath(t *testing.T) {
	for _, c := range []struct {
		in, path string
		names    int
		ok       bool
	}{
		{"bidder/bid.go", "bidder/bid.go", 0, true},
		{"bidder/bid.go: bid, accept", "bidder/bid.go", 2, true},
		{"events/kafka", "events/kafka", 0, true},
		{"pixel.js", "pixel.js", 0, true},
		{"bin/grosz", "", 0, false},
		{"/openrtb2/demo", "", 0, false},
		{"grosz.events", "", 0, false},
		{"make run", "", 0, false},
		{"http://127.0.0.1:8080/", "", 0, false},
	} {
		path, names, ok := repoPath(c.in)
		assert.Equal(t, c.ok, ok, c.in)
		assert.Equal(t, c.path, path, c.in)
		assert.Len(t, names, c.names, c.in)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the names by which a document's headings are linked to.
func anchors(text string) []string {
	var out []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		s := notSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		out = append(out, strings.ReplaceAll(s, " ", "-"))
	}
	return out
}

func TestLinksLeadSomewhere(t *testing.T) {
	links := 0
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(read(t, doc), ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			links++
			to := doc
			if target != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(doc), target))
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s, which is not there", doc, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, to)), anchor) {
				t.Errorf("%s links to %s: no such heading", doc, m[1])
			}
		}
	}
	assert.Greater(t, links, 20)
}

// stageLine is a stage in the package comment of bidder.
var stageLine = regexp.MustCompile(`(?m)^//\t([\w.]+(?:\.go|/))\s`)

func TestStagesOfTheBidder(t *testing.T) {
	doc, walk := read(t, "bidder/doc.go"), read(t, "docs/walk.md")
	stages := stageLine.FindAllStringSubmatch(doc, -1)
	require.GreaterOrEqual(t, len(stages), 10)
	last := -1
	for _, m := range stages {
		stage := m[1]
		_, err := os.Stat(filepath.Join(root, "bidder", stage))
		require.NoError(t, err, "bidder/doc.go names a stage that is not there")
		at := strings.Index(walk, "`bidder/"+stage)
		require.Positive(t, at, "docs/walk.md does not name bidder/%s", stage)
		assert.Greater(t, at, last, "docs/walk.md names bidder/%s before the stage in front of it", stage)
		last = at
	}
}

// mentions fails for every word that the document does not have in backticks.
func mentions(t *testing.T, doc string, words []string) {
	t.Helper()
	require.NotEmpty(t, words)
	have := strings.Join(spans(read(t, doc)), "\n")
	for _, w := range words {
		if !regexp.MustCompile(`(^|[^\w-])` + regexp.QuoteMeta(w) + `($|[^\w-])`).MatchString(have) {
			t.Errorf("%s does not mention `%s`", doc, w)
		}
	}
}

func TestMarketerKnowsEveryPredicate(t *testing.T) {
	text := strings.ReplaceAll(read(t, "docs/marketer.md"), `\|`, "|")
	for _, p := range campaigns.Predicates() {
		assert.Contains(t, text, "`"+p.Example+"`", p.Name)
		assert.Contains(t, text, p.Explain, p.Name)
	}
}

func TestExchangesKnowsEveryReasonAndSetting(t *testing.T) {
	var words []string
	for r := bidder.ReasonMalformed; r.String() != "unknown"; r++ {
		words = append(words, r.String())
	}
	fields := reflect.TypeFor[bidder.ExchangeConfig]()
	for i := range fields.NumField() {
		words = append(words, fields.Field(i).Tag.Get("yaml"))
	}
	mentions(t, "docs/exchanges.md", words)
}

func TestReplayKnowsEveryRule(t *testing.T) {
	var words []string
	for r := range check.Rules() {
		words = append(words, string(r))
	}
	mentions(t, "docs/replay.md", words)
}

// inSources finds all matches' first groups in the Go files of folders.
func inSources(t *testing.T, re string, folders ...string) []string {
	t.Helper()
	var out []string
	for _, dir := range folders {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		require.NoError(t, err)
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(re).FindAllStringSubmatch(string(b), -1) {
				out = append(out, m[1])
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestOperatorKnowsEveryFlag(t *testing.T) {
	var words []string
	for _, f := range inSources(t, "`config:\"([a-z-]+)\"", "cmd/grosz") {
		words = append(words, "--"+f)
	}
	have := strings.Join(spans(read(t, "docs/operator.md")+read(t, "docs/replay.md")), " ") + " "
	for _, w := range words {
		assert.Regexp(t, regexp.QuoteMeta(w)+`[^\w-]`, have)
	}
}

func TestOperatorKnowsEveryMetric(t *testing.T) {
	words := inSources(t, "[`\"](grosz_[a-z_]*[a-z])[{`\"\\s]", "bidder", "console")
	for _, w := range inSources(t, "name\\(\"([a-z_]+)\"\\)", "reporting/loader") {
		words = append(words, "grosz_loader_"+w)
	}
	words = append(words, inSources(t, "`(grosz_loader_[a-z_]+)", "reporting/loader")...)
	words = slices.DeleteFunc(words, func(w string) bool { return w == "grosz_uid" || w == "grosz_loader" })
	require.Greater(t, len(words), 30)
	mentions(t, "docs/operator.md", words)
}

func TestDocumentsStandAlone(t *testing.T) {
	for _, doc := range documents(t) {
		assert.NotRegexp(t, `(^|[\s"'(=])/(work|tmp|root)/`, read(t, doc), doc)
	}
}
