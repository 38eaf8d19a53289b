package apply

import (
	"errors"
	"fmt"
	"slices"

	"github.com/grosz/grosz/campaigns"
)

// plan is what is to be done, in an order in which it can: lists and segments
// before the campaigns that name them, and deleted after.
func plan(f *File, now *state, o Options) (steps []step, r Result, err error) {
	p := &planning{file: f, o: o}
	if f.settings != nil {
		p.add(settingsStep(f.settings, now.settings))
	}
	p.feed(now.feed)
	gone := map[string][]*live{}
	for _, k := range parts() {
		if f.has[k.section] {
			gone[k.section] = p.part(k, now.parts[k.section])
		}
	}
	for _, k := range slices.Backward(parts()) {
		for _, l := range gone[k.section] {
			p.gone(k, l)
		}
	}
	return p.steps, p.r, errors.Join(p.wrong...)
}

// planning is a plan being made.
type planning struct {
	file  *File
	o     Options
	steps []step
	r     Result
	wrong []error
}

// add notes a step; nil is what stays as it is.
func (p *planning) add(s *step) {
	switch {
	case s == nil:
		p.r.Same++
		return
	case s.delete:
		p.r.Deleted++
	case s.live == nil:
		p.r.Made++
	default:
		p.r.Changed++
	}
	p.steps = append(p.steps, *s)
}

// part compares a section, and returns what is not in the file.
func (p *planning) part(k kind, have []*live) (gone []*live) {
	found := map[*live]*entry{}
	want := p.file.parts[k.section]
	for _, e := range want {
		l, err := find(e, want, have, p.o.File)
		if err == nil && l != nil && found[l] != nil {
			err = &Mistake{p.o.File, e.line, e.at, fmt.Sprintf("is the same %s as the entry in line %d", e.kind.one, found[l].line)}
		}
		var s *step
		if err == nil {
			s, err = stepOf(e, l, p.o)
		}
		if err != nil {
			p.wrong = append(p.wrong, err)
			continue
		}
		if l != nil {
			found[l] = e
		}
		p.add(s)
	}
	for _, l := range have {
		if found[l] == nil {
			gone = append(gone, l)
		}
	}
	return gone
}

// gone deletes what is not in the file, if that is wanted.
func (p *planning) gone(k kind, l *live) {
	if p.o.Prune {
		p.add(&step{kind: k, live: l, delete: true})
		return
	}
	p.r.Left++
	fmt.Fprintf(p.o.Out, "%s is not in the file: left alone, --prune deletes it\n", title(k, l.name()))
}

// feed compares where the feed is fetched from.
func (p *planning) feed(l *live) {
	if !p.file.has[feedKind.section] {
		return
	}
	have, there := l.doc.(*FeedSource), l.version != 0
	e := p.file.feed
	if e == nil || len(e.named) == 0 { // it is fetched from nowhere
		if there {
			p.gone(feedKind, l)
		}
		return
	}
	want := e.doc.(*FeedSource)
	if err := recall(e, &want.URL, have.URL, p.o.File); err != nil {
		p.wrong = append(p.wrong, err)
		return
	}
	body := plain(want).(map[string]any)
	_, list := mergePatch(plain(have).(map[string]any), body, "")
	switch {
	case list == nil && there:
		p.add(nil)
		return
	case !there:
		l = nil
	}
	p.add(&step{kind: feedKind, entry: e, live: l, body: body, list: hideAddresses(feedKind, list)})
}

// find is the document that an entry is about; nil for a new one. all are the
// entries of its section.
func find(e *entry, all []*entry, have []*live, file string) (*live, error) {
	var found []*live
	for _, l := range have {
		if e.id != 0 && l.id == e.id || e.id == 0 && (keyOf(l.doc) == keyOf(e.doc) || l.hiddenAs(e)) && !others(e, all, l) {
			found = append(found, l)
		}
	}
	if h, ok := e.doc.(*Webhook); ok && e.id == 0 {
		if same := slices.DeleteFunc(slices.Clone(found), func(l *live) bool { return l.doc.(*Webhook).URL != h.URL }); len(same) > 0 {
			found = same
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

// hiddenAs tells whether an entry names a webhook as it is exported.
func (l *live) hiddenAs(e *entry) bool {
	h, ok := l.doc.(*Webhook)
	return ok && hideHook(h.URL) == e.doc.(*Webhook).URL
}

// others tells of a webhook that is certainly what another entry is about, or
// certainly not what this one is: addresses are alike without what they hide.
func others(e *entry, all []*entry, l *live) bool {
	h, ok := l.doc.(*Webhook)
	if !ok || e.doc.(*Webhook).URL == h.URL {
		return false
	}
	return slices.ContainsFunc(all, func(x *entry) bool { return x != e && (x.id == l.id || x.id == 0 && x.doc.(*Webhook).URL == h.URL) })
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

func stepOf(e *entry, l *live, o Options) (*step, error) {
	switch d := e.doc.(type) {
	case *List:
		return listStep(e, l, o.File)
	case *Webhook:
		there := ""
		if l != nil {
			there = l.doc.(*Webhook).URL
		}
		if err := recall(e, &d.URL, there, o.File); err != nil {
			return nil, err
		}
		if l == nil && o.Secret == nil && !o.DryRun {
			return nil, e.mistake(o.File, "", "is new, and its secret is told once: --secrets FILE says where it is to be written")
		}
	}
	if l == nil {
		body := plain(e.doc).(map[string]any)
		_, list := mergePatch(map[string]any{}, body, "")
		return &step{kind: e.kind, entry: e, body: body, list: hideAddresses(e.kind, list)}, nil
	}
	return patchStep(e, l), nil
}

// patchStep makes a document that is there what the entry says; nil where it
// is that.
func patchStep(e *entry, l *live) *step {
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
	return &step{kind: e.kind, entry: e, live: l, body: patch, list: hideAddresses(e.kind, list)}
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
