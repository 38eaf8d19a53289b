package money

import (
	"errors"
	"fmt"
)

// Fee is what the platform takes for an impression beside its media cost:
// a share of it, or so much a thousand. At most one of the two is set.
type Fee struct {
	BPS int64 // share of the media cost, basis points
	CPM CPM   // price of a thousand impressions, in the shop's currency
}

// MaxFeeCPM bounds a fee per thousand impressions, in currency units.
const MaxFeeCPM CPM = 1000 * CPMUnit

// Of is the fee of one impression that cost net, in the shop's currency.
func (f Fee) Of(net Nano) Nano {
	if f.CPM != 0 {
		return f.CPM.PerImpression()
	}
	return net.Fee(f.BPS)
}

// Gross is net with its fee.
func (f Fee) Gross(net Nano) Nano { return Add(net, f.Of(net)) }

// Share is the fee without what is taken a thousand impressions: of what is not
// billed by impressions.
func (f Fee) Share() Fee {
	if f.CPM != 0 {
		return Fee{}
	}
	return f
}

// ErrFee is what Check wraps.
var ErrFee = errors.New("bad fee")

// Check says what is wrong with a fee.
func (f Fee) Check() error {
	switch {
	case f.BPS < 0 || f.BPS > 10_000:
		return fmt.Errorf("%w: %d basis points are not from 0 to 10000", ErrFee, f.BPS)
	case f.CPM < 0 || f.CPM > MaxFeeCPM:
		return fmt.Errorf("%w: a CPM of %s is not from 0 to %s", ErrFee, f.CPM, MaxFeeCPM)
	case f.BPS != 0 && f.CPM != 0:
		return fmt.Errorf("%w: it is a share or a CPM, not both", ErrFee)
	}
	return nil
}
