package openrtb

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// TestAnyValueAnywhere puts values of every kind in the place of every value of the corpus. A wrong type must never
// fail the request; and where the reference takes the value, the view must read it alike.
func TestAnyValueAnywhere(t *testing.T) {
	values := []string{`null`, `""`, `{}`, `[]`, `false`, `true`, `0`, `1`, `-1`, `2.0`, `1.5`, `3000000000`, `"x"`, `"1"`,
		`[1]`, `["x","y"]`, `[[]]`, `{"a":1}`, `[{"id":"i"}]`, `"\u0000\ud83e"`}
	var r Request
	tried, compared := 0, 0
	for _, s := range corpus(t) {
		if s.name == "extra" || len(s.body) > 2000 {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(s.body))
		d.UseNumber()
		var root any
		if err := d.Decode(&root); err != nil {
			t.Fatal(err)
		}
		everywhere(root, func(inList bool, set func(any)) {
			for _, v := range values {
				set(json.RawMessage(v))
				body, err := json.Marshal(root)
				if err != nil {
					t.Fatal(err)
				}
				tried++
				if err := r.Parse(body); err != nil {
					t.Fatalf("%s: %v: %s", s.name, err, body)
				}
				if inList && v == "null" {
					continue // an element that is null is zero to the reference, and none to the view
				}
				if reference(t, &r, body) {
					compared++
				}
				if t.Failed() {
					t.Fatalf("%s: %s", s.name, body)
				}
			}
		})
	}
	if tried < 5_000 || compared < tried/5 {
		t.Fatalf("tried %d, compared %d", tried, compared)
	}
}

// everywhere calls visit for every value below node, with a function that replaces it; afterwards it is put back.
func everywhere(node any, visit func(inList bool, set func(any))) {
	switch n := node.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(n)) {
			v := n[k]
			visit(false, func(v any) { n[k] = v })
			n[k] = v
			everywhere(v, visit)
		}
	case []any:
		for i, v := range n {
			visit(true, func(v any) { n[i] = v })
			n[i] = v
			everywhere(v, visit)
		}
	}
}
