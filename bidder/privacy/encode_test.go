package privacy

import "time"

// A small encoder of consent strings, for the tests.

// row is a row of bits, a byte each.
type row []byte

func (w *row) put(n int, v uint64) {
	for i := n - 1; i >= 0; i-- {
		*w = append(*w, byte(v>>i)&1)
	}
}

func (w *row) set(n int, members ...int) {
	at := len(*w)
	w.put(n, 0)
	for _, m := range members {
		(*w)[at+m-1] = 1
	}
}

// text is the row in base64url, its last character filled with zeros.
func (w row) text() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	out := make([]byte, 0, len(w)/6+1)
	for i := 0; i < len(w); i += 6 {
		v := 0
		for j := i; j < i+6; j++ {
			v <<= 1
			if j < len(w) {
				v |= int(w[j])
			}
		}
		out = append(out, alphabet[v])
	}
	return string(out)
}

type vendorRange struct{ from, to int }

// vendors is a vendor section: ranges, or a bit field of max bits.
type vendors struct {
	max    int
	ranged bool
	in     []vendorRange
}

func (w *row) ranges(in []vendorRange) {
	w.put(12, uint64(len(in)))
	for _, r := range in {
		if r.from == r.to {
			w.put(1, 0)
			w.put(16, uint64(r.from))
			continue
		}
		w.put(1, 1)
		w.put(16, uint64(r.from))
		w.put(16, uint64(r.to))
	}
}

func (w *row) vendors(v vendors) {
	w.put(16, uint64(v.max))
	if v.ranged {
		w.put(1, 1)
		w.ranges(v.in)
		return
	}
	w.put(1, 0)
	at := len(*w)
	w.put(v.max, 0)
	for _, r := range v.in {
		for id := r.from; id <= r.to; id++ {
			(*w)[at+id-1] = 1
		}
	}
}

type restriction struct {
	purpose, kind int
	in            []vendorRange
}

// tc is a TC string's fields.
type tc struct {
	version, policy  int
	created, updated time.Time
	scope            int // isServiceSpecific
	oneTreatment     int
	consent, li      []int // purposes
	vendor, vendorLI vendors
	restrictions     []restriction
	disclosed        *vendors
	publisher        bool // a publisher segment
}

func (c *tc) core() row {
	var w row
	w.put(6, uint64(c.version))
	w.put(36, uint64(c.created.UnixMilli()/100))
	w.put(36, uint64(c.updated.UnixMilli()/100))
	w.put(12, 31) // CMP
	w.put(12, 1)  // its version
	w.put(6, 1)   // screen
	w.put(6, uint64('P'-'A'))
	w.put(6, uint64('L'-'A'))
	w.put(12, 120) // vendor list
	w.put(6, uint64(c.policy))
	w.put(1, uint64(c.scope))
	w.put(1, 0)
	w.put(12, 0)
	w.set(24, c.consent...)
	w.set(24, c.li...)
	w.put(1, uint64(c.oneTreatment))
	w.put(6, uint64('P'-'A'))
	w.put(6, uint64('L'-'A'))
	w.vendors(c.vendor)
	w.vendors(c.vendorLI)
	w.put(12, uint64(len(c.restrictions)))
	for _, r := range c.restrictions {
		w.put(6, uint64(r.purpose))
		w.put(2, uint64(r.kind))
		w.ranges(r.in)
	}
	return w
}

func (c *tc) disclosedRow() (w row) {
	w.put(3, segmentDisclosed)
	w.vendors(*c.disclosed)
	return w
}

func (c *tc) text() string {
	s := c.core().text()
	if c.disclosed != nil {
		s += "." + c.disclosedRow().text()
	}
	if c.publisher {
		var w row
		w.put(3, segmentPublisher)
		w.put(24, 0)
		w.put(24, 0)
		w.put(6, 0)
		s += "." + w.text()
	}
	return s
}

const us = 321 // our vendor id in the tests

var (
	now  = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	ours = []vendorRange{{12, 12}, {300, 400}}
)

// full is a TC string that allows everything.
func full() *tc {
	day := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	return &tc{
		version: 2, policy: 5, created: day, updated: day, scope: 1,
		consent: []int{1, 2, 3, 4, 7}, li: []int{2, 7},
		vendor: vendors{max: 500, in: ours}, vendorLI: vendors{max: 500, ranged: true, in: ours},
		disclosed: &vendors{max: 500, in: ours}, publisher: true,
	}
}

// section is one GPP section.
type section struct {
	id   int
	text string
}

// gppText joins sections, ascending by id, each id its own entry.
func gppText(sections ...section) string {
	var w row
	w.put(6, 3)
	w.put(6, 1)
	w.put(12, uint64(len(sections)))
	last := 0
	for _, s := range sections {
		w.put(1, 0)
		w.fibonacci(s.id - last)
		last = s.id
	}
	out := w.text()
	for _, s := range sections {
		out += "~" + s.text
	}
	return out
}

func (w *row) fibonacci(n int) {
	fib := []int{1, 2}
	for fib[len(fib)-1] <= n {
		fib = append(fib, fib[len(fib)-1]+fib[len(fib)-2])
	}
	code := make([]byte, 0, len(fib))
	for i := len(fib) - 1; i >= 0; i-- {
		if fib[i] <= n {
			n -= fib[i]
			code = append(code, 1)
		} else if len(code) > 0 {
			code = append(code, 0)
		}
	}
	for i := len(code) - 1; i >= 0; i-- {
		*w = append(*w, code[i])
	}
	*w = append(*w, 1)
}

// usText is a section of the United States: the version, then fields of two
// bits.
func usText(version int, fields ...int) string {
	var w row
	w.put(6, uint64(version))
	for _, f := range fields {
		w.put(2, uint64(f))
	}
	return w.text()
}
