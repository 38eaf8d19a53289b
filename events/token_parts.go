package events

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/grosz/grosz/internal/money"
)

// sealLabel begins what the pad of a bid's sealed part is made of; no token
// begins like it.
const sealLabel = "price of a click"

// seal hides or shows the sealed part of a bid's tokens: it is the same in all
// of them, so that one pad for a bid tells nothing.
func (s *signer) seal(part, bid []byte) {
	copy(s.pad[copy(s.pad[:], sealLabel):], bid)
	s.mac.Reset()
	s.mac.Write(s.pad[:])
	subtle.XORBytes(part, part, s.mac.Sum(s.sum[:0])[:len(part)])
}

// unpackProducts takes the products off the end of a token; none tells whether
// there may be none.
func (t *Token) unpackProducts(b []byte, none bool) (rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, false
	}
	n := int(b[len(b)-1])
	from := len(b) - 1 - 4*n
	if n == 0 && !none || n > len(t.Products) || from < 0 {
		return nil, false
	}
	for i := range n {
		if t.Products[i] = binary.BigEndian.Uint32(b[from+4*i:]); t.Products[i] == 0 {
			return nil, false // each token has one text
		}
	}
	return b[:from], true
}

// feeIsCPM marks, in a token's four bytes of the fee, one per thousand
// impressions.
const feeIsCPM = 1 << 31

func (t *Token) packedFee() uint32 {
	if t.FeeCPM > 0 {
		return feeIsCPM | uint32(min(t.FeeCPM, feeIsCPM-1))
	}
	return t.FeeBPS &^ feeIsCPM
}

func (t *Token) unpackFee(v uint32) {
	if v&feeIsCPM != 0 {
		t.FeeCPM = money.CPM(v &^ feeIsCPM)
		return
	}
	t.FeeBPS = v
}
