package lines

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/pacing/plan"
)

func serve(t *testing.T, in string) (out, complaints string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	err = Serve(strings.NewReader(in), &o, &e, plan.Config{})
	return o.String(), e.String(), err
}

func TestEveryBidHasOneLine(t *testing.T) {
	out, complaints, err := serve(t, `{"type":"start","day":0,"budget":100,"forecast":[1,2,3]}
{"type":"bid","t":0.5,"id":1,"pl":3,"v":2.35}
{"type":"win","t":0.7,"id":1,"cost":1e-05}
  { "v" : 1.5 , "pl":"news/top", "id":"a-2", "extra":{"x":[1,null,"\"}"]}, "t":1, "type":"bid" }
{"type":"win","t":0.9,"id":"never bid","cost":0.5}

{"type":"end"}
{"type":"win","t":3,"id":"a-2","cost":0.5}
{"type":"start","day":1,"budget":"none"}`)
	require.ErrorContains(t, err, `line 9: "budget": not a number`)
	assert.Empty(t, complaints)
	got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	require.Len(t, got, 2)
	for _, l := range got {
		var a struct{ Bid *float64 }
		require.NoError(t, json.Unmarshal([]byte(l), &a))
		require.NotNil(t, a.Bid)
		assert.True(t, *a.Bid >= 0 && *a.Bid <= 2.35, l)
	}
}

func TestBadLines(t *testing.T) {
	const start = `{"type":"start","day":0,"budget":100}` + "\n"
	for _, c := range []struct{ name, in, out, complaint, err string }{
		{"no JSON", "hello\n", "", "", "line 1: not a JSON object"},
		{"cut", `{"type":"bid","t":1`, "", "", "line 1: not a JSON object"},
		{"two on a line", `{"type":"end"}{"type":"end"}`, "", "", "line 1: not a JSON object"},
		{"no type", "{}\n", "", "", `line 1: "type" is missing`},
		{"no budget", `{"type":"start","day":0}`, "", "", "line 1: a start without budget"},
		{"a budget below zero", `{"type":"start","budget":-1}`, "", "", "budget -1"},
		{"an auction there is none of", `{"type":"start","budget":1,"at":7}`, "", "", "auction 7"},
		{"no id, no value", start + `{"type":"bid","t":1}`, "", "", "line 2: a bid without id v"},
		{"no cost", start + `{"type":"win","t":1,"id":4}`, "", "", "line 2: a win without cost"},
		{"a number that is none", start + `{"type":"bid","t":01,"id":1,"v":1}`, "", "", `line 2: "t": not a number`},
		{"before a day", `{"type":"bid","t":1,"id":1,"pl":1,"v":1}`, `{"bid":0}` + "\n", "line 1: a bid outside of a day: answered with 0\n", ""},
		{"after a day", start + `{"type":"end"}` + "\n" + `{"type":"bid","t":1,"id":1,"pl":1,"v":1}`, `{"bid":0}` + "\n", "line 3: a bid outside of a day: answered with 0\n", ""},
		{"worth less than nothing", start + `{"type":"bid","t":1,"id":1,"pl":1,"v":-3}`, `{"bid":0}` + "\n", "line 2: value -3 is no price: answered with 0\n", ""},
		{"worth nothing", start + `{"type":"bid","t":1,"id":1,"pl":1,"v":0}`, `{"bid":0}` + "\n", "", ""},
		{"a type of tomorrow", `{"type":"loss","id":1}`, "", "line 1: type \"loss\" is not known: passed over\n", ""},
		{"nothing at all", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, complaint, err := serve(t, c.in)
			assert.Equal(t, c.out, out)
			assert.Equal(t, c.complaint, complaint)
			if c.err == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, c.err)
			}
		})
	}
}

// The answer is written before the next line is asked for.
func TestAnswersAreFlushed(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(inR, outW, io.Discard, plan.Config{}) }()
	_, err := io.WriteString(inW, `{"type":"start","budget":5}`+"\n"+`{"type":"bid","t":1,"id":1,"pl":1,"v":1}`+"\n")
	require.NoError(t, err)
	buf := make([]byte, 100)
	n, err := outR.Read(buf)
	require.NoError(t, err)
	assert.Contains(t, string(buf[:n]), `{"bid":`)
	require.NoError(t, inW.Close())
	require.NoError(t, <-done)
}

func TestNamesAreToldApart(t *testing.T) {
	seen := map[uint64]string{}
	for _, text := range []string{`0`, `1`, `123456789012345678`, `1234567890123456789`, `"1"`, `"0"`, `""`, `-1`, `1.5`, `1e3`, `"a"`} {
		s := scanner{b: []byte(text)}
		n, err := s.name()
		require.NoError(t, err, text)
		assert.NotContains(t, seen, n, text)
		seen[n] = text
	}
}

// Whatever is read as a line is JSON, with the numbers that encoding/json
// finds in it.
func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"type":"bid","t":31.5,"id":17,"pl":4,"v":2.35}`))
	f.Add([]byte(`{"type":"start","day":1,"budget":1e2,"forecast":[1,2.5,-3e-1],"at":1,"x":{"a":[true,false,null,"\u0041"]}}`))
	f.Add([]byte(`{"t":null,"forecast":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l line
		if l.parse(b) != nil {
			return
		}
		var want map[string]any
		if err := json.Unmarshal(b, &want); err != nil {
			if bytes.ContainsAny(b, "\\") || !json.Valid(b) && bytes.ContainsFunc(b, func(r rune) bool { return r == '�' }) {
				return
			}
			t.Fatalf("%q was read, but is no JSON: %v", b, err)
		}
		if v, ok := want["v"].(float64); ok && l.has&hasV != 0 && countKey(b, `"v"`) == 1 {
			assert.Equal(t, v, l.v)
		}
	})
}

func countKey(b []byte, key string) int {
	if bytes.ContainsAny(b, "\\") {
		return 0
	}
	return bytes.Count(b, []byte(key))
}
