package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/publish"
	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/kafkanet"
	"github.com/grosz/grosz/internal/money"
)

// Config of a console.
type Config struct {
	// Dir is the folder of console.db and admin.key; it is made if missing.
	Dir string
	// Addr is where to listen, host:port; port 0 takes a free one.
	Addr string
	// Wide allows an Addr that is not loopback.
	Wide bool
	// Brokers of Kafka, host:port.
	Brokers []string
	// Security of the connections to Kafka; nil: plain.
	Security *kafkanet.Security
	// ClickHouse is where reports come from; an empty Addr means that there
	// are none.
	ClickHouse report.Config
	// Bidder is the listener of the bidder that explains, host:port; empty
	// means that there are no explanations.
	Bidder string
	// PrivateWebhooks lets alerts be sent to inner addresses and by http, for
	// trials and tests.
	PrivateWebhooks bool
	// MaxFeedBytes bounds an upload; 0 means 1 GiB.
	MaxFeedBytes int64
	// MaxProducts bounds a shop's feed; 0 means 1,000,000.
	MaxProducts int
	// AssetDir is the folder of uploaded files, which the bidders serve under
	// /assets/; empty means Dir/assets.
	AssetDir string
	// PublicURL of the bidders, for links to previews; empty: they are paths.
	PublicURL string
	// FetchPrivate lets feeds be fetched from private and loopback addresses:
	// for trials and tests.
	FetchPrivate bool
}

func (c Config) withDefaults() Config {
	if c.MaxFeedBytes == 0 {
		c.MaxFeedBytes = 1 << 30
	}
	if c.MaxProducts == 0 {
		c.MaxProducts = 1_000_000
	}
	if c.AssetDir == "" && c.Dir != "" {
		c.AssetDir = filepath.Join(c.Dir, "assets")
	}
	return c
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("data folder is not set"))
	}
	if err := checkAddr(c.Addr, c.Wide); err != nil {
		errs = append(errs, err)
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			errs = append(errs, fmt.Errorf("broker %q of Kafka is not host:port", b))
		}
	}
	if c.Bidder != "" {
		if _, _, err := net.SplitHostPort(c.Bidder); err != nil {
			errs = append(errs, fmt.Errorf("bidder %q is not host:port", c.Bidder))
		}
	}
	if c.MaxFeedBytes < 0 {
		errs = append(errs, fmt.Errorf("feed size limit %d is negative", c.MaxFeedBytes))
	}
	if c.MaxProducts < 0 {
		errs = append(errs, fmt.Errorf("product limit %d is negative", c.MaxProducts))
	}
	if c.ClickHouse.Addr != "" {
		if err := c.ClickHouse.Validate(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func checkAddr(addr string, wide bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("console address %q is not host:port", addr)
	}
	if wide || host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("console address %q is wider than loopback, which must be allowed explicitly", addr)
}

// FeedOptions say how to read an upload.
type FeedOptions struct {
	// Format is "csv", "tsv", "google-xml", "ceneo-xml", "json" or "jsonl"; empty means to tell it from the bytes.
	Format string
	// Currency is the shop's: prices without one are in it.
	Currency    money.Currency
	MaxProducts int
	MaxBytes    int64
	// Now decides about sale prices with dates.
	Now time.Time
}

// ErrFeedTooLarge is for an upload beyond the bounds in FeedOptions; a
// FeedReader wraps it.
var ErrFeedTooLarge = errors.New("the feed is too large")

// FeedReport is what an upload held.
type FeedReport struct {
	Format   string        `json:"format" doc:"Format that was read"`
	Rows     int           `json:"rows" doc:"Rows of the upload"`
	Accepted int           `json:"accepted" doc:"Products that are now in the feed"`
	Rejected int           `json:"rejected" doc:"Rows that were left out"`
	Repeated int           `json:"repeated" doc:"Rows whose product id another row has too; one of them counts"`
	Problems []FeedProblem `json:"problems" doc:"The first problems found"`
}

// FeedProblem is a row that was left out, and why.
type FeedProblem struct {
	Line    int    `json:"line" doc:"Line of the upload, from 1"`
	Column  string `json:"column,omitempty" doc:"Column or field"`
	Product string `json:"product,omitempty" doc:"Product id, where it could be read"`
	Reason  string `json:"reason" doc:"What is wrong"`
}

// FeedReader reads an upload product by product in bounded memory. Its error
// is for an upload that cannot be read on; a bad row is only reported.
type FeedReader func(context.Context, io.Reader, FeedOptions, func(campaigns.Product) error) (FeedReport, error)

// Reports answers questions about a shop's results.
type Reports interface {
	// CostPerOrder returns rows of days from..to, inclusive, YYYY-MM-DD.
	CostPerOrder(ctx context.Context, shop uint32, from, to string) ([]report.CostPerOrder, error)
	Ping(ctx context.Context) error
}

// Deps are what a console needs of others. Only Log and Clock must be set.
type Deps struct {
	Log   *slog.Logger
	Clock clock.Clock
	// Version of the program, shown on the status page.
	Version string
	// ReadFeed reads uploads; nil means that feeds cannot be uploaded.
	ReadFeed FeedReader
	// ReadDelta reads updates of feeds; nil means that there are none.
	ReadDelta FeedDeltaReader
	// EnsureTopic makes the topic grosz.campaigns, trying until ctx ends.
	EnsureTopic func(ctx context.Context) error
	// Writer sends to Kafka in place of one made for Config.Brokers.
	Writer publish.Writer
	// Segments asks a bidder about segments; nil: sizes are not known and
	// members cannot be listed.
	Segments SegmentSource
	// Reports answers in place of one made for Config.ClickHouse.
	Reports Reports
	// Metrics takes the console's metrics; nil keeps them unread.
	Metrics *metrics.Set
}

func (d Deps) validate() error {
	var errs []error
	if d.Log == nil {
		errs = append(errs, errors.New("no logger"))
	}
	if d.Clock == nil {
		errs = append(errs, errors.New("no clock"))
	}
	return errors.Join(errs...)
}

// dbPath is the database's file in the data folder.
func dbPath(dir string) string { return filepath.Join(dir, "console.db") }

func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	return nil
}
