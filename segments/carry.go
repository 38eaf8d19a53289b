package segments

import "encoding/binary"

// AppendBinary appends the profile in the form that the store keeps it in,
// behind the time of its latest event. ReadBinary reads it back.
func (p *Profile) AppendBinary(dst []byte) ([]byte, error) {
	dst = binary.LittleEndian.AppendUint32(dst, p.Last)
	return p.pack(dst), nil
}

// ReadBinary makes p what AppendBinary wrote. Whatever the bytes are, it ends,
// and says when they are no profile.
func (p *Profile) ReadBinary(b []byte) error {
	if len(b) < 4 {
		return errPacked
	}
	return p.unpack(b[4:], binary.LittleEndian.Uint32(b))
}
