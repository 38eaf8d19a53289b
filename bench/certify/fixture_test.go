package certify

import (
	"github.com/prebid/openrtb/v20/openrtb2"

	"github.com/grosz/grosz/bench/check"
)

func fixtureBid() check.Bid {
	return check.Bid{Bid: openrtb2.Bid{ID: "1", ImpID: "1", ADomain: []string{"one-shop.example"}}, Price: fakePrice}
}

func markupType(kind int) openrtb2.MarkupType { return openrtb2.MarkupType(kind & 7) }
