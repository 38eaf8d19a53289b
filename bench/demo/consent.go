package demo

import "time"

// VendorID is the demo's made-up id in the Global Vendor List: what people
// agree to on the demo's publisher page, and what the demo's exchange files
// say that we are.
const VendorID = 4000

// The numbers of a TC string (IAB Europe, 'Consent string and vendor list
// formats v2', version 2.3).
const (
	tcfPolicy     = 5
	tcfVendorList = 120
	tcfCMP        = 31
	tcfDisclosed  = 1 // segment type: disclosed vendors
	tcfPurposes   = 11
)

// tcString is what the publisher's consent dialog writes: all purposes and
// our vendor, or nothing.
func tcString(agreed bool, now time.Time) string {
	var core tcBits
	day := uint64(now.UTC().Truncate(24*time.Hour).UnixMilli() / 100)
	core.put(6, 2)
	core.put(36, day)
	core.put(36, day)
	core.put(12, tcfCMP)
	core.put(12, 1) // its version
	core.put(6, 1)  // screen
	core.put(6, 'P'-'A')
	core.put(6, 'L'-'A')
	core.put(12, tcfVendorList)
	core.put(6, tcfPolicy)
	core.put(1, 1)  // service specific
	core.put(1, 0)  // no stacks of others
	core.put(12, 0) // special features
	purposes := uint64(0)
	if agreed {
		purposes = (1<<tcfPurposes - 1) << (24 - tcfPurposes)
	}
	core.put(24, purposes)
	core.put(24, 0) // legitimate interest: none is claimed
	core.put(1, 0)
	core.put(6, 'P'-'A')
	core.put(6, 'L'-'A')
	core.vendors(agreed)
	core.vendors(false)
	core.put(12, 0) // no publisher restrictions
	var shown tcBits
	shown.put(3, tcfDisclosed)
	shown.vendors(true)
	return core.text() + "." + shown.text()
}

// tcBits is a row of bits, one a byte.
type tcBits []byte

func (b *tcBits) put(n int, v uint64) {
	for i := n - 1; i >= 0; i-- {
		*b = append(*b, byte(v>>i)&1)
	}
}

// vendors is a section of ranges with our vendor alone, or with nobody.
func (b *tcBits) vendors(us bool) {
	b.put(16, VendorID)
	b.put(1, 1)
	if !us {
		b.put(12, 0)
		return
	}
	b.put(12, 1)
	b.put(1, 0)
	b.put(16, VendorID)
}

// text is the row in base64url, filled with zeros to whole bytes.
func (b tcBits) text() string {
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	out := make([]byte, 0, len(b)/6+1)
	for i := 0; i < len(b); i += 6 {
		v := 0
		for j := i; j < i+6; j++ {
			v <<= 1
			if j < len(b) {
				v |= int(b[j])
			}
		}
		out = append(out, alphabet[v])
	}
	return string(out)
}
