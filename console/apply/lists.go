package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/grosz/grosz/campaigns"
)

// List is a list of domains and bundles. Of neither Entries nor File it is one
// that is to be there, whatever it holds.
type List struct {
	Name    string   `json:"name"`
	Entries []string `json:"entries,omitempty"`
	// File has an entry a line; empty lines and those that begin with # are
	// passed over.
	File string `json:"file,omitempty"`

	held  []string // the entries, evened out, sorted and distinct
	count int      // of a list that is there
	sum   string   // campaigns.ListSum; empty where the console does not know
}

const (
	// inlineEntries is how many entries a list may have to stand in an exported
	// file; longer ones go beside it.
	inlineEntries = 200
	// maxListFile bounds a list's file, bytes, as the API bounds an upload.
	maxListFile = 48 << 20
	// shownEntries bounds what a comparison shows of what was added, and of
	// what was taken out.
	shownEntries = 10
)

var listName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// hold reads what a list is to hold.
func (r *reader) hold(e *entry, l *List) {
	at := func(field string) *yaml.Node { return &yaml.Node{Line: max(e.lines[field], e.line)} }
	if l.Name != "" && (!listName.MatchString(l.Name) || len(l.Name) > campaigns.MaxListName) {
		r.bad(at("name"), join(e.at, "name"), "%q must be letters, digits, and . _ - behind the first, at most %d", l.Name, campaigns.MaxListName)
	}
	switch {
	case e.named["entries"] && e.named["file"]:
		r.bad(at("file"), join(e.at, "file"), "is there beside entries: one of them says what the list holds")
		return
	case e.named["entries"]:
		for i, text := range l.Entries {
			if v, ok := campaigns.ListEntry(text); ok {
				l.held = append(l.held, v)
			} else {
				field := fmt.Sprintf("entries[%d]", i)
				r.bad(at(field), join(e.at, field), "%q is neither a domain nor an app's bundle", text)
			}
		}
	case e.named["file"]:
		r.listFile(e, l, at("file"))
	default:
		return
	}
	slices.Sort(l.held)
	l.held = slices.Compact(l.held)
	switch n := len(l.held); {
	case n > campaigns.MaxListEntries:
		r.bad(at("name"), e.at, "has %d entries; at most %d are allowed", n, campaigns.MaxListEntries)
	case n == 0 && len(r.wrong) == 0:
		r.bad(at("name"), e.at, "holds nothing: a list has at least one domain or bundle")
	}
	l.sum = campaigns.ListSum(l.held)
}

// listFile reads the file of a list; what is wrong with it is told with the
// file's own line.
func (r *reader) listFile(e *entry, l *List, at *yaml.Node) {
	where, path := join(e.at, "file"), l.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.out.Dir, path)
	}
	b, err := readBounded(path, maxListFile)
	if err != nil {
		r.bad(at, where, "%v", err)
		return
	}
	const most = 5
	wrong := 0
	for n, line := range bytes.Split(b, []byte{'\n'}) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		if v, ok := campaigns.ListEntry(text); ok {
			l.held = append(l.held, v)
		} else if wrong++; wrong <= most {
			r.bad(at, where, "%s:%d: %q is neither a domain nor an app's bundle", l.File, n+1, text[:min(len(text), 100)])
		}
	}
	if wrong > most {
		r.bad(at, where, "%s: %d more lines are neither", l.File, wrong-most)
	}
}

// readBounded reads a whole file of at most so many bytes.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return b, nil
}

// readList reads a list as the API tells of it.
func readList(raw json.RawMessage) (*live, error) {
	var l struct {
		Name    string `json:"name"`
		Version int64  `json:"version"`
		Entries int    `json:"entries"`
		Sum     string `json:"sum"`
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, fmt.Errorf("the console's list cannot be read: %w", err)
	}
	if !listName.MatchString(l.Name) {
		return nil, fmt.Errorf("the console's list has the name %q", l.Name)
	}
	return &live{0, l.Version, &List{Name: l.Name, count: l.Entries, sum: l.Sum}}, nil
}

// entries are what a list that is there holds; nil where it was not kept.
func (c *Client) entries(ctx context.Context, l *List) ([]string, error) {
	if l.sum == "" {
		return nil, nil
	}
	b, err := c.send(ctx, &ask{method: http.MethodGet, path: c.path(listKind, &live{doc: l}) + "/entries"})
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", l.Name, err)
	}
	return strings.Fields(string(b)), nil
}

// listStep compares by what the list holds.
func listStep(e *entry, l *live, file string) (*step, error) {
	want := e.doc.(*List)
	switch {
	case want.sum == "" && l == nil:
		return nil, e.mistake(file, "name", "the shop has no such list: say what it holds by entries or file")
	case want.sum == "" || l != nil && l.doc.(*List).sum == want.sum:
		return nil, nil
	}
	return &step{kind: e.kind, entry: e, live: l}, nil
}

// tellList fills in what would become different in a list.
func (c *Client) tellList(ctx context.Context, s *step) error {
	want := s.entry.doc.(*List)
	if s.live == nil {
		s.list = append(s.list, change{"entries", nil, len(want.held)})
		return nil
	}
	have := s.live.doc.(*List)
	if have.sum == "" {
		s.list = append(s.list, change{"entries", "uploaded before lists could be read back", len(want.held)})
		return nil
	}
	held, err := c.entries(ctx, have)
	if err != nil {
		return err
	}
	s.list = append(s.list, change{"entries", len(held), len(want.held)})
	for _, side := range []struct {
		of, without []string
		made        func(v any) change
	}{
		{want.held, held, func(v any) change { return change{"entries", nil, v} }},
		{held, want.held, func(v any) change { return change{"entries", v, nil} }},
	} {
		n := 0
		for _, v := range side.of {
			if _, both := slices.BinarySearch(side.without, v); both {
				continue
			}
			if n++; n <= shownEntries {
				s.list = append(s.list, side.made(v))
			}
		}
		if n > shownEntries {
			s.list = append(s.list, side.made(fmt.Sprintf("and %d more", n-shownEntries)))
		}
	}
	return nil
}
