package price

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"sync"

	"golang.org/x/crypto/blowfish" //nolint:staticcheck // old, but it is what exchanges encrypt prices with

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// maxEncrypted bounds an encrypted price: 64 bytes of plaintext and a vector.
const maxEncrypted = 80

// blockCipher decrypts a number that was encrypted by a block cipher. The
// schemes carry no signature: what decrypts to anything but a number is
// unreadable, yet who has seen one message may send it again. So a price
// above the bid is disputed as with every encoding, and reports decide.
type blockCipher struct {
	block   cipher.Block
	cbc     bool
	hex     bool
	padding string
	number  number
	scratch sync.Pool // *[2 × maxEncrypted]byte
}

func newBlockCipher(c Config, keys Keys, n number) (Decoder, error) {
	d := &blockCipher{cbc: c.Mode == CBC, hex: c.Text == Hex, padding: c.Padding, number: n}
	if d.padding == "" {
		d.padding = PKCS7
	}
	var err error
	if c.Encoding == AES {
		d.block, err = aes.NewCipher(keys.Encryption)
	} else {
		d.block, err = blowfish.NewCipher(keys.Encryption)
	}
	if err != nil {
		return nil, fmt.Errorf("encryption key for %s: %w", c.Encoding, err)
	}
	d.scratch.New = func() any { return new([2 * maxEncrypted]byte) }
	return d, nil
}

func (d *blockCipher) Decode(raw []byte) (money.CPM, string) {
	if status := instead(raw); status != "" {
		return 0, status
	}
	buf := d.scratch.Get().(*[2 * maxEncrypted]byte)
	defer d.scratch.Put(buf)
	message, plain := buf[:maxEncrypted], buf[maxEncrypted:]
	decode := decodeBase64
	if d.hex {
		decode = decodeHex
	}
	n, ok := decode(message, raw)
	if !ok {
		return 0, events.PriceUnreadable
	}
	text, ok := d.open(plain, message[:n])
	if !ok {
		return 0, events.PriceUnreadable
	}
	return d.number.read(text)
}

// open decrypts message into dst and takes the padding off.
func (d *blockCipher) open(dst, message []byte) ([]byte, bool) {
	size := d.block.BlockSize()
	var previous []byte
	if d.cbc {
		if len(message) < size {
			return nil, false
		}
		previous, message = message[:size], message[size:]
	}
	if len(message) == 0 || len(message)%size != 0 {
		return nil, false
	}
	dst = dst[:len(message)]
	for i := 0; i < len(message); i += size {
		d.block.Decrypt(dst[i:i+size], message[i:i+size])
		if d.cbc {
			subtle.XORBytes(dst[i:i+size], dst[i:i+size], previous)
			previous = message[i : i+size]
		}
	}
	if d.padding == Zero {
		return bytes.TrimRight(dst, "\x00 "), true
	}
	k := int(dst[len(dst)-1])
	if k == 0 || k > size {
		return nil, false
	}
	for _, b := range dst[len(dst)-k:] {
		if int(b) != k {
			return nil, false
		}
	}
	return dst[:len(dst)-k], true
}
