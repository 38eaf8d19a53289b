package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/assets"
	"github.com/grosz/grosz/console/fetch"
	"github.com/grosz/grosz/console/publish"
	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/console/webhook"
	"github.com/grosz/grosz/internal/clock"
)

// Server is the console: an HTTP listener, the database and the publisher.
type Server struct {
	cfg       Config
	deps      Deps
	log       *slog.Logger
	clock     clock.Clock
	store     *store.Store
	adminHash string
	failures  failures
	locks     locks
	pace      pace // of sessions
	keyPace   pace // of shops' keys
	pasts     *pasts
	metrics   serverMetrics
	reports   Reports
	publisher *publish.Publisher // nil without Kafka
	records   *publish.Records   // nil without Kafka
	api       huma.API
	handler   http.Handler
	listener  net.Listener
	health    healthCache
	uploads   uploads
	lists     listGate
	explainer *explainer // nil without a bidder
	fetcher   *fetch.Client
	fetchNow  chan struct{}
	site      *site
	speaker   *speaker
	hooks     *webhook.Client
	folder    assets.Folder
	assetMu   sync.Mutex // who changes the folder
	// assetTurns are places for uploads of files, which are read whole.
	assetTurns chan struct{}
	// closers end what New has opened, in reverse order.
	closers   []func() error
	closeOnce sync.Once
	closeErr  error
}

// Times of the HTTP server. An upload has longer, see feed.go.
const (
	headerTimeout   = 10 * time.Second
	readTimeout     = 30 * time.Second
	writeTimeout    = 60 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 10 * time.Second
	maxHeaderBytes  = 64 << 10
)

// New opens the database, makes the admin key if there is none, and listens;
// requests are served once Run is called. Close it if Run is not.
func New(cfg Config, deps Deps) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.Validate(), deps.validate()); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	s := &Server{cfg: cfg, deps: deps, log: deps.Log, clock: deps.Clock, reports: deps.Reports}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("console: %w", err), s.Close())
	}
	return s, nil
}

func (s *Server) open() error {
	if err := makeDir(s.cfg.Dir); err != nil {
		return err
	}
	key, err := adminKey(s.cfg.Dir)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(key))
	s.adminHash = hex.EncodeToString(sum[:])
	s.listener, err = net.Listen("tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.cfg.Addr, err)
	}
	s.closers = append(s.closers, closeListener(s.listener))
	s.store, err = store.Open(context.Background(), store.Config{Path: dbPath(s.cfg.Dir)}, s.clock)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, s.store.Close)
	if how := s.store.Others(); how != nil {
		s.log.Warn("another program, or an older version of this one, has written the database; SQLite finds it sound, and it is taken as it is", "checksums_said", how)
	}
	if err := s.openEdges(); err != nil {
		return err
	}
	s.metrics = newServerMetrics(s)
	s.pace, s.keyPace = pace{rate: paceRate, burst: paceBurst}, pace{rate: keyPaceRate, burst: keyPaceBurst}
	s.uploads, s.lists = newUploads(), newListGate()
	s.pasts = newPasts()
	s.closers = append(s.closers, s.pasts.close)
	s.hooks = webhook.New(s.cfg.PrivateWebhooks)
	s.explainer = newExplainer(s.cfg.Bidder)
	s.fetcher = fetch.New(fetch.Config{AllowPrivate: s.cfg.FetchPrivate, MaxBytes: s.cfg.MaxFeedBytes})
	s.fetchNow = make(chan struct{}, 1)
	if s.speaker, err = newSpeaker(s.unsaid); err != nil {
		return err
	}
	if s.site, err = newSite(s); err != nil {
		return err
	}
	s.folder = assets.Folder{Dir: s.cfg.AssetDir}
	s.assetTurns = make(chan struct{}, uploadsAtOnce)
	s.handler = s.routes()
	return nil
}

// openEdges makes what leads to Kafka and ClickHouse, where configured.
func (s *Server) openEdges() error {
	if s.reports == nil && s.cfg.ClickHouse.Addr != "" {
		r, err := report.Open(s.cfg.ClickHouse)
		if err != nil {
			return err
		}
		s.reports = r
		s.closers = append(s.closers, r.Close)
	}
	writer := s.deps.Writer
	if writer == nil && len(s.cfg.Brokers) > 0 {
		w, closeWriter := publish.NewWriter(s.cfg.Brokers, s.cfg.Security, s.log)
		s.closers = append(s.closers, closeWriter)
		writer = w
	}
	if writer != nil {
		s.records = publish.NewRecords(s.store, writer, s.log)
		s.publisher = publish.New(publish.Config{
			Outbox: s.store, Writer: writer, EnsureTopic: s.deps.EnsureTopic, Clock: s.clock, Log: s.log,
		})
	}
	return nil
}

func closeListener(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// Addr is where the console listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Handler serves what the listener serves.
func (s *Server) Handler() http.Handler { return s.handler }

// OpenAPI is the API's document.
func (s *Server) OpenAPI() *huma.OpenAPI { return s.api.OpenAPI() }

// Run serves and publishes until ctx ends, finishes the requests under way,
// tries to empty the outbox, and closes everything.
func (s *Server) Run(ctx context.Context) error {
	srv := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.log.Info("console listens", "addr", s.Addr().String(), "admin_key", s.cfg.Dir+"/admin.key")
	served := make(chan error, 1)
	go func() { served <- srv.Serve(s.listener) }()

	// The publisher outlives the listener, so that the last change goes out.
	pubCtx, stopPublisher := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPublisher()
	published := make(chan error, 1)
	go func() {
		if s.publisher == nil {
			published <- nil
			return
		}
		published <- s.publisher.Run(pubCtx)
	}()

	recorded := make(chan struct{})
	go func() { defer close(recorded); s.records.Run(pubCtx) }()

	fetching, stopFetching := context.WithCancel(ctx)
	defer stopFetching()
	fetched := make(chan struct{})
	go func() { defer close(fetched); s.runFetches(fetching) }()
	alertCtx, stopAlerts := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); s.watchAlerts(alertCtx) }()
	defer func() { stopAlerts(); <-watched }()
	swept := make(chan struct{})
	go func() { defer close(swept); s.runSweeps(fetching) }()

	var errs []error
	select {
	case <-ctx.Done():
	case err := <-served:
		errs = append(errs, fmt.Errorf("console: serve: %w", err))
		served <- nil
	case err := <-published:
		if err != nil {
			errs = append(errs, fmt.Errorf("console: publish: %w", err))
			published <- nil
			break
		}
		published <- nil
		<-ctx.Done() // without Kafka there is nothing to publish
	}
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(down); err != nil {
		errs = append(errs, fmt.Errorf("console: shut down: %w", err), srv.Close())
	}
	if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
		errs = append(errs, fmt.Errorf("console: serve: %w", err))
	}
	stopFetching()
	<-fetched
	<-swept
	stopPublisher()
	stopAlerts()
	<-watched
	<-recorded
	errs = append(errs, <-published, s.Close())
	return errors.Join(errs...)
}

// Close closes what New has opened. Run does it at its end.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		var errs []error
		for i := len(s.closers) - 1; i >= 0; i-- {
			errs = append(errs, s.closers[i]())
		}
		s.closeErr = errors.Join(errs...)
	})
	return s.closeErr
}

// serverMetrics are the console's metrics, each declared here.
type serverMetrics struct {
	set     *metrics.Set
	badKeys *metrics.Counter
	csrf    *metrics.Counter
	signIns *metrics.Counter
	locked  *metrics.Counter

	alertsSent, alertsFailed *metrics.Counter
	uploads                  *metrics.Counter
	uploadS                  *metrics.Histogram
	// fetches worked, or failed.
	fetches, fetchFailures *metrics.Counter
	// assets are files of ads that were taken, or refused for what they are.
	assets, assetsRefused *metrics.Counter
	// listsRefused are uploads and reads of lists that there was no memory for.
	listsRefused *metrics.Counter
	// unsaid are messages that could be said in English only.
	unsaid *metrics.Counter
}

func newServerMetrics(s *Server) serverMetrics {
	set := s.deps.Metrics
	if set == nil {
		set = metrics.NewSet()
	}
	set.NewGauge("grosz_console_database_log_bytes", func() float64 { return float64(s.store.LogBytes()) })
	set.NewGauge("grosz_console_database_unsealed", func() float64 {
		if s.store.Sealed() != nil {
			return 1
		}
		return 0
	})
	set.NewGauge("grosz_console_list_bytes", func() float64 { return float64(s.lists.used()) })
	if p := s.publisher; p != nil {
		ask := func(pick func(publish.Status) float64) func() float64 {
			return func() float64 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				return pick(p.Status(ctx))
			}
		}
		set.NewGauge("grosz_console_account_records_pending", func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			n, err := s.store.AccountRecordsPending(ctx)
			if err != nil {
				return -1
			}
			return float64(n)
		})
		set.NewGauge("grosz_console_outbox_pending", ask(func(st publish.Status) float64 { return float64(st.Pending) }))
		set.NewGauge("grosz_console_published_total", ask(func(st publish.Status) float64 { return float64(st.Sent) }))
		set.NewGauge("grosz_console_publish_failures_total", ask(func(st publish.Status) float64 { return float64(st.Failed) }))
	}
	return serverMetrics{
		set:     set,
		badKeys: set.NewCounter("grosz_console_bad_keys_total"),
		csrf:    set.NewCounter("grosz_console_csrf_refused_total"),
		signIns: set.NewCounter("grosz_console_sign_ins_total"),
		locked:  set.NewCounter("grosz_console_sign_ins_locked_total"),

		alertsSent:   set.NewCounter("grosz_console_alerts_sent_total"),
		alertsFailed: set.NewCounter("grosz_console_alerts_failed_total"),
		uploads:      set.NewCounter("grosz_console_feed_uploads_total"),
		uploadS:      set.NewHistogram("grosz_console_feed_upload_seconds"),
		fetches:      set.NewCounter("grosz_console_feed_fetches_total"), fetchFailures: set.NewCounter("grosz_console_feed_fetch_failures_total"),
		listsRefused: set.NewCounter("grosz_console_lists_refused_total"),
		unsaid:       set.NewCounter("grosz_console_untranslated_total"),
		assets:       set.NewCounter("grosz_console_assets_total"), assetsRefused: set.NewCounter("grosz_console_assets_refused_total"),
	}
}

// request counts an answer. Routes and codes are few, so the series are too.
func (m *serverMetrics) request(method, route string, code int) {
	if route == "" {
		route = "none"
	}
	m.set.GetOrCreateCounter(fmt.Sprintf("grosz_console_requests_total{method=%q,route=%q,code=\"%d\"}", method, route, code)).Inc()
}

// unsaid hears of a message that the book of phrases does not have.
func (s *Server) unsaid(text string) {
	s.metrics.unsaid.Inc()
	s.log.Debug("message has no phrase", "text", clip(text))
}
