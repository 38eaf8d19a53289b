package warehouse

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	chcompress "github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// bodyStep is how much room a body takes from the budget at a time.
const bodyStep = 1 << 20

// bodyIdle is how long a client may pause in the middle of its body.
const bodyIdle = time.Minute

// text is a statement with its data, and the room it holds in the budget.
type text struct {
	sql  []byte
	held int64
	from *budget
}

func (t *text) free() {
	t.from.give(t.held)
	t.held, t.sql = 0, nil
}

// readText reads the statement: the query parameter, then the body, on lines of
// their own when both are there. The caller frees it.
func (h *handler) readText(w http.ResponseWriter, r *http.Request, query string, o options) (*text, error) {
	t := &text{from: &h.bodies}
	if query = strings.TrimRight(query, " \t\r\n"); query != "" {
		t.sql = append(t.sql, query...)
		t.sql = append(t.sql, '\n')
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Body == nil {
		return t, nil
	}
	raw := &deadlineReader{rc: http.NewResponseController(w), r: r.Body}
	reader, closeReader, err := decoder(raw, r.Header.Get("Content-Encoding"), o.decompress)
	if err != nil {
		return nil, err
	}
	defer closeReader()
	if err := h.readAll(t, reader, r.ContentLength); err != nil {
		t.free()
		return nil, err
	}
	raw.done()
	return t, nil
}

// readAll appends r to t, step by step as the budget has room.
func (h *handler) readAll(t *text, r io.Reader, hint int64) error {
	limit := h.cfg.MaxBodyBytes + int64(len(t.sql))
	tooLarge := errorf(codeQueryTooLarge, "QUERY_IS_TOO_LARGE", "The body is larger than %d bytes; send it in parts.", h.cfg.MaxBodyBytes)
	if hint > h.cfg.MaxBodyBytes {
		return tooLarge
	}
	if hint > 0 && !t.grow(hint+int64(len(t.sql))+1) {
		return errorf(codeMemoryLimit, "MEMORY_LIMIT_EXCEEDED", "Other requests' bodies hold all the memory for bodies; try again.")
	}
	for {
		if len(t.sql) == cap(t.sql) && !t.grow(max(int64(cap(t.sql))*5/4, int64(cap(t.sql))+bodyStep)) {
			return errorf(codeMemoryLimit, "MEMORY_LIMIT_EXCEEDED", "Other requests' bodies hold all the memory for bodies; try again.")
		}
		n, err := r.Read(t.sql[len(t.sql):cap(t.sql)])
		t.sql = t.sql[:len(t.sql)+n]
		if int64(len(t.sql)) > limit {
			return tooLarge
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return errorf(codeIncorrectData, "INCORRECT_DATA", "Cannot read the body: %v.", err)
		}
	}
}

// grow makes room for size bytes in all.
func (t *text) grow(size int64) bool {
	if !t.from.take(size) {
		return false
	}
	sql := make([]byte, len(t.sql), size)
	copy(sql, t.sql)
	t.from.give(t.held)
	t.sql, t.held = sql, size
	return true
}

// deadlineReader ends a body that makes no progress.
type deadlineReader struct {
	rc *http.ResponseController
	r  io.Reader
}

func (d *deadlineReader) Read(p []byte) (int, error) {
	if err := d.rc.SetReadDeadline(time.Now().Add(bodyIdle)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return d.r.Read(p)
}

func (d *deadlineReader) done() { _ = d.rc.SetReadDeadline(time.Time{}) }

// decoder undoes the body's encodings.
func decoder(r io.Reader, encoding string, native bool) (io.Reader, func(), error) {
	done := func() {}
	var err error
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	case "br":
		r = brotli.NewReader(r)
	case "lz4":
		r = lz4.NewReader(r)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20)); err == nil {
			r, done = z, z.Close
		}
	default:
		return nil, nil, errorf(codeUnknownComression, "UNKNOWN_COMPRESSION_METHOD", "Unknown Content-Encoding %.64q: gzip, deflate, br, zstd and lz4 are known.", encoding)
	}
	if err != nil {
		return nil, nil, errorf(codeIncorrectData, "INCORRECT_DATA", "The body is not %s: %v.", encoding, err)
	}
	if native {
		r = &nativeReader{r: chcompress.NewReader(r)}
	}
	return r, done, nil
}

// nativeReader reads ClickHouse's compressed blocks; an end between two of them is the end.
type nativeReader struct{ r io.Reader }

func (n *nativeReader) Read(p []byte) (int, error) {
	c, err := n.r.Read(p)
	if err != nil && c == 0 && errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, io.EOF
	}
	return c, err
}

// readForm moves the fields of a multipart body into q, as clients send many or
// long parameters. Files would be external tables, which are not supported.
func readForm(r *http.Request, q url.Values, limit int64) (isForm bool, err error) {
	kind, attributes, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return false, nil //nolint:nilerr // any other body is the statement
	}
	form := multipart.NewReader(io.LimitReader(r.Body, limit), attributes["boundary"])
	for range maxParams {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, errorf(codeIncorrectData, "INCORRECT_DATA", "Cannot read the form: %v.", err)
		}
		if part.FileName() != "" {
			return true, errorf(codeNotImplemented, "NOT_IMPLEMENTED", "External tables (%.64q) are not supported; insert into a temporary table of a session.", part.FormName())
		}
		value, err := io.ReadAll(io.LimitReader(part, maxQueryBytes+1))
		if err != nil || len(value) > maxQueryBytes {
			return true, errorf(codeQueryTooLarge, "QUERY_IS_TOO_LARGE", "The field %.64q is broken or larger than %d bytes.", part.FormName(), maxQueryBytes)
		}
		q.Set(part.FormName(), string(value))
	}
	return true, fmt.Errorf("%w", errorf(codeBadArguments, "BAD_ARGUMENTS", "The form has more than %d fields.", maxParams))
}
