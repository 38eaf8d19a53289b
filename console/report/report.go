// Package report asks ClickHouse, a server or the embedded engine, for what
// the console shows of a shop's results. Every question names its shop, and
// is bounded in rows and time.
//
// Slow side; safe for many goroutines. Knows ClickHouse and the names of
// reporting's views, nothing else of Grosz.
package report

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/grosz/grosz/internal/tlsclient"
)

// Config says where ClickHouse is.
type Config struct {
	// Addr is host:port of the protocol, or several, comma separated:
	// connections are made to the first that answers.
	Addr string
	// Protocol is "http", also of the embedded engine, or "native"; empty
	// means http.
	Protocol string
	User     string
	// Password, or PasswordFile that holds it (the embedded engine's
	// warehouse.key), which need not be there yet. At most one of the two.
	Password     string
	PasswordFile string
	// TLS is how to speak it; nil: plain connections.
	TLS *tlsclient.Files
	// Timeout bounds a question; 0 means 30 s.
	Timeout time.Duration
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	for _, addr := range strings.Split(c.Addr, ",") {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			errs = append(errs, fmt.Errorf("ClickHouse address %q is not host:port", addr))
		}
	}
	if c.TLS != nil {
		if err := c.TLS.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("ClickHouse: %w", err))
		}
	}
	switch c.Protocol {
	case "", "http", "native":
	default:
		errs = append(errs, fmt.Errorf("ClickHouse protocol %q is neither http nor native", c.Protocol))
	}
	if c.Password != "" && c.PasswordFile != "" {
		errs = append(errs, errors.New("both a ClickHouse password and a file of it are given"))
	}
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("ClickHouse timeout %s is negative", c.Timeout))
	}
	return errors.Join(errs...)
}

// MaxRows bounds an answer.
const MaxRows = 20_000

// ErrTooMuch says that an answer would have more than MaxRows rows.
var ErrTooMuch = errors.New("more rows than an answer may have: ask for fewer days")

// CostPerOrder is a row of grosz.cost_per_order. Money is decimal strings: a
// sum may be greater than any integer of Go's.
type CostPerOrder struct {
	Day          string  `json:"day" ch:"day" doc:"Day of the shop's time zone"`
	Campaign     uint32  `json:"campaign" ch:"campaign" doc:"Campaign id"`
	Exchange     string  `json:"exchange" ch:"exchange"`
	Currency     string  `json:"currency" ch:"currency" doc:"The exchange's; of spend and cost_per_order"`
	Bids         uint64  `json:"bids" ch:"bids"`
	Wins         uint64  `json:"wins" ch:"wins"`
	Impressions  uint64  `json:"impressions" ch:"impressions"`
	Clicks       uint64  `json:"clicks" ch:"clicks"`
	Spend        string  `json:"spend" ch:"spend" doc:"Media cost in currency, as the exchange will invoice it"`
	Orders       uint64  `json:"orders" ch:"orders"`
	CostPerOrder *string `json:"cost_per_order" ch:"cost_per_order" doc:"Spend by orders; null without orders"`

	ShopCurrency     string  `json:"shop_currency" ch:"shop_currency" doc:"The shop's; of what follows"`
	Revenue          string  `json:"revenue" ch:"revenue" doc:"Value of the orders"`
	ShopSpend        string  `json:"shop_spend" ch:"shop_spend" doc:"Media cost"`
	ShopFee          string  `json:"shop_fee" ch:"shop_fee" doc:"The platform's fee"`
	ShopCostPerOrder *string `json:"shop_cost_per_order" ch:"shop_cost_per_order" doc:"Media cost and fee by orders; null without orders"`
}

// Reader asks ClickHouse.
type Reader struct {
	cfg Config

	mu   sync.Mutex
	conn driver.Conn // nil until first used
}

// Open makes a Reader. It connects when it is first asked: ClickHouse, and
// the file with its password, may come later.
func Open(cfg Config) (*Reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	return &Reader{cfg: cfg}, nil
}

// connect returns the pool of connections, making it if there is none.
func (r *Reader) connect() (driver.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		return r.conn, nil
	}
	password := r.cfg.Password
	if r.cfg.PasswordFile != "" {
		raw, err := os.ReadFile(r.cfg.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("read ClickHouse's password: %w", err)
		}
		password = strings.TrimSpace(string(raw))
	}
	opts := &clickhouse.Options{
		Addr: strings.Split(r.cfg.Addr, ","), ConnOpenStrategy: clickhouse.ConnOpenInOrder, Protocol: clickhouse.HTTP,
		Auth: clickhouse.Auth{Username: r.cfg.User, Password: password},
		// Of the driver this is also how long a question may wait for its turn.
		DialTimeout: max(3*time.Second, r.cfg.Timeout/2), ReadTimeout: r.cfg.Timeout,
		MaxOpenConns: 4, MaxIdleConns: 2, ConnMaxLifetime: 10 * time.Minute,
		ClientInfo: clickhouse.ClientInfo{Products: []struct{ Name, Version string }{{Name: "grosz-console", Version: "1"}}},
	}
	if r.cfg.TLS != nil {
		var err error
		if opts.TLS, err = r.cfg.TLS.Config(); err != nil {
			return nil, fmt.Errorf("open ClickHouse at %s: %w", r.cfg.Addr, err)
		}
	}
	if r.cfg.Protocol == "native" {
		opts.Protocol = clickhouse.Native
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("open ClickHouse at %s: %w", r.cfg.Addr, err)
	}
	r.conn = conn
	return conn, nil
}

// forget drops the connections where the password comes from a file, which
// may have been changed.
func (r *Reader) forget() {
	if r.cfg.PasswordFile == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		_ = r.conn.Close() // what matters was the answer that did not come
		r.conn = nil
	}
}

// Close ends the connections.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn == nil {
		return nil
	}
	return r.conn.Close()
}

// Ping tells whether ClickHouse answers.
func (r *Reader) Ping(ctx context.Context) error {
	conn, err := r.connect()
	if err != nil {
		return err
	}
	if err := conn.Ping(ctx); err != nil {
		r.forget()
		return fmt.Errorf("ping ClickHouse: %w", err)
	}
	return nil
}

const costPerOrder = `SELECT toString(r.day) AS day, campaign, toString(exchange) AS exchange, toString(currency) AS currency,
	bids, wins, impressions, clicks, toString(r.spend) AS spend, orders, toString(r.cost_per_order) AS cost_per_order,
	toString(shop_currency) AS shop_currency, toString(r.revenue) AS revenue,
	toString(r.shop_spend) AS shop_spend, toString(r.shop_fee) AS shop_fee, toString(r.shop_cost_per_order) AS shop_cost_per_order
FROM grosz.cost_per_order AS r
WHERE r.shop = ? AND r.day BETWEEN toDate(?) AND toDate(?)
ORDER BY r.day, campaign, exchange, currency
LIMIT ?`

// CostPerOrder returns a shop's rows of the days from..to, inclusive,
// YYYY-MM-DD, by day, campaign and exchange.
func (r *Reader) CostPerOrder(ctx context.Context, shop uint32, from, to string) ([]CostPerOrder, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	conn, err := r.connect()
	if err != nil {
		return nil, err
	}
	rows := []CostPerOrder{}
	if err := conn.Select(ctx, &rows, costPerOrder, shop, from, to, MaxRows+1); err != nil {
		return nil, fmt.Errorf("ask for the cost per order of shop %d: %w", shop, err)
	}
	if len(rows) > MaxRows {
		return nil, ErrTooMuch
	}
	return rows, nil
}
