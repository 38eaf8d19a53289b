// Package price reads what an exchange puts in place of its price macro
// (OpenRTB 2.6 § 4.4): a decimal, an integer of micro-units, or a price that
// was encrypted because the macro stands in markup where anyone sees it. It is
// a stage of a notice, after the token is verified; its neighbours are
// bidder/notice.go, which calls it, and events, which names the outcomes.
//
// What cannot be read or verified is events.PriceUnreadable, never a price of
// 0: it is booked provisionally at the bid and corrected from the exchange's
// report.
//
// Warm: a decoder is called once per notice. Plain and micros take some 20 ns,
// Google's scheme about 1 µs; none allocates at steady state. Every
// Decoder is safe for many goroutines. Imports events and internal only, no
// files: whoever builds a decoder hands it its keys.
package price

import (
	"errors"
	"fmt"
	"slices"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Decoder reads one exchange's prices.
type Decoder interface {
	// Decode returns the price of the impression in the bid's currency, and one
	// of the events.Price statuses. The price counts where that is PriceOK and
	// is 0 otherwise. raw is not kept.
	Decode(raw []byte) (money.CPM, string)
}

// The encodings.
const (
	Plain    = "plain"    // a decimal: "1.25"
	Micros   = "micros"   // an integer of millionths: "1250000"
	Google   = "google"   // Authorized Buyers' HMAC-SHA1 scheme; OpenX, Index and BidSwitch use it too
	AES      = "aes"      // AES by Config
	Blowfish = "blowfish" // Blowfish by Config, such as the ${AUCTION_PRICE:BF} of several exchanges
)

// Units that a price may be stated in.
const (
	PerMille      = "cpm"            // per thousand impressions, as the bid is
	PerImpression = "per_impression" // of this one impression
)

// How Config.Payload, Mode, Text and Padding are named.
const (
	ECB    = "ecb"
	CBC    = "cbc"
	Hex    = "hex"
	Base64 = "base64" // either alphabet, with or without padding
	PKCS7  = "pkcs7"
	Zero   = "zero" // filled up with NUL or blanks, or not at all
)

// Config says how an exchange writes its prices. The zero value is a plain
// decimal CPM.
type Config struct {
	// Encoding is one of plain (default), micros, google, aes, blowfish.
	Encoding string `yaml:"encoding"`
	// Units of the number: cpm (default) or per_impression.
	Units string `yaml:"units"`

	// The rest is read for aes and blowfish only.

	// Payload is the number under the encryption: plain (default) or micros.
	Payload string `yaml:"payload"`
	// Mode of the cipher: ecb (default) or cbc. With cbc the message begins with
	// its initialization vector.
	Mode string `yaml:"mode"`
	// Text is how the encrypted bytes are written: base64 (default) or hex.
	Text string `yaml:"text"`
	// Padding of the last block: pkcs7 (default) or zero.
	Padding string `yaml:"padding"`
}

// NeedsKeys tells whether the encoding encrypts.
func (c Config) NeedsKeys() bool {
	return c.Encoding == Google || c.Encoding == AES || c.Encoding == Blowfish
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	one := func(name, v string, of ...string) {
		if v != "" && !slices.Contains(of, v) {
			errs = append(errs, fmt.Errorf("%s %q: one of %v", name, v, of))
		}
	}
	one("encoding", c.Encoding, Plain, Micros, Google, AES, Blowfish)
	one("units", c.Units, PerMille, PerImpression)
	one("payload", c.Payload, Plain, Micros)
	one("mode", c.Mode, ECB, CBC)
	one("text", c.Text, Base64, Hex)
	one("padding", c.Padding, PKCS7, Zero)
	if c.Encoding != AES && c.Encoding != Blowfish {
		for name, v := range map[string]string{"payload": c.Payload, "mode": c.Mode, "text": c.Text, "padding": c.Padding} {
			if v != "" {
				errs = append(errs, fmt.Errorf("%s is read with the encodings aes and blowfish only", name))
			}
		}
	}
	return errors.Join(errs...)
}

// New returns the decoder of c. keys may be the zero value where c needs none.
func New(c Config, keys Keys) (Decoder, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	n := number{micros: c.Encoding == Micros || c.Payload == Micros, perImpression: c.Units == PerImpression}
	switch c.Encoding {
	case Google:
		n.micros = true
		return newGoogle(keys, n)
	case AES, Blowfish:
		return newBlockCipher(c, keys, n)
	}
	return n, nil
}

// Clear returns the decoder of plain decimal CPMs, the standard's own.
func Clear() Decoder { return number{} }

// number is the decoder of what is not encrypted, and reads the plaintext of
// what was.
type number struct {
	micros        bool // an integer of millionths, not a decimal
	perImpression bool
}

// maxText bounds what is read as a number: more digits than any price has.
const maxText = 25

// maxMicro bounds a price, in micro-CPM: a billion of the currency per
// impression. Above it a text is not a price.
const maxMicro = 1_000_000_000_000_000_000

func (n number) Decode(raw []byte) (money.CPM, string) {
	if status := instead(raw); status != "" {
		return 0, status
	}
	return n.read(raw)
}

// instead classifies what stands in the place of any price; "" for what may
// be one.
func instead(raw []byte) string {
	switch {
	case len(raw) == 0:
		return events.PriceEmpty
	case string(raw) == "AUDIT":
		return events.PriceAudit
	case raw[0] == '$' || raw[0] == '%' || raw[0] == '{' || raw[0] == '[':
		return events.PriceMacro
	}
	return ""
}

// read reads an unsigned number; digits finer than a micro-CPM are cut.
func (n number) read(raw []byte) (money.CPM, string) {
	places := 6 // of the decimal that one micro-CPM is
	if n.perImpression {
		places += 3
	}
	if n.micros {
		places -= 6 // 0 or 3: a multiplication
	}
	v, frac, dot := uint64(0), 0, -1
	if len(raw) > maxText {
		return 0, events.PriceUnreadable
	}
	for i, ch := range raw {
		switch {
		case ch == '.' && dot < 0 && !n.micros && len(raw) > 1:
			dot = i
		case ch < '0' || ch > '9':
			return 0, events.PriceUnreadable
		case dot >= 0 && frac == places: // finer than we bid
		default:
			v = v*10 + uint64(ch-'0')
			if v > maxMicro {
				return 0, events.PriceUnreadable
			}
			if dot >= 0 {
				frac++
			}
		}
	}
	if len(raw) == 0 {
		return 0, events.PriceUnreadable
	}
	for ; frac < places; frac++ {
		if v *= 10; v > maxMicro {
			return 0, events.PriceUnreadable
		}
	}
	return money.CPM(v), events.PriceOK
}

// ofMicros is the price of an integer that was decrypted.
func (n number) ofMicros(v uint64) (money.CPM, string) {
	if n.perImpression {
		if v > maxMicro/1000 {
			return 0, events.PriceUnreadable
		}
		v *= 1000
	}
	if v > maxMicro {
		return 0, events.PriceUnreadable
	}
	return money.CPM(v), events.PriceOK
}
