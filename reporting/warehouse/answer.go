package warehouse

import (
	"compress/gzip"
	"compress/zlib"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	chcompress "github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// writeIdle is how long a client may take for one piece of a result.
const writeIdle = time.Minute

// answer is a response in the making. Headers go out with the first byte, so that
// an error before it has its own status.
type answer struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	r       *http.Request
	opts    options
	version string
	format  string
	tag     string // marks an error inside the body
	header  header
	began   bool
	out     io.Writer
	closers []io.Closer
	native  *chcompress.Writer
}

func newAnswer(w http.ResponseWriter, r *http.Request, version string) *answer {
	var tag [8]byte
	_, _ = rand.Read(tag[:]) // never fails
	return &answer{w: w, rc: http.NewResponseController(w), r: r, version: version, tag: hex.EncodeToString(tag[:])}
}

// piece sends a piece of the result.
func (a *answer) piece(b []byte, so summary) error {
	if len(b) == 0 {
		return nil
	}
	if strings.EqualFold(a.format, "Native") && a.opts.revision > 0 {
		re, err := reencodeNative(b, a.opts.revision)
		if err != nil {
			return errorf(codeNotImplemented, "NOT_IMPLEMENTED", "%v; ask for another format.", err)
		}
		b = re
	}
	b = a.header.strip(b)
	if err := a.begin(so); err != nil {
		return err
	}
	if err := a.write(b); err != nil {
		return fmt.Errorf("send the result: %w", err)
	}
	return nil
}

func (a *answer) write(b []byte) error {
	for len(b) > 0 { // in steps, so that the deadline is one of progress
		n := min(len(b), 1<<20)
		if err := a.rc.SetWriteDeadline(time.Now().Add(writeIdle)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		part := b[:n]
		if a.native != nil {
			if err := a.native.Compress(part); err != nil {
				return err
			}
			part = a.native.Data
		}
		if _, err := a.out.Write(part); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// begin sends the headers.
func (a *answer) begin(so summary) error {
	if a.began {
		return nil
	}
	a.began = true
	h := a.w.Header()
	h.Set("Content-Type", contentType(a.format))
	h.Set("X-ClickHouse-Format", a.format)
	h.Set("X-ClickHouse-Exception-Tag", a.tag)
	h.Set("X-ClickHouse-Summary", fmt.Sprintf(
		`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d","total_rows_to_read":"0","result_rows":"%d","result_bytes":"%d","elapsed_ns":"%d"}`,
		so.readRows, so.readBytes, so.writtenRows, so.writtenBytes, so.resultRows, so.resultBytes, so.elapsed.Nanoseconds()))
	a.out = a.w
	a.encode()
	if a.opts.compress {
		method := chcompress.LZ4
		if a.opts.zstd {
			method = chcompress.ZSTD
		}
		a.native = chcompress.NewWriter(chcompress.LevelZero, method)
	}
	a.w.WriteHeader(http.StatusOK)
	return nil
}

// encode puts the encoder that the client accepts before the writer.
func (a *answer) encode() {
	if !a.opts.encode {
		return
	}
	accepted := a.r.Header.Get("Accept-Encoding")
	for _, name := range []string{"zstd", "br", "lz4", "gzip", "deflate"} {
		if !accepts(accepted, name) {
			continue
		}
		var w io.WriteCloser
		switch name {
		case "zstd":
			z, err := zstd.NewWriter(a.w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
			if err != nil {
				continue
			}
			w = z
		case "br":
			w = brotli.NewWriterLevel(a.w, brotli.BestSpeed)
		case "lz4":
			w = lz4.NewWriter(a.w)
		case "gzip":
			w, _ = gzip.NewWriterLevel(a.w, gzip.BestSpeed) // the level is valid
		case "deflate":
			w, _ = zlib.NewWriterLevel(a.w, zlib.BestSpeed)
		}
		a.w.Header().Set("Content-Encoding", name)
		a.out, a.closers = w, append(a.closers, w)
		return
	}
}

// accepts says whether an Accept-Encoding header takes name, and not with q=0.
func accepts(header, name string) bool {
	for item := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(item), ";")
		if strings.EqualFold(strings.TrimSpace(coding), name) {
			w := strings.ReplaceAll(weight, " ", "")
			return w != "q=0" && !strings.HasPrefix(w, "q=0.000") && w != "q=0.0"
		}
	}
	return false
}

// end completes a result.
func (a *answer) end(so summary) error {
	if err := a.begin(so); err != nil {
		return err
	}
	var errs []error
	for _, c := range a.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// fail sends an error: alone with its status, or, when the result has begun, as
// ClickHouse's framed text at the point where it broke off. It then breaks the
// connection, so that a client that does not know the frame sees that the
// result is not whole.
func (a *answer) fail(err *Error) {
	message := fmt.Sprintf("%s (version %s)", err.Error(), a.version)
	if !a.began {
		a.began = true
		h := a.w.Header()
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		h.Set("X-ClickHouse-Exception-Code", fmt.Sprint(err.Code))
		h.Set("X-ClickHouse-Exception-Tag", a.tag)
		if err.Code == codeTooManyQueries {
			h.Set("Retry-After", "1")
		}
		_ = a.rc.SetWriteDeadline(time.Now().Add(writeIdle))
		a.w.WriteHeader(httpStatus(err.Code))
		_, _ = io.WriteString(a.w, message+"\n")
		return
	}
	frame := fmt.Sprintf("\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", a.tag, message, len(message)+1, a.tag)
	_ = a.write([]byte(frame))
	for _, c := range a.closers {
		_ = c.Close()
	}
	_ = a.rc.Flush()
	panic(http.ErrAbortHandler)
}

func contentType(format string) string {
	f := strings.ToLower(format)
	switch {
	case strings.HasPrefix(f, "jsoneachrow"), strings.HasPrefix(f, "jsoncompacteachrow"), f == "ndjson", f == "jsonlines", strings.Contains(f, "eachrow"):
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(f, "json"):
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(f, "csv"):
		return "text/csv; charset=UTF-8; header=" + present(strings.HasSuffix(f, "withnames") || strings.HasSuffix(f, "withnamesandtypes"))
	case strings.HasPrefix(f, "tabseparated"), strings.HasPrefix(f, "tsv"), strings.HasPrefix(f, "tskv"):
		return "text/tab-separated-values; charset=UTF-8"
	case f == "xml":
		return "application/xml; charset=UTF-8"
	case f == "native", strings.HasPrefix(f, "rowbinary"), f == "parquet", strings.HasPrefix(f, "arrow"), f == "orc", f == "avro":
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}

func present(yes bool) string {
	if yes {
		return "present"
	}
	return "absent"
}
