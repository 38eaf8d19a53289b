package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/grosz/grosz/internal/jsontext"
)

// explanation says in a language what a bidder's explanation tells in
// sentences: the details of what is against a request, an impression or a
// campaign, and how a campaign's goal fares. All else, the order of the fields
// too, stays as the bidder wrote it; so does what is no sentence, a predicate of
// the targeting.
func (v *speaker) explanation(lang string, raw []byte) ([]byte, error) {
	if lang == plainLanguage {
		return raw, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var (
		out    []byte
		copied int
		at     explainPath
	)
	for {
		before := int(dec.InputOffset())
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return append(out, raw[copied:]...), nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the bidder's explanation: %w", err)
		}
		if text, ok := token.(string); ok && at.sentence() && text != "" {
			start, end := before+bytes.IndexByte(raw[before:], '"'), int(dec.InputOffset())
			out = append(out, raw[copied:start]...)
			out = jsontext.AppendString(out, v.line(lang, text))
			copied = end
		}
		at.step(token)
	}
}

// explainPath is where in an explanation a reader is.
type explainPath struct{ open []explainLevel }

// explainLevel is an object or an array that is open.
type explainLevel struct {
	object bool
	name   string // by which the level above has it
	key    string // of the value that comes next
	keyed  bool   // a key was read, and its value comes next
	rule   string // the object's
}

// sentence tells that the value that comes next is a sentence.
func (p *explainPath) sentence() bool {
	if len(p.open) == 0 {
		return false
	}
	top := &p.open[len(p.open)-1]
	return top.object && top.keyed && top.key == "detail" && top.rule != "targeting" &&
		slices.Contains([]string{"reasons", "failing", "goal"}, top.name) &&
		!slices.ContainsFunc(p.open, func(l explainLevel) bool { return l.name == "response" })
}

// step takes the next token.
func (p *explainPath) step(token json.Token) {
	var top *explainLevel
	if n := len(p.open); n > 0 {
		top = &p.open[n-1]
	}
	switch d, delim := token.(json.Delim); {
	case delim && (d == '{' || d == '['):
		name := ""
		if top != nil {
			if name = top.key; !top.object {
				name = top.name
			}
			top.keyed = false
		}
		p.open = append(p.open, explainLevel{object: d == '{', name: name})
	case delim:
		p.open = p.open[:len(p.open)-1]
	case top == nil || !top.object:
	case !top.keyed:
		top.key, top.keyed = token.(string)
	default:
		if text, ok := token.(string); ok && top.key == "rule" {
			top.rule = text
		}
		top.keyed = false
	}
}
