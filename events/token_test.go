package events

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
)

const tokenNow = 1_790_000_000_000 // a whole second

func keyring(t testing.TB, keys ...Key) *Keyring {
	t.Helper()
	if len(keys) == 0 {
		keys = []Key{{ID: 7, Secret: []byte(strings.Repeat("s", 32))}}
	}
	k, err := NewKeyring(keys...)
	require.NoError(t, err)
	return k
}

func sampleToken() *Token {
	return &Token{
		BidID: ID{1, 2, 3, 15: 16}, BidMS: tokenNow, Media: MediaVideo, SettleOn: SettleBilling, Test: true, ImpIndex: 3,
		ShopID: 4_000_000_001, CampaignID: 70_000, CreativeID: 9, Exchange: "demo", Price: 1_500_000,
		Currency: money.MustCurrency("USD"), ShopCurrency: money.MustCurrency("PLN"), Rate: 3_987_654_321,
		Hold: 6_279_999, FeeBPS: 500, User: 1<<63 + 5,
	}
}

func genToken(t *rapid.T) *Token {
	currency := rapid.Custom(func(t *rapid.T) money.Currency {
		return money.Currency([]byte(rapid.StringMatching(`[A-Z]{3}`).Draw(t, "currency")))
	})
	var id ID
	copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	tok := &Token{
		BidID: id, BidMS: rapid.Int64Range(0, 1<<32-1).Draw(t, "second") * 1000,
		Media: rapid.Uint8Range(0, 7).Draw(t, "media"), SettleOn: rapid.Uint8Range(0, 3).Draw(t, "settle"), Purpose: rapid.Uint8Range(0, 2).Draw(t, "purpose"),
		Test: rapid.Bool().Draw(t, "test"), ImpIndex: rapid.Uint8Max(31).Draw(t, "imp"), Browser: rapid.Uint8Max(NumBrowsers-1).Draw(t, "browser"),
		ShopID: rapid.Uint32().Draw(t, "shop"), CampaignID: rapid.Uint32().Draw(t, "campaign"), CreativeID: rapid.Uint32().Draw(t, "creative"),
		Exchange: rapid.StringN(0, MaxExchangeName, MaxExchangeName).Draw(t, "exchange"),
		Price:    money.CPM(rapid.Int64().Draw(t, "price")), Currency: currency.Draw(t, "cur"), ShopCurrency: currency.Draw(t, "shop cur"),
		Rate: money.Rate(rapid.Int64().Draw(t, "rate")), Hold: money.Nano(rapid.Int64().Draw(t, "hold")),
		FeeBPS: rapid.Uint32Max(10_000).Draw(t, "fee"), User: rapid.Uint64().Draw(t, "user"),
	}
	if rapid.Bool().Draw(t, "the fee is a CPM") {
		tok.FeeBPS, tok.FeeCPM = 0, money.CPM(rapid.Int64Range(1, int64(money.MaxFeeCPM)).Draw(t, "fee CPM"))
	}
	if rapid.Bool().Draw(t, "clicks are billed") {
		tok.ClickPrice, tok.ClickFeeBPS = money.Nano(rapid.Int64Range(1, math.MaxInt64).Draw(t, "click price")), rapid.Uint32Max(10_000).Draw(t, "click fee")
		tok.Lease = rapid.Uint64().Draw(t, "lease")
		for i := range rapid.IntRange(0, len(tok.Products)).Draw(t, "products") {
			tok.Products[i] = rapid.Uint32Min(1).Draw(t, "product")
		}
	}
	return tok
}

func TestTokenComesBackWhole(t *testing.T) {
	k := keyring(t)
	rapid.Check(t, func(t *rapid.T) {
		want := genToken(t)
		text := k.Append([]byte("before"), want)
		require.True(t, bytes.HasPrefix(text, []byte("before")))
		text = text[len("before"):]
		require.LessOrEqual(t, len(text), TokenMaxLen)
		var got Token
		require.NoError(t, k.Verify(&got, text, want.BidMS, want.Purpose))
		require.Equal(t, *want, got)
		require.Equal(t, text, k.Append(nil, &got), "the same token has the same text")
	})
}

// sampleTexts has tokens of three lengths: the last character of two of them
// holds bits that stand for nothing.
func sampleTexts(k *Keyring) (texts [][]byte) {
	for _, name := range []string{"", "1", "12"} {
		tok := sampleToken()
		tok.Exchange += name
		texts = append(texts, k.Append(nil, tok))
	}
	click := sampleToken()
	click.ClickPrice = 1_250_000_000
	return append(texts, k.Append(nil, click))
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	k := keyring(t)
	for _, text := range sampleTexts(k) {
		for i := range text {
			for bit := range 8 {
				bad := bytes.Clone(text)
				bad[i] ^= 1 << bit
				requireRefused(t, k, bad, "byte %d bit %d", i, bit)
			}
		}
	}
}

func TestOtherTextsOfATokenAreRefused(t *testing.T) {
	k := keyring(t)
	for _, text := range sampleTexts(k) {
		refuseOtherTexts(t, k, text)
	}
}

func refuseOtherTexts(t *testing.T, k *Keyring, text []byte) {
	t.Helper()
	for i := range text {
		requireRefused(t, k, text[:i], "cut at %d", i)
		for _, add := range []byte("\n\r A=") {
			requireRefused(t, k, append(append(bytes.Clone(text[:i]), add), text[i:]...), "%q put in at %d", add, i)
		}
	}
	requireRefused(t, k, append(bytes.Clone(text), 'A'), "longer")
	requireRefused(t, k, bytes.Repeat([]byte("A"), 10_000), "very long")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range text {
		for _, c := range []byte(alphabet) {
			if c != text[i] {
				bad := bytes.Clone(text)
				bad[i] = c
				requireRefused(t, k, bad, "%q at %d", c, i)
			}
		}
	}
}

func requireRefused(t *testing.T, k *Keyring, text []byte, msg string, args ...any) {
	t.Helper()
	got := Token{ShopID: 99, Exchange: "x"}
	err := k.Verify(&got, text, tokenNow, ForNotice)
	if err != ErrTokenMalformed && err != ErrTokenForged {
		t.Fatalf("want malformed or forged, got %v: "+msg, append([]any{err}, args...)...)
	}
	if got != (Token{}) {
		t.Fatalf("a refused token left something behind: "+msg, args...)
	}
}

func TestTokenAge(t *testing.T) {
	k := keyring(t)
	text := k.Append(nil, sampleToken())
	life, skew := BillingLifetime.Milliseconds(), TokenAhead.Milliseconds()
	for _, c := range []struct {
		name string
		now  int64
		want error
	}{
		{"the same moment", tokenNow, nil},
		{"its last ms", tokenNow + life, nil},
		{"a ms later", tokenNow + life + 1, ErrTokenExpired},
		{"a clock behind as far as may be", tokenNow - skew, nil},
		{"a clock further behind", tokenNow - skew - 1, ErrTokenExpired},
		{"the epoch", 0, ErrTokenExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Token
			err := k.Verify(&got, text, c.now, ForNotice)
			require.Equal(t, c.want, err)
			require.Equal(t, *sampleToken(), got, "an expired token still says whose it was")
		})
	}
	var got Token
	click := sampleToken().As(ForClick)
	require.NoError(t, k.Verify(&got, k.Append(nil, &click), tokenNow+life+1, ForClick), "a click lives longer")
	require.Equal(t, ErrTokenExpired, k.Verify(&got, k.Append(nil, &click), tokenNow+ClickLifetime.Milliseconds()+1, ForClick))
}

// TestATokenServesItsPurposeOnly: who sees the markup must not bill with it.
func TestATokenServesItsPurposeOnly(t *testing.T) {
	k := keyring(t)
	purposes := []uint8{ForNotice, ForImpression, ForClick}
	for _, made := range purposes {
		tok := sampleToken().As(made)
		text := k.Append(nil, &tok)
		for _, used := range purposes {
			var got Token
			err := k.Verify(&got, text, tokenNow, used)
			if made == used {
				require.NoError(t, err)
				require.Equal(t, tok, got)
				continue
			}
			require.Equal(t, ErrTokenForged, err)
			require.Zero(t, got)
		}
	}
	click := sampleToken().As(ForClick)
	require.Zero(t, click.Price+money.CPM(click.Hold)+money.CPM(click.Rate)+money.CPM(click.FeeBPS), "a shop and a publisher see it")
}

func TestKeysRotate(t *testing.T) {
	older := Key{ID: 1, Secret: []byte("the older secret, 32 bytes long.")}
	newer := Key{ID: 2, Secret: []byte("the newer secret, 32 bytes long.")}
	before, during, after := keyring(t, older), keyring(t, newer, older), keyring(t, newer)
	oldText, newText := before.Append(nil, sampleToken()), during.Append(nil, sampleToken())
	for _, c := range []struct {
		name string
		ring *Keyring
		text []byte
		want error
	}{
		{"old token while both are valid", during, oldText, nil},
		{"new token while both are valid", during, newText, nil},
		{"new token on a node that does not know the key yet", before, newText, ErrTokenForged},
		{"old token when its key is gone", after, oldText, ErrTokenForged},
		{"new token afterwards", after, newText, nil},
		{"another secret under the same id", keyring(t, Key{ID: 2, Secret: older.Secret}), newText, ErrTokenForged},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Token
			require.Equal(t, c.want, c.ring.Verify(&got, c.text, tokenNow, ForNotice))
		})
	}
}

func TestNewKeyringRefuses(t *testing.T) {
	long := []byte(strings.Repeat("x", 32))
	for _, c := range []struct {
		name string
		keys []Key
		want string
	}{
		{"none", nil, "at least one key"},
		{"short", []Key{{ID: 3, Secret: long[:15]}}, "key 3 has 15 bytes"},
		{"same id", []Key{{ID: 3, Secret: long}, {ID: 3, Secret: long}}, "two token keys have id 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewKeyring(c.keys...)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestKeyringDoesNotKeepTheCallersSecret(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	k := keyring(t, Key{ID: 7, Secret: secret})
	want := k.Append(nil, sampleToken())
	clear(secret)
	require.Equal(t, want, k.Append(nil, sampleToken()))
	require.Equal(t, want, keyring(t).Append(nil, sampleToken()))
}

func TestLongExchangeNameIsCut(t *testing.T) {
	k, tok, got := keyring(t), sampleToken(), Token{}
	tok.Exchange = strings.Repeat("e", MaxExchangeName+5)
	require.NoError(t, k.Verify(&got, k.Append(nil, tok), tokenNow, ForNotice))
	require.Equal(t, tok.Exchange[:MaxExchangeName], got.Exchange)
}

func TestCodes(t *testing.T) {
	for c, want := range []Type{"", TypeWin, TypeBilling, TypeImpression, "", ""} {
		require.Equal(t, want, SettleType(uint8(c)))
		if code, ok := SettleCode(want); want != "" {
			require.True(t, ok)
			require.Equal(t, uint8(c), code)
		}
	}
	for _, none := range []Type{"", TypeClick, "other"} {
		_, ok := SettleCode(none)
		require.False(t, ok, none)
	}
	for c, want := range []string{"", "banner", "video", "native", "audio", "", ""} {
		require.Equal(t, want, MediaName(uint8(c)))
	}
}

// TestKeyringIsSafeForManyGoroutines matters under the race detector.
func TestKeyringIsSafeForManyGoroutines(t *testing.T) {
	k := keyring(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			tok, got := sampleToken(), Token{}
			var buf []byte
			for i := range 500 {
				tok.CampaignID = uint32(g*1000 + i)
				buf = k.Append(buf[:0], tok)
				if err := k.Verify(&got, buf, tokenNow, ForNotice); err != nil || got.CampaignID != tok.CampaignID {
					t.Errorf("got campaign %d, want %d: %v", got.CampaignID, tok.CampaignID, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzVerify(f *testing.F) {
	k := keyring(f)
	texts := sampleTexts(k)
	f.Add([]byte{})
	for _, good := range texts {
		f.Add(good)
		f.Add(good[:len(good)-1])
	}
	f.Add(bytes.Repeat([]byte("\n"), TokenMaxLen))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got Token
		err := k.Verify(&got, text, tokenNow, ForNotice)
		if err == nil && !bytes.Equal(text, k.Append(nil, &got)) {
			t.Fatalf("%q is not the token's own text", text)
		}
		if (err == nil) != slices.ContainsFunc(texts, func(good []byte) bool { return bytes.Equal(good, text) }) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

func BenchmarkTokenSign(b *testing.B) {
	k, tok := keyring(b), sampleToken()
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = k.Append(buf[:0], tok)
	}
	if len(buf) == 0 {
		b.Fatal("no token")
	}
}

func BenchmarkTokenVerify(b *testing.B) {
	k := keyring(b)
	text, got := k.Append(nil, sampleToken()), Token{}
	b.ReportAllocs()
	for b.Loop() {
		if err := k.Verify(&got, text, tokenNow, ForNotice); err != nil {
			b.Fatal(err)
		}
	}
}

// What a click costs the shop is nobody's to read who sees the ad, and the
// shop's click is paid out of the bid's lease.
func TestThePriceOfAClickIsSealed(t *testing.T) {
	k := keyring(t)
	tok := sampleToken()
	tok.Price, tok.Hold, tok.Lease, tok.ClickPrice, tok.ClickFeeBPS = 0, 0, 77, 0x0102030405060708, 1234
	click := tok.As(ForClick)
	require.Equal(t, []any{tok.ClickPrice, tok.ClickFeeBPS, tok.Lease}, []any{click.ClickPrice, click.ClickFeeBPS, click.Lease})
	raw, err := tokenText.DecodeString(string(k.Append(nil, &click)))
	require.NoError(t, err)
	require.NotContains(t, string(raw), "\x01\x02\x03\x04")
	other := click
	other.BidID[3]++
	again, err := tokenText.DecodeString(string(k.Append(nil, &other)))
	require.NoError(t, err)
	end := len(raw) - macSize
	require.NotEqual(t, raw[end-sealedSize:end], again[end-sealedSize:end], "each bid has a pad of its own")
	tok.ClickPrice = 0
	require.Zero(t, tok.As(ForClick).Lease)
}

func TestTokensOfBilledClicksAllocateNothing(t *testing.T) {
	k := keyring(t)
	tok := sampleToken()
	tok.ClickPrice, tok.ClickFeeBPS = 1_000_000_000, 500
	buf, got := make([]byte, 0, TokenMaxLen), Token{Exchange: tok.Exchange}
	allocs := testing.AllocsPerRun(200, func() {
		buf = k.Append(buf[:0], tok)
		if err := k.Verify(&got, buf, tokenNow, tok.Purpose); err != nil {
			t.Fatal(err)
		}
	})
	require.Equal(t, tok.ClickPrice, got.ClickPrice)
	if !raceEnabled { // the race detector empties pools
		require.LessOrEqual(t, allocs, 0.1)
	}
}
