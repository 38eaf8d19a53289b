package warehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// engine is a running ClickHouse. There is one per process; a second on another
// folder fails to open. Its methods are safe for many goroutines.
type engine struct {
	lib  *library
	args []string
	log  *slog.Logger

	// The first connection lives as long as the engine and cancels statements.
	admin   *conn
	adminMu sync.Mutex

	version, timezone, name string

	incoming string // folder for data on its way into a table
}

// openEngine starts the engine on dir/warehouse.
func openEngine(cfg Config, log *slog.Logger) (*engine, error) {
	path, err := FindLibrary(cfg.Library)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Join(cfg.Dir, "warehouse"))
	if err != nil {
		return nil, fmt.Errorf("warehouse: name the data folder: %w", err)
	}
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("warehouse: make the data folder: %w", err)
	}
	incoming := filepath.Join(dir, "incoming")
	if err := os.RemoveAll(incoming); err != nil { // what a crash left
		return nil, fmt.Errorf("warehouse: clear the folder for inserts: %w", err)
	}
	if err := os.Mkdir(incoming, 0o700); err != nil {
		return nil, fmt.Errorf("warehouse: make the folder for inserts: %w", err)
	}
	config, err := writeSettings(dir, cfg)
	if err != nil {
		return nil, err
	}
	real, err := filepath.EvalSymlinks(data)
	if err != nil {
		return nil, fmt.Errorf("warehouse: name the data folder: %w", err)
	}
	lib, err := loadLibrary(path, log, filepath.Join(real, "tmp")+string(filepath.Separator))
	if err != nil {
		return nil, err
	}
	e := &engine{lib: lib, log: log, incoming: incoming, args: []string{"clickhouse", "--path=" + data, "--config-file=" + config}}
	if e.admin, err = e.connect(); err != nil {
		return nil, fmt.Errorf("warehouse: open the engine on %s (is another process using it?): %w", data, err)
	}
	if err := e.identify(); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// identify asks the engine who it is, for response headers.
func (e *engine) identify() error {
	var line string
	_, err := e.admin.query([]byte("SELECT version(), timezone(), displayName()"), "TabSeparated", nil,
		func(b []byte, _ summary) error { line = strings.TrimSuffix(string(b), "\n"); return nil })
	if err != nil {
		return fmt.Errorf("warehouse: ask the engine its version: %w", err)
	}
	fields := strings.Split(line, "\t")
	if len(fields) != 3 {
		return fmt.Errorf("warehouse: the engine's version is %q, not three fields", line)
	}
	e.version, e.timezone, e.name = fields[0], fields[1], fields[2]
	return nil
}

// close ends the engine; every other connection must be closed before.
func (e *engine) close() {
	e.adminMu.Lock()
	defer e.adminMu.Unlock()
	if e.admin != nil {
		e.admin.close()
		e.admin = nil
	}
}

// kill cancels the statement that runs with mark as its log_comment.
func (e *engine) kill(mark string) {
	e.adminMu.Lock()
	defer e.adminMu.Unlock()
	if e.admin == nil {
		return
	}
	sql := "KILL QUERY WHERE Settings['log_comment'] = " + quote(mark) + " ASYNC"
	if _, err := e.admin.query([]byte(sql), "Null", nil, discard); err != nil {
		e.log.Warn("cancel a statement", slog.Any("error", err))
	}
}

func discard([]byte, summary) error { return nil }

// conn is one engine connection: settings, current database and temporary tables
// are its own. One goroutine at a time may use it.
type conn struct {
	e      *engine
	handle uintptr // what close takes
	db     uintptr // what queries take
}

var errNoConnection = errors.New("the engine gave no connection; it wrote the reason to standard error")

func (e *engine) connect() (*conn, error) {
	handle := e.lib.open(e.args)
	if handle == 0 {
		return nil, errNoConnection
	}
	c := &conn{e: e, handle: handle}
	if c.db = deref(handle); c.db == 0 {
		return nil, errNoConnection
	}
	return c, nil
}

func (c *conn) close() { c.e.lib.closeConn(c.handle) }

// summary counts what a statement did so far, as X-ClickHouse-Summary has it.
type summary struct {
	readRows, readBytes       uint64
	writtenRows, writtenBytes uint64
	resultRows, resultBytes   uint64
	elapsed                   time.Duration
}

func (s *summary) add(l *library, result uintptr) {
	s.readRows += l.rowsScanned(result)
	s.readBytes += l.bytesScanned(result)
	s.writtenRows += l.rowsWritten(result)
	s.writtenBytes += l.bytesWritten(result)
	s.resultRows += l.rowsRead(result)
	s.resultBytes += uint64(l.length(result))
	s.elapsed += time.Duration(l.elapsed(result) * float64(time.Second))
}

// sink takes a piece of a result. The bytes are the engine's: they are gone when
// it returns.
type sink func(piece []byte, so summary) error

// query runs a statement and hands its whole result to out, once.
func (c *conn) query(sql []byte, format string, params []param, out sink) (summary, error) {
	runtime.LockOSThread() // the engine keeps state per thread
	defer runtime.UnlockOSThread()
	var sum summary
	l := c.e.lib
	result := l.start(l.query, c.db, sql, format, params)
	if result == 0 {
		return sum, errNoResult
	}
	defer l.destroy(result)
	if text := l.errorText(result); text != "" {
		return sum, parseEngineError(text)
	}
	sum.add(l, result)
	return sum, out(l.bytes(result), sum)
}

var errNoResult = errors.New("the engine gave no result")

// stream runs a SELECT and hands its result to out block by block; each piece is
// formatted by itself. An error of out cancels the statement.
func (c *conn) stream(ctx context.Context, sql []byte, format string, params []param, out sink) (summary, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var sum summary
	l := c.e.lib
	stream := l.start(l.stream, c.db, sql, format, params)
	if stream == 0 {
		return sum, errNoResult
	}
	defer l.destroy(stream)
	if text := l.errorText(stream); text != "" {
		return sum, parseEngineError(text)
	}
	for {
		more, err := c.piece(stream, &sum, out)
		if err == nil && more {
			if err = ctx.Err(); err == nil {
				continue
			}
			l.cancelStream(c.db, stream)
		} else if err != nil && more {
			l.cancelStream(c.db, stream)
		}
		return sum, err
	}
}

// piece fetches and hands on one piece; more says whether the stream is alive.
func (c *conn) piece(stream uintptr, sum *summary, out sink) (more bool, err error) {
	l := c.e.lib
	result := l.fetch(c.db, stream)
	if result == 0 {
		return false, errNoResult
	}
	defer l.destroy(result)
	if text := l.errorText(result); text != "" {
		return false, parseEngineError(text)
	}
	sum.add(l, result)
	more = l.rowsRead(result) > 0
	if b := l.bytes(result); len(b) > 0 {
		err = out(b, *sum)
	}
	return more, err
}

// prepare makes database current and applies settings, in order.
func (c *conn) prepare(database string, settings []param) error {
	if database != "" {
		if _, err := c.query([]byte("USE "+quoteIdentifier(database)), "Null", nil, discard); err != nil {
			return err
		}
	}
	if len(settings) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("SET ")
	for i, s := range settings {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.name) // params.go lets only word characters through
		b.WriteString(" = ")
		b.WriteString(quote(s.value))
	}
	_, err := c.query([]byte(b.String()), "Null", nil, discard)
	return err
}

// quote is s as a ClickHouse string literal.
func quote(s string) string { return "'" + escape(s, '\'') + "'" }

func quoteIdentifier(s string) string { return "`" + escape(s, '`') + "`" }

func escape(s string, mark byte) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\' || c == mark:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == 0:
			b.WriteString(`\0`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// parseEngineError reads "Code: 60. DB::Exception: text. (NAME)", which the
// engine sometimes wraps in another of the same kind.
func parseEngineError(text string) *Error {
	const prefix = "Code: "
	if !strings.HasPrefix(text, prefix) {
		return &Error{Code: codeStdException, Name: "STD_EXCEPTION", Message: strings.TrimSpace(text)}
	}
	digits, rest, ok := strings.Cut(text[len(prefix):], ". ")
	code, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return &Error{Code: codeStdException, Name: "STD_EXCEPTION", Message: strings.TrimSpace(text)}
	}
	rest = strings.TrimSpace(rest)
	var name string
	if open := strings.LastIndex(rest, " ("); open >= 0 && strings.HasSuffix(rest, ")") && isWord(rest[open+2:len(rest)-1]) {
		name, rest = rest[open+2:len(rest)-1], rest[:open]
	}
	for _, kind := range []string{"DB::Exception: ", "DB::ErrnoException: "} {
		rest = strings.TrimPrefix(rest, kind)
	}
	if strings.HasPrefix(rest, prefix) {
		inner := strings.TrimSuffix(rest, ".")
		if at := strings.LastIndex(inner, " (version "); at >= 0 && strings.HasSuffix(inner, ")") {
			inner = inner[:at]
		}
		if e := parseEngineError(inner); e.Code == code {
			return e
		}
	}
	return &Error{Code: code, Name: name, Message: rest}
}
