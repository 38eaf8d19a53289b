package bidder

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	drawn "github.com/grosz/grosz/bench/world"
	"github.com/grosz/grosz/segments"
)

// stripSlowly is what appendStripped should come to, by encoding/json: every
// value is decoded, what is named is picked, and the rest written anew.
func stripSlowly(body []byte, person bool) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var all map[string]any
	if err := dec.Decode(&all); err != nil {
		return nil, err
	}
	out := pick(all, keptFacts).(map[string]any)
	if person {
		joinInto(out, pick(all, keptPerson))
	}
	cutPages(out["site"])
	out["id"] = "sample"
	return dropNulls(out).(map[string]any), nil
}

func pick(v any, k kept) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, sub := range k {
			switch x, there := v[name]; {
			case !there:
			case sub == nil:
				out[name] = x
			default:
				out[name] = pick(x, sub)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = pick(v[i], k)
		}
		return out
	}
	return nil
}

// joinInto adds what another tree kept of the same value.
func joinInto(dst, src any) {
	switch d := dst.(type) {
	case map[string]any:
		for name, v := range src.(map[string]any) {
			if d[name] == nil {
				d[name] = v
			} else {
				joinInto(d[name], v)
			}
		}
	case []any:
		for i := range d {
			if d[i] != nil {
				joinInto(d[i], src.([]any)[i])
			}
		}
	}
}

func cutPages(site any) {
	switch s := site.(type) {
	case []any:
		for i := range s {
			cutPages(s[i])
		}
	case map[string]any:
		page, _ := s["page"].(string)
		u, err := url.Parse(page)
		if err != nil || u.Host == "" {
			delete(s, "page")
			return
		}
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		s["page"] = clip(strings.TrimSuffix(strings.ToValidUTF8(u.String(), ""), "?"), 300)
	}
}

func dropNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			if x == nil {
				delete(v, name)
			} else {
				v[name] = dropNulls(x)
			}
		}
	case []any:
		for i := range v {
			v[i] = dropNulls(v[i])
		}
	}
	return v
}

// escapedKey: a name with an escape is another one to the parser.
var escapedKey = regexp.MustCompile(`"(?:[^"\\]|\\.)*\\(?:[^"\\]|\\.)*"\s*:`)

func sameAsSlowly(t *testing.T, body []byte, person bool) {
	t.Helper()
	got, err := appendStripped(nil, body, person)
	want, wantErr := stripSlowly(body, person)
	if err != nil {
		depth := bytes.Count(body, []byte("[")) + bytes.Count(body, []byte("{"))
		require.True(t, wantErr != nil || depth > 60, "%q is kept by encoding/json", body)
		return
	}
	require.True(t, json.Valid(got), "%q of %q", got, body)
	require.NotContains(t, string(got), "\n")
	if wantErr != nil || escapedKey.Match(body) {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(got))
	dec.UseNumber()
	var have map[string]any
	require.NoError(t, dec.Decode(&have))
	require.Equal(t, want, dropNulls(have), "of %q came %q", body, got)
}

func TestStrippedIsWhatIsKept(t *testing.T) {
	for _, body := range stripSeeds() {
		for _, person := range []bool{false, true} {
			sameAsSlowly(t, body, person)
		}
	}
	for name, body := range map[string]string{
		"no object": `[1]`, "nothing": ``, "cut": `{"imp":[{"id":"1"`, "no number": `{"at":01}`, "no word": `{"at":nul}`, "newline in a text": "{\"cur\":[\"a\nb\"]}",
		"no escape": `{"cur":["\x"]}`, "no comma": `{"at":1 "cur":[]}`, "too deep": `{"cur":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	} {
		got, err := appendStripped([]byte("before"), []byte(body), true)
		require.Error(t, err, name)
		require.Equal(t, "before", string(got), name)
	}
	got, err := appendStripped(nil, []byte("\xef\xbb\xbf{\"at\":1, \"imp\" : [ ] }"), false)
	require.NoError(t, err)
	require.Equal(t, `{"id":"sample","at":1,"imp":[]}`, string(got))
}

func TestPagesAreCut(t *testing.T) {
	for page, want := range map[string]string{
		"https://a.example/b/c.html?mail=x%40y":         "https://a.example/b/c.html",
		"http://a.example":                              "http://a.example",
		"https://a.example?":                            "https://a.example",
		"https://a.example/x#secret":                    "https://a.example/x",
		"https://u:p@a.example/x":                       "https://a.example/x",
		"https://a.example:8080/x?y":                    "https://a.example:8080/x",
		"https://a.example/%C5%82?y":                    "https://a.example/%C5%82",
		"https://a.example/a b?y":                       "https://a.example/a%20b",
		"https://a.example/?a=1#b%zz":                   "",
		"mailto:a@b.example":                            "",
		"not a page":                                    "",
		"//a.example/x?secret":                          "//a.example/x",
		"https://a.example/" + strings.Repeat("x", 400): "https://a.example/" + strings.Repeat("x", 300-len("https://a.example/")),
	} {
		body, err := json.Marshal(map[string]any{"site": map[string]any{"page": page}, "app": map[string]any{"page": page}})
		require.NoError(t, err)
		got, err := appendStripped(nil, body, true)
		require.NoError(t, err)
		var out struct{ Site, App struct{ Page string } }
		require.NoError(t, json.Unmarshal(got, &out), "%s", got)
		require.Equal(t, want, out.Site.Page, page)
		require.Empty(t, out.App.Page, "no app has one")
	}
}

func TestStrippingDoesNotAllocate(t *testing.T) {
	body := stripSeeds()[1]
	dst := make([]byte, 0, 16<<10)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var err error
		if dst, err = appendStripped(dst[:0], body, true); err != nil {
			t.Fatal(err)
		}
	}))
}

// stripSeeds are requests of many shapes, odd ones too.
func stripSeeds() [][]byte {
	out := [][]byte{fmt.Appendf(nil, sampledRequest, 0.5, "news.example", person(1))}
	if w, err := drawn.New(drawn.Config{Campaigns: 50, Profiles: 100, Products: 100, Seed: 1, NowMS: noon}); err == nil {
		for i := range 20 {
			if b, err := w.Request(i); err == nil {
				out = append(out, b)
			}
		}
	}
	for _, s := range []string{
		`{}`, ` { "id" : null , "at" : 2 } `, `{"imp":{"id":"1"},"site":[{"page":"https://a.example/?x","search":"q"},3,null,[{"name":"n"}]]}`,
		`{"imp":[{"id":"1","native":{"request":"{\"a\":\"\\u0142\"}"},"banner":7,"ext":{"a":[1,{"b":"}"}]}}],"user":"x","device":{"geo":3}}`,
		`{"site":{"page":"https://a.example/?x"},"site":{"page":3},"site":null,"at":1,"at":2}`, `{"tmax":-0.1e+5,"cur":["\ud800","ł","\/"],"bcat":[ ]}`,
		`{"user":{"data":[{"segment":[{"id":"1","value":"v"}],"ext":{"segtax":4,"x":1}}],"keywords":null},"device":{"sua":{"platform":{"brand":"b"}},"geo":{"city":"c","zip":"z"}}}`,
		`{"site":{"page":"\u0068ttps://a.example/\u0142?x","keywords":"a\tb"}}`, `{"imp":[{"id":"1"}],"at":1} trailing`,
	} {
		out = append(out, []byte(s))
	}
	return out
}

// FuzzStripped holds the one pass against encoding/json.
func FuzzStripped(f *testing.F) {
	for _, body := range stripSeeds() {
		f.Add(body, true)
	}
	f.Fuzz(func(t *testing.T, body []byte, person bool) { sameAsSlowly(t, body, person) })
}

// A line is read back as it was meant, and its person's place before the rest.
func TestASampledLineIsReadBack(t *testing.T) {
	var p segments.Profile
	p.Last = 77
	l := newRequestLog(RequestConfig{})
	l.missed.Store(3)
	s := RequestSample{TimeMS: noon, Exchange: `an "odd",name`, User: person(1), Hash: sampleHash(person(1)), Share: 1e-7, Profile: true}
	require.True(t, l.append(&s, []segments.ShopProfile{{Shop: 7, Profile: p}, {Shop: 8, Profile: p}}, stripSeeds()[0]))
	require.True(t, l.append(&RequestSample{TimeMS: noon, Exchange: "x", Hash: 5, Share: 1}, nil, stripSeeds()[0]))
	require.False(t, l.append(&s, nil, []byte(`{"at":`)), "nothing of it stays")
	text, n := l.swap(nil)
	require.EqualValues(t, 2, n)
	lines := bytes.SplitAfter(text, []byte("\n"))
	require.Len(t, lines, 3)
	hash, ok := lineHash(lines[0])
	require.True(t, ok)
	require.Equal(t, s.Hash, hash)
	var got RequestSample
	require.NoError(t, json.Unmarshal(lines[0], &got))
	packed, err := p.AppendBinary(nil)
	require.NoError(t, err)
	s.Missed, s.Request, s.Profiles = 3, got.Request, []CarriedProfile{{7, packed}, {8, packed}}
	require.Equal(t, s, got)
	require.Contains(t, string(lines[0]), base64.StdEncoding.EncodeToString(packed))
	require.Zero(t, l.missed.Load(), "told")
	got = RequestSample{}
	require.NoError(t, json.Unmarshal(lines[1], &got))
	require.True(t, got.User.IsZero())
	_, ok = lineHash([]byte(`{"t":1}`))
	require.False(t, ok)
}

// Ten times the requests bring no more samples a second, and each stands for
// more; when there are few again, the share comes back.
func TestSamplesASecondAreBounded(t *testing.T) {
	thin := thinning{rate: 100}
	second := func(requests int, at int64) (taken int) {
		for i := range requests {
			if i%(1<<thin.halvings) == 0 { // who is below the share
				taken++
				thin.count(at + int64(i*1000/requests))
			}
		}
		return taken
	}
	at := int64(noon)
	for _, requests := range []int{90, 1000, 10_000, 100_000} {
		last := 0
		for range 30 {
			last = second(requests, at)
			at += 1000
		}
		require.LessOrEqual(t, last, 100, "of %d", requests)
		require.GreaterOrEqual(t, last, 40, "of %d", requests)
	}
	require.EqualValues(t, 10, thin.halvings)
	second(10, at+3600_000)
	require.Zero(t, thin.halvings)
	second(1, at-3600_000) // a clock that was put back
	require.Zero(t, thin.halvings)
}

func BenchmarkStripped(b *testing.B) {
	w, err := drawn.New(drawn.Config{Campaigns: 50, Profiles: 100, Products: 100, Seed: 1, NowMS: noon})
	require.NoError(b, err)
	var bodies [][]byte
	size := 0
	for i := range 100 {
		body, err := w.Request(i)
		require.NoError(b, err)
		bodies, size = append(bodies, body), size+len(body)
	}
	var dst []byte
	b.SetBytes(int64(size / len(bodies)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if dst, err = appendStripped(dst[:0], bodies[i%len(bodies)], true); err != nil {
			b.Fatal(err)
		}
	}
}

// A request that is taken costs its pass, and no memory but the buffer's.
func TestASampleIsTakenWithoutAllocating(t *testing.T) {
	if raceEnabled {
		return
	}
	w := newWorld(t)
	l := newRequestLog(RequestConfig{PerSecond: 1 << 30})
	l.buf, l.packed = make([]byte, 0, 1<<20), make([]byte, 0, 4<<10)
	c := newContext([32]byte{1})
	c.exchange, c.nowMS, c.user = w.b.exchanges["burl"], noon, person(1)
	c.exchange.requestShare = 1
	c.basis.Identify, c.basis.Profile, c.facts.Exchange = true, true, "burl"
	c.facts.Profiles = []segments.ShopProfile{{Shop: 7}}
	body := stripSeeds()[1]
	require.Zero(t, testing.AllocsPerRun(100, func() {
		l.buf = l.buf[:0]
		l.take(c, body)
	}))
	require.EqualValues(t, 101, l.taken.Load())
	require.Zero(t, l.lost.Load())
}
