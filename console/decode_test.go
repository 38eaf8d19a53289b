package console

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMergePatch has the examples of RFC 7396, appendix A, for objects.
func TestMergePatch(t *testing.T) {
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"n":1}`, `{"n":12345678901234567890123.5}`, `{"n":12345678901234567890123.5}`},
	} {
		got, err := mergePatch(json.RawMessage(c[0]), json.RawMessage(c[1]))
		require.NoError(t, err)
		require.Equal(t, c[2], string(got), "%s with %s", c[0], c[1])
	}
}

// FuzzBody: whatever the body, reading it ends in an answer, its problems
// name a field of the body, and what was read can be shown and read again.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{campaignJSON, shopJSON, `{"bid": {"cpm": 1e9}}`, `{"creatives": [null, {}, 5]}`, `{"start": "2026"}`, `{"name": "\ud800"}`, strings.Repeat("[", 40)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		raw, err := parseObject(body)
		if err != nil {
			return
		}
		var v Campaign
		var p problems
		decode(datesToMS(raw, &p), &v, &p)
		for _, e := range p.list {
			if !strings.HasPrefix(e.Location, "body.") || e.Message == "" {
				t.Fatalf("a problem without its field: %+v", e)
			}
		}
		shown, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var again Campaign
		var none problems
		decode(shown, &again, &none)
		if len(none.list) > 0 {
			t.Fatalf("what is shown cannot be read: %+v of %s", none.list[0], shown)
		}
		if _, err := mergePatch(shown, raw); err != nil {
			t.Fatal(err)
		}
	})
}
