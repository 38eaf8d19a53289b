package bidder

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
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
	// request's tmax lowers it. Default 100.
	TimeoutMS int `yaml:"timeout_ms"`
	// NetworkMS is the measured round trip plus a margin, taken off the
	// deadline. Default 10.
	NetworkMS int `yaml:"network_ms"`
	// HoldSeconds is how long an unanswered bid keeps its hold: the longest
	// usual delay of the settling event. imp.exp lengthens it. Default 120.
	HoldSeconds int `yaml:"hold_seconds"`
	// OpenBids is how many bids beside deals one imp may get. Default 1: in a
	// second-price auction a second one would bid against ourselves.
	OpenBids int `yaml:"open_bids"`
	// Seat is seatbid.seat; wseat and bseat are checked against it.
	Seat string `yaml:"seat"`
	// Currencies that we may bid in here, in our order of preference; empty
	// means any that the request lists and we have a rate for.
	Currencies []money.Currency `yaml:"currencies"`
	// Media allowed here; empty means banner, video and native.
	Media []string `yaml:"media"`
	// ClickMacro stands in front of our click URL in markup, such as
	// "${CLICK_URL}": the exchange counts clicks by it. Empty: none.
	ClickMacro string `yaml:"click_macro"`
	// MayProfile says that the exchange's terms allow looking up a profile.
	// Default true.
	MayProfile *bool `yaml:"may_profile"`
}

// Exchange is a checked ExchangeConfig in the form the hot path reads.
type Exchange struct {
	Name        string
	at          int32
	settle      [8]uint8 // by media code
	timeout     time.Duration
	network     time.Duration
	hold        time.Duration
	openBids    int
	seat        string
	currencies  []money.Currency
	media       [8]bool
	clickMacro  string
	mayProfile  bool
	counters    exchangeCounters
	defaultCurs []money.Currency
}

// ParseExchange reads one exchange's YAML and lists all that is wrong.
func ParseExchange(text []byte) (*Exchange, error) {
	var c ExchangeConfig
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil {
		return nil, fmt.Errorf("exchange file: %w", err)
	}
	return NewExchange(c)
}

// NewExchange checks c and lists all that is wrong.
func NewExchange(c ExchangeConfig) (*Exchange, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !validExchangeName(c.Name) {
		bad("name %q: 1 to %d of a-z, 0-9 and -", c.Name, events.MaxExchangeName)
	}
	x := &Exchange{
		Name: c.Name, at: int32(c.AuctionType), openBids: c.OpenBids, seat: c.Seat,
		currencies: c.Currencies, clickMacro: c.ClickMacro, mayProfile: c.MayProfile == nil || *c.MayProfile,
		timeout: time.Duration(c.TimeoutMS) * time.Millisecond, network: time.Duration(c.NetworkMS) * time.Millisecond,
		hold:        time.Duration(c.HoldSeconds) * time.Second,
		defaultCurs: []money.Currency{money.MustCurrency("USD")},
	}
	switch c.AuctionType {
	case 0:
		x.at = 2
	case 1, 2:
	default:
		bad("auction_type %d: 1 (first price) or 2 (second price)", c.AuctionType)
	}
	for code, s := range map[uint8]string{events.MediaBanner: c.Settle.Banner, events.MediaVideo: c.Settle.Video, events.MediaNative: c.Settle.Native} {
		if s == "" {
			s = string(events.TypeBilling)
		}
		settle, ok := events.SettleCode(events.Type(s))
		if !ok {
			bad("settle.%s %q: win, billing or impression", events.MediaName(code), s)
		}
		x.settle[code] = settle
	}
	for name, v := range map[string]int{"timeout_ms": c.TimeoutMS, "network_ms": c.NetworkMS, "hold_seconds": c.HoldSeconds, "open_bids": c.OpenBids} {
		if v < 0 {
			bad("%s %d must not be negative", name, v)
		}
	}
	if len(c.Media) == 0 {
		c.Media = []string{"banner", "video", "native"}
	}
	for _, m := range c.Media {
		code := uint8(slices.Index([]string{"", "banner", "video", "native"}, m))
		if m == "" || code > events.MediaNative {
			bad("media %q: banner, video or native", m)
			continue
		}
		x.media[code] = true
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("exchange %q: %w", c.Name, errors.Join(errs...))
	}
	x.defaults()
	return x, nil
}

func (x *Exchange) defaults() {
	if x.timeout == 0 {
		x.timeout = 100 * time.Millisecond
	}
	if x.network == 0 {
		x.network = 10 * time.Millisecond
	}
	if x.hold == 0 {
		x.hold = 2 * time.Minute
	}
	if x.openBids == 0 {
		x.openBids = 1
	}
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
