package rules

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/grosz/grosz/segments"
)

// An audience is spread over AudienceBuckets; a member takes MemberSize bytes
// in its bucket: the key, and when it was imported in seconds, little-endian.
const (
	AudienceBuckets = 64
	MemberSize      = 16 + 4
)

// AudienceBucket tells which bucket holds a user. It must never change:
// stored audiences rely on it.
func AudienceBucket(u segments.UserKey) int {
	h := (binary.LittleEndian.Uint64(u[:8]) ^ binary.LittleEndian.Uint64(u[8:])) * 0x9e3779b97f4a7c15
	return int(h >> 58)
}

// AppendMember appends a member to a bucket.
func AppendMember(b []byte, u segments.UserKey, atS uint32) []byte {
	return binary.LittleEndian.AppendUint32(append(b, u[:]...), atS)
}

// SortMembers sorts a bucket by key; of a key that stands twice the latest
// import stays.
func SortMembers(b []byte) []byte {
	n := len(b) / MemberSize
	at := make([][MemberSize]byte, n)
	for i := range at {
		copy(at[i][:], b[i*MemberSize:])
	}
	slices.SortFunc(at, func(x, y [MemberSize]byte) int {
		if c := bytes.Compare(x[:16], y[:16]); c != 0 {
			return c
		}
		return int(int64(binary.LittleEndian.Uint32(y[16:])) - int64(binary.LittleEndian.Uint32(x[16:])))
	})
	at = slices.CompactFunc(at, func(x, y [MemberSize]byte) bool { return bytes.Equal(x[:16], y[:16]) })
	out := make([]byte, 0, len(at)*MemberSize)
	for i := range at {
		out = append(out, at[i][:]...)
	}
	return out
}

// CheckMembers tells what is wrong with a bucket: its members must be sorted,
// distinct and its own.
func CheckMembers(bucket int, b []byte) error {
	if len(b)%MemberSize != 0 {
		return fmt.Errorf("a bucket of %d bytes is not of members of %d", len(b), MemberSize)
	}
	for i := 0; i < len(b); i += MemberSize {
		if AudienceBucket(segments.UserKey(b[i:i+16])) != bucket {
			return fmt.Errorf("member %d is not of bucket %d", i/MemberSize, bucket)
		}
		if i > 0 && bytes.Compare(b[i-MemberSize:i-MemberSize+16], b[i:i+16]) >= 0 {
			return fmt.Errorf("member %d is not in order", i/MemberSize)
		}
	}
	return nil
}

// Audience is an imported list of users, immutable.
type Audience struct {
	buckets [AudienceBuckets][]byte
	size    int
}

// NewAudience takes buckets that CheckMembers has passed.
func NewAudience(buckets [AudienceBuckets][]byte) *Audience {
	a := &Audience{buckets: buckets}
	for _, b := range buckets {
		a.size += len(b) / MemberSize
	}
	return a
}

// Len is the number of users in it.
func (a *Audience) Len() int { return a.size }

// of is Has for a person under any of the keys that the shop has joined.
func (a *Audience) of(u segments.UserKey, p *segments.Profile) (atS uint32, ok bool) {
	if atS, ok = a.Has(u); ok || p == nil {
		return atS, ok
	}
	for _, k := range p.OtherKeys() {
		if k.IsZero() {
			continue
		}
		if atS, ok = a.Has(k); ok {
			return atS, true
		}
	}
	return 0, false
}

// Has finds a user, and when it was imported, in seconds.
func (a *Audience) Has(u segments.UserKey) (atS uint32, ok bool) {
	b := a.buckets[AudienceBucket(u)]
	n := len(b) / MemberSize
	i := sort.Search(n, func(i int) bool { return bytes.Compare(b[i*MemberSize:i*MemberSize+16], u[:]) >= 0 })
	if i == n || !bytes.Equal(b[i*MemberSize:i*MemberSize+16], u[:]) {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b[i*MemberSize+16:]), true
}

// at returns the i-th user of a bucket.
func (a *Audience) at(bucket, i int) (u segments.UserKey, ok bool) {
	b := a.buckets[bucket]
	if (i+1)*MemberSize > len(b) {
		return u, false
	}
	return segments.UserKey(b[i*MemberSize : i*MemberSize+16]), true
}
