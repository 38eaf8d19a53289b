package price

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Sizes of Google's scheme ("Decrypt Price Confirmations", Authorized Buyers
// real-time bidding guide): iv, price xor pad, signature.
const (
	googleIV      = 16
	googlePrice   = 8
	googleSigned  = 4
	googleMessage = googleIV + googlePrice + googleSigned
)

// google decrypts Google's scheme: the pad is the first 8 bytes of
// HMAC-SHA1(encryption key, iv), the signature the first 4 of
// HMAC-SHA1(integrity key, price | iv).
type google struct {
	encryption, integrity hmacKey
	number                number
}

func newGoogle(keys Keys, n number) (Decoder, error) {
	var errs []error
	g := &google{number: n}
	for _, k := range []struct {
		name string
		key  []byte
		to   *hmacKey
	}{{"encryption", keys.Encryption, &g.encryption}, {"integrity", keys.Integrity, &g.integrity}} {
		if len(k.key) < 16 || len(k.key) > sha1.BlockSize {
			errs = append(errs, fmt.Errorf("%s key has %d bytes, 16 to %d are wanted (Google gives 32)", k.name, len(k.key), sha1.BlockSize))
			continue
		}
		k.to.set(k.key)
	}
	return g, errors.Join(errs...)
}

func (g *google) Decode(raw []byte) (money.CPM, string) {
	if status := instead(raw); status != "" {
		return 0, status
	}
	var m [googleMessage]byte
	if n, ok := decodeBase64(m[:], raw); !ok || n != len(m) {
		return 0, events.PriceUnreadable
	}
	iv := m[:googleIV]
	pad := g.encryption.sum(iv)
	var signed [googlePrice + googleIV]byte // price | iv
	subtle.XORBytes(signed[:googlePrice], m[googleIV:googleIV+googlePrice], pad[:googlePrice])
	copy(signed[googlePrice:], iv)
	sum := g.integrity.sum(signed[:])
	if subtle.ConstantTimeCompare(sum[:googleSigned], m[googleIV+googlePrice:]) != 1 {
		return 0, events.PriceUnreadable
	}
	return g.number.ofMicros(binary.BigEndian.Uint64(signed[:googlePrice]))
}

// hmacKey is an HMAC-SHA1 key (RFC 2104) in a form that sums short messages
// without an allocation, which crypto/hmac's hash makes.
type hmacKey struct{ inner, outer [sha1.BlockSize]byte }

// set takes a key of at most a block.
func (k *hmacKey) set(key []byte) {
	k.inner, k.outer = [sha1.BlockSize]byte{}, [sha1.BlockSize]byte{}
	copy(k.inner[:], key)
	copy(k.outer[:], key)
	for i := range k.inner {
		k.inner[i] ^= 0x36
		k.outer[i] ^= 0x5c
	}
}

// sum returns the HMAC of a message of at most 24 bytes.
func (k *hmacKey) sum(message []byte) [sha1.Size]byte {
	var b [sha1.BlockSize + googlePrice + googleIV]byte
	copy(b[:], k.inner[:])
	n := copy(b[sha1.BlockSize:], message)
	inner := sha1.Sum(b[:sha1.BlockSize+n])
	copy(b[:], k.outer[:])
	copy(b[sha1.BlockSize:], inner[:])
	return sha1.Sum(b[:sha1.BlockSize+sha1.Size])
}

// encrypt is what an exchange does; tests and simulations use it.
func (g *google) encrypt(dst []byte, iv [googleIV]byte, micros uint64) []byte {
	var m [googleMessage]byte
	copy(m[:], iv[:])
	var signed [googlePrice + googleIV]byte
	binary.BigEndian.PutUint64(signed[:], micros)
	copy(signed[googlePrice:], iv[:])
	pad := g.encryption.sum(iv[:])
	subtle.XORBytes(m[googleIV:], signed[:googlePrice], pad[:googlePrice])
	sum := g.integrity.sum(signed[:])
	copy(m[googleIV+googlePrice:], sum[:googleSigned])
	return encodeBase64(dst, m[:])
}

// EncryptGoogle writes a price as Google's scheme does, for simulations of an
// exchange: micros in the exchange's units, iv unique to the impression.
func EncryptGoogle(dst []byte, keys Keys, iv [16]byte, micros uint64) ([]byte, error) {
	d, err := newGoogle(keys, number{micros: true})
	if err != nil {
		return dst, err
	}
	return d.(*google).encrypt(dst, iv, micros), nil
}
