package feed

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/grosz/grosz/campaigns"
	"github.com/stretchr/testify/require"
)

// big is a feed of n products.
func big(f Format, n int) string {
	var b strings.Builder
	switch f {
	case CSV:
		b.WriteString("id,title,link,image_link,price,availability,brand,product_type\n")
		for i := range n {
			fmt.Fprintf(&b, "p-%d,\"Sofa numer %d, szara\",https://meble.example/p/%d,https://meble.example/i/%d.jpg,%d.99 PLN,in stock,Nordvik,Meble > Sofy\n", i, i, i, i, i%1000+1)
		}
	case JSONL:
		for i := range n {
			fmt.Fprintf(&b, `{"id":"p-%d","title":"Sofa numer %d, szara","url":"https://meble.example/p/%d","image_url":"https://meble.example/i/%d.jpg","price":"%d.99","currency":"PLN","available":true,"brand":"Nordvik","category":"Meble > Sofy"}`+"\n", i, i, i, i, i%1000+1)
		}
	case Google:
		b.WriteString(`<rss xmlns:g="http://base.google.com/ns/1.0"><channel>`)
		for i := range n {
			fmt.Fprintf(&b, "<item><g:id>p-%d</g:id><title>Sofa numer %d, szara</title><link>https://meble.example/p/%d</link><g:image_link>https://meble.example/i/%d.jpg</g:image_link><g:price>%d.99 PLN</g:price><g:availability>in stock</g:availability><g:brand>Nordvik</g:brand><g:product_type>Meble &gt; Sofy</g:product_type></item>\n", i, i, i, i, i%1000+1)
		}
		b.WriteString("</channel></rss>")
	}
	return b.String()
}

// TestMemoryIsBounded reads a feed of 40 MB; what stays is the ids' hashes.
func TestMemoryIsBounded(t *testing.T) {
	const n = 100_000
	for _, f := range []Format{CSV, JSONL, Google} {
		in := big(f, n)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		peak := uint64(0)
		count := 0
		rep, err := Read(t.Context(), strings.NewReader(in), Options{Currency: pln}, func(campaigns.Product) error {
			if count++; count%20_000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&after)
				peak = max(peak, after.HeapAlloc)
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, n, rep.Accepted)
		require.Less(t, int64(peak)-int64(before.HeapAlloc), int64(16<<20), "%s of %d bytes", f, len(in))
	}
}

func FuzzRead(f *testing.F) {
	for format, in := range samples {
		f.Add([]byte(in), string(format))
		f.Add([]byte(in), "")
		f.Add(zip(f, in), "")
	}
	f.Add([]byte("<!DOCTYPE x><rss/>"), "")
	f.Fuzz(func(t *testing.T, in []byte, format string) {
		if _, err := ParseFormat(format); err != nil {
			return
		}
		rep, err := Read(context.Background(), bytes.NewReader(in), Options{Format: Format(format), Currency: pln, MaxBytes: 1 << 20, MaxInflated: 1 << 20, MaxRow: 64 << 10, MaxProducts: 100},
			func(p campaigns.Product) error {
				if p.ID == "" || p.Title == "" || p.Price <= 0 || p.Currency != pln {
					t.Fatalf("a product that is none: %+v", p)
				}
				for _, u := range []string{p.URL, p.ImageURL} {
					if u != "" && !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://127.0.0.1") && !strings.HasPrefix(strings.ToLower(u), "http://localhost") && !strings.HasPrefix(u, "http://[::1]") {
						t.Fatalf("URL %q", u)
					}
				}
				return nil
			})
		if rep.Rows != rep.Accepted+rep.Rejected {
			t.Fatalf("%+v, %v", rep, err)
		}
	})
}

// BenchmarkRead reads feeds of three sizes: what a row takes does not grow.
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		for _, f := range []Format{CSV, JSONL, Google} {
			b.Run(fmt.Sprintf("%s/%d", f, n), func(b *testing.B) {
				in := big(f, n)
				b.SetBytes(int64(len(in)))
				for b.Loop() {
					rep, err := Read(b.Context(), strings.NewReader(in), Options{Currency: pln}, func(campaigns.Product) error { return nil })
					if err != nil || rep.Accepted != n {
						b.Fatal(err, rep.Accepted)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
			})
		}
	}
}
