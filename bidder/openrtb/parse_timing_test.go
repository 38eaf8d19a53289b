package openrtb

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/valyala/fastjson"
)

// benchBodies are requests of the sizes that exchanges send most.
var benchBodies = []struct{ name, file string }{
	{"1400B", "testdata/requests/bench_1400.json"},
	{"3000B", "testdata/requests/bench_3000.json"},
	{"6000B", "testdata/requests/bench_6000.json"},
}

func benchmark(b *testing.B, run func(b *testing.B, body []byte)) {
	for _, c := range benchBodies {
		b.Run(c.name, func(b *testing.B) {
			body, err := os.ReadFile(c.file)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			run(b, body)
		})
	}
}

func BenchmarkParse(b *testing.B) {
	benchmark(b, func(b *testing.B, body []byte) {
		var r Request
		for b.Loop() {
			if err := r.Parse(body); err != nil {
				b.Fatal(err)
			}
		}
		if r.ID == "" || len(r.Imps) == 0 || r.Imps[0].BidFloor.Micro != 420_000 || r.Odd != 0 {
			b.Fatalf("misread: %q, %d imps, odd %b", r.ID, len(r.Imps), r.Odd)
		}
	})
}

// BenchmarkFastjson parses with a library that keeps a tree, and then looks up some of what a bidder needs.
func BenchmarkFastjson(b *testing.B) {
	benchmark(b, func(b *testing.B, body []byte) {
		var p fastjson.Parser
		n := 0
		for b.Loop() {
			v, err := p.ParseBytes(body)
			if err != nil {
				b.Fatal(err)
			}
			n += lookups(v)
		}
		if n == 0 {
			b.Fatal("found nothing")
		}
	})
}

// BenchmarkFastjsonParseOnly leaves the lookups out.
func BenchmarkFastjsonParseOnly(b *testing.B) {
	benchmark(b, func(b *testing.B, body []byte) {
		var p fastjson.Parser
		for b.Loop() {
			if _, err := p.ParseBytes(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func lookups(v *fastjson.Value) int {
	n := len(v.GetStringBytes("id")) + v.GetInt("at") + v.GetInt("tmax") + len(v.GetArray("cur")) + len(v.GetArray("bcat")) +
		len(v.GetArray("badv"))
	for _, imp := range v.GetArray("imp") {
		n += len(imp.GetStringBytes("id")) + int(imp.GetFloat64("bidfloor")) + imp.GetInt("secure")
		n += imp.GetInt("banner", "w") + imp.GetInt("banner", "h") + len(imp.GetArray("banner", "format")) + len(imp.GetArray("banner", "battr"))
	}
	n += len(v.GetStringBytes("site", "domain")) + len(v.GetStringBytes("site", "page")) + len(v.GetStringBytes("site", "publisher", "id"))
	n += len(v.GetStringBytes("device", "ua")) + len(v.GetStringBytes("device", "ip")) + v.GetInt("device", "devicetype") +
		len(v.GetStringBytes("device", "os")) + len(v.GetStringBytes("device", "geo", "country"))
	n += len(v.GetStringBytes("user", "id")) + len(v.GetStringBytes("user", "buyeruid")) + v.GetInt("regs", "gdpr") + v.GetInt("regs", "coppa")
	return n
}

func BenchmarkEncodingJSON(b *testing.B) {
	benchmark(b, func(b *testing.B, body []byte) {
		for b.Loop() {
			var r openrtb2.BidRequest
			if err := json.Unmarshal(body, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSkip reads a request that is mostly extensions the bidder does not know.
func BenchmarkSkip(b *testing.B) {
	body, err := os.ReadFile("testdata/requests/bench_6000.json")
	if err != nil {
		b.Fatal(err)
	}
	body = append(append([]byte(`{"ext":`), body...), `,"id":"a"}`...)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var r Request
	for b.Loop() {
		if err := r.Parse(body); err != nil {
			b.Fatal(err)
		}
	}
	if r.ID != "a" {
		b.Fatal("misread")
	}
}

func BenchmarkNative(b *testing.B) {
	body, err := os.ReadFile("testdata/requests/bench_6000.json")
	if err != nil {
		b.Fatal(err)
	}
	var r Request
	if err := r.Parse(body); err != nil {
		b.Fatal(err)
	}
	n := &r.Imps[2].Native
	b.SetBytes(int64(len(n.Request)))
	b.ReportAllocs()
	var q NativeRequest
	for b.Loop() {
		if err := q.Parse(n); err != nil {
			b.Fatal(err)
		}
	}
	if len(q.Assets) != 5 {
		b.Fatalf("%d assets", len(q.Assets))
	}
}

// BenchmarkParseCorpus reads the whole corpus in turn, so that no request is read twice in a row. Its time is that of all.
func BenchmarkParseCorpus(b *testing.B) {
	samples := corpus(b)
	size := 0
	for _, s := range samples {
		size += len(s.body)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	var r Request
	for b.Loop() {
		for _, s := range samples {
			if err := r.Parse(s.body); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(size)/float64(len(samples)), "B/request")
}
