package warehouse

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// handler serves ClickHouse's HTTP interface.
type handler struct {
	cfg      Config
	engine   *engine
	log      *slog.Logger
	password string
	readers  *gate
	writers  *gate
	sessions *sessions
	memory   budget // for statements being read
	disk     budget // for data being inserted
	// stop is done when running statements must end.
	stop context.Context
}

func newHandler(stop context.Context, cfg Config, e *engine, password string, log *slog.Logger) *handler {
	h := &handler{
		cfg: cfg, engine: e, log: log, password: password, stop: stop,
		readers:  newGate("reading", cfg.Queries, cfg.Waiting, cfg.QueueTimeout),
		writers:  newGate("writing", 1, cfg.Waiting, cfg.QueueTimeout),
		sessions: &sessions{connect: e.connect, now: cfg.Clock, byID: make(map[string]*session)},
	}
	h.memory.free.Store(8 * maxTextBytes)
	h.disk.free.Store(4 * cfg.MaxBodyBytes)
	return h
}

// ServeHTTP answers a request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-ClickHouse-Server-Display-Name", h.engine.name)
	switch r.URL.Path {
	case "/ping", "/replicas_status":
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		_, _ = io.WriteString(w, "Ok.\n")
		return
	case "/", "":
	default:
		http.Error(w, "There is no handle "+strconv.Quote(r.URL.Path)+" here: /, /ping and /replicas_status are.", http.StatusNotFound)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut:
	default:
		w.Header().Set("Allow", "GET, POST, PUT")
		http.Error(w, "GET and POST are known here.", http.StatusMethodNotAllowed)
		return
	}
	a := newAnswer(w, r, h.engine.version)
	if err := h.serve(a, w, r); err != nil {
		h.drain(w, r)
		a.fail(h.asError(r, err))
	}
}

// asError makes any error one of ClickHouse's.
func (h *handler) asError(r *http.Request, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if r.Context().Err() == nil {
		h.log.Warn("a statement failed outside the engine", slog.Any("error", err))
	}
	return &Error{Code: codeStdException, Name: "STD_EXCEPTION", Message: err.Error()}
}

func (h *handler) serve(a *answer, w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if r.Method == http.MethodGet && q.Get("query") == "" {
		_, err := io.WriteString(w, "Ok.\n")
		return err
	}
	if err := authenticate(r, q, h.password); err != nil {
		return err
	}
	form, err := readForm(r, q, h.cfg.MaxBodyBytes)
	if err != nil {
		return err
	}
	if a.opts, err = parseOptions(r, q); err != nil {
		return err
	}
	if a.opts.queryID == "" {
		a.opts.queryID = uuid.NewString()
	}
	w.Header().Set("X-ClickHouse-Query-Id", a.opts.queryID)
	w.Header().Set("X-ClickHouse-Timezone", h.engine.timezone)
	if form {
		r.Body = http.NoBody
	}
	t, err := h.readText(w, r, q.Get("query"), a.opts)
	if err != nil {
		return err
	}
	defer t.free()
	if t.st.write && r.Method == http.MethodGet {
		return errorf(codeReadonly, "READONLY", "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries.")
	}
	return h.run(a, t, t.st)
}

// run waits for a slot, then runs the statement on a connection.
func (h *handler) run(a *answer, t *text, st statement) error {
	ctx, cancel := context.WithCancel(a.r.Context())
	defer cancel()
	defer context.AfterFunc(h.stop, cancel)()
	gate := h.readers
	if st.write {
		gate = h.writers
	}
	if err := gate.enter(ctx); err != nil {
		return err
	}
	defer gate.leave()

	c, release, err := h.connection(a.opts)
	if err != nil {
		return err
	}
	defer release()
	mark := ""
	var settings []param // ours, then the client's, which win
	if !a.opts.ownComment {
		mark = newMark()
		settings = append(settings, param{"log_comment", mark})
	}
	if a.format = st.format; a.format == "" {
		a.format = a.opts.defaultFormat
	}
	measure, can := streamed(a.format)
	can = can && st.selects && !a.opts.wait
	if err := c.prepare(a.opts.database, append(settings, a.opts.settings...)); err != nil {
		return err
	}
	defer h.watch(ctx, mark)()

	var so summary
	spilled := h.engine.lib.writes.spilled.Load()
	if can {
		a.header.measure = measure
		so, err = c.stream(ctx, t.sql, a.format, a.opts.params, a.piece)
	} else {
		so, err = c.query(t.sql, a.format, a.opts.params, a.piece)
	}
	if err == nil && h.engine.lib.writes.spilled.Load() != spilled {
		err = errSpill()
	}
	if err != nil {
		return err
	}
	return a.end(so)
}

// connection is the request's own, or its session's.
func (h *handler) connection(o options) (*conn, func(), error) {
	if o.sessionID == "" {
		c, err := h.engine.connect()
		if err != nil {
			return nil, nil, err
		}
		return c, c.close, nil
	}
	if len(o.sessionID) > 256 {
		return nil, nil, errorf(codeBadArguments, "BAD_ARGUMENTS", "session_id is longer than 256 characters.")
	}
	c, err := h.sessions.take(o.sessionID, o.sessionTimeout, o.sessionCheck)
	if err != nil {
		return nil, nil, err
	}
	return c, func() { h.sessions.release(o.sessionID, o.sessionClose) }, nil
}

// watch cancels the statement when the client leaves or the server stops. The
// function it returns ends the watch and waits for it.
func (h *handler) watch(ctx context.Context, mark string) func() {
	if mark == "" {
		return func() {}
	}
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-ended:
		case <-ctx.Done():
			h.engine.kill(mark)
		}
	})
	return func() { close(ended); wg.Wait() }
}

// newMark is a log_comment by which a statement is found again.
func newMark() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.Join([]string{"http", hex.EncodeToString(b[:])}, ":")
}
