package segments

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"strings"

	"github.com/grosz/grosz/events"
)

// UserKey is the DSP-wide id of a person's browser or device, 128 bits. The
// zero key is nobody. It finds profiles and never leaves the bidders: what
// reports and shops see is Pseudonym.
type UserKey = events.ID

// maxID bounds the ids that are hashed; no exchange sends longer ones.
const maxID = 256

// UserFromUID reads the DSP's own cookie id, 32 hex digits in either case.
// The second result is false for anything else, and for the all-zero id.
func UserFromUID(s string) (UserKey, bool) {
	var u UserKey
	if len(s) != 2*len(u) {
		return UserKey{}, false
	}
	for i := range u {
		hi, lo := hexDigit(s[2*i]), hexDigit(s[2*i+1])
		if hi > 15 || lo > 15 {
			return UserKey{}, false
		}
		u[i] = hi<<4 | lo
	}
	return u, !u.IsZero()
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}

// UserFromIFA is the key of a device's advertising id (device.ifa), whatever
// its case. An empty id and one of zeros only, which phones send when
// tracking is off, are nobody.
func UserFromIFA(ifa string) UserKey {
	nobody := true
	for i := range len(ifa) {
		if c := ifa[i]; c != '0' && c != '-' {
			nobody = false
			break
		}
	}
	if nobody || len(ifa) > maxID {
		return UserKey{}
	}
	return hashed("ifa", "", ifa, true)
}

// UserFromExchange is the key of user.buyeruid: the DSP's own id that the
// exchange stored at the cookie sync (32 hex digits), or else any id that is
// the exchange's alone.
func UserFromExchange(exchange, buyeruid string) UserKey {
	if u, ok := UserFromUID(buyeruid); ok {
		return u
	}
	if buyeruid == "" || len(buyeruid) > maxID || len(exchange) > maxID {
		return UserKey{}
	}
	return hashed("exchange", exchange, buyeruid, false)
}

// IsSHA256 tells whether an id is a SHA-256 in hex, such as shops send of
// addresses and telephone numbers.
func IsSHA256(id string) bool {
	if len(id) != 64 {
		return false
	}
	for i := range len(id) {
		if hexDigit(id[i]) > 15 {
			return false
		}
	}
	return true
}

// UserFromShop is the key of an id that one shop has given a person; kind is
// events.AliasVisitor or events.AliasCustomer. The shop's salt makes it its
// own: whoever reads the log cannot try ids, and no two shops share a key. An
// id that is a SHA-256 is the same in either case of its hex digits.
func UserFromShop(salt Salt, kind, id string) UserKey {
	if IsSHA256(id) {
		id = strings.ToLower(id)
	}
	h := sha256.New()
	h.Write([]byte("shop\x00"))
	h.Write(salt[:])
	h.Write([]byte(kind + "\x00" + id))
	return UserKey(h.Sum(nil)[:16])
}

// hashed is SHA-256, cut to 128 bits, of the parts, each ended by a zero byte
// so that ids of different sources never meet.
func hashed(domain, scope, id string, fold bool) UserKey {
	var buf [2*maxID + 16]byte
	n := copy(buf[:], domain) + 1
	n += copy(buf[n:], scope) + 1
	at := n
	n += copy(buf[n:], id)
	if fold {
		for i := at; i < n; i++ {
			if c := buf[i]; c >= 'A' && c <= 'Z' {
				buf[i] = c | 0x20
			}
		}
	}
	sum := sha256.Sum256(buf[:n])
	return UserKey(sum[:16])
}

// Salt makes pseudonyms a shop's own.
type Salt [16]byte

// SaltOf reads a shop's salt: 32 hex digits, or any other text, hashed.
func SaltOf(s string) Salt {
	var salt Salt
	if len(s) == 2*len(salt) {
		if _, err := hex.Decode(salt[:], []byte(s)); err == nil {
			return salt
		}
	}
	sum := sha256.Sum256([]byte("salt\x00" + s))
	return Salt(sum[:16])
}

// Pseudonym is the shop's own 64-bit name of a user: SipHash-2-4 (Aumasson
// and Bernstein 2012) of the key under the shop's salt. Without the salt it
// can neither be turned back nor joined with another shop's. 0 is nobody, and
// no user's.
func Pseudonym(salt Salt, u UserKey) uint64 {
	if u.IsZero() {
		return 0
	}
	k0, k1 := binary.LittleEndian.Uint64(salt[:8]), binary.LittleEndian.Uint64(salt[8:])
	s := sip{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	s.block(binary.LittleEndian.Uint64(u[:8]))
	s.block(binary.LittleEndian.Uint64(u[8:]))
	s.block(uint64(len(u)) << 56)
	s.v2 ^= 0xff
	for range 4 {
		s.round()
	}
	return max(s.v0^s.v1^s.v2^s.v3, 1)
}

type sip struct{ v0, v1, v2, v3 uint64 }

func (s *sip) block(m uint64) {
	s.v3 ^= m
	s.round()
	s.round()
	s.v0 ^= m
}

func (s *sip) round() {
	s.v0 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v2 = bits.RotateLeft64(s.v2, 32)
}
