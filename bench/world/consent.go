package world

import "encoding/base64"

// VendorID is the bidder's id in the world's consent strings.
const VendorID = 755

// consents is how many different strings there are: a CMP writes the day, so
// that people who chose alike share one.
const consents = 2000

// consent is a person's TC string (IAB Europe, 'Consent string and vendor list
// formats v2'): nine of ten allow everything.
func (w *World) consent(person int) string {
	k := person % consents
	if k < 0 {
		k = -k
	}
	all := k%10 != 0
	at := (w.cfg.NowMS - int64(1+k%90)*86_400_000) / 86_400_000 * 864_000 // whole days, in tenths of a second
	var b bitWriter
	b.put(2, 6)           // version
	b.put(uint64(at), 36) // created
	b.put(uint64(at), 36) // last updated
	b.put(31, 12)         // CMP
	b.put(4, 12)          // its version
	b.put(1, 6)           // screen
	b.put(15<<6|11, 12)   // language: PL
	b.put(140, 12)        // vendor list
	b.put(5, 6)           // policy
	b.put(1, 1)           // service specific
	b.put(0, 1)           // standard texts
	b.put(0, 12)          // special features
	b.put(purposes(all), 24)
	b.put(0, 24)        // by legitimate interest
	b.put(0, 1)         // purpose one treatment
	b.put(15<<6|11, 12) // publisher's country
	b.vendors(900, all, k)
	b.vendors(0, false, 0)
	b.put(0, 12) // publisher's restrictions
	core := b.text()
	b = bitWriter{}
	b.put(1, 3) // disclosed vendors
	b.vendors(900, true, 0)
	return core + "." + b.text()
}

// purposes has bit 1 first.
func purposes(all bool) uint64 {
	if all {
		return 0x7ff << 13
	}
	return 0b1100001 << 17
}

// bitWriter writes numbers, the high bits first.
type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) put(v uint64, bits int) {
	for i := bits - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}

// vendors writes a bit field up to most; salt leaves some others out.
func (w *bitWriter) vendors(most int, all bool, salt int) {
	w.put(uint64(most), 16)
	w.put(0, 1)
	for v := 1; v <= most; v++ {
		on := uint64(0)
		if v == VendorID || (all && (v*7+salt)%11 != 0) {
			on = 1
		}
		w.put(on, 1)
	}
}

func (w *bitWriter) text() string { return base64.RawURLEncoding.EncodeToString(w.b) }
