package bidder

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/grosz/grosz/bidder/privacy"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/price"
	"github.com/grosz/grosz/internal/money"
)

// Bounds of an exchange's settings.
const (
	maxTimeoutMS     = 60_000
	maxOpenBids      = 10
	maxQPS           = 10_000_000
	maxAuthTokens    = 16
	maxAuthAddresses = 256
	maxMacro         = 64 // bytes
)

// exchangeBuilder turns an ExchangeConfig into an Exchange, step by step, and
// gathers all that is wrong with it.
type exchangeBuilder struct {
	c       *ExchangeConfig
	x       *Exchange
	secrets Secrets
	errs    []error
}

func (b *exchangeBuilder) bad(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

// within checks a number and puts the default in place of 0.
func (b *exchangeBuilder) within(name string, v, least, most, def int) int {
	switch {
	case v == 0:
		return def
	case v < 0:
		b.bad("%s %d must not be negative", name, v)
	case v < least || v > most:
		b.bad("%s %d: %d to %d", name, v, least, most)
	}
	return v
}

// word returns which of the words v is; the first is the default.
func (b *exchangeBuilder) word(name, v string, words ...string) int {
	if v == "" {
		return 0
	}
	i := slices.Index(words, v)
	if i < 0 {
		b.bad("%s %q: %s", name, v, strings.Join(words, ", "))
	}
	return max(i, 0)
}

// auction is what the auction does with a bid.
func (b *exchangeBuilder) auction() {
	c, x := b.c, b.x
	switch c.AuctionType {
	case 0:
		x.at = 2
	case 1, 2:
	default:
		b.bad("auction_type %d: 1 (first price) or 2 (second price)", c.AuctionType)
	}
	x.openBids = b.within("open_bids", c.OpenBids, 1, maxOpenBids, 1)
	x.lonePlus = b.word("lone_bidder", c.LoneBidder, "floor", "floor_plus") == 1
	x.increment = money.CPMUnit / 100
	if c.Increment != "" {
		inc, err := money.ParseCPM(c.Increment)
		if err != nil || inc < 0 || inc > money.CPMUnit {
			b.bad("increment %q: a CPM from 0 to 1", c.Increment)
		}
		x.increment = inc
	}
	x.priceStep = 1
	if d := c.PriceDecimals; d != nil {
		if *d < 0 || *d > 6 {
			b.bad("price_decimals %d: 0 to 6", *d)
		}
		for range 6 - min(max(*d, 0), 6) {
			x.priceStep *= 10
		}
	}
}

func (b *exchangeBuilder) times() {
	c, x := b.c, b.x
	timeout := b.within("timeout_ms", c.TimeoutMS, 1, maxTimeoutMS, 100)
	network := b.within("network_ms", c.NetworkMS, 0, maxTimeoutMS, 10)
	if network >= timeout {
		b.bad("network_ms %d leaves nothing of timeout_ms %d", network, timeout)
	}
	x.timeout, x.network = time.Duration(timeout)*time.Millisecond, time.Duration(network)*time.Millisecond
	most := int(events.BillingLifetime / time.Second)
	hold := b.within("hold_seconds", c.HoldSeconds, 1, most, 120)
	x.hold = time.Duration(hold) * time.Second
	for i := range x.holds {
		x.holds[i] = x.hold
	}
	for _, m := range []struct {
		code    uint8
		seconds int
	}{{events.MediaBanner, c.MediaHoldSeconds.Banner}, {events.MediaVideo, c.MediaHoldSeconds.Video}, {events.MediaNative, c.MediaHoldSeconds.Native}} {
		s := b.within("media_hold_seconds."+events.MediaName(m.code), m.seconds, 1, most, hold)
		x.holds[m.code] = time.Duration(s) * time.Second
	}
	x.rate.set(b.within("qps", c.QPS, 1, maxQPS, 0))
	x.gzip = gzipMode(b.word("gzip", c.Gzip, "asked", "always", "never"))
}

// medias is which media types are bid on, and what settles them.
func (b *exchangeBuilder) medias() {
	c, x := b.c, b.x
	for _, m := range []struct {
		code   uint8
		settle string
	}{{events.MediaBanner, c.Settle.Banner}, {events.MediaVideo, c.Settle.Video}, {events.MediaNative, c.Settle.Native}} {
		if m.settle == "" {
			m.settle = string(events.TypeBilling)
		}
		settle, ok := events.SettleCode(events.Type(m.settle))
		if !ok {
			b.bad("settle.%s %q: win, billing or impression", events.MediaName(m.code), m.settle)
		}
		x.settle[m.code] = settle
	}
	names := []string{"", "banner", "video", "native"}
	media := c.Media
	if len(media) == 0 {
		media = names[1:]
	}
	for _, m := range media {
		code := slices.Index(names, m)
		if code <= 0 {
			b.bad("media %q: banner, video or native", m)
			continue
		}
		x.media[code] = true
	}
	x.nativeWrap = nativeWrap(b.word("native_wrap", c.NativeWrap, "version", "always", "never"))
}

// price is how the exchange tells what it charges.
func (b *exchangeBuilder) price() {
	p := &b.c.Price
	macro := b.c.PriceMacro
	if macro == "" {
		macro = "${AUCTION_PRICE}"
	}
	if !validMacro(macro) {
		b.bad("price_macro %q: a macro such as ${AUCTION_PRICE:X}, %%%%X%%%% or {X}, at most %d bytes", macro, maxMacro)
	}
	b.x.priceMacro = "&p=" + macro
	keys, ok := b.keys(p)
	if !ok {
		return
	}
	d, err := price.New(p.Config, keys)
	if err != nil {
		for _, e := range unjoin(err) {
			b.bad("price: %w", e)
		}
	}
	b.x.prices = d
}

// keys finds an encrypted price's keys; ok is false where that went wrong.
func (b *exchangeBuilder) keys(p *PriceConfig) (k price.Keys, ok bool) {
	named := p.KeysFile != "" || p.KeysEnv != ""
	switch {
	case !p.NeedsKeys() && named:
		b.bad("price: keys_file and keys_env are of the encrypted encodings only")
	case !p.NeedsKeys():
		return k, true
	case (p.KeysFile != "") == (p.KeysEnv != ""):
		b.bad("price: encoding %s needs keys_file or keys_env, one of them", p.Encoding)
	}
	if !p.NeedsKeys() || (p.KeysFile != "") == (p.KeysEnv != "") {
		if err := p.Config.Validate(); err != nil {
			b.bad("price: %w", err)
		}
		return k, false
	}
	text, err := b.secret(p)
	if err == nil {
		k, err = price.ParseKeys(text)
	}
	if err != nil {
		b.bad("price: %w", err)
	}
	return k, err == nil
}

func (b *exchangeBuilder) secret(p *PriceConfig) (string, error) {
	if p.KeysEnv != "" {
		if b.secrets.Env != nil {
			if text, ok := b.secrets.Env(p.KeysEnv); ok {
				return text, nil
			}
		}
		return "", fmt.Errorf("keys_env: the environment variable %s is not set", p.KeysEnv)
	}
	if b.secrets.File == nil {
		return "", fmt.Errorf("keys_file %s: files are not read here", p.KeysFile)
	}
	text, err := b.secrets.File(p.KeysFile)
	if err != nil {
		return "", fmt.Errorf("keys_file: %w", err)
	}
	return string(text), nil
}

// markup is what an ad's markup is like on this exchange.
func (b *exchangeBuilder) markup() {
	c := b.c
	if c.ClickMacro != "" && (len(c.ClickMacro) > 1024 || strings.ContainsAny(c.ClickMacro, " \t\r\n\"'<>\\`")) {
		b.bad("click_macro %.80q: a macro or the start of a URL, without blanks, quotes and angle brackets", c.ClickMacro)
	}
	if c.ClickEncode && c.ClickMacro == "" {
		b.bad("click_encode without click_macro")
	}
}

func (b *exchangeBuilder) auth() {
	a, x := &b.c.Auth, b.x
	if len(a.Tokens) > maxAuthTokens {
		b.bad("auth.tokens: %d, at most %d", len(a.Tokens), maxAuthTokens)
	}
	for i, t := range a.Tokens {
		var sum [sha256.Size]byte
		if raw, err := hex.DecodeString(t); err != nil || copy(sum[:], raw) != len(sum) || len(raw) != len(sum) {
			b.bad("auth.tokens: number %d is not a SHA-256 sum in 64 hex digits", i+1)
			continue
		}
		x.tokens = append(x.tokens, sum)
	}
	x.authHeader = "Authorization"
	if a.Header != "" {
		if !validHeader(a.Header) {
			b.bad("auth.header %.80q is not a header's name", a.Header)
		}
		if len(a.Tokens) == 0 {
			b.bad("auth.header without auth.tokens")
		}
		x.authHeader = a.Header
	}
	if len(a.Addresses) > maxAuthAddresses {
		b.bad("auth.addresses: %d, at most %d", len(a.Addresses), maxAuthAddresses)
	}
	for _, s := range a.Addresses {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			var one netip.Addr
			if one, err = netip.ParseAddr(s); err == nil {
				p, err = one.WithZone("").Prefix(one.BitLen())
			}
			if one.Zone() != "" {
				p = netip.Prefix{}
			}
		}
		if err != nil || !p.IsValid() {
			b.bad("auth.addresses %.80q: an address or a range such as 203.0.113.0/24", s)
			continue
		}
		x.addresses = append(x.addresses, p.Masked())
	}
}

// people is what may be done with who a request is about.
func (b *exchangeBuilder) people() {
	c, x := b.c, b.x
	absent, err := privacy.ParseWhenAbsent(c.GDPRWhenAbsent)
	if err != nil {
		b.bad("%w", err)
	}
	x.sync = c.Sync
	if _, err := newSyncRoute(c.Name, c.Sync); err != nil {
		b.bad("%w", err)
	}
	x.privacy = privacy.Config{
		VendorID: c.VendorID, MayProfile: x.mayProfile, MayLog: c.MayLog,
		MeasureByInterest: c.MeasureByInterest, WhenAbsent: absent,
	}
	switch x.requestShare = c.RequestShare; {
	case c.RequestShare == 0:
		x.requestShare = defaultRequestShare
	case !(c.RequestShare <= 1): // NaN is none either
		b.bad("request_share %g: a share of the people, at most 1", c.RequestShare)
	}
	if err := x.privacy.Validate(); err != nil {
		b.bad("%w", err)
	}
}

// validMacro: what goes into URLs, JSON and markup as it is must need no
// escape in any of them.
func validMacro(s string) bool {
	if len(s) < 3 || len(s) > maxMacro || !strings.ContainsRune("${%[", rune(s[0])) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := (c|0x20 >= 'a' && c|0x20 <= 'z') || (c >= '0' && c <= '9')
		if !letter && !strings.ContainsRune("${}%[]:_-.", rune(c)) {
			return false
		}
	}
	return true
}

func validHeader(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// unjoin lists the errors that were joined in err.
func unjoin(err error) []error {
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		return many.Unwrap()
	}
	return []error{err}
}
