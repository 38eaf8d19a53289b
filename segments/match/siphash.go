package match

import (
	"encoding/binary"
	"math/bits"
)

// Bounds of what is hashed; longer ones are not matched.
const (
	maxExchange = 32
	maxID       = 256
)

// key is the hash of (exchange, their id). The zero key is none's.
type key struct{ a, b uint64 }

// hasher is SipHash-2-4 with 128 bits of output (Aumasson and Bernstein 2012)
// under a secret key.
type hasher struct{ k0, k1 uint64 }

// key hashes the exchange's name, a zero byte and the id. ok is false for an
// id that is empty or too long.
func (h hasher) key(exchange, id string) (k key, ok bool) {
	if id == "" || len(id) > maxID || len(exchange) > maxExchange {
		return key{}, false
	}
	var buf [maxExchange + 1 + maxID]byte
	n := copy(buf[:], exchange) + 1
	n += copy(buf[n:], id)
	k.a, k.b = h.sum(buf[:n])
	return k, true
}

func (h hasher) sum(p []byte) (a, b uint64) {
	v0, v1 := h.k0^0x736f6d6570736575, h.k1^0x646f72616e646f6d^0xee
	v2, v3 := h.k0^0x6c7967656e657261, h.k1^0x7465646279746573
	last := uint64(len(p)) << 56
	for ; len(p) >= 8; p = p[8:] {
		m := binary.LittleEndian.Uint64(p)
		v3 ^= m
		v0, v1, v2, v3 = round(v0, v1, v2, v3)
		v0, v1, v2, v3 = round(v0, v1, v2, v3)
		v0 ^= m
	}
	for i, c := range p {
		last |= uint64(c) << (8 * i)
	}
	v3 ^= last
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0 ^= last
	v2 ^= 0xee
	for range 4 {
		v0, v1, v2, v3 = round(v0, v1, v2, v3)
	}
	a = v0 ^ v1 ^ v2 ^ v3
	v1 ^= 0xdd
	for range 4 {
		v0, v1, v2, v3 = round(v0, v1, v2, v3)
	}
	return a, v0 ^ v1 ^ v2 ^ v3
}

// round is small enough to be inlined.
func round(v0, v1, v2, v3 uint64) (a, b, c, d uint64) {
	v0 += v1
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v3
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 += v3
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v2 = bits.RotateLeft64(v2, 32)
	return v0, v1, v2, v3
}
