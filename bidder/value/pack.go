package value

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// Packed features, as a bid's log line carries them: base64 (URL alphabet,
// no padding) of a version, the number of placement features, and all
// features in 4 bytes each, those of the placement first.
const (
	packVersion = 1
	// MaxFeatures bounds those of one candidate, placement included.
	MaxFeatures = 64
	packedHead  = 2
	packedMost  = packedHead + 4*MaxFeatures
)

// AppendFeatures packs what a prediction was made from behind dst. It does not
// allocate where dst has room; what is beyond MaxFeatures is left out.
func AppendFeatures(dst []byte, placement, own []Feature) []byte {
	var buf [packedMost]byte
	placement = placement[:min(len(placement), MaxFeatures)]
	own = own[:min(len(own), MaxFeatures-len(placement))]
	b := append(buf[:0], packVersion, byte(len(placement)))
	for _, f := range placement {
		b = binary.LittleEndian.AppendUint32(b, uint32(f))
	}
	for _, f := range own {
		b = binary.LittleEndian.AppendUint32(b, uint32(f))
	}
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

// ErrFeatures marks a text that is no packed features.
var ErrFeatures = errors.New("packed features")

// ReadFeatures takes packed features apart.
func ReadFeatures(s string) (placement, own []Feature, err error) {
	if len(s) > base64.RawURLEncoding.EncodedLen(packedMost) {
		return nil, nil, fmt.Errorf("%w: %d characters", ErrFeatures, len(s))
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %w", ErrFeatures, err)
	case len(b) < packedHead || (len(b)-packedHead)%4 != 0 || int(b[1]) > (len(b)-packedHead)/4:
		return nil, nil, fmt.Errorf("%w: %d bytes", ErrFeatures, len(b))
	case b[0] != packVersion:
		return nil, nil, fmt.Errorf("%w: version %d, want %d", ErrFeatures, b[0], packVersion)
	}
	all := make([]Feature, 0, (len(b)-packedHead)/4)
	for i := packedHead; i < len(b); i += 4 {
		all = append(all, Feature(binary.LittleEndian.Uint32(b[i:])))
	}
	n := int(b[1])
	return all[:n:n], all[n:], nil
}
