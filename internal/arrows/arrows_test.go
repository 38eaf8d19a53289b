package arrows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/grosz/grosz/"

// pkg is what 'go list -json' says of one package.
type pkg struct {
	ImportPath                               string
	Imports, TestImports, XTestImports, Deps []string
}

// may lists, by package, which packages of Grosz it may import. "x/..." is x
// and all below it. The longest entry that the package is, or is below,
// counts. cmd may import everything and has no entry.
func may() map[string][]string {
	return map[string][]string{
		"bidder": {
			"bidder/...", "campaigns/...", "segments", "segments/rules", "segments/intent", "segments/wanted", "creatives", "pacing", "pacing/ledger", "pacing/plan",
			"events", "events/kafka", "events/price", "events/spool", "internal/...",
			"bench/world", // its benchmarks only
		},
		"bidder/openrtb":     {"internal/..."},
		"bidder/value":       {"internal/..."},
		"bidder/value/learn": {"bidder/value", "events", "internal/..."},
		"bidder/learner":     {"bidder/value", "bidder/value/learn", "campaigns", "events", "events/kafka", "internal/..."},
		"campaigns":          {"campaigns/taxonomy", "segments", "segments/rules", "segments/intent", "events", "internal/..."},
		"campaigns/taxonomy": {},
		"segments/rules":     {"segments", "internal/..."},
		"segments/intent":    {"segments", "internal/..."},
		"segments":           {"events", "internal/..."},
		"creatives":          {"campaigns", "segments", "internal/..."},
		"creatives/demo":     {"campaigns", "internal/..."},
		"creatives/media":    {},
		"creatives/feed":     {"creatives", "campaigns", "internal/..."},
		"pacing":             {"events", "internal/..."},
		"pacing/lines":       {"pacing/plan", "internal/..."},
		"events":             {"internal/..."},
		"events/spool":       {"events", "internal/..."},
		"events/price":       {"events", "internal/..."},
		"events/kafka":       {"events", "events/spool", "internal/..."},

		"reporting":            {"internal/..."},
		"reporting/loader":     {"campaigns", "events", "reporting/schema", "internal/..."},
		"reporting/reconcile":  {"events", "internal/..."},
		"reporting/schema":     {"internal/..."},
		"reporting/bookkeeper": {"events", "events/kafka", "pacing", "pacing/ledger", "reporting/schema", "internal/..."},
		"reporting/forget":     {"campaigns", "segments", "events", "events/kafka", "reporting/erase", "reporting/schema", "internal/..."},
		"reporting/warehouse":  {"internal/..."},
		"reporting/rollup":     {"reporting/schema", "internal/..."},
		"reporting/forecast":   {"internal/..."},
		"reporting/lift":       {"internal/..."},

		"console": {"campaigns", "console/...", "creatives", "creatives/media", "events", "segments", "segments/rules",
			"reporting/forecast", "reporting/lift", // pure: no edge of theirs
			"internal/..."},
		"console/apply":   {"campaigns", "internal/..."},
		"console/assets":  {"internal/..."},
		"console/feedjob": {"campaigns", "console", "creatives/feed", "internal/..."},
		"console/nodes":   {"console", "internal/..."},
		"console/phrases": {},
		"console/publish": {"campaigns", "console/store", "events", "internal/..."},
		"console/report":  {"internal/..."},
		"console/store":   {"campaigns", "segments/rules", "internal/..."},
		"console/webhook": {"internal/..."},

		"exchanges":     {},
		"bench/certify": {"bench/check", "internal/..."},

		"bench/chaos": {"bench/sim", "events", "internal/..."},

		"bench/results": {},

		"bench/check":  {"internal/..."},
		"bench/demo":   {"bench/sim", "campaigns", "creatives/demo", "internal/..."},
		"bench/load":   {"internal/..."},
		"bench/replay": {"bench/check", "internal/..."},
		"bench/stream": {"bench/load", "events", "events/kafka", "events/spool", "internal/..."},
		"bench/storm":  {"campaigns", "events", "events/kafka", "pacing", "internal/..."},
		"bench/sim":    {"bench/check", "internal/..."},
		"bench/world":  {"campaigns", "segments", "internal/..."},

		"bench/pacesim": {"internal/..."},
		"bench/fleet":   {"bench/pacesim", "events", "pacing", "pacing/ledger", "pacing/plan", "internal/..."},
		"bench/volume":  {"bench/load", "events", "events/kafka", "events/spool", "reporting/loader", "reporting/rollup", "reporting/schema", "internal/..."},

		"internal": {"internal/..."},
		"docs":     {"internal/..."},
	}
}

// hot are the root packages of the rooms that a bid calls. They are in memory.
func hot() []string { return []string{"campaigns", "segments", "creatives", "pacing", "events"} }

// slowDirect may not be imported by a hot package itself; fmt and time bring
// os with them, so it cannot be kept out altogether.
func slowDirect() []string { return []string{"os/...", "io/fs", "path/filepath", "log/...", "syscall"} }

// slowAtAll may not be among the dependencies of a hot package, however far.
func slowAtAll() []string {
	return []string{
		"net", "net/http/...", "database/sql/...", "os/exec",
		"github.com/segmentio/kafka-go/...", "github.com/twmb/...", "github.com/hashicorp/...",
		"github.com/valyala/fasthttp/...", "github.com/ClickHouse/...", "modernc.org/...",
	}
}

func matches(pattern, path string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == root || strings.HasPrefix(path, root+"/")
	}
	return path == pattern
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// ruleFor returns the longest entry that holds for a package of Grosz.
func ruleFor(rules map[string][]string, name string) (string, []string, bool) {
	best, found := "", false
	for entry := range rules {
		if (name == entry || strings.HasPrefix(name, entry+"/")) && len(entry) >= len(best) {
			best, found = entry, true
		}
	}
	return best, rules[best], found
}

// forbidden lists every arrow that breaks a rule.
func forbidden(pkgs []pkg) []string {
	var bad []string
	for i := range pkgs {
		p := &pkgs[i]
		name := strings.TrimPrefix(p.ImportPath, module)
		bad = append(bad, forbiddenOf(p, name)...)
	}
	return bad
}

func forbiddenOf(p *pkg, name string) []string {
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		to, ours := strings.CutPrefix(imported, module)
		if ours && strings.HasPrefix(to, "cmd/") {
			say("%s imports %s: nothing imports cmd", name, to)
		}
		if ours && strings.HasPrefix(name, "bench/") && matches("bidder/...", to) {
			say("%s imports %s: what checks the bidder shares nothing with it, in its tests neither", name, to)
		}
	}
	if strings.HasPrefix(name, "cmd/") {
		return bad
	}
	entry, allowed, ok := ruleFor(may(), name)
	if !ok {
		say("%s is of no room: say in internal/arrows what it may import", name)
	}
	for _, imported := range p.Imports {
		if to, ours := strings.CutPrefix(imported, module); ours && to != name && !matchesAny(allowed, to) {
			say("%s imports %s: %s may import %s", name, to, entry, strings.Join(allowed, ", "))
		}
	}
	if name == "bidder" {
		for _, imported := range p.Imports {
			if imported == "database/sql" || imported == "net/http" {
				say("bidder imports %s: what it needs of that, cmd hands to it", imported)
			}
		}
	}
	if slices.Contains(hot(), name) {
		for _, imported := range p.Imports {
			if matchesAny(slowDirect(), imported) {
				say("%s imports %s: it is called by a bid", name, imported)
			}
		}
		for _, dep := range p.Deps {
			if matchesAny(slowAtAll(), dep) {
				say("%s depends on %s: it is called by a bid", name, dep)
			}
		}
	}
	return bad
}

// list asks the go command for the packages of the module and their
// dependencies.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		require.NoError(t, err)
		if strings.HasPrefix(p.ImportPath, module) {
			pkgs = append(pkgs, p)
		}
	}
}

func TestArrows(t *testing.T) {
	pkgs := list(t)
	var names []string
	for _, p := range pkgs {
		names = append(names, strings.TrimPrefix(p.ImportPath, module))
	}
	require.Subset(t, names, append(hot(), "bidder", "cmd/grosz"), "the go command listed too little")
	for _, b := range forbidden(pkgs) {
		t.Error(b)
	}
	for entry := range may() {
		below := func(n string) bool { return n == entry || strings.HasPrefix(n, entry+"/") }
		if !slices.ContainsFunc(names, below) && entry != "docs" {
			t.Errorf("no package is %s or below it: take its entry out", entry)
		}
	}
}

// TestFilesOfTheBidder: a bid touches no disk. Of the bidder's own files only
// those that write checkpoints import os.
func TestFilesOfTheBidder(t *testing.T) {
	files, err := filepath.Glob("../../bidder/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		base := filepath.Base(file)
		if strings.HasSuffix(base, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			if matches("os/...", path) && base != "checkpoint.go" && base != "recall.go" && base != "planstate.go" {
				t.Errorf("bidder/%s imports %s", base, path)
			}
		}
	}
}

func TestForbiddenArrowsAreFound(t *testing.T) {
	for _, c := range []struct {
		name string
		pkg  pkg
		want string // part of the one complaint; empty: none
	}{
		{"a bid needs campaigns", pkg{ImportPath: "bidder", Imports: []string{module + "campaigns"}}, ""},
		{"standard library", pkg{ImportPath: "campaigns", Imports: []string{"fmt"}, Deps: []string{"fmt", "os"}}, ""},
		{"deeper entry wins", pkg{ImportPath: "bidder/openrtb", Imports: []string{module + "campaigns"}}, "bidder/openrtb may import"},
		{"a new sub-package is held to its room", pkg{ImportPath: "pacing/new", Imports: []string{module + "campaigns"}}, "pacing may import"},
		{"cmd", pkg{ImportPath: "console", Imports: []string{module + "cmd/grosz"}}, "nothing imports cmd"},
		{"cmd in a test", pkg{ImportPath: "console", XTestImports: []string{module + "cmd/grosz"}}, "nothing imports cmd"},
		{"checker and bidder", pkg{ImportPath: "bench/check", TestImports: []string{module + "bidder/openrtb"}}, "shares nothing"},
		{"reports in a bid", pkg{ImportPath: "bidder", Imports: []string{module + "reporting/schema"}}, "bidder may import"},
		{"a shop's side in the other", pkg{ImportPath: "segments", Imports: []string{module + "campaigns"}}, "segments may import"},
		{"leaf upwards", pkg{ImportPath: "internal/money", Imports: []string{module + "events"}}, "internal may import"},
		{"a room of no name", pkg{ImportPath: "utils"}, "of no room"},
		{"files on the hot path", pkg{ImportPath: "pacing", Imports: []string{"os"}}, "called by a bid"},
		{"Kafka from afar", pkg{ImportPath: "segments", Deps: []string{"github.com/segmentio/kafka-go/protocol"}}, "called by a bid"},
		{"slow edge may be slow", pkg{ImportPath: "events/kafka", Imports: []string{"os"}, Deps: []string{"net"}}, ""},
		{"SQL in the bidder", pkg{ImportPath: "bidder", Imports: []string{"database/sql"}}, "cmd hands to it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.pkg.ImportPath = module + c.pkg.ImportPath
			got := strings.Join(forbidden([]pkg{c.pkg}), "\n")
			if c.want == "" {
				assert.Empty(t, got)
				return
			}
			assert.Contains(t, got, c.want)
		})
	}
}
