package price

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/blowfish"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// The keys and messages that Google publishes for trying its scheme
// ("Decrypt Price Confirmations" and its sample code). BidSwitch's "Macros"
// page shows the same keys.
const (
	googleEncryption = "skU7Ax_NL5pPAFyKdkfZjZz2-VhIN8bjj1rVFOaJ_5o="
	googleIntegrity  = "arO23ykdNqUQ5LEoQ0FVmPkBd7xB5CO89PDZlSjpFxo="
)

func googleKeys(t testing.TB) Keys {
	k, err := ParseKeys("encryption: " + googleEncryption + "\nintegrity: " + googleIntegrity)
	require.NoError(t, err)
	return k
}

func decoder(t testing.TB, c Config, k Keys) Decoder {
	d, err := New(c, k)
	require.NoError(t, err)
	return d
}

func TestWhatStandsInPlaceOfAPrice(t *testing.T) {
	key := Keys{Encryption: []byte("encryption key..")}
	all := map[string]Decoder{
		Plain: Clear(), Micros: decoder(t, Config{Encoding: Micros}, Keys{}), Google: decoder(t, Config{Encoding: Google}, googleKeys(t)),
		AES: decoder(t, Config{Encoding: AES}, key), Blowfish: decoder(t, Config{Encoding: Blowfish, Mode: CBC, Text: Hex}, key),
	}
	for name, d := range all {
		for raw, want := range map[string]string{
			"": events.PriceEmpty, "AUDIT": events.PriceAudit, "${AUCTION_PRICE}": events.PriceMacro,
			"%%WINNING_PRICE%%": events.PriceMacro, "{winning_price}": events.PriceMacro, "[AUCTION_PRICE]": events.PriceMacro,
			"-1": events.PriceUnreadable, "1e3": events.PriceUnreadable, "NaN": events.PriceUnreadable, "audit": events.PriceUnreadable,
			" 1": events.PriceUnreadable, "=": events.PriceUnreadable, "=.": events.PriceUnreadable, strings.Repeat("9", 4096): events.PriceUnreadable,
		} {
			p, status := d.Decode([]byte(raw))
			assert.Equal(t, want, status, "%s %.20q", name, raw)
			assert.Zero(t, p, "%s %.20q", name, raw)
		}
	}
}

func TestClearNumbers(t *testing.T) {
	for _, c := range []struct {
		encoding, units, raw string
		want                 money.CPM
		ok                   bool
	}{
		{Plain, PerMille, "2.5", 2_500_000, true},
		{Plain, PerMille, "1", 1_000_000, true},
		{Plain, PerMille, ".5", 500_000, true},
		{Plain, PerMille, "7.", 7_000_000, true},
		{Plain, PerMille, "2.12345678", 2_123_456, true},
		{Plain, PerMille, "0", 0, true},
		{Plain, PerMille, "99999999999", 99_999_999_999_000_000, true},
		{Plain, PerMille, "9999999999999999999999", 0, false},
		{Plain, PerMille, "1.0000000000000000000000001", 0, false},
		{Plain, PerMille, ".", 0, false},
		{Plain, PerMille, "1.2.3", 0, false},
		{Plain, PerMille, "1,5", 0, false},
		{Plain, PerImpression, "0.0025", 2_500_000, true},
		{Plain, PerImpression, "0.000000001", 1, true},
		{Plain, PerImpression, "0.0000000019", 1, true},
		{Plain, PerImpression, "2", 2_000_000_000, true},
		{Micros, PerMille, "2500000", 2_500_000, true},
		{Micros, PerImpression, "2500", 2_500_000, true},
		{Micros, PerMille, "2.5", 0, false},
		{Micros, PerMille, "1000000000000000000", 1_000_000_000_000_000_000, true},
		{Micros, PerMille, "1000000000000000001", 0, false},
		{Micros, PerImpression, "1000000000000001", 0, false},
		{Micros, PerMille, "18446744073709551617", 0, false},
	} {
		t.Run(c.encoding+" "+c.units+" "+c.raw, func(t *testing.T) {
			p, status := decoder(t, Config{Encoding: c.encoding, Units: c.units}, Keys{}).Decode([]byte(c.raw))
			assert.Equal(t, c.want, p)
			assert.Equal(t, c.ok, status == events.PriceOK, status)
		})
	}
}

func TestClearReadsWhatMoneyWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := money.CPM(rapid.Int64Range(0, maxMicro).Draw(t, "p"))
		got, status := Clear().Decode(money.AppendCPM(nil, p))
		if status != events.PriceOK || got != p {
			t.Fatalf("%v read as %v, %s", p, got, status)
		}
	})
}

func TestGooglesPublishedMessages(t *testing.T) {
	d := decoder(t, Config{Encoding: Google}, googleKeys(t))
	perImp := decoder(t, Config{Encoding: Google, Units: PerImpression}, googleKeys(t))
	for raw, want := range map[string]money.CPM{
		"YWJjMTIzZGVmNDU2Z2hpN7fhCuPemCce_6msaw":   100,
		"YWJjMTIzZGVmNDU2Z2hpN7fhCuPemCce/6msaw==": 100, // the standard alphabet, padded
		"YWJjMTIzZGVmNDU2Z2hpN7fhCuPemCce_6msaw..": 100, // web-safe padding
		"YWJjMTIzZGVmNDU2Z2hpN7fhCuPemCAWJRxOgA":   1900,
		"YWJjMTIzZGVmNDU2Z2hpN7fhCuPemC32prpWWw":   2700,
	} {
		p, status := d.Decode([]byte(raw))
		assert.Equal(t, events.PriceOK, status, raw)
		assert.Equal(t, want, p, raw)
		p, status = perImp.Decode([]byte(raw))
		assert.Equal(t, events.PriceOK, status, raw)
		assert.Equal(t, 1000*want, p, raw)
	}
}

// TestGoogleForged: any other message than the exchange's is not a price.
func TestGoogleForged(t *testing.T) {
	d := decoder(t, Config{Encoding: Google}, googleKeys(t))
	const raw = "YWJjMTIzZGVmNDU2Z2hpN7fhCuPemC32prpWWw"
	m, err := base64.RawURLEncoding.DecodeString(raw)
	require.NoError(t, err)
	for bit := range len(m) * 8 {
		m[bit/8] ^= 1 << (bit % 8)
		p, status := d.Decode([]byte(base64.RawURLEncoding.EncodeToString(m)))
		assert.Equal(t, events.PriceUnreadable, status, "bit %d", bit)
		assert.Zero(t, p)
		m[bit/8] ^= 1 << (bit % 8)
	}
	for n := 1; n < len(raw); n++ {
		_, status := d.Decode([]byte(raw[:n]))
		assert.Equal(t, events.PriceUnreadable, status, "%d bytes", n)
	}
	for _, other := range []string{raw + "A", raw + "AA", raw + raw, raw[:37] + "x", "2.50", "2500000"} {
		_, status := d.Decode([]byte(other))
		assert.Equal(t, events.PriceUnreadable, status, other)
	}
}

func TestGoogleRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := Keys{
			Encryption: rapid.SliceOfN(rapid.Byte(), 16, 64).Draw(t, "e"), Integrity: rapid.SliceOfN(rapid.Byte(), 16, 64).Draw(t, "i"),
		}
		var iv [16]byte
		copy(iv[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "iv"))
		micros := rapid.Uint64Range(0, maxMicro).Draw(t, "micros")
		raw, err := EncryptGoogle(nil, keys, iv, micros)
		if err != nil {
			t.Fatal(err)
		}
		d, err := New(Config{Encoding: Google}, keys)
		if err != nil {
			t.Fatal(err)
		}
		if p, status := d.Decode(raw); status != events.PriceOK || uint64(p) != micros {
			t.Fatalf("%d read as %d, %s", micros, p, status)
		}
	})
}

func TestHMACIsTheStandards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 0, sha1.BlockSize).Draw(t, "key")
		message := rapid.SliceOfN(rapid.Byte(), 0, googlePrice+googleIV).Draw(t, "message")
		h := hmac.New(sha1.New, key)
		h.Write(message)
		var k hmacKey
		k.set(key)
		if got := k.sum(message); string(got[:]) != string(h.Sum(nil)) {
			t.Fatal("another sum than crypto/hmac's")
		}
	})
}

// TestUnitysPublishedBlowfish: the example of the page "Bid responses", "Price
// obfuscation", in Unity's documentation for demand partners. The page prints
// the key with a blank; with an underscore the example decrypts as stated.
func TestUnitysPublishedBlowfish(t *testing.T) {
	k, err := ParseKeys("encryption: text:encryption_key")
	require.NoError(t, err)
	p, status := decoder(t, Config{Encoding: Blowfish}, k).Decode([]byte("z5eznndAkpE="))
	assert.Equal(t, events.PriceOK, status)
	assert.Equal(t, money.CPM(10_200_000), p)
}

// seal encrypts as an exchange would, with the library's own modes.
func seal(t *testing.T, c Config, key []byte, text string) string {
	var block cipher.Block
	var err error
	if c.Encoding == AES {
		block, err = aes.NewCipher(key)
	} else {
		block, err = blowfish.NewCipher(key)
	}
	require.NoError(t, err)
	size := block.BlockSize()
	plain := []byte(text)
	for pad := size - len(plain)%size; len(plain)%size != 0 || (c.Padding != Zero && pad == size); {
		if c.Padding == Zero {
			plain = append(plain, 0)
			continue
		}
		plain = append(plain, []byte(strings.Repeat(string(rune(pad)), pad))...)
		break
	}
	out := make([]byte, len(plain))
	if c.Mode == CBC {
		iv := []byte("0123456789abcdef")[:size]
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, plain)
		out = append(iv, out...)
	} else {
		for i := 0; i < len(plain); i += size {
			block.Encrypt(out[i:], plain[i:])
		}
	}
	if c.Text == Hex {
		return hex.EncodeToString(out)
	}
	return base64.URLEncoding.EncodeToString(out)
}

func TestBlockCiphers(t *testing.T) {
	key := []byte("sixteen byte key")
	for _, encoding := range []string{AES, Blowfish} {
		for _, mode := range []string{ECB, CBC} {
			for _, text := range []string{Base64, Hex} {
				for _, padding := range []string{PKCS7, Zero} {
					c := Config{Encoding: encoding, Mode: mode, Text: text, Padding: padding}
					t.Run(strings.Join([]string{encoding, mode, text, padding}, " "), func(t *testing.T) {
						d := decoder(t, c, Keys{Encryption: key})
						for _, s := range []string{"2.5", "2.500000", "0000000000002.50"} {
							p, status := d.Decode([]byte(seal(t, c, key, s)))
							assert.Equal(t, events.PriceOK, status, s)
							assert.Equal(t, money.CPM(2_500_000), p, s)
						}
						c.Payload, c.Units = Micros, PerImpression
						p, status := decoder(t, c, Keys{Encryption: key}).Decode([]byte(seal(t, c, key, "2500")))
						assert.Equal(t, events.PriceOK, status)
						assert.Equal(t, money.CPM(2_500_000), p)

						for _, bad := range []string{"", "free", "-1", "1e2", "1 2", strings.Repeat("1", 40), strings.Repeat("1", 100)} {
							p, status := d.Decode([]byte(seal(t, c, key, bad)))
							if bad == "" && padding == Zero && mode == ECB {
								assert.Equal(t, events.PriceEmpty, status) // nothing at all was sent
							} else {
								assert.Equal(t, events.PriceUnreadable, status, bad)
							}
							assert.Zero(t, p, bad)
						}
						sealed := seal(t, c, key, "2.5")
						_, status = d.Decode([]byte(sealed[:len(sealed)-4]))
						assert.Equal(t, events.PriceUnreadable, status, "cut")
						_, status = d.Decode([]byte("2.5"))
						assert.Equal(t, events.PriceUnreadable, status, "in clear")
						other := decoder(t, c, Keys{Encryption: []byte("another byte key")})
						_, status = other.Decode([]byte(sealed))
						assert.Equal(t, events.PriceUnreadable, status, "another key")
					})
				}
			}
		}
	}
}

func TestConfigsThatAreWrong(t *testing.T) {
	google := Keys{Encryption: make([]byte, 32), Integrity: make([]byte, 32)}
	for _, c := range []struct {
		name string
		c    Config
		k    Keys
		want []string
	}{
		{"unknown words", Config{Encoding: "rot13", Units: "x", Payload: "x", Mode: "x", Text: "x", Padding: "x"}, Keys{},
			[]string{`encoding "rot13"`, `units "x"`, `payload "x"`, `mode "x"`, `text "x"`, `padding "x"`}},
		{"cipher words without a cipher", Config{Encoding: Google, Mode: CBC, Text: Hex}, google, []string{"mode is read", "text is read"}},
		{"Google without keys", Config{Encoding: Google}, Keys{}, []string{"encryption key has 0 bytes", "integrity key has 0 bytes"}},
		{"Google with a long key", Config{Encoding: Google}, Keys{Encryption: make([]byte, 65), Integrity: make([]byte, 32)}, []string{"encryption key has 65 bytes"}},
		{"AES with an odd key", Config{Encoding: AES}, Keys{Encryption: make([]byte, 17)}, []string{"encryption key for aes"}},
		{"Blowfish without a key", Config{Encoding: Blowfish}, Keys{}, []string{"encryption key for blowfish"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.c, c.k)
			require.Error(t, err)
			for _, w := range c.want {
				assert.ErrorContains(t, err, w)
			}
		})
	}
}

func TestParseKeys(t *testing.T) {
	raw, err := base64.URLEncoding.DecodeString(googleEncryption)
	require.NoError(t, err)
	standard := base64.StdEncoding.EncodeToString(raw)
	for _, text := range []string{
		"encryption: " + googleEncryption, "encryption:" + standard, "encryption: base64:" + strings.TrimRight(googleEncryption, "="),
		"# from the exchange\n\n encryption : hex:" + hex.EncodeToString(raw) + " # old\n", "encryption: " + strings.ToUpper(hex.EncodeToString(raw)),
		"integrity: text:abc; encryption: " + googleEncryption,
	} {
		k, err := ParseKeys(text)
		require.NoError(t, err, text)
		assert.Equal(t, raw, k.Encryption, text)
	}
	for text, want := range map[string]string{
		"":                                   "no encryption",
		"encryption: se!cret":                "not a key in hex or base64",
		"encryption: hex:abc":                "not a key in hex or base64",
		"encryption:":                        "not a key in hex or base64",
		"encryption: aaaa, encryption: bbbb": "a second time",
		"secret: aaaa":                       "entry 1 is not encryption",
		"encryption aaaa":                    "entry 1 is not encryption",
		strings.Repeat("x", maxKeyText+1):    "more than",
	} {
		_, err := ParseKeys(text)
		require.ErrorContains(t, err, want, "%.40q", text)
		assert.NotContains(t, err.Error(), "se!cret")
	}
}

func TestDecodingAllocatesNothing(t *testing.T) {
	key := Keys{Encryption: []byte("sixteen byte key")}
	c := Config{Encoding: AES, Mode: CBC}
	for name, f := range map[string]struct {
		d   Decoder
		raw string
	}{
		Plain:  {Clear(), "2.53"},
		Micros: {decoder(t, Config{Encoding: Micros}, Keys{}), "2530000"},
		Google: {decoder(t, Config{Encoding: Google}, googleKeys(t)), "YWJjMTIzZGVmNDU2Z2hpN7fhCuPemC32prpWWw"},
		AES:    {decoder(t, c, key), seal(t, c, key.Encryption, "2.53")},
	} {
		raw := []byte(f.raw)
		bad := 0
		if n := testing.AllocsPerRun(1000, func() {
			if _, status := f.d.Decode(raw); status != events.PriceOK {
				bad++
			}
		}); n != 0 && !(raceEnabled && name == AES) { // the race detector empties pools
			t.Errorf("%s: %v allocations", name, n)
		}
		assert.Zero(t, bad, name)
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, raw := range map[string]string{Plain: "2.53", Google: "YWJjMTIzZGVmNDU2Z2hpN7fhCuPemC32prpWWw"} {
		d := decoder(b, Config{Encoding: name}, googleKeys(b))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			text := []byte(raw)
			for b.Loop() {
				if _, status := d.Decode(text); status != events.PriceOK {
					b.Fatal(status)
				}
			}
		})
	}
}

// FuzzDecode: no bytes make a decoder panic; what is not OK carries no price,
// and an encrypted price needs the key.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"", "1.5", "AUDIT", "${AUCTION_PRICE}", "YWJjMTIzZGVmNDU2Z2hpN7fhCuPemC32prpWWw", "z5eznndAkpE=",
		"54F0C3E48BF91D38E6FDE072443AF70A", "=", "..", ".", "\xff", "0000000000000000000000000",
	} {
		f.Add([]byte(s))
	}
	key := Keys{Encryption: []byte("sixteen byte key")}
	all := []Decoder{
		Clear(), decoder(f, Config{Encoding: Micros, Units: PerImpression}, Keys{}), decoder(f, Config{Encoding: Google}, googleKeys(f)),
		decoder(f, Config{Encoding: AES}, key), decoder(f, Config{Encoding: AES, Mode: CBC, Text: Hex}, key),
		decoder(f, Config{Encoding: Blowfish, Padding: Zero, Text: Hex}, key), decoder(f, Config{Encoding: Blowfish, Mode: CBC}, key),
	}
	known := map[string]bool{events.PriceOK: true, events.PriceEmpty: true, events.PriceAudit: true, events.PriceMacro: true, events.PriceUnreadable: true}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		for i, d := range all {
			p, status := d.Decode(raw)
			if !known[status] || p < 0 || p > maxMicro || (status != events.PriceOK && p != 0) {
				t.Fatalf("decoder %d read %q as %d, %s", i, raw, p, status)
			}
		}
		if string(raw) != before {
			t.Fatal("the input was changed")
		}
	})
}

// FuzzBase64 compares with the library's decoder of canonical text.
func FuzzBase64(f *testing.F) {
	f.Add("YWJjMTIz")
	f.Add("_w==")
	f.Add("_x")
	f.Add("-_+/")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 64 {
			return
		}
		var dst [64]byte
		n, ok := decodeBase64(dst[:], []byte(s))
		if strings.ContainsAny(s, "=. +/\r\n") {
			return
		}
		want, err := base64.RawURLEncoding.Strict().DecodeString(s)
		if ok != (err == nil) || (ok && string(want) != string(dst[:n])) {
			t.Fatalf("%q: %v %x, the library says %v %x", s, ok, dst[:n], err, want)
		}
	})
}
