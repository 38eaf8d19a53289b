package bidder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

func TestANoticeThatComesAgainWithAnotherPriceIsRecorded(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	w.get(macro(bid.BURL, "2.00"))
	require.Len(t, w.spooled(), 1)
	for _, price := range []string{"2.00", "2", "", "abc", "AUDIT"} {
		w.get(macro(bid.BURL, price))
	}
	for _, e := range w.spooled() {
		require.Equal(t, events.PriceAudit, e.PriceStatus, "only the test of the exchange is new")
	}
	for range 5 {
		w.get(macro(bid.BURL, "1.50"))
		w.get(macro(bid.BURL, "99"))
	}
	got := w.spooled()
	require.Len(t, got, 2, "each other price once")
	for i, price := range []money.CPM{1_500_000, 99_000_000} {
		e := got[i]
		require.Equal(t, events.TypeConflict, e.Type)
		require.Equal(t, []any{price, "billing", false, money.Nano(0)}, []any{e.Price, e.Reason, e.Settles, e.Amount + e.ShopAmount + e.ShopFee + e.Disputed})
	}
	require.EqualValues(t, 2, w.b.metrics.conflicts.Get())
	require.Equal(t, money.Nano(8_800_000), w.b.book.Account(1).State(0).Used, "2 USD CPM and the fee: nothing moved")
}

// TestTwoNodesTookTheSameNotice: neither could know of the other. The log
// decides, and the node whose notice came second tells what it had.
func TestTwoNodesTookTheSameNotice(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	w.get(macro(bid.BURL, "2.00"))
	ours := w.spooled()[0]
	theirs := ours
	theirs.Node, theirs.Price, theirs.Amount, theirs.ShopAmount, theirs.ShopFee = "n2", 1_000_000, 1_000_000, 4_000_000, 400_000
	w.b.fold(&theirs) // first in the log
	w.b.fold(&ours)
	w.b.fold(&ours)
	got := w.spooled()
	require.Len(t, got, 1)
	require.Equal(t, events.TypeConflict, got[0].Type)
	require.Equal(t, money.CPM(2_000_000), got[0].Price)
	require.Equal(t, money.Nano(4_400_000), w.b.book.Account(1).State(0).Settled)
	w.get(macro(bid.BURL, "1.00"))
	require.Empty(t, w.spooled(), "that is what stands")
}

func TestAnAdjustmentFromTheLogMovesTheBudget(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	w.get(macro(bid.BURL, ""))
	e := w.spooled()[0]
	w.b.fold(&e)
	require.Equal(t, money.Nano(13_200_000), w.b.book.Account(1).State(0).Settled, "booked at the bid")
	a := events.Event{
		EventID: events.CorrectionID(e.BidID, 0), Type: events.TypeAdjustment, BidID: e.BidID, BidMS: e.BidMS, ShopID: e.ShopID, CampaignID: e.CampaignID,
		Amount: -2_000_000, ShopAmount: -8_000_000, ShopFee: -800_000, Reason: events.ReasonReport,
	}
	w.b.fold(&a)
	w.b.fold(&a)
	day := w.b.settlementOf(&e).Day
	s := w.b.book.Account(1).State(day)
	require.Equal(t, []money.Nano{4_400_000, 4_400_000, 4_400_000}, []money.Nano{s.Settled, s.Used, s.DaySettled})
}
