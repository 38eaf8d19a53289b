package apply

import (
	"errors"
	"fmt"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// check looks at the expressions that are new or different before anything is
// changed: with the segments that there will be, and the currency. The console
// looks at all else, and at these again.
func check(f *File, now *state, steps []step, o Options) error {
	shop, err := shopOf(f, now)
	if err != nil {
		return err
	}
	segments, lists := after(segmentKind, f, now, steps), after(listKind, f, now, steps)
	var wrong []error
	note := func(s *step, field string, err error) {
		var syntax *campaigns.SyntaxError
		switch {
		case err == nil:
		case errors.As(err, &syntax):
			wrong = append(wrong, s.entry.mistake(o.File, field, "in the expression, "+syntax.Error()))
		default:
			wrong = append(wrong, s.entry.mistake(o.File, field, err.Error()))
		}
	}
	has := func(key string) bool { return segments[key] }
	targets := func(s *step, field, expr string) {
		err := campaigns.CheckTargetingNamed(expr, shop, has)
		note(s, field, err)
		if names, bad := campaigns.ListsIn(expr); err == nil && bad == nil {
			for _, n := range names {
				if !lists[n] {
					note(s, field, fmt.Errorf("the shop has no list %q, and the file none that is new", n))
				}
			}
		}
	}
	for i := range steps {
		s := &steps[i]
		if s.entry == nil {
			continue
		}
		switch d := s.entry.doc.(type) {
		case *campaigns.Segment:
			if s.body["expression"] != nil {
				note(s, "expression", campaigns.CheckSegmentRule(d.Expression, shop))
			}
		case *campaigns.Campaign:
			if s.body["targeting"] != nil {
				targets(s, "targeting", d.Targeting)
			}
			if bid, _ := s.body["bid"].(map[string]any); bid["boosts"] != nil {
				for k, b := range d.Bid.Boosts {
					targets(s, fmt.Sprintf("bid.boosts[%d].when", k), b.When)
				}
			}
		}
	}
	return errors.Join(wrong...)
}

// after are the keys of the documents of a kind that there will be.
func after(k kind, f *File, now *state, steps []step) map[string]bool {
	keys := map[string]bool{}
	for _, l := range now.parts[k.section] {
		keys[keyOf(l.doc)] = true
	}
	for i := range steps {
		if s := &steps[i]; s.kind == k && s.live != nil { // renamed or deleted
			delete(keys, keyOf(s.live.doc))
		}
	}
	for _, e := range f.parts[k.section] {
		keys[keyOf(e.doc)] = true
	}
	return keys
}

// shopOf is what expressions are checked against: the shop's currency as it
// will be.
func shopOf(f *File, now *state) (*campaigns.Shop, error) {
	code := now.settings.doc.(*Settings).Currency
	if f.settings != nil && f.settings.named["currency"] {
		code = f.settings.doc.(*Settings).Currency
	}
	cur, err := money.ParseCurrency(code)
	if err != nil {
		return nil, fmt.Errorf("the shop's currency: %w", err)
	}
	return &campaigns.Shop{Currency: cur}, nil
}
