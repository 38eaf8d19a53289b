package bidder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"
)

// gzipFrom is the size from which a response is worth packing, in bytes: a
// smaller one fits one packet as it is.
const gzipFrom = 1 << 10

var (
	errInflated = errors.New("inflated body is too large")
	errEncoding = errors.New("this content encoding is not taken, gzip is")
)

// inflater is what it takes to unpack one body.
type inflater struct {
	src bytes.Reader
	z   gzip.Reader
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// body returns the request's body, inflated if it came by gzip, within the
// bound on its size.
func (b *Bidder) body(ctx *fasthttp.RequestCtx, c *bidContext) ([]byte, error) {
	raw := ctx.PostBody()
	switch enc := ctx.Request.Header.ContentEncoding(); {
	case len(enc) == 0, equalFold(enc, "identity"):
		return raw, nil
	case equalFold(enc, "gzip"), equalFold(enc, "x-gzip"):
		f := inflaters.Get().(*inflater)
		var err error
		c.inflated, err = f.inflate(c.inflated[:0], raw, b.cfg.MaxBody)
		inflaters.Put(f)
		return c.inflated, err
	}
	return nil, errEncoding
}

// inflate appends the unpacked body to dst, at most limit bytes.
func (f *inflater) inflate(dst, body []byte, limit int) ([]byte, error) {
	f.src.Reset(body)
	defer f.src.Reset(nil)
	if err := f.z.Reset(&f.src); err != nil {
		return dst, fmt.Errorf("gzip: %w", err)
	}
	dst = slices.Grow(dst, min(4*len(body), limit)+1)
	for {
		n, err := f.z.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > limit:
			return dst, errInflated
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, fmt.Errorf("gzip: %w", err)
		case len(dst) == cap(dst):
			dst = slices.Grow(dst, min(len(dst), limit-len(dst)+1))
		}
	}
}

var deflaters = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is a valid one
	return z
}}

// appender is a writer that never fails.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// deflated appends body by gzip to dst.
func deflated(dst, body []byte) []byte {
	z := deflaters.Get().(*gzip.Writer)
	a := appender{b: dst}
	z.Reset(&a)
	_, _ = z.Write(body) // an appender never fails
	_ = z.Close()
	z.Reset(io.Discard)
	deflaters.Put(z)
	return a.b
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip is named, and not
// with a weight of zero.
func acceptsGzip(header []byte) bool {
	for len(header) > 0 {
		item := header
		if i := bytes.IndexByte(header, ','); i >= 0 {
			item, header = header[:i], header[i+1:]
		} else {
			header = nil
		}
		name, params, _ := bytes.Cut(item, []byte{';'})
		name = bytes.TrimSpace(name)
		if equalFold(name, "gzip") || equalFold(name, "x-gzip") {
			q, weighted := bytes.CutPrefix(bytes.TrimSpace(params), []byte("q="))
			return !weighted || len(bytes.Trim(q, "0. ")) > 0
		}
	}
	return false
}
