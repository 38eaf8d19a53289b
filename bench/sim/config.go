package sim

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/grosz/grosz/internal/money"
)

// Kinds of auction and events that make an exchange bill.
const (
	FirstPrice  = 1
	SecondPrice = 2

	SettleBurl       = "burl"
	SettleImpression = "impression"
)

// Config describes the world. Zero values take the stated defaults.
type Config struct {
	// Dir keeps the journals.
	Dir string
	// BidderURL is the bidder's listener, such as http://127.0.0.1:8080.
	BidderURL string
	// PublicURL is the base of the URLs in bids where it differs from
	// BidderURL; they are fetched from BidderURL all the same.
	PublicURL string
	// Exchanges; nil means DefaultExchanges.
	Exchanges []Exchange
	// Shops that the shoppers buy in; none means exchanges only.
	Shops []Shop
	// Shoppers is the size of the population; 0 means 2,000, at most 1,000,000.
	Shoppers int
	// Rate is bid requests per second over all exchanges; 0 means 40.
	Rate float64
	// SessionRate is shop sessions per second; 0 means Rate/10.
	SessionRate float64
	// Seed of everything drawn.
	Seed uint64
	// Concurrency bounds handlers at work; 0 means 16, 1 makes a run on a
	// fast clock repeatable.
	Concurrency int
	// Duration of world time after which no new page views come; 0: none.
	Duration time.Duration
	// Drain bounds how long a stop waits for undelivered notices; 0 means 5 s.
	Drain time.Duration
	// TMax is the time a bidder has, ms; 0 means 300.
	TMax int
	// SecureShare of imps ask for https; 0 means 0.5, negative none.
	SecureShare float64
	// DuplicateShare of notices are sent twice; 0 means 0.01, negative none.
	DuplicateShare float64
	// ClickScale multiplies every probability of a click; 0 means 1.
	ClickScale float64
	// JournalBytes is the size from which an exchange's journal is rewritten
	// with sums in place of its lines; 0 means 256 MiB.
	JournalBytes int64
	// Rates for floors in other currencies; may be nil.
	Rates *money.Rates
	// Timer is the world's clock; nil means the machine's.
	Timer Timer
	// Log; nil means slog.Default.
	Log *slog.Logger
}

// Exchange is one simulated exchange.
type Exchange struct {
	Name     string
	Kind     int    // FirstPrice or SecondPrice
	Settles  string // SettleBurl or SettleImpression
	Currency money.Currency
	// PerUSD is what a dollar is in Currency, for rivals' prices and floors.
	PerUSD money.Rate
	// Increment over the second price, micro-CPM.
	Increment money.CPM
	// LoneIncrement makes a lone bidder pay floor + Increment.
	LoneIncrement bool
	// StateAt sends `at`; else the auction kind is agreed beforehand.
	StateAt bool
	// TrimPrice prints 1.50 as 1.5 and 2.00 as 2 in macros.
	TrimPrice bool
	// Matched is the share of shoppers whose DSP id the exchange knows.
	Matched float64
}

// Shop is an advertiser whose visitors are simulated.
type Shop struct {
	ID       uint32
	Name     string
	Domain   string // as in bid.adomain
	Key      string // API key with scope events
	Currency money.Currency
	Products []Product
}

// Product is what a shopper looks at.
type Product struct {
	ID       string
	Title    string
	Category string
	Price    money.Nano
}

// DefaultExchanges are the demo's two.
func DefaultExchanges() []Exchange {
	return []Exchange{
		{Name: "sim-second", Kind: SecondPrice, Settles: SettleBurl, Currency: money.MustCurrency("USD"),
			PerUSD: money.RateOne, Increment: 10_000, Matched: 0.75},
		{Name: "sim-first", Kind: FirstPrice, Settles: SettleImpression, Currency: money.MustCurrency("PLN"),
			PerUSD: 4 * money.RateOne, Increment: 10_000, StateAt: true, TrimPrice: true, Matched: 0.6},
	}
}

func (c *Config) defaults() {
	if c.Exchanges == nil {
		c.Exchanges = DefaultExchanges()
	}
	if c.PublicURL == "" {
		c.PublicURL = c.BidderURL
	}
	orInt := func(p *int, def int) {
		if *p == 0 {
			*p = def
		}
	}
	orFloat := func(p *float64, def float64) {
		if *p == 0 {
			*p = def
		}
	}
	orInt(&c.Shoppers, 2000)
	orInt(&c.Concurrency, 16)
	orInt(&c.TMax, 300)
	orFloat(&c.Rate, 40)
	orFloat(&c.SessionRate, c.Rate/10)
	orFloat(&c.SecureShare, 0.5)
	orFloat(&c.DuplicateShare, 0.01)
	orFloat(&c.ClickScale, 1)
	if c.Drain == 0 {
		c.Drain = 5 * time.Second
	}
	if c.JournalBytes == 0 {
		c.JournalBytes = 256 << 20
	}
	if c.Timer == nil {
		c.Timer = Real{}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
}

// Validate lists everything that is wrong.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Dir == "" {
		bad("dir: no directory for the journals")
	}
	for name, s := range map[string]string{"bidder url": c.BidderURL, "public url": c.PublicURL} {
		u, err := url.Parse(s)
		if (s != "" || name == "bidder url") && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			bad("%s: %q is not an http(s) URL", name, s)
		}
	}
	if c.Shoppers < 0 || c.Shoppers > 1_000_000 {
		bad("shoppers: %d is not within 1 and 1,000,000", c.Shoppers)
	}
	if c.Rate < 0 || c.Rate > 100_000 {
		bad("rate: %g is not within 0 and 100,000 a second", c.Rate)
	}
	if c.Concurrency < 0 || c.Concurrency > 4096 {
		bad("concurrency: %d is not within 1 and 4,096", c.Concurrency)
	}
	seen := map[string]bool{}
	for i, x := range c.Exchanges {
		if x.Name == "" || x.Name == truthName || url.PathEscape(x.Name) != x.Name || seen[x.Name] {
			bad("exchange %d: the name %q is empty, doubled, taken or not fit for a path", i, x.Name)
		}
		seen[x.Name] = true
		if x.Kind != FirstPrice && x.Kind != SecondPrice {
			bad("exchange %s: kind %d is neither first (1) nor second price (2)", x.Name, x.Kind)
		}
		if x.Settles != SettleBurl && x.Settles != SettleImpression {
			bad("exchange %s: settles on %q, not on burl or impression", x.Name, x.Settles)
		}
		if x.Currency == (money.Currency{}) || x.PerUSD <= 0 {
			bad("exchange %s: no currency or rate", x.Name)
		}
	}
	for _, s := range c.Shops {
		if s.ID == 0 || s.Domain == "" || len(s.Products) == 0 {
			bad("shop %q: id, domain and products are needed", s.Name)
		}
	}
	return errors.Join(errs...)
}
