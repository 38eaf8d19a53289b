package console

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/phrases"
	"github.com/grosz/grosz/console/store"
)

// source is a room whose messages reach an answer: which calls make them, and
// in which argument.
type source struct {
	dir   string
	files string
	calls map[string][]int
	// returns tells that texts which are returned last are messages.
	returns bool
	least   int // messages there are at least: else the walk is broken
	// says are functions that return nothing but messages, or one of a list.
	says []string
}

func messageSources() []source {
	wrapped := map[string][]int{"fmt.Errorf": {0}, "errors.New": {0}}
	explained := map[string][]int{"Detail": {}, "detail": {}} // what stands there or is set
	return []source{
		{".", "*.go", map[string][]int{"add": {1}, "failure": {1}, "plainProblem": {3}}, false, 150, nil},
		{".", "segment_import.go", map[string][]int{"reject": {2}, "fmt.Errorf": {0}, "errors.New": {0}}, true, 10, nil},
		{"store", "*.go", map[string][]int{"fmt.Errorf": {0}}, false, 15, nil}, // those that end in a limit
		{"fetch", "*.go", wrapped, false, 10, nil},
		{"webhook", "*.go", wrapped, false, 8, nil},
		{"../campaigns", "*.go", map[string][]int{"fail": {1, 2}, "syntaxError": {2, 3}, "take": {1, 2}, "didYouMean": {}}, false, 70, nil},
		{"../campaigns", "check.go", map[string][]int{"fmt.Errorf": {0}, "errors.New": {0}, "bad": {1}}, false, 10, nil},
		{"../campaigns", "goal.go", map[string][]int{"fmt.Errorf": {0}, "errors.New": {0}, "bad": {1}}, false, 6, nil},
		{"../campaigns", "billing.go", map[string][]int{"fmt.Sprintf": {0}}, false, 3, nil},
		{"../creatives/feed", "*.go", map[string][]int{"fmt.Errorf": {0}, "errors.New": {0}, "fail": {1}, "Reason": {0}}, true, 50, nil},
		{"../creatives/media", "*.go", map[string][]int{"refuse": {0}}, false, 25, nil},
		{"../bidder", "explain.go", explained, false, 14, nil},
		{"../bidder", "explain_rules.go", nil, false, 28, []string{"requestDetail", "detail"}},
		{"../bidder", "explain_leases.go", explained, false, 2, nil},
		{"../bidder", "frequency.go", explained, false, 2, nil},
		{"../bidder", "clickloss.go", explained, false, 2, nil},
		{"../bidder", "goal.go", nil, false, 5, []string{"detail"}},
		{"../bidder", "bidder.go", nil, false, 5, []string{"Ready"}},
	}
}

// notSaid are texts of those rooms that no answer has: of programs that are
// wired wrongly, of the machine, and those whose words are another's.
var notSaid = regexp.MustCompile(`^(\{\}( \{\})?|\{\}: \{\}( \{\})?|read \{\}.*|\{\} must be (positive|set).*|.*the record holds no .*|.*is negative: .*)$`)

// TestEveryMessageHasPhrases walks the sources: each message that is written
// there is a phrase of the book, so that none stays in English unseen.
func TestEveryMessageHasPhrases(t *testing.T) {
	v, err := newSpeaker(func(string) {})
	require.NoError(t, err)
	raw, err := web.ReadFile("web/words/problems.en.json")
	require.NoError(t, err)
	words := map[string]string{}
	require.NoError(t, json.Unmarshal(raw, &words))
	for _, src := range messageSources() {
		t.Run(src.dir+"/"+src.files, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(src.dir, src.files))
			require.NoError(t, err)
			n := 0
			for _, file := range files {
				if strings.HasSuffix(file, "_test.go") {
					continue
				}
				for _, text := range messagesOf(t, file, &src) {
					n++
					assert.True(t, phrased(v.book, words, text), "%s: %q has no phrase in web/words/problems.*.json", file, text)
				}
			}
			require.GreaterOrEqual(t, n, src.least)
		})
	}
}

// messagesOf lists the messages of a file as formats of fmt.
func messagesOf(t *testing.T, file string, src *source) (out []string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	parsed, err := parser.ParseFile(token.NewFileSet(), file, raw, 0)
	require.NoError(t, err)
	take := func(e ast.Expr, end string) {
		text, ok := written(e)
		if end != "" {
			text = strings.TrimSuffix(text, "%w") + end
		}
		if ok && text != "" && !notSaid.MatchString(shapeOf(text)) {
			out = append(out, text)
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			name := calledName(n)
			for _, i := range src.calls[name] {
				if i < len(n.Args) && (src.dir != "store" || ended(n) != "") {
					take(n.Args[i], ended(n))
				}
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && src.calls[key.Name] != nil {
				take(n.Value, "")
			}
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				if src.calls[nameIn(to)] != nil && len(n.Rhs) == len(n.Lhs) {
					take(n.Rhs[i], "")
				}
			}
		case *ast.FuncDecl:
			if slices.Contains(src.says, n.Name.Name) {
				said(n, func(e ast.Expr) { take(e, "") })
			}
		case *ast.ReturnStmt:
			if src.returns && len(n.Results) > 1 {
				take(n.Results[len(n.Results)-1], "")
			}
		}
		return true
	})
	return out
}

// said takes what a function returns last, and the elements of its lists.
func said(f *ast.FuncDecl, take func(ast.Expr)) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ReturnStmt:
			if len(n.Results) > 0 {
				take(n.Results[len(n.Results)-1])
			}
		case *ast.CompositeLit:
			if _, ok := n.Type.(*ast.ArrayType); ok {
				for _, e := range n.Elts {
					take(e)
				}
			}
		}
		return true
	})
}

// nameIn is the name of what is assigned to: x, or the X of a.X.
func nameIn(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// ended is the text of the store's error that a call wraps, if the console
// answers with that.
func ended(call *ast.CallExpr) string {
	last, ok := call.Args[len(call.Args)-1].(*ast.Ident)
	if !ok {
		return ""
	}
	known := map[string]error{"ErrLimit": store.ErrLimit, "ErrTaken": store.ErrTaken, "ErrConflict": store.ErrConflict}[last.Name]
	if known == nil {
		return ""
	}
	return known.Error()
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && (x.Name == "fmt" || x.Name == "errors") {
			return x.Name + "." + f.Sel.Name
		}
		return f.Sel.Name
	}
	return ""
}

// written is a text as it stands in the source, as a format: what is joined to
// it from elsewhere is a %v. False for one that is made elsewhere.
func written(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		a, okA := written(e.X)
		b, okB := written(e.Y)
		if e.Op != token.ADD || !okA && !okB {
			return "", false
		}
		if !okA {
			a = "%v"
		}
		if !okB {
			b = "%v"
		}
		return a + b, true
	case *ast.CallExpr:
		if calledName(e) == "fmt.Sprintf" {
			return written(e.Args[0])
		}
	}
	return "", false
}

var (
	verb     = regexp.MustCompile(`%[#+.0-9]*[a-zA-Z]`)
	numerals = regexp.MustCompile(`[0-9]+`)
)

// shapeOf is a format without what fills it.
func shapeOf(format string) string {
	s := strings.ReplaceAll(format, "%q", `"{}"`)
	s = verb.ReplaceAllString(s, "{}")
	return numerals.ReplaceAllString(strings.ReplaceAll(s, "%%", "%"), "{}")
}

// phrased tells whether the book has the message, by a phrase that is made for
// it: not one that takes whatever stands in a place. What is wrapped is said
// without what wraps it.
func phrased(book *phrases.Book, words map[string]string, format string) bool {
	for _, f := range []string{format, strings.TrimPrefix(format, "%w: "), strings.TrimSuffix(format, " (%w)")} {
		for _, fill := range []string{"7", "is missing", "the end", "renamed", "campaign 7", "a string", "a number", "it is empty", "port 7", "empty", "banner", "shop"} {
			text := verb.ReplaceAllStringFunc(f, func(m string) string {
				if m == "%q" {
					return `"7"`
				}
				return fill
			})
			said, ok := book.Say("pl", strings.ReplaceAll(text, "%%", "%"))
			if !ok {
				continue
			}
			shape := numerals.ReplaceAllString(phrases.Shape(words[said.Code]), "{}")
			if shape == shapeOf(f) || strings.HasPrefix(said.Code, "hint_") || strings.HasPrefix(said.Code, "field_") || strings.HasPrefix(said.Code, "limit_") {
				return true
			}
		}
	}
	return false
}
