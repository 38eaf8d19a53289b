package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Options say how a file is applied.
type Options struct {
	// DryRun only compares and checks.
	DryRun bool
	// Prune deletes what is not in the file, of the sections that it has.
	Prune bool
	// File is its name, for messages.
	File string
	// Out takes the difference.
	Out io.Writer
	// Secret takes the secret of a webhook that was made, which nobody can read
	// again; address is without the values of its query. Without it no webhook
	// is made.
	Secret func(id uint32, address, secret string) error
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
		if s.kind == listKind && s.entry != nil {
			if err := c.tellList(ctx, s); err != nil {
				return r, err
			}
		}
		s.print(o.Out)
		if o.DryRun {
			continue
		}
		if err := c.do(ctx, s, o); err != nil {
			return r, s.blame(err, o)
		}
	}
	return r, nil
}

// title names a document, for people.
func title(k kind, name string) string {
	if k.known == "" {
		return k.one
	}
	return fmt.Sprintf("%s %q", k.one, name)
}

func (s *step) title() string { return title(s.kind, s.name()) }

func (s *step) print(w io.Writer) {
	switch {
	case s.delete:
		fmt.Fprintf(w, "%s: delete\n", s.title())
	case s.live == nil:
		fmt.Fprintf(w, "%s: new\n", s.title())
	default:
		fmt.Fprintln(w, s.title())
	}
	for _, c := range s.list {
		printChange(w, c)
	}
}

func (c *Client) do(ctx context.Context, s *step, o Options) error {
	a := &ask{method: http.MethodPatch, path: c.path(s.kind, s.live)}
	if s.live != nil {
		a.match = s.live.version
	}
	switch {
	case s.delete:
		a.method = http.MethodDelete
		return c.callFor(ctx, a, nil, nil)
	case s.kind == feedKind:
		a.method, a.fresh = http.MethodPut, s.live == nil
	case s.kind == listKind:
		l := s.entry.doc.(*List)
		a.method, a.fresh, a.path = http.MethodPut, s.live == nil, c.path(listKind, &live{doc: l})
		a.mime, a.body = "text/plain", []byte(strings.Join(l.held, "\n"))
		return c.callFor(ctx, a, nil, nil)
	case s.live == nil:
		a.method = http.MethodPost
	}
	if s.live == nil && s.kind == webhookKind {
		return c.makeWebhook(ctx, a, s, o)
	}
	return c.callFor(ctx, a, s.body, nil)
}

// makeWebhook makes a webhook and hands on its secret.
func (c *Client) makeWebhook(ctx context.Context, a *ask, s *step, o Options) error {
	var made struct {
		ID     uint32 `json:"id"`
		Secret string `json:"secret"`
	}
	if err := c.callFor(ctx, a, s.body, &made); err != nil {
		return err
	}
	if err := o.Secret(made.ID, s.name(), made.Secret); err != nil {
		return fmt.Errorf("webhook %d was made, and its secret could not be written: delete it, and apply again: %w", made.ID, err)
	}
	return nil
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
	return &Mistake{file, line, join(e.at, field), e.keepSecrets(msg)}
}

// blame says which line of the file a refusal is about.
func (s *step) blame(err error, o Options) error {
	var refused *Refusal
	if !errors.As(err, &refused) {
		return fmt.Errorf("%s: %w", s.title(), err)
	}
	if refused.Status == http.StatusPreconditionFailed {
		return fmt.Errorf("%s was changed by somebody else meanwhile: apply again: %w", s.title(), err)
	}
	if s.entry == nil {
		return fmt.Errorf("%s: %w", s.title(), err)
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
