package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/grosz/grosz/campaigns"
)

// Options say how a file is applied.
type Options struct {
	// DryRun only compares and checks.
	DryRun bool
	// Prune deletes segments and campaigns that are not in the file, of the
	// sections that it has.
	Prune bool
	// File is its name, for messages.
	File string
	// Out takes the difference.
	Out io.Writer
}

// Result counts what was done, or in a dry run would be.
type Result struct{ Made, Changed, Deleted, Same, Left int }

// Any tells whether anything was to be done.
func (r Result) Any() bool { return r.Made+r.Changed+r.Deleted > 0 }

// String is the count in a line.
func (r Result) String() string {
	s := fmt.Sprintf("%d new, %d changed, %d deleted, %d the same", r.Made, r.Changed, r.Deleted, r.Same)
	if r.Left > 0 {
		s += fmt.Sprintf(", %d not in the file and left alone", r.Left)
	}
	return s
}

// step is one thing to do.
type step struct {
	kind   kind
	entry  *entry // nil: it is not in the file
	live   *live  // nil: it is new
	body   map[string]any
	list   []change
	delete bool
}

// Apply makes the shop what the file says. It stops at the first refusal: what
// was printed before it is done, and to apply the file again goes on from
// there. A refusal that is about a field is a *Mistake with its line.
func (c *Client) Apply(ctx context.Context, f *File, o Options) (Result, error) {
	now, err := c.state(ctx)
	if err != nil {
		return Result{}, err
	}
	steps, r, err := plan(f, now, o)
	if err != nil {
		return Result{}, err
	}
	if err := check(f, now, steps, o); err != nil {
		return Result{}, err
	}
	for i := range steps {
		s := &steps[i]
		s.print(o.Out)
		if o.DryRun {
			continue
		}
		if err := c.do(ctx, s); err != nil {
			return r, s.blame(err, o)
		}
	}
	return r, nil
}

// plan is what is to be done, in an order in which it can: segments before the
// campaigns that name them, and deleted after.
func plan(f *File, now *state, o Options) (steps []step, r Result, err error) {
	add := func(s *step) {
		switch {
		case s == nil:
			r.Same++
			return
		case s.delete:
			r.Deleted++
		case s.live == nil:
			r.Made++
		default:
			r.Changed++
		}
		steps = append(steps, *s)
	}
	if f.settings != nil {
		add(settingsStep(f.settings, now.settings))
	}
	var wrong []error
	gone := map[string][]*live{}
	for _, part := range []struct {
		k    kind
		want []*entry
		have []*live
	}{{segmentKind, f.segments, now.segments}, {campaignKind, f.campaigns, now.campaigns}} {
		if !f.has[part.k.section] {
			continue
		}
		found := map[*live]*entry{}
		for _, e := range part.want {
			l, err := find(e, part.have, o.File)
			if err == nil && l != nil && found[l] != nil {
				err = &Mistake{o.File, e.line, e.at, fmt.Sprintf("is the same %s as the entry in line %d", e.kind.one, found[l].line)}
			}
			if err != nil {
				wrong = append(wrong, err)
				continue
			}
			if l != nil {
				found[l] = e
			}
			add(stepOf(e, l))
		}
		for _, l := range part.have {
			if found[l] == nil {
				gone[part.k.section] = append(gone[part.k.section], l)
			}
		}
	}
	for _, k := range []kind{campaignKind, segmentKind} {
		for _, l := range gone[k.section] {
			if o.Prune {
				add(&step{kind: k, live: l, delete: true})
				continue
			}
			r.Left++
			fmt.Fprintf(o.Out, "%s %q is not in the file: left alone, --prune deletes it\n", k.one, l.name())
		}
	}
	return steps, r, errors.Join(wrong...)
}

// find is the document that an entry is about; nil for a new one.
func find(e *entry, have []*live, file string) (*live, error) {
	var found []*live
	for _, l := range have {
		if e.id != 0 && l.id == e.id || e.id == 0 && entryKey(e.kind, l.name()) == entryKey(e.kind, e.name()) {
			found = append(found, l)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, &Mistake{file, e.line, e.at, fmt.Sprintf("%d %s are named %q: say which by its id", len(found), e.kind.section, e.name())}
	case e.id != 0:
		return nil, &Mistake{file, e.line, e.at + ".id", fmt.Sprintf("the shop has no %s %d", e.kind.one, e.id)}
	}
	return nil, nil
}

// settingsStep looks at the fields that the file names, and at no others.
func settingsStep(e *entry, l *live) *step {
	have, want := plain(l.doc).(map[string]any), plain(e.doc).(map[string]any)
	for name := range have {
		if !e.named[name] {
			delete(have, name)
		}
	}
	patch, list := mergePatch(have, want, "")
	if patch == nil {
		return nil
	}
	return &step{kind: e.kind, entry: e, live: l, body: patch, list: list}
}

func stepOf(e *entry, l *live) *step {
	if l == nil {
		body := plain(e.doc).(map[string]any)
		_, list := mergePatch(map[string]any{}, body, "")
		return &step{kind: e.kind, entry: e, body: body, list: list}
	}
	want, wants := e.doc.(*campaigns.Campaign)
	if wants {
		keepIDs(want.Creatives, l.doc.(*campaigns.Campaign).Creatives)
	}
	patch, list := mergePatch(plain(l.doc).(map[string]any), plain(e.doc).(map[string]any), "")
	if wants && patch["creatives"] == nil && !sameIDs(want.Creatives, l.doc.(*campaigns.Campaign).Creatives) {
		list = append(list, change{"creatives", "their order", "another"})
		if patch == nil {
			patch = map[string]any{}
		}
		patch["creatives"] = nil
	}
	if patch == nil {
		return nil
	}
	if _, ok := patch["creatives"]; ok {
		patch["creatives"] = withIDs(want.Creatives)
	}
	return &step{kind: e.kind, entry: e, live: l, body: patch, list: list}
}

func sameIDs(a, b []campaigns.Creative) bool {
	for i := range a {
		if i >= len(b) || a[i].ID != b[i].ID {
			return false
		}
	}
	return len(a) == len(b)
}

// withIDs is a list of creatives in which those that stay are named.
func withIDs(list []campaigns.Creative) []any {
	out := make([]any, len(list))
	for i := range list {
		m := plain(list[i]).(map[string]any)
		if list[i].ID != 0 {
			m["id"] = list[i].ID
		}
		out[i] = m
	}
	return out
}

func (s *step) name() string {
	if s.entry != nil {
		return s.entry.name()
	}
	return s.live.name()
}

func (s *step) print(w io.Writer) {
	switch {
	case s.kind == settingsKind:
		fmt.Fprintln(w, "settings")
	case s.delete:
		fmt.Fprintf(w, "%s %q: delete\n", s.kind.one, s.name())
	case s.live == nil:
		fmt.Fprintf(w, "%s %q: new\n", s.kind.one, s.name())
	default:
		fmt.Fprintf(w, "%s %q\n", s.kind.one, s.name())
	}
	for _, c := range s.list {
		printChange(w, c)
	}
}

func (c *Client) do(ctx context.Context, s *step) error {
	switch {
	case s.delete:
		return c.call(ctx, http.MethodDelete, c.path(s.kind, s.live.id), s.live.version, nil, nil)
	case s.live == nil:
		return c.call(ctx, http.MethodPost, c.path(s.kind, 0), 0, s.body, nil)
	}
	return c.call(ctx, http.MethodPatch, c.path(s.kind, s.live.id), s.live.version, s.body, nil)
}

// mistake finds the line of a field, or of the nearest around it.
func (e *entry) mistake(file, field, msg string) error {
	line := e.line
	for at := field; at != ""; at = at[:max(strings.LastIndexAny(at, ".["), 0)] {
		if n, ok := e.lines[at]; ok {
			line = n
			break
		}
	}
	return &Mistake{file, line, join(e.at, field), msg}
}

// blame says which line of the file a refusal is about.
func (s *step) blame(err error, o Options) error {
	var refused *Refusal
	if !errors.As(err, &refused) {
		return fmt.Errorf("%s %q: %w", s.kind.one, s.name(), err)
	}
	if refused.Status == http.StatusPreconditionFailed {
		return fmt.Errorf("%s %q was changed by somebody else meanwhile: apply again: %w", s.kind.one, s.name(), err)
	}
	if s.entry == nil {
		return fmt.Errorf("%s %q: %w", s.kind.one, s.name(), err)
	}
	var wrong []error
	for _, e := range refused.Errors {
		wrong = append(wrong, s.entry.mistake(o.File, strings.TrimPrefix(e.Location, "body."), e.Message))
	}
	if len(wrong) == 0 {
		wrong = append(wrong, s.entry.mistake(o.File, "", refused.Error()))
	}
	return errors.Join(wrong...)
}
