package bidder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/grosz/grosz/bidder/privacy"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/price"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// ExchangeConfig is one exchange's agreement with us: a YAML file.
type ExchangeConfig struct {
	// Name is the last part of /openrtb2/{name}: a-z, 0-9 and -, at most 32.
	Name string `yaml:"name"`
	// AuctionType is what `at` means when a request leaves it out: 1 first
	// price, 2 second price plus (the standard's default).
	AuctionType int `yaml:"auction_type"`
	// Settle names the event that moves money per media type: win (nurl),
	// billing (burl) or impression. Default for all: billing.
	Settle struct {
		Banner string `yaml:"banner"`
		Video  string `yaml:"video"`
		Native string `yaml:"native"`
	} `yaml:"settle"`
	// TimeoutMS is the longest the exchange waits, network included; a
	// request's tmax lowers it. Default 100, at most 60,000.
	TimeoutMS int `yaml:"timeout_ms"`
	// NetworkMS is the measured round trip plus a margin, taken off the
	// deadline. Default 10; below TimeoutMS.
	NetworkMS int `yaml:"network_ms"`
	// HoldSeconds is how long an unanswered bid keeps its hold: the longest
	// usual delay of the settling event. imp.exp lengthens it. Default 120, at
	// most a week.
	HoldSeconds int `yaml:"hold_seconds"`
	// MediaHoldSeconds is HoldSeconds for one media type; 0: as HoldSeconds.
	MediaHoldSeconds struct {
		Banner int `yaml:"banner"`
		Video  int `yaml:"video"`
		Native int `yaml:"native"`
	} `yaml:"media_hold_seconds"`
	// OpenBids is how many bids beside deals one imp may get. Default 1: in a
	// second-price auction a second one would bid against ourselves.
	OpenBids int `yaml:"open_bids"`
	// LoneBidder is what a lone bidder pays in a second-price auction: floor
	// (default) or floor_plus, the floor and an Increment.
	LoneBidder string `yaml:"lone_bidder"`
	// Increment of a second-price auction, CPM in the bid's currency. Default
	// 0.01.
	Increment string `yaml:"increment"`
	// PriceDecimals is how many decimal places a bid's price may have; further
	// ones are cut. 0 to 6; default 6.
	PriceDecimals *int `yaml:"price_decimals"`
	// Price says how the exchange writes prices in notices.
	Price PriceConfig `yaml:"price"`
	// PriceMacro is what the exchange replaces by the price, where it is not
	// the standard's ${AUCTION_PRICE}: such as ${AUCTION_PRICE:OXCRYPT}.
	PriceMacro string `yaml:"price_macro"`
	// Seat is seatbid.seat; wseat and bseat are checked against it.
	Seat string `yaml:"seat"`
	// Currencies that we may bid in here, in our order of preference; empty
	// means any that the request lists and we have a rate for.
	Currencies CurrencyList `yaml:"currencies"`
	// Media allowed here; empty means banner, video and native.
	Media []string `yaml:"media"`
	// NativeWrap says whether a native ad is wrapped in {"native": …}: version
	// (default: as the request's version wants it), always or never.
	NativeWrap string `yaml:"native_wrap"`
	// SecureAlways renders every ad as if imp.secure were 1.
	SecureAlways bool `yaml:"secure_always"`
	// ClickMacro stands in front of our click URL in markup, such as
	// "${CLICK_URL}": the exchange counts clicks by it. Empty: none.
	ClickMacro string `yaml:"click_macro"`
	// ClickEncode percent-encodes our click URL behind ClickMacro.
	ClickEncode bool `yaml:"click_encode"`
	// PrebidType repeats each bid's media type in bid.ext.prebid.type, where
	// many of Prebid Server's adapters read it instead of mtype.
	PrebidType bool `yaml:"prebid_type"`
	// RequireApproval bids only with creatives that this exchange has approved,
	// by crid; the states are the console's to keep.
	RequireApproval bool `yaml:"require_approval"`
	// QPS bounds the requests that are worked on, per second and node; more
	// are answered 204 at once. 0: no bound.
	QPS int `yaml:"qps"`
	// Gzip of answers: asked (default: where Accept-Encoding says so), always
	// or never.
	Gzip string `yaml:"gzip"`
	// Auth says who may send bid requests. Empty: anyone.
	Auth AuthConfig `yaml:"auth"`
	// Sync is how user ids are matched with the exchange.
	Sync SyncConfig `yaml:"sync"`
	// VendorID is our id in IAB Europe's Global Vendor List, as consent strings
	// of this exchange's users name it. 0: not registered.
	VendorID uint16 `yaml:"vendor_id"`
	// MayProfile says that the exchange's terms allow looking up a profile.
	// Default true.
	MayProfile bool `yaml:"may_profile"`
	// MayLog says that they allow keeping an identifier from a request.
	MayLog bool `yaml:"may_log"`
	// RequestShare is which share of the people seen here, 0 to 1, is in the
	// sample of requests that forecasts replay, where MayLog allows it; 0 means
	// 0.02, a negative one none. People known to a shop are ten times as likely.
	RequestShare float64 `yaml:"request_share"`
	// MeasureByInterest says that our registration declares purpose 7 under
	// legitimate interest.
	MeasureByInterest bool `yaml:"measure_by_interest"`
	// GDPRWhenAbsent is what a request without regs.gdpr means: if_consent
	// (default: it applies if there is a consent string) or applies.
	GDPRWhenAbsent string `yaml:"gdpr_when_absent"`
	// Report is how the exchange writes its report of what it bills, which
	// grosz reconcile reads.
	Report ReportConfig `yaml:"report"`
}

// PriceConfig says how prices are written, and where their keys are.
type PriceConfig struct {
	price.Config `yaml:",inline"`
	// KeysFile and KeysEnv name a file or an environment variable with the
	// keys of an encrypted price, as price.ParseKeys reads them. One of them.
	KeysFile string `yaml:"keys_file"`
	KeysEnv  string `yaml:"keys_env"`
}

// AuthConfig says who may send bid requests. Where both kinds are given, a
// request needs both.
type AuthConfig struct {
	// Tokens are SHA-256 sums, in hex, of what Header carries; several while a
	// token changes. At most 16.
	Tokens []string `yaml:"tokens"`
	// Header that carries the token. Default Authorization, where "Bearer "
	// before the token is no part of it.
	Header string `yaml:"header"`
	// Addresses from which the connection may come: 203.0.113.0/24 or a single
	// one, IPv4 or IPv6. At most 256.
	Addresses []string `yaml:"addresses"`
}

// Secrets finds what exchange files only name. A nil function finds nothing.
type Secrets struct {
	File func(name string) ([]byte, error)
	Env  func(name string) (string, bool)
}

// Exchange is a checked ExchangeConfig in the form the hot path reads.
type Exchange struct {
	Name         string
	number       uint16 // among the bidder's exchanges
	at           int32
	settle       [8]uint8 // by media code
	timeout      time.Duration
	network      time.Duration
	hold         time.Duration
	holds        [8]time.Duration // by media code
	openBids     int
	seat         string
	currencies   []money.Currency
	media        [8]bool
	clickMacro   string
	mayProfile   bool
	requestShare float64
	counters     exchangeCounters
	tallies      exchangeTallies
	market       *plan.Prices // of its first-price auctions; New sets it

	prices       price.Decoder
	priceMacro   string    // "&p=" and the macro
	priceStep    money.CPM // bids are multiples of it
	increment    money.CPM
	lonePlus     bool
	nativeWrap   nativeWrap
	secureAlways bool
	approvalOnly bool
	clickEncode  bool
	prebidType   bool
	gzip         gzipMode
	privacy      privacy.Config
	sync         SyncConfig
	report       ReportConfig
	rate         rateLimit
	authHeader   string
	tokens       [][32]byte
	addresses    []netip.Prefix
}

// ParseExchange reads one exchange's YAML and lists all that is wrong. It
// finds no secrets: ParseExchangeWith does.
func ParseExchange(text []byte) (*Exchange, error) { return ParseExchangeWith(text, Secrets{}) }

// ParseExchangeWith reads one exchange's YAML and lists all that is wrong.
func ParseExchangeWith(text []byte, s Secrets) (*Exchange, error) {
	var c ExchangeConfig
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	// Values of a wrong kind are listed together with what else is wrong.
	var kinds *yaml.TypeError
	if err := dec.Decode(&c); err != nil && !errors.As(err, &kinds) {
		return nil, fmt.Errorf("exchange file: %w", err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("exchange file: more than one document: one file is one exchange")
	}
	x, err := NewExchangeWith(c, s)
	if kinds != nil {
		return nil, errors.Join(fmt.Errorf("exchange file: %w", kinds), err)
	}
	return x, err
}

// CurrencyList is currencies as a file lists them.
type CurrencyList []money.Currency

// UnmarshalYAML reads the codes and lists every one that is none.
func (l *CurrencyList) UnmarshalYAML(n *yaml.Node) error {
	var codes []string
	if err := n.Decode(&codes); err != nil {
		return err //nolint:wrapcheck // yaml's own, with its line
	}
	var bad []string
	for _, code := range codes {
		c, err := money.ParseCurrency(code)
		if err != nil {
			bad = append(bad, fmt.Sprintf("line %d: currencies: %v", n.Line, err))
			continue
		}
		*l = append(*l, c)
	}
	if bad != nil {
		return &yaml.TypeError{Errors: bad}
	}
	return nil
}

// NewExchange checks c and lists all that is wrong. It finds no secrets.
func NewExchange(c ExchangeConfig) (*Exchange, error) { return NewExchangeWith(c, Secrets{}) }

// NewExchangeWith checks c and lists all that is wrong.
func NewExchangeWith(c ExchangeConfig, s Secrets) (*Exchange, error) {
	b := exchangeBuilder{c: &c, secrets: s, x: &Exchange{
		Name: c.Name, at: int32(c.AuctionType), openBids: c.OpenBids, seat: c.Seat,
		currencies: c.Currencies, clickMacro: c.ClickMacro, mayProfile: c.MayProfile,
		timeout: time.Duration(c.TimeoutMS) * time.Millisecond, network: time.Duration(c.NetworkMS) * time.Millisecond,
		hold: time.Duration(c.HoldSeconds) * time.Second, secureAlways: c.SecureAlways, approvalOnly: c.RequireApproval, clickEncode: c.ClickEncode, prebidType: c.PrebidType,
	}}
	if !validExchangeName(c.Name) {
		b.bad("name %q: 1 to %d of a-z, 0-9 and -", c.Name, events.MaxExchangeName)
	}
	b.auction()
	b.times()
	b.medias()
	b.price()
	b.markup()
	b.auth()
	b.people()
	b.reportFile()
	if len(b.errs) > 0 {
		return nil, fmt.Errorf("exchange %q: %w", c.Name, errors.Join(b.errs...))
	}
	return b.x, nil
}

func validExchangeName(s string) bool {
	if s == "" || len(s) > events.MaxExchangeName {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
