package loader

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// adjusted takes n of the media cost back, and four times that of the shop's.
func adjusted(shop uint32, bid events.ID, t time.Time, reason string, n money.Nano) events.Event {
	e := event(shop, events.TypeAdjustment, bid, t)
	e.EventID, e.Reason, e.Raw = newID(), reason, "ref-1"
	e.Amount, e.ShopAmount, e.ShopFee = n, 4*n, n
	return e
}

func TestAdjustmentsAndConflictsInTheViews(t *testing.T) {
	w := start(t)
	shop, first, later := newShop(), noon(), noon().Add(24*time.Hour)
	a, b, c := newID(), newID(), newID()
	report, credit := adjusted(shop, a, later, events.ReasonReport, -200_000), adjusted(shop, a, later, "clawback: bots", -700_000)
	orphan := adjusted(shop, c, later, events.ReasonReport, 5) // its settlement is not here
	other, same := event(shop, events.TypeConflict, b, later), event(shop, events.TypeConflict, b, later)
	other.EventID, other.Price, other.Reason = newID(), 1_234_567, "billing"
	same.EventID, same.Price, same.Reason = newID(), 500_000, "billing" // what stands, in the end
	r := w.load(t, "adjusted", nil)
	w.send(t, events.TopicEvents, message(billing(shop, a, first, 910_000), billing(shop, b, first, 500_000)),
		message(report, credit, report), message(other, same, other, orphan), message(credit))
	r.caughtUp(t)
	check := func(when string) {
		t.Helper()
		require.Equal(t, "('0.00001','0.00004','0.00001','0.00091','-0.0002','-0.0007',0)", w.text(t,
			`SELECT toString((toString(amount), toString(shop_amount), toString(shop_fee), toString(booked), toString(corrected), toString(clawed_back), conflicts))
			FROM grosz.settlements WHERE shop = ? AND bid = ?`, shop, a.String()), when)
		require.Equal(t, "('0.0005','0.0005',1)", w.text(t,
			`SELECT toString((toString(amount), toString(booked), conflicts)) FROM grosz.settlements WHERE shop = ? AND bid = ?`, shop, b.String()), when)
		require.Equal(t, "2", w.text(t, "SELECT toString(count()) FROM grosz.settlements WHERE shop = ?", shop), when)
		require.Equal(t, "0.00141 -0.000899995", w.text(t, `SELECT concat(toString(sumIf(spend, day = ?)), ' ', toString(sumIf(spend, day = ?))) FROM grosz.cost_per_order WHERE shop = ?`,
			first.Format(time.DateOnly), later.Format(time.DateOnly), shop), when+": a reported day stays as it was")
		require.Equal(t, "clawback:-0.0007 report:-0.0002 report:0.000000005", w.text(t,
			`SELECT arrayStringConcat(arraySort(groupArray(concat(kind, ':', toString(amount)))), ' ') FROM grosz.adjustments WHERE shop = ? AND reference = 'ref-1'`, shop), when)
		require.Equal(t, "('billing','1.234567','0.5')", w.text(t, `SELECT toString((type, toString(price), toString(settled_price))) FROM grosz.conflicts WHERE shop = ?`, shop), when)
	}
	check("as inserted")
	require.NoError(t, w.conn.Exec(t.Context(), "OPTIMIZE TABLE grosz.events FINAL"))
	check("as merged")
}
