package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/bidder"
	"github.com/grosz/grosz/bidder/geo"
	"github.com/grosz/grosz/bidder/traffic"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/internal/rates"
	"github.com/grosz/grosz/internal/tlsmux"
	"github.com/grosz/grosz/segments/match"
	"github.com/grosz/grosz/segments/suppress"
)

type bidderConfig struct {
	listening
	kafkaNet
	Dir       string        `config:"data" help:"directory of all data; this node's spool is in DIR/bidder" default:"./data"`
	Addr      string        `config:"bidder" help:"address of the bidder's listener" default:"127.0.0.1:8080"`
	Metrics   string        `config:"metrics" help:"loopback address of metrics and profiles" default:"127.0.0.1:8091"`
	Public    string        `config:"public-url" help:"URL by which exchanges and browsers reach the bidder; default http://ADDRESS"`
	Assets    string        `config:"assets" help:"folder of files uploaded for ads, which the console fills; default DIR/assets"`
	AssetURL  string        `config:"assets-url" help:"base URL of those files in ads, if something else serves them; default PUBLIC-URL/assets"`
	Kafka     []string      `config:"kafka" help:"Kafka brokers, host:port, comma separated" default:"127.0.0.1:9092"`
	Exchanges string        `config:"exchanges" help:"directory of exchange files (*.yaml); default DIR/exchanges"`
	Rates     string        `config:"rates" help:"file or https URL of exchange rates; default DIR/rates.json if it is there"`
	RatesAge  time.Duration `config:"rates-max-age" help:"past this age of the rates nothing is bid in other currencies; -1s takes any age" default:"96h"`
	Node      string        `config:"node" help:"name of this node in events; default the host's name and port"`
	Parts     int           `config:"partitions" help:"partitions of new event topics" default:"4"`
	SpoolMax  int64         `config:"spool-bytes" help:"bound on the spool's disk in bytes" default:"4294967296"`
	Profiles  int           `config:"profiles" help:"bound on profiles in memory" default:"1000000"`
	ProfileB  int64         `config:"profile-bytes" help:"bound on the memory of profiles; default 400 for each of --profiles"`
	ShopRate  int           `config:"shop-events" help:"events of one shop that are taken in a second, from its server and from its pages each; -1 is any number" default:"10000"`
	Crawlers  []string      `config:"crawlers" help:"files of crawlers' user agents (IAB list format), beside the built-in ones"`
	Centres   []string      `config:"data-centres" help:"files of data centres' addresses, a CIDR prefix a line"`
	Partners  string        `config:"partners" help:"file of partners who may tell what people look for (YAML); default DIR/partners.yaml if it is there"`
	GeoDB     string        `config:"geo-db" help:"database file of places by address (MaxMind format), looked at again every minute; default DIR/geo.mmdb if it is there"`
	DrainWait time.Duration `config:"drain-wait" help:"how long a bidder that is told to stop goes on answering while /readyz says no, so that a load balancer notices: twice its interval" default:"0s"`
	Samples   int           `config:"decision-samples" help:"live decisions kept for explaining, where the exchange allows it; -1 keeps none" default:"256"`
	ReqBytes  int64         `config:"request-sample-bytes" help:"bound on the memory of sampled requests, which forecasts replay; -1 takes no sample" default:"100663296"`
	CPCMargin int           `config:"cpc-margin-bps" help:"the platform's part of what billed clicks are likely to bring, basis points: so much less is bid for their impressions" default:"1000"`
	CPCClicks int           `config:"cpc-loss-clicks" help:"what the platform may lose on each campaign billed by clicks within seven days before it stops, in clicks of it; -1 is without a bound" default:"100"`
	CPCLoss   int           `config:"cpc-loss-bps" help:"and beside it this part of what its clicks were billed in those days, basis points" default:"1000"`
	ReqDays   int           `config:"request-sample-days" help:"days that sampled requests are kept, at most 14" default:"14"`
}

func (c *bidderConfig) Validate() error {
	if c.Public == "" {
		c.Public = "http://" + c.Addr
	}
	if c.Assets == "" {
		c.Assets = filepath.Join(c.Dir, "assets")
	}
	if c.Exchanges == "" {
		c.Exchanges = filepath.Join(c.Dir, "exchanges")
	}
	if def := filepath.Join(c.Dir, "rates.json"); c.Rates == "" && exists(def) {
		c.Rates = def
	}
	if def := filepath.Join(c.Dir, "geo.mmdb"); c.GeoDB == "" && exists(def) {
		c.GeoDB = def
	}
	if def := filepath.Join(c.Dir, "partners.yaml"); c.Partners == "" && exists(def) {
		c.Partners = def
	}
	if c.Node == "" {
		host, _ := os.Hostname()
		_, port, _ := net.SplitHostPort(c.Addr)
		c.Node = host + ":" + port
	}
	return errors.Join(c.listening.check("bidder", c.Addr), listening{}.check("metrics", c.Metrics), c.kafkaNet.check(c.Kafka))
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// runBidder serves the bidder's listener until ctx ends, then drains: no new
// connections, what is in hand is finished, the spool is shipped.
func runBidder(ctx context.Context, e env, args []string) error {
	var c bidderConfig
	if _, err := config.Load("bidder", args, e.environ, &c, e.out); err != nil {
		return err
	}
	brokers, err := c.cluster(c.Kafka)
	if err != nil {
		return err
	}
	deps, err := bidderDeps(&c, e)
	if err != nil {
		return err
	}
	b, err := newBidder(&c, brokers, deps)
	if err != nil {
		return errors.Join(err, deps.Spool.Close())
	}
	fx, err := startRates(ctx, &c, b, e)
	if err != nil {
		return errors.Join(err, deps.Spool.Close())
	}
	l, err := listenBoth(&c)
	if err != nil {
		return errors.Join(err, deps.Spool.Close())
	}
	stopMetrics, err := serveMetrics(c.Metrics, func(w io.Writer) {
		b.WriteMetrics(w)
		if fx != nil {
			fx.WriteMetrics(w)
		}
	}, e.log, serveSegments(b, e.log))
	if err != nil {
		return errors.Join(err, l.Close(), deps.Spool.Close())
	}
	defer stopMetrics()
	e.log.Info("bidder listens", "addr", l.Addr().String(), "public", c.Public, "exchanges", len(deps.Exchanges))
	return serveBidder(ctx, &c, brokers, b, deps, fx, l, e)
}

// startRates reads the exchange rates once, so that a wrong file is told at
// start, and returns the job that keeps them fresh; nil where there are none,
// and a currency converts to itself only.
func startRates(ctx context.Context, c *bidderConfig, b *bidder.Bidder, e env) (*rates.Refresher, error) {
	if c.Rates == "" {
		return nil, nil
	}
	cfg := rates.Config{
		File: c.Rates, Keep: filepath.Join(c.Dir, "rates.last.json"), MaxAge: c.RatesAge,
		OnChange: b.SetRates, Clock: clock.System{}, Log: e.log,
	}
	if strings.Contains(c.Rates, "://") {
		cfg.File, cfg.URL = "", c.Rates
	}
	fx, err := rates.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("--rates %s: %w", c.Rates, err)
	}
	if err := fx.Step(ctx); err != nil {
		e.log.Error("exchange rates are not to be had; those kept before are used while they are fresh", "from", c.Rates, "err", err)
	}
	return fx, nil
}

func newBidder(c *bidderConfig, brokers kafka.Cluster, deps bidder.Deps) (*bidder.Bidder, error) {
	cfg := bidder.Config{
		Node: c.Node, PublicURL: c.Public, Brokers: brokers.Brokers, Security: brokers.Security, AssetDir: c.Assets, AssetURL: c.AssetURL,
		StateDir: filepath.Join(c.Dir, "bidder"), AdminKey: func() string { return adminKeyHash(c.Dir) },
		Samples: bidder.SampleConfig{Size: c.Samples}, Leases: true,
		Requests: bidder.RequestConfig{Bytes: c.ReqBytes, Days: c.ReqDays}, ClickMarginBPS: c.CPCMargin, ClickLossClicks: c.CPCClicks, ClickLossBPS: c.CPCLoss,
	}
	cfg.Profiles.MaxProfiles, cfg.Profiles.MaxBytes, cfg.ShopEventsPerSecond = c.Profiles, c.ProfileB, c.ShopRate
	cfg.Segments.MaxEntries = 2 * c.Profiles // those without a profile are on imported lists
	return bidder.New(cfg, deps)
}

func bidderDeps(c *bidderConfig, e env) (bidder.Deps, error) {
	d := bidder.Deps{Clock: clock.System{}, Log: e.log}
	if err := os.MkdirAll(c.Assets, 0o755); err != nil {
		return d, fmt.Errorf("make the folder of assets: %w", err)
	}
	var err error
	if d.Keys, err = loadKeyring(c.Dir); err != nil {
		return d, err
	}
	if d.Exchanges, err = loadExchanges(c.Exchanges); err != nil {
		return d, err
	}
	if d.Traffic, err = traffic.NewWatch(traffic.WatchConfig{Crawlers: c.Crawlers, DataCentres: c.Centres}, d.Clock, e.log); err != nil {
		return d, err
	}
	if c.Partners != "" {
		text, err := os.ReadFile(c.Partners)
		if err == nil {
			d.Partners, err = bidder.ParsePartners(text)
		}
		if err != nil {
			return d, fmt.Errorf("--partners %s: %w", c.Partners, err)
		}
	}
	if c.GeoDB != "" {
		if d.Geo, err = geo.New(geo.Config{Path: c.GeoDB}, d.Clock, e.log); err != nil {
			return d, fmt.Errorf("--geo-db: %w", err)
		}
	}
	state := filepath.Join(c.Dir, "bidder")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return d, fmt.Errorf("make the bidder's directory: %w", err)
	}
	matches, err := match.Open(match.Config{Path: filepath.Join(state, "match.log")}, d.Clock, e.log)
	if err != nil {
		return d, err
	}
	forgotten, err := suppress.Open(suppress.Config{Path: filepath.Join(state, "erased.log")}, d.Clock.NowMS(), e.log)
	if err != nil {
		return d, errors.Join(err, matches.Close())
	}
	d.Matches, d.Suppress = matches, forgotten
	d.Spool, err = spool.Open(spool.Config{Dir: filepath.Join(c.Dir, "bidder", "spool"), MaxBytes: c.SpoolMax}, e.log)
	return d, err
}

// loadExchanges reads every file and lists all that is wrong in any.
func loadExchanges(dir string) ([]*bidder.Exchange, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("--exchanges %s: %w", dir, err)
	}
	var out []*bidder.Exchange
	var errs []error
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil {
			var x *bidder.Exchange
			if x, err = bidder.ParseExchangeWith(text, exchangeSecrets(dir)); err == nil {
				out = append(out, x)
				continue
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", f, err))
	}
	return out, errors.Join(errs...)
}

// exchangeSecrets finds price keys that exchange files name: files beside
// them, or variables.
func exchangeSecrets(dir string) bidder.Secrets {
	return bidder.Secrets{Env: os.LookupEnv, File: func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return os.ReadFile(name)
	}}
}

// adminKeyHash is the hash of the console's first key, which may ask for
// explanations; empty while the console has not made one, so it is read each
// time that it is asked for.
func adminKeyHash(dir string) string {
	key, err := os.ReadFile(filepath.Join(dir, "admin.key"))
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(bytes.TrimSpace(key))
	return hex.EncodeToString(sum[:])
}

// listenBoth listens for http and https on one port.
func listenBoth(c *bidderConfig) (net.Listener, error) {
	l, err := listen("bidder", c.Addr)
	if err != nil {
		return nil, err
	}
	host := "127.0.0.1"
	if u, err := url.Parse(c.Public); err == nil {
		host = u.Host
	}
	return bothSchemes(l, host)
}

// bothSchemes lets a listener answer https as well, for a host with or
// without a port.
func bothSchemes(l net.Listener, host string) (net.Listener, error) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	cert, err := tlsmux.SelfSigned(time.Now(), host, "localhost")
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return tlsmux.New(l, cert), nil
}

func serveBidder(ctx context.Context, c *bidderConfig, brokers kafka.Cluster, b *bidder.Bidder, deps bidder.Deps, fx *rates.Refresher, l net.Listener, e env) error {
	// What follows the log and ships to it outlives the listener a little, so
	// that what was acknowledged last is shipped as well.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	ship := brokers.NewWriters(kafka.Lanes, e.log)
	bids := brokers.NewWriter(e.log)
	g, life := errgroup.WithContext(life)
	following, stopFollowing := context.WithCancel(life)
	defer stopFollowing()
	followed := make(chan struct{})
	g.Go(func() error {
		defer close(followed)
		if err := brokers.EnsureTopics(following, kafka.Topics(c.Parts), e.log); err != nil {
			return err
		}
		return b.Follow(following)
	})
	g.Go(func() error { return deps.Spool.Ship(life, kafka.Sink(ship...)) })
	g.Go(func() error { b.RunBidLog(life, bids); return nil })
	g.Go(func() error { b.RunRequestLog(life, bids); return nil })
	g.Go(func() error { deps.Traffic.Run(life); return nil })
	if deps.Geo != nil {
		g.Go(func() error { deps.Geo.Run(life); return nil })
	}
	if fx != nil {
		g.Go(func() error { fx.Run(life); return nil })
	}
	matches, forgotten := deps.Matches.(*match.Table), deps.Suppress.(*suppress.List)
	g.Go(func() error { matches.Run(life); return nil })
	srv := b.Server()
	g.Go(func() error { return srv.Serve(l) })
	select {
	case <-ctx.Done():
	case <-life.Done():
	}
	b.Drain()
	select {
	case <-time.After(c.DrainWait):
	case <-life.Done(): // something broke: there is nothing to wait for
	}
	err := srv.ShutdownWithContext(withTimeout(5 * time.Second))
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // clients that keep their connections open
	}
	stopFollowing() // its last word is what it counted, which is shipped as well
	<-followed
	waitShipped(deps.Spool, 5*time.Second)
	end()
	err = errors.Join(err, g.Wait(), kafka.CloseWriters(ship), bids.Close(), matches.Close(), forgotten.Close(), deps.Spool.Close())
	e.log.Info("bidder ended", "unshipped_bytes", deps.Spool.Stats().BacklogBytes)
	return err
}

func withTimeout(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// waitShipped gives Kafka a moment to take what is left; what it does not
// take stays in the spool for the next start.
func waitShipped(s *spool.Spool, atMost time.Duration) {
	for end := time.Now().Add(atMost); time.Now().Before(end) && !s.Drained(); {
		time.Sleep(10 * time.Millisecond)
	}
}
