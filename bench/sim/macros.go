package sim

import (
	"strconv"
	"strings"

	"github.com/grosz/grosz/internal/money"
)

// facts are what the macros of one bid stand for (4.4).
type facts struct {
	auctionID, bidID, impID, seat, adID string
	price                               money.CPM // cleared; 0: not disclosed
	bid                                 money.CPM
	minToWin                            money.CPM // 0: not disclosed
	loss                                int
	currency                            money.Currency
	timeMS                              int64
	trim                                bool
}

func (f *facts) replacer() *strings.Replacer {
	mbr := ""
	if f.price > 0 && f.bid > 0 {
		mbr = strconv.FormatFloat(float64(f.price)/float64(f.bid), 'f', 4, 64)
	}
	return strings.NewReplacer(
		"${AUCTION_ID}", f.auctionID, "${AUCTION_BID_ID}", f.bidID, "${AUCTION_IMP_ID}", f.impID,
		"${AUCTION_SEAT_ID}", f.seat, "${AUCTION_AD_ID}", f.adID, "${AUCTION_PRICE}", f.text(f.price),
		"${AUCTION_CURRENCY}", f.currency.String(), "${AUCTION_MBR}", mbr, "${AUCTION_LOSS}", strconv.Itoa(f.loss),
		"${AUCTION_MIN_TO_WIN}", f.text(f.minToWin), "${AUCTION_MULTIPLIER}", "1",
		"${AUCTION_IMP_TS}", strconv.FormatInt(f.timeMS, 10),
	)
}

// text prints a price; nothing where it is not disclosed. Exchanges differ in
// trailing zeros.
func (f *facts) text(p money.CPM) string {
	if p <= 0 {
		return ""
	}
	s := p.String()
	if f.trim {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}
