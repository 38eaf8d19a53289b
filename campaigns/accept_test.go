package campaigns

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Every pair of sets over four values (and their complements) combines as
// their members do.
func TestAcceptAlgebra(t *testing.T) {
	var all []accept
	for bits := range uint64(16) {
		all = append(all, accept{bits: bitset{bits}}, accept{co: true, bits: bitset{bits, 0}})
	}
	for _, a := range all {
		for _, b := range all {
			and, or, not := a.and(b), a.or(b), a.negated()
			for v := range uint32(200) {
				if and.has(v) != (a.has(v) && b.has(v)) || or.has(v) != (a.has(v) || b.has(v)) || not.has(v) == a.has(v) {
					t.Fatalf("%v and %v at %d", a, b, v)
				}
			}
		}
	}
}

// A signature lets every accepted value pass.
func TestSignature(t *testing.T) {
	refused := 0
	for v := range uint32(300) {
		for _, attr := range []attrID{0, fixedAttr(kindCountry), fixedAttr(kindPosition)} {
			for _, co := range []bool{false, true} {
				a := accept{attr: attr, co: co, bits: bitset(nil).with(v).with(7)}
				sig := signature([]accept{a})
				for w := range uint32(300) {
					passes := sig&sigBit(attr, w) != 0
					if a.has(w) {
						assert.True(t, passes)
					} else if !passes {
						refused++
					}
				}
			}
		}
	}
	assert.NotZero(t, refused)
}
