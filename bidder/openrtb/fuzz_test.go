package openrtb

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzParse reads any bytes: no panic, no byte out of bounds, the same view each time; and what the reference accepts
// is accepted and read alike.
func FuzzParse(f *testing.F) {
	for _, s := range corpus(f) {
		f.Add(s.body)
	}
	for _, s := range []string{"", "{", `{"`, `{"id":"\u12`, `{"at":1e400}`, `{"imp":[{"bidfloor":-0.1e-9}]}`, "\xEF\xBB\xBF{}"} {
		f.Add([]byte(s))
	}
	var used Request
	guarded := fence(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		body = guarded(body)
		var fresh Request
		err := fresh.Parse(body)
		again := used.Parse(body)
		if (err == nil) != (again == nil) {
			t.Fatalf("first %v, then %v", err, again)
		}
		if err == nil && dump(&fresh) != dump(&used) {
			t.Fatalf("first\n%s\nthen\n%s", dump(&fresh), dump(&used))
		}
		if !alike(body) {
			return
		}
		if err != nil {
			t.Fatalf("valid JSON refused: %v", err)
		}
		reference(t, &fresh, body)
	})
}

// FuzzNative does the same for native requests.
func FuzzNative(f *testing.F) {
	for _, s := range corpus(f) {
		var r Request
		if r.Parse(s.body) != nil {
			continue
		}
		for i := range r.Imps {
			if n := &r.Imps[i].Native; n.Request != "" {
				f.Add(n.Request, n.Escaped)
			}
		}
	}
	f.Add(`{"native":{"native":{"assets":[{}]}}}`, false)
	f.Add(`{\"assets\":[{\u0022id\u0022:1}]}\`, true)
	var used NativeRequest
	f.Fuzz(func(t *testing.T, text string, escaped bool) {
		n := Native{Present: true, Request: text, Escaped: escaped}
		var fresh NativeRequest
		if a, b := fresh.Parse(&n), used.Parse(&n); a != b {
			t.Fatalf("first %v, then %v", a, b)
		}
		if alike(fresh.text) {
			nativeReference(t, &fresh, &n)
		}
	})
}

// alike says whether body is an object that the reference and the view should read alike. Where they are meant to
// differ: the reference takes keys in any case, merges duplicates in its own way, reads null in lists
// as zero, and allows deeper nesting.
func alike(body []byte) bool {
	if !json.Valid(body) || bytes.Contains(body, []byte("null")) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	var open []map[string]bool // the keys of every open object, nil for a list
	key := false               // a key comes next
	for {
		token, err := d.Token()
		if err != nil {
			return true
		}
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{':
				open, key = append(open, map[string]bool{}), true
			case '[':
				open, key = append(open, nil), false
			default:
				open = open[:len(open)-1]
				key = len(open) > 0 && open[len(open)-1] != nil
			}
			if len(open) > MaxDepth || len(open) == 0 && v != '}' {
				return false
			}
			continue
		case string:
			if !key {
				break
			}
			at := d.InputOffset()
			keys := open[len(open)-1]
			if keys[v] || v != strings.ToLower(v) || !ascii(v) || !bytes.HasSuffix(body[:at], []byte(`"`+v+`"`)) {
				return false
			}
			keys[v], key = true, false
			continue
		}
		if len(open) == 0 {
			return false
		}
		key = open[len(open)-1] != nil
	}
}

func ascii(v string) bool {
	for i := range len(v) {
		if v[i] >= 0x80 {
			return false
		}
	}
	return true
}
