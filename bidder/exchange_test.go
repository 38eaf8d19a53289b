package bidder

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/bidder/privacy"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

const exchangeKeys = "encryption: skU7Ax_NL5pPAFyKdkfZjZz2-VhIN8bjj1rVFOaJ_5o=\nintegrity: arO23ykdNqUQ5LEoQ0FVmPkBd7xB5CO89PDZlSjpFxo="

func testSecrets() Secrets {
	return Secrets{
		Env: func(name string) (string, bool) { return exchangeKeys, name == "OPENX_KEYS" },
		File: func(name string) ([]byte, error) {
			if name != "x.keys" {
				return nil, errors.New("no such file")
			}
			return []byte("encryption: text:sixteen byte key"), nil
		},
	}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func TestExchangeFileWithEverything(t *testing.T) {
	x, err := ParseExchangeWith([]byte(`
name: full-1
auction_type: 1
settle: {banner: impression, video: win, native: billing}
timeout_ms: 125
network_ms: 25
hold_seconds: 60
media_hold_seconds: {video: 3600}
open_bids: 3
lone_bidder: floor_plus
increment: 0.02
price_decimals: 2
price: {encoding: google, units: per_impression, keys_env: OPENX_KEYS}
price_macro: "${AUCTION_PRICE:OXCRYPT}"
seat: s
currencies: [usd, EUR]
media: [banner, video]
native_wrap: always
secure_always: true
click_macro: "{clickurl}"
click_encode: true
qps: 2000
gzip: always
auth:
  tokens: [`+sum("secret")+`]
  header: X-Api-Key
  addresses: [203.0.113.0/24, "2001:db8::1"]
vendor_id: 1234
may_profile: false
may_log: true
measure_by_interest: true
gdpr_when_absent: applies
`), testSecrets())
	require.NoError(t, err)
	assert.Equal(t, int32(1), x.at)
	assert.Equal(t, []time.Duration{time.Minute, time.Hour, time.Minute},
		[]time.Duration{x.holdFor(events.MediaBanner), x.holdFor(events.MediaVideo), x.holdFor(events.MediaNative)})
	assert.Equal(t, time.Minute, x.hold)
	assert.Equal(t, 125*time.Millisecond, x.timeout)
	assert.Equal(t, 3, x.openBids)
	assert.Equal(t, money.CPM(20_000), x.increment)
	assert.Equal(t, money.CPM(1_230_000), x.roundBid(1_239_999))
	p, status := x.decoder().Decode([]byte("YWJjMTIzZGVmNDU2Z2hpN7fhCuPemC32prpWWw"))
	assert.Equal(t, events.PriceOK, status)
	assert.Equal(t, money.CPM(2_700_000), p)
	assert.Equal(t, "&p=${AUCTION_PRICE:OXCRYPT}", x.priceMacro)
	assert.Equal(t, []money.Currency{money.MustCurrency("USD"), money.MustCurrency("EUR")}, x.currencies)
	assert.True(t, x.media[events.MediaBanner] && x.media[events.MediaVideo] && !x.media[events.MediaNative])
	assert.True(t, x.wrapNative(false) && x.secureAlways && x.clickEncode && x.gzipAnswer(false))
	assert.Equal(t, "X-Api-Key", x.authHeader)
	assert.Equal(t, privacy.Config{VendorID: 1234, MayLog: true, MeasureByInterest: true, WhenAbsent: privacy.GDPRApplies}, x.privacy)
}

func TestExchangeDefaults(t *testing.T) {
	x, err := ParseExchange([]byte("name: x"))
	require.NoError(t, err)
	assert.Equal(t, int32(2), x.at)
	assert.Equal(t, 1, x.openBids)
	assert.Equal(t, []time.Duration{100 * time.Millisecond, 10 * time.Millisecond, 2 * time.Minute, 2 * time.Minute},
		[]time.Duration{x.timeout, x.network, x.hold, x.holdFor(events.MediaVideo)})
	assert.Equal(t, "&p=${AUCTION_PRICE}", x.priceMacro)
	assert.Equal(t, money.CPM(1_234_567), x.roundBid(1_234_567))
	p, status := x.decoder().Decode([]byte("2.5"))
	assert.Equal(t, events.PriceOK, status)
	assert.Equal(t, money.CPM(2_500_000), p)
	for _, code := range []uint8{events.MediaBanner, events.MediaVideo, events.MediaNative} {
		assert.True(t, x.media[code])
		assert.Equal(t, events.TypeBilling, events.SettleType(x.settle[code]))
	}
	assert.True(t, x.gzipAnswer(true) && !x.gzipAnswer(false) && x.wrapNative(true) && !x.wrapNative(false))
	assert.True(t, x.allowQPS(0) && x.authorised(nil, netip.Addr{}))
	assert.Equal(t, privacy.Config{}, x.privacy, "off unless allowed")
}

// TestExchangeListsAllMistakes: one file with a mistake in every setting, one
// error that names each.
func TestExchangeListsAllMistakes(t *testing.T) {
	_, err := ParseExchangeWith([]byte(`
name: Bad_Name
auction_type: 3
settle: {banner: click, native: loss}
timeout_ms: 70000
network_ms: -1
hold_seconds: 999999
media_hold_seconds: {video: -5}
open_bids: 11
lone_bidder: nothing
increment: many
price_decimals: 7
price: {encoding: rot13, units: miles, keys_env: A}
price_macro: '"><script>'
media: [banner, radio, ""]
native_wrap: twice
click_macro: 'x" y'
qps: -1
gzip: maybe
auth: {tokens: [abc, `+sum("x")+`00], header: "a b", addresses: [10.0.0.0/33, home]}
vendor_id: 40000
gdpr_when_absent: never
`), testSecrets())
	require.Error(t, err)
	for _, want := range []string{
		`name "Bad_Name"`, "auction_type 3", `settle.banner "click"`, `settle.native "loss"`, "timeout_ms 70000", "network_ms -1",
		"hold_seconds 999999", "media_hold_seconds.video -5", "open_bids 11", `lone_bidder "nothing"`, `increment "many"`, "price_decimals 7",
		`encoding "rot13"`, `units "miles"`, "encrypted encodings only", "price_macro", `media "radio"`, `media ""`, `native_wrap "twice"`,
		"click_macro", "qps -1", `gzip "maybe"`, "number 1 is not a SHA-256", "number 2 is not a SHA-256", "auth.header",
		`auth.addresses "10.0.0.0/33"`, `auth.addresses "home"`, "vendor_id 40000", `gdpr_when_absent "never"`,
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestExchangeMistakesOfTheirOwn(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"an unknown setting":     {"colour: red", "colour"},
		"two documents":          {"seat: a\n---\nname: y", "more than one document"},
		"no time left":           {"timeout_ms: 50\nnetwork_ms: 50", "leaves nothing"},
		"encrypted without keys": {"price: {encoding: google}", "needs keys_file or keys_env"},
		"keys twice":             {"price: {encoding: aes, keys_file: x.keys, keys_env: OPENX_KEYS}", "one of them"},
		"a variable not set":     {"price: {encoding: google, keys_env: NOT_SET}", "NOT_SET is not set"},
		"a file that is not":     {"price: {encoding: aes, keys_file: y.keys}", "no such file"},
		"a key too few":          {"price: {encoding: google, keys_file: x.keys}", "integrity key has 0 bytes"},
		"encode nothing":         {"click_encode: true", "click_encode without click_macro"},
		"a header for no token":  {"auth: {header: X-Key}", "auth.header without auth.tokens"},
		"too many tokens":        {"auth: {tokens: [" + strings.Repeat(sum("x")+",", 17) + "]}", "at most 16"},
		"an increment too high":  {`increment: "2"`, "a CPM from 0 to 1"},
		"a zone":                 {`auth: {addresses: ["fe80::1%eth0"]}`, "an address or a range"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseExchangeWith([]byte("name: x\n"+c.yaml), testSecrets())
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := ParseExchange([]byte("name: x\nprice: {encoding: aes, keys_file: x.keys}"))
	require.ErrorContains(t, err, "files are not read here")
	x, err := ParseExchangeWith([]byte("name: x\nprice: {encoding: aes, mode: cbc, text: hex, keys_file: x.keys}"), testSecrets())
	require.NoError(t, err)
	_, status := x.decoder().Decode([]byte("2.5"))
	assert.Equal(t, events.PriceUnreadable, status)
}

func TestPriceMacros(t *testing.T) {
	for macro, ok := range map[string]bool{
		"${AUCTION_PRICE:BF}": true, "%%WINNING_PRICE%%": true, "{winning_price}": true, "[PRICE]": true,
		"AUCTION_PRICE": false, "$": false, "${A B}": false, "${A}&x=1": false, `${A}"`: false, "${A<}": false, "${ą}": false,
		"${" + strings.Repeat("A", maxMacro) + "}": false,
	} {
		_, err := NewExchange(ExchangeConfig{Name: "x", PriceMacro: macro})
		assert.Equal(t, ok, err == nil, macro)
	}
}

func TestLeastPrice(t *testing.T) {
	floorOnly, err := NewExchange(ExchangeConfig{Name: "x"})
	require.NoError(t, err)
	plus, err := NewExchange(ExchangeConfig{Name: "x", LoneBidder: "floor_plus"})
	require.NoError(t, err)
	for _, c := range []struct {
		name       string
		at         int32
		bid, floor money.CPM
		want, plus money.CPM
	}{
		{"first price", 1, 1_000_000, 850_000, 1_000_000, 1_000_000},
		{"second price", 2, 1_000_000, 850_000, 850_000, 860_000},
		{"second price at the bid", 2, 855_000, 850_000, 850_000, 855_000},
		{"no floor", 2, 1_000_000, 0, 0, 10_000},
		{"a negative floor", 2, 1_000_000, -1_000_000, 0, 0},
		{"fixed price", 3, 1_000_000, 1_000_000, 1_000_000, 1_000_000},
		{"the exchange's own", 501, 1_000_000, 850_000, 0, 0},
	} {
		assert.Equal(t, c.want, floorOnly.leastPrice(c.at, c.bid, c.floor), c.name)
		assert.Equal(t, c.plus, plus.leastPrice(c.at, c.bid, c.floor), c.name)
	}
}

func TestRoundBidNeverRaises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.IntRange(0, 6).Draw(t, "decimals")
		x, err := NewExchange(ExchangeConfig{Name: "x", PriceDecimals: &d})
		if err != nil {
			t.Fatal(err)
		}
		p := money.CPM(rapid.Int64Range(0, 1e15).Draw(t, "p"))
		r := x.roundBid(p)
		_, frac, _ := strings.Cut(r.String(), ".")
		if r > p || p-r >= x.priceStep || len(frac) > max(d, 2) || x.roundBid(r) != r {
			t.Fatalf("%v to %d places is %v", p, d, r)
		}
	})
}

func TestAuthorised(t *testing.T) {
	inside, mapped := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("::ffff:203.0.113.9")
	other := netip.MustParseAddr("198.51.100.1")
	tokens := []string{sum("old"), sum("new")}
	addresses := []string{"203.0.113.0/24", "2001:db8::/32", "192.0.2.7"}
	for _, c := range []struct {
		name   string
		auth   AuthConfig
		header string
		remote netip.Addr
		want   bool
	}{
		{"no rule", AuthConfig{}, "", other, true},
		{"a token", AuthConfig{Tokens: tokens}, "new", other, true},
		{"a bearer's token", AuthConfig{Tokens: tokens}, "Bearer old", other, true},
		{"a token of its own header", AuthConfig{Tokens: tokens, Header: "X-Key"}, "new", other, true},
		{"no token", AuthConfig{Tokens: tokens}, "", other, false},
		{"an empty token is none", AuthConfig{Tokens: []string{sum("")}}, "", other, false},
		{"a wrong token", AuthConfig{Tokens: tokens}, "Bearer older", other, false},
		{"the sum itself", AuthConfig{Tokens: tokens}, sum("old"), other, false},
		{"inside", AuthConfig{Addresses: addresses}, "", inside, true},
		{"inside, mapped to IPv6", AuthConfig{Addresses: addresses}, "", mapped, true},
		{"IPv6", AuthConfig{Addresses: addresses}, "", netip.MustParseAddr("2001:db8::5"), true},
		{"IPv6 with a zone", AuthConfig{Addresses: addresses}, "", netip.MustParseAddr("2001:db8::5%eth0"), true},
		{"the single one", AuthConfig{Addresses: addresses}, "", netip.MustParseAddr("192.0.2.7"), true},
		{"its neighbour", AuthConfig{Addresses: addresses}, "", netip.MustParseAddr("192.0.2.8"), false},
		{"outside", AuthConfig{Addresses: addresses}, "new", other, false},
		{"no address", AuthConfig{Addresses: addresses}, "new", netip.Addr{}, false},
		{"both", AuthConfig{Tokens: tokens, Addresses: addresses}, "new", inside, true},
		{"token without address", AuthConfig{Tokens: tokens, Addresses: addresses}, "new", other, false},
		{"address without token", AuthConfig{Tokens: tokens, Addresses: addresses}, "", inside, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := NewExchange(ExchangeConfig{Name: "x", Auth: c.auth})
			require.NoError(t, err)
			assert.Equal(t, c.want, x.authorised([]byte(c.header), c.remote))
		})
	}
	assert.Equal(t, inside, addrOf(&net.TCPAddr{IP: net.IPv4(203, 0, 113, 9)}).Unmap())
	assert.False(t, addrOf(&net.UnixAddr{Name: "x"}).IsValid())
}

// TestQPS: over any stretch of time no more than the limit and one burst is
// let through, and what keeps within the limit always is.
func TestQPS(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		qps := rapid.IntRange(1, 50_000).Draw(t, "qps")
		var l rateLimit
		l.set(qps)
		now := int64(1_790_000_000_000)
		var let []int64
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now += rapid.Int64Range(0, 40).Draw(t, "ms")
			for range rapid.IntRange(1, 20).Draw(t, "requests") {
				if l.allow(now) {
					let = append(let, now)
				}
			}
		}
		if len(let) == 0 {
			t.Fatal("nothing was let through")
		}
		burst := max(qps/10, 1) + 1
		for i, from := range let {
			for _, w := range []int64{0, 100, 1000} {
				j, _ := slices.BinarySearch(let, from+w+1)
				if most := int(int64(qps)*(w+1)/1000) + burst + 1; j-i > most {
					t.Fatalf("%d in %d ms at %d per second", j-i, w, qps)
				}
			}
		}
	})
	var l rateLimit
	l.set(100)
	for ms := int64(0); ms < 60_000; ms += 10 {
		require.True(t, l.allow(1_790_000_000_000+ms), "at the limit itself")
	}
}

func TestQPSAfterTheClockWasSetBack(t *testing.T) {
	var l rateLimit
	l.set(10)
	require.True(t, l.allow(1_790_000_000_000))
	require.True(t, l.allow(1_790_000_000_000-3_600_000))
	require.False(t, l.allow(1_790_000_000_000-3_600_000))
	require.True(t, l.allow(1_790_000_000_000-3_600_000+100))
}

func TestExchangeRunsWithoutAllocation(t *testing.T) {
	x, err := NewExchange(ExchangeConfig{
		Name: "x", QPS: 1000, Auth: AuthConfig{Tokens: []string{sum("a"), sum("b")}, Addresses: []string{"203.0.113.0/24"}},
	})
	require.NoError(t, err)
	header, remote := []byte("Bearer b"), net.Addr(&net.TCPAddr{IP: net.IPv4(203, 0, 113, 9)})
	now, denied := int64(1_790_000_000_000), 0
	n := testing.AllocsPerRun(1000, func() {
		now += 2
		if !x.allowQPS(now) || !x.authorised(header, addrOf(remote)) || x.roundBid(5) != 5 || x.leastPrice(2, 10, 5) != 5 {
			denied++
		}
	})
	assert.Zero(t, n)
	assert.Zero(t, denied)
}

func BenchmarkAdmission(b *testing.B) {
	x, err := NewExchange(ExchangeConfig{
		Name: "x", QPS: maxQPS, Auth: AuthConfig{Tokens: []string{sum("a"), sum("b")}, Addresses: []string{"198.51.100.0/24", "203.0.113.0/24"}},
	})
	require.NoError(b, err)
	header, remote := []byte("Bearer b"), netip.MustParseAddr("203.0.113.9")
	b.ReportAllocs()
	for now := int64(1_790_000_000_000); b.Loop(); now++ {
		if !x.allowQPS(now) || !x.authorised(header, remote) {
			b.Fatal("denied")
		}
	}
}

// FuzzParseExchange: no text makes the reader panic; what it takes is whole.
func FuzzParseExchange(f *testing.F) {
	f.Add([]byte("name: x"))
	f.Add([]byte("name: x\nprice: {encoding: google, keys_env: OPENX_KEYS}\nauth: {addresses: [10.0.0.0/8]}"))
	f.Add([]byte("name: x\nhold_seconds: 9999999999999999999"))
	f.Fuzz(func(t *testing.T, text []byte) {
		x, err := ParseExchangeWith(text, testSecrets())
		if err != nil {
			return
		}
		if x.decoder() == nil || x.timeout <= x.network || x.hold <= 0 || x.openBids < 1 || !validExchangeName(x.Name) || x.priceStep < 1 {
			t.Fatalf("%q was taken as %+v", text, x)
		}
	})
}

func TestWrongCurrenciesHideNothing(t *testing.T) {
	_, err := ParseExchange([]byte("name: Bad\nauction_type: 3\ntimeout_ms: fast\ncurrencies: [EURO, PLN, x1]\n"))
	for _, part := range []string{`"EURO"`, `"x1"`, "fast", `name "Bad"`, "auction_type 3"} {
		require.ErrorContains(t, err, part)
	}
	x, err := ParseExchange([]byte("name: good\ncurrencies: [eur, PLN]\n"))
	require.NoError(t, err)
	require.Equal(t, []money.Currency{money.MustCurrency("EUR"), money.MustCurrency("PLN")}, x.currencies)
}
