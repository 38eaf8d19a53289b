package warehouse

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	chcompress "github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

const (
	// maxTextBytes bounds a statement with VALUES; data of other formats goes to a file.
	maxTextBytes = 16 << 20
	// headBytes is how much of a body is read to see whether data begins in it.
	headBytes = 64 << 10
	// bodyStep is how much room a body takes from the budget at a time.
	bodyStep = 1 << 20
	// bodyIdle is how long a client may pause in the middle of its body.
	bodyIdle = time.Minute
)

// text is a statement and, for an INSERT with data, the file with that data.
//
// Data cannot stay behind the statement: the library ends such data at the first
// blank line, in binary formats too, and drops the rest without a word.
type text struct {
	st    statement
	sql   []byte
	data  string // path of the file, "" for none
	h     *handler
	taken int64 // of h.memory
	spilt int64 // of h.disk
}

func (t *text) free() {
	t.h.memory.give(t.taken)
	t.h.disk.give(t.spilt)
	if t.data != "" {
		if err := os.Remove(t.data); err != nil {
			t.h.log.Warn("remove the data of an insert", slog.Any("error", err))
		}
	}
	*t = text{h: t.h}
}

// readText reads and analyses a request's statement: the query parameter, then the
// body, on lines of their own when both are there. The caller frees the result.
func (h *handler) readText(w http.ResponseWriter, r *http.Request, query string, o options) (_ *text, err error) {
	t := &text{h: h}
	defer func() {
		if err != nil {
			t.free()
		}
	}()
	if query = strings.TrimSpace(query); query != "" {
		t.sql = append(append(t.sql, query...), '\n')
	}
	if r.ContentLength > h.cfg.MaxBodyBytes {
		return nil, tooLarge(h.cfg.MaxBodyBytes)
	}
	raw := &deadlineReader{rc: http.NewResponseController(w), r: r.Body}
	body, closeBody, err := decoder(raw, r.Header.Get("Content-Encoding"), o.decompress)
	if err != nil {
		return nil, err
	}
	defer closeBody()
	if r.Method == http.MethodGet {
		body = strings.NewReader("")
	}
	whole := false
	for limit := headBytes; !whole; limit = maxTextBytes {
		if whole, err = t.read(body, limit); err != nil {
			return nil, err
		}
		// Half a statement may be wrong in any way but for an INSERT whose data has begun.
		if t.st, err = analyse(t.sql); whole || err == nil && t.st.hasFileData() && t.st.dataAt < len(t.sql) {
			break
		}
		if limit == maxTextBytes {
			return nil, errorf(codeQueryTooLarge, "QUERY_IS_TOO_LARGE", "The statement is larger than %d bytes; send much data with INSERT … FORMAT.", maxTextBytes)
		}
	}
	if err == nil && t.st.dataFormat != "" {
		err = t.spill(body)
	}
	raw.done()
	return t, err
}

func tooLarge(limit int64) *Error {
	return errorf(codeQueryTooLarge, "QUERY_IS_TOO_LARGE", "The body is larger than %d bytes; send it in parts.", limit)
}

func noRoom(where string) *Error {
	return errorf(codeMemoryLimit, "MEMORY_LIMIT_EXCEEDED", "Other requests hold all the room for bodies %s; try again.", where)
}

func badBody(err error) *Error {
	return errorf(codeIncorrectData, "INCORRECT_DATA", "Cannot read the body: %v.", err)
}

// read appends r to the statement until it ends, which whole tells, or the
// statement has limit bytes.
func (t *text) read(r io.Reader, limit int) (whole bool, err error) {
	for len(t.sql) < limit {
		if len(t.sql) == cap(t.sql) {
			more := int64(min(max(2*cap(t.sql), headBytes), maxTextBytes) - cap(t.sql))
			if !t.h.memory.take(more) {
				return false, noRoom("in memory")
			}
			t.taken += more
			t.sql = append(make([]byte, 0, cap(t.sql)+int(more)), t.sql...)
		}
		n, err := r.Read(t.sql[len(t.sql):min(cap(t.sql), limit)])
		t.sql = t.sql[:len(t.sql)+n]
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil:
			return false, badBody(err)
		}
	}
	return false, nil
}

// spill moves the data, what is read of it and what is still in r, into a file, and makes the
// statement one that reads this file.
func (t *text) spill(r io.Reader) (err error) {
	head := bytes.TrimLeft(t.sql[t.st.dataAt:], " \t\f")
	head = bytes.TrimPrefix(bytes.TrimPrefix(head, []byte("\r")), []byte("\n"))
	file, err := os.CreateTemp(t.h.engine.incoming, "insert-")
	if err != nil {
		return fmt.Errorf("make a file for the data: %w", err)
	}
	t.data = file.Name()
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := t.copy(file, io.MultiReader(bytes.NewReader(head), r)); err != nil {
		return err
	}
	if info, err := file.Stat(); err != nil || info.Size() == 0 {
		return errors.Join(err, errorf(108, "NO_DATA_TO_INSERT", "No data to insert."))
	}
	at := t.st.dataFrom
	if t.st.settingsFrom > 0 {
		at = t.st.settingsFrom // the engine wants them behind the file
	}
	t.sql = fmt.Appendf(nil, "%s FROM INFILE %s COMPRESSION 'none' %s FORMAT %s", t.sql[:at], quote(t.data), t.sql[at:t.st.dataFrom], t.st.dataFormat)
	return nil
}

func (t *text) copy(to io.Writer, from io.Reader) error {
	buffer := make([]byte, 256<<10)
	for size := int64(0); ; {
		n, err := from.Read(buffer)
		if size += int64(n); size > t.h.cfg.MaxBodyBytes {
			return tooLarge(t.h.cfg.MaxBodyBytes)
		}
		if size > t.spilt {
			if !t.h.disk.take(bodyStep) {
				return noRoom("on disk")
			}
			t.spilt += bodyStep
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return fmt.Errorf("keep the data: %w", err)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return badBody(err)
		}
	}
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

// drain reads what is left of a refused body, so that the client sees the answer and not a
// connection that breaks while it sends.
func (h *handler) drain(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && http.NewResponseController(w).SetReadDeadline(time.Now().Add(10*time.Second)) == nil {
		_, _ = io.CopyN(io.Discard, r.Body, 2*h.cfg.MaxBodyBytes)
	}
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
		return nil, nil, errorf(codeUnknownCompression, "UNKNOWN_COMPRESSION_METHOD", "Unknown Content-Encoding %.64q: gzip, deflate, br, zstd and lz4 are known.", encoding)
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
	return true, errorf(codeBadArguments, "BAD_ARGUMENTS", "The form has more than %d fields.", maxParams)
}
