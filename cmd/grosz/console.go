package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	vm "github.com/VictoriaMetrics/metrics"

	"github.com/grosz/grosz/console"
	"github.com/grosz/grosz/console/feedjob"
	"github.com/grosz/grosz/console/nodes"
	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/internal/kafkanet"
)

type consoleConfig struct {
	kafkaNet
	listening
	clickhouse
	Dir     string   `config:"data" help:"directory of all data; the database is DIR/console.db, the first key DIR/admin.key" default:"./data"`
	Addr    string   `config:"console" help:"address of the API and pages" default:"127.0.0.1:8090"`
	Metrics string   `config:"metrics" help:"loopback address of metrics and profiles" default:"127.0.0.1:8094"`
	Bidder  string   `config:"bidder" help:"listener of the bidder that explains bids, host:port; empty for none" default:"127.0.0.1:8080"`
	Kafka   []string `config:"kafka" help:"Kafka brokers, host:port, comma separated" default:"127.0.0.1:9092"`
	Nodes   []string `config:"bidder-metrics" help:"metrics addresses of bidders, comma separated: the first that answers tells the sizes of segments" default:"127.0.0.1:8091"`
	Assets  string   `config:"assets" help:"folder of files uploaded for ads, which the bidders serve; default DIR/assets"`
	Public  string   `config:"public-url" help:"URL by which exchanges and browsers reach the bidder, for links to previews; default http://BIDDER"`
	Private bool     `config:"feed-private" help:"let feeds be fetched from private and loopback addresses too"`
}

func (c *consoleConfig) Validate() error {
	return errors.Join(listening{}.check("metrics", c.Metrics), c.kafkaNet.check(c.Kafka), c.console("", nil).Validate())
}

func (c *consoleConfig) console(password string, security *kafkanet.Security) console.Config {
	return console.Config{
		Dir: c.Dir, Addr: c.Addr, Wide: c.Wide, Brokers: c.Kafka, Security: security, Bidder: c.Bidder, FetchPrivate: c.Private, AssetDir: c.Assets, PublicURL: c.publicURL(),
		ClickHouse: report.Config{Addr: c.ClickHouse, Protocol: c.Protocol, User: c.User, Password: password, TLS: c.tls()},
	}
}

func (c *consoleConfig) publicURL() string {
	if c.Public == "" && c.Bidder != "" {
		return "http://" + c.Bidder
	}
	return c.Public
}

// consoleLock is the file in the data directory that one console holds for as
// long as it runs: two that write one database would each keep checksums of
// what the other has not written.
const consoleLock = "console.lock"

func holdConsole(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	return holdAlone(dir, consoleLock, "console has the database")
}

// runConsole serves the API until ctx ends.
func runConsole(ctx context.Context, e env, args []string) error {
	var c consoleConfig
	if _, err := config.Load("console", args, e.environ, &c, e.out); err != nil {
		return err
	}
	password, err := c.password(c.Dir)
	if err != nil {
		return err
	}
	brokers, err := c.cluster(c.Kafka)
	if err != nil {
		return err
	}
	release, err := holdConsole(c.Dir)
	if err != nil {
		return err
	}
	defer release()
	set := vm.NewSet()
	s, err := console.New(c.console(password, brokers.Security), console.Deps{
		Log: e.log, Clock: clock.System{}, Version: version, Metrics: set,
		ReadFeed: feedjob.Read, ReadDelta: feedjob.ReadDelta, Segments: &nodes.Client{Addrs: c.Nodes},
		EnsureTopic: func(ctx context.Context) error {
			// The others' partitions are the bidder's and the loader's to say.
			return brokers.EnsureTopics(ctx, kafka.CampaignTopics(), e.log)
		},
	})
	if err != nil {
		return err
	}
	stop, err := serveMetrics(c.Metrics, func(w io.Writer) { set.WritePrometheus(w) }, e.log)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	defer stop()
	return s.Run(ctx)
}
