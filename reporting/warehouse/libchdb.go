package warehouse

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is libchdb's C interface. Handles are plain addresses of C memory, which Go
// neither moves nor frees, so they are kept as uintptr. Results belong to the
// caller until destroyed; their buffers die with them.
type library struct {
	connect        func(argc int32, argv unsafe.Pointer) uintptr
	closeConn      func(conn uintptr)
	query          func(conn uintptr, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) uintptr
	stream         func(conn uintptr, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) uintptr
	fetch          func(conn, stream uintptr) uintptr
	cancelStream   func(conn, stream uintptr)
	destroy        func(result uintptr)
	buffer         func(result uintptr) unsafe.Pointer
	length         func(result uintptr) uintptr
	errorText      func(result uintptr) string
	elapsed        func(result uintptr) float64
	rowsRead       func(result uintptr) uint64
	bytesRead      func(result uintptr) uint64
	rowsScanned    func(result uintptr) uint64
	bytesScanned   func(result uintptr) uint64
	rowsWritten    func(result uintptr) uint64
	bytesWritten   func(result uintptr) uint64
	signalHandlers func(enabled int32)

	signals signalKeeper
	writes  writeWatch
	opening sync.Mutex // connect resets signal handlers: one at a time
}

// loadLibrary opens libchdb at path and finds its functions. The library is never
// unloaded: its threads would outlive its code. spill is where the engine will
// keep what does not fit into memory.
func loadLibrary(path string, log *slog.Logger, spill string) (_ *library, err error) {
	if err := setUTC(); err != nil {
		return nil, err
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("warehouse: load libchdb: %w", err)
	}
	l := &library{writes: writeWatch{log: log, spill: spill, lost: map[inode]bool{}}}
	for _, f := range []struct {
		target any
		name   string
	}{
		{&l.connect, "chdb_connect"}, {&l.closeConn, "chdb_close_conn"},
		{&l.query, "chdb_query_with_params_n"}, {&l.stream, "chdb_stream_query_with_params_n"},
		{&l.fetch, "chdb_stream_fetch_result"}, {&l.cancelStream, "chdb_stream_cancel_query"},
		{&l.destroy, "chdb_destroy_query_result"}, {&l.buffer, "chdb_result_buffer"},
		{&l.length, "chdb_result_length"}, {&l.errorText, "chdb_result_error"},
		{&l.elapsed, "chdb_result_elapsed"},
		{&l.rowsRead, "chdb_result_rows_read"}, {&l.bytesRead, "chdb_result_bytes_read"},
		{&l.rowsScanned, "chdb_result_storage_rows_read"}, {&l.bytesScanned, "chdb_result_storage_bytes_read"},
		{&l.rowsWritten, "chdb_result_rows_written"}, {&l.bytesWritten, "chdb_result_bytes_written"},
		{&l.signalHandlers, "chdb_set_signal_handlers_enabled"},
	} {
		symbol, err := purego.Dlsym(handle, f.name)
		if err != nil {
			return nil, fmt.Errorf("warehouse: %s is not libchdb %s: %w", path, LibraryVersion, err)
		}
		purego.RegisterFunc(f.target, symbol)
	}
	if err := l.writes.install(handle, path); errors.Is(err, errors.ErrUnsupported) {
		log.Warn("writes of the engine that fail are not seen on this system: never let the disk become full")
	} else if err != nil {
		return nil, err
	}
	if err := l.signals.save(); err != nil {
		return nil, err
	}
	l.signalHandlers(0)
	l.signals.restore()
	return l, nil
}

// setUTC makes UTC the engine's time zone, whatever the machine's; with TZ set to
// nothing the engine would not start at all. Go's own environment is apart from C's.
func setUTC() error {
	symbol, err := purego.Dlsym(purego.RTLD_DEFAULT, "setenv")
	if err != nil {
		return fmt.Errorf("warehouse: find setenv: %w", err)
	}
	var setenv func(name, value string, overwrite int32) int32
	purego.RegisterFunc(&setenv, symbol)
	if rc := setenv("TZ", "UTC", 1); rc != 0 {
		return fmt.Errorf("warehouse: set the engine's time zone: setenv gave %d", rc)
	}
	return nil
}

// open makes a connection. The first one starts the engine.
func (l *library) open(args []string) uintptr {
	var pin runtime.Pinner
	defer pin.Unpin()
	argv := make([]*byte, len(args)+1)
	for i, a := range args {
		argv[i] = &append([]byte(a), 0)[0]
		pin.Pin(argv[i])
	}
	pin.Pin(&argv[0])
	l.opening.Lock()
	defer l.opening.Unlock()
	conn := l.connect(int32(len(args)), unsafe.Pointer(&argv[0]))
	l.signals.restore()
	return conn
}

// param is a query parameter, {name:Type} in the statement; its value is in
// ClickHouse's escaped text, as in the HTTP interface.
type param struct{ name, value string }

// start runs a statement through query or stream.
func (l *library) start(call func(uintptr, unsafe.Pointer, uintptr, unsafe.Pointer, uintptr, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, uintptr) uintptr,
	conn uintptr, sql []byte, format string, params []param,
) uintptr {
	var pin runtime.Pinner
	defer pin.Unpin()
	text := func(s []byte) unsafe.Pointer {
		if len(s) == 0 {
			s = []byte{0}
		}
		pin.Pin(&s[0])
		return unsafe.Pointer(&s[0])
	}
	n := len(params)
	names, values := make([]unsafe.Pointer, n+1), make([]unsafe.Pointer, n+1)
	nameLens, valueLens := make([]uintptr, n+1), make([]uintptr, n+1)
	for i, p := range params {
		names[i], nameLens[i] = text([]byte(p.name)), uintptr(len(p.name))
		values[i], valueLens[i] = text([]byte(p.value)), uintptr(len(p.value))
	}
	for _, p := range []any{&names[0], &values[0], &nameLens[0], &valueLens[0]} {
		pin.Pin(p)
	}
	return call(conn, text(sql), uintptr(len(sql)), text([]byte(format)), uintptr(len(format)),
		unsafe.Pointer(&names[0]), unsafe.Pointer(&nameLens[0]), unsafe.Pointer(&values[0]), unsafe.Pointer(&valueLens[0]), uintptr(n))
}

// bytes is the result's text, in the engine's memory: valid until destroy.
func (l *library) bytes(result uintptr) []byte {
	n := l.length(result)
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(l.buffer(result)), n)
}
