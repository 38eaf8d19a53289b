package warehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server is a running warehouse. Its methods are safe for many goroutines.
type Server struct {
	cfg      Config
	log      *slog.Logger
	engine   *engine
	handler  *handler
	http     *http.Server
	listener net.Listener
	password string

	stop context.CancelFunc // cancels running statements
	done chan struct{}      // closed when the listener is
	err  error              // why it closed, set before done

	closing  sync.Once
	closeErr error
}

// Start opens the engine on cfg.Dir and serves it on cfg.Addr until Close; ctx bounds
// the start only. A missing library is an error that wraps ErrNoLibrary and says how to get
// it. A process can hold one warehouse.
func Start(ctx context.Context, cfg Config, log *slog.Logger) (_ *Server, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	password, err := LoadPassword(cfg.Dir)
	if err != nil {
		return nil, err
	}
	// The port first: it is the cheaper thing to fail on.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("warehouse: listen: %w", err)
	}
	began := time.Now()
	e, err := openEngine(cfg, log)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	stopped, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{
		cfg: cfg, log: log, engine: e, password: password, listener: listener, stop: stop, done: make(chan struct{}),
		handler: newHandler(stopped, cfg, e, password, log),
	}
	s.http = &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 20,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.done)
		s.err = s.http.Serve(newLimitListener(listener, maxConnections))
	}()
	log.Info("warehouse is open", slog.String("addr", s.Addr()), slog.String("clickhouse", e.version),
		slog.Duration("took", time.Since(began)))
	return s, nil
}

// Addr is the address it listens on, as host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Password is the password of user default.
func (s *Server) Password() string { return s.password }

// Done is closed when the server no longer listens: after Close, or when the listener failed.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close refuses new requests, waits up to CloseTimeout for running statements, cancels
// those that still run, and closes the engine. When a statement does not end
// even then, the engine stays open and Close says so; inserts that were acknowledged
// are safe in any case. Further calls return what the first did.
func (s *Server) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Server) close() error {
	drain, cancel := context.WithTimeout(context.Background(), s.cfg.CloseTimeout)
	defer cancel()
	err := s.http.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("warehouse cancels statements that still run", slog.Duration("after", s.cfg.CloseTimeout))
		s.stop()
		rest, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		err = s.http.Shutdown(rest)
	}
	s.stop()
	<-s.done
	if err != nil {
		return fmt.Errorf("warehouse: statements did not end; the engine is left open: %w", err)
	}
	s.handler.sessions.close()
	s.engine.close()
	if !errors.Is(s.err, http.ErrServerClosed) {
		return fmt.Errorf("warehouse: serve: %w", s.err)
	}
	return nil
}

// limitListener bounds how many connections are open; more wait in the kernel.
type limitListener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newLimitListener(l net.Listener, n int) *limitListener {
	return &limitListener{Listener: l, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits for a slot, then for a connection.
func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close ends Accept too.
func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

// Close gives the slot back.
func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
