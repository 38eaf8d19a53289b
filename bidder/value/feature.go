package value

import "math/bits"

// Field names one sort of feature. Its number is part of what is hashed and
// of every stored model: never reuse one.
type Field uint8

// The fields of a placement: what a request says of the place, not of the
// person. They alone may enter the global part.
const (
	FieldBias Field = iota + 1
	FieldExchange
	FieldDomain
	FieldPlacement // tagid on the domain
	FieldMedia
	FieldSize
	FieldDevice
	FieldOS
	FieldHour // of the day, UTC
	FieldWeekday
	FieldCountry
	FieldRegion
	FieldPosition
	FieldCategory
	FieldDomainDevice
	FieldDomainSize
	FieldExchangeMedia

	lastPlacement = FieldExchangeMedia
)

// The fields of a candidate: the campaign, and what its own shop knows of the
// person. They enter the shop's part only.
const (
	FieldCampaign Field = iota + 64
	FieldCreative
	FieldCampaignDomain
	FieldCampaignMedia
	FieldRecency   // log2 of minutes since the person was seen in the shop
	FieldViews     // log2 of product views
	FieldCart      // log2 of the cart's value
	FieldCartAge   // log2 of minutes since the cart changed
	FieldOrders    // orders so far, to 4
	FieldFrequency // impressions of the campaign shown to the person
	FieldSegment   // a segment of the shop that the person is in
	FieldPrice     // log2 of the shown product's price
	FieldIntent    // tenths of the intent's strength
	FieldStranger  // the shop does not know the person
)

// Placement tells whether a field may enter the global part.
func (f Field) Placement() bool { return f <= lastPlacement }

// Feature is a hashed (field, value): tables take as many of its low bits as
// they have slots.
type Feature uint32

// Number is the feature of a field with a numeric value.
func Number(f Field, v uint64) Feature {
	h := (v ^ uint64(f)<<56 ^ 0x51_7c_c1_b7_27_22_0a_95) * 0x9e3779b97f4a7c15
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return Feature(h >> 32)
}

// Text is the feature of a field with a text; FNV-1a, then Number.
func Text(f Field, s string) Feature {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return Number(f, h)
}

// Cross is the feature of a field made of two others.
func Cross(f Field, a, b Feature) Feature { return Number(f, uint64(a)<<32|uint64(b)) }

// Log2 puts a count or an amount into a bucket: 0, 1, 2–3, 4–7 …
func Log2(n int64) uint64 {
	if n <= 0 {
		return 0
	}
	return uint64(bits.Len64(uint64(n)))
}
