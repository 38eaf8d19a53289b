package traffic

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// books is what was settled, with its adjustments.
type books struct {
	settled map[events.ID]*Settled
	booked  []events.Event
}

func newBooks(n int, amount money.Nano) *books {
	b := &books{settled: map[events.ID]*Settled{}}
	for i := range n {
		id := bidID(i)
		b.settled[id] = &Settled{Event: events.Event{
			Type: events.TypeBilling, Settles: true, BidID: id, BidMS: noon, ShopID: 7, CampaignID: 1, Exchange: "x", Currency: money.MustCurrency("USD"),
			Amount: amount, ShopCurrency: money.MustCurrency("PLN"), Rate: 4 * money.RateOne, ShopAmount: amount * 4, ShopFee: amount * 4 / 10, User: 99,
		}}
	}
	return b
}

func (b *books) config() ClawbackConfig {
	return ClawbackConfig{Exchange: "x", NowMS: noon + 86_400_000, Node: "n", Day: func(uint32) string { return "2026-03-11" },
		Find: func(_ context.Context, id events.ID) (Settled, bool, error) {
			s, ok := b.settled[id]
			if !ok {
				return Settled{}, false, nil
			}
			return *s, true, nil
		}}
}

func (b *books) read(t require.TestingT, report string) ClawbackSummary {
	var now []events.Event
	sum, err := ReadClawbacks(context.Background(), strings.NewReader(report), b.config(), func(e *events.Event) error {
		now = append(now, *e)
		return nil
	})
	require.NoError(t, err)
	for _, e := range now { // as the log's readers do, after the report
		s := b.settled[e.BidID]
		s.Adjusted += e.Amount
		s.References = append(s.References, e.Raw)
	}
	b.booked = append(b.booked, now...)
	return sum
}

func TestAReportIsBookedOnce(t *testing.T) {
	for name, report := range map[string]string{
		"csv": "bid_id,amount,currency,reference,reason,extra\n" +
			bidID(0).String() + ",,,,bot,1\n" +
			bidID(1).String() + ",0.000001,USD,r1,\"data, centre\",2\n" +
			bidID(1).String() + ",0.000001,USD,r1,again,2\n" +
			bidID(1).String() + ",0.000002,USD,r2,more,2\n" +
			bidID(77).String() + ",,,,unknown,3\n",
		"jsonl": `{"bid_id":"` + bidID(0).String() + `","reason":"bot"}
{"bid_id":"` + bidID(1).String() + `","amount":"0.000001","currency":"USD","reference":"r1","reason":"data, centre"}
{"bid_id":"` + bidID(1).String() + `","amount":"0.000001","reference":"r1"}

{"bid_id":"` + bidID(1).String() + `","amount":0.000002,"reference":"r2"}
{"bid_id":"` + bidID(77).String() + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBooks(2, 10_000)
			sum := b.read(t, report)
			require.Equal(t, 3, sum.Booked)
			require.Equal(t, 1, sum.Known)
			require.Equal(t, 1, sum.Unknown)
			require.Zero(t, sum.Bad, sum.BadLines)
			require.EqualValues(t, -13_000, sum.Amount[money.MustCurrency("USD")])
			e := b.booked[0]
			require.Equal(t, events.TypeAdjustment, e.Type)
			require.False(t, e.Settles)
			require.EqualValues(t, -10_000, e.Amount)
			require.EqualValues(t, -40_000, e.ShopAmount)
			require.EqualValues(t, -4_000, e.ShopFee)
			require.Equal(t, "clawback: bot", e.Reason)
			require.Equal(t, "2026-03-11", e.Day)
			require.Zero(t, e.User)
			require.EqualValues(t, -1000, b.booked[1].Amount)
			require.EqualValues(t, -400, b.booked[1].ShopFee)
			require.Equal(t, "r1", b.booked[1].Raw)
			again := b.read(t, report)
			require.Zero(t, again.Booked)
			require.Equal(t, 4, again.Known)
		})
	}
}

func TestWhatIsNotBooked(t *testing.T) {
	b := newBooks(3, 10_000)
	b.settled[bidID(2)].Event.Exchange = "y"
	sum := b.read(t, "bid_id,amount,currency\n"+
		"nonsense,,\n"+
		bidID(0).String()+",0.1,\n"+
		bidID(0).String()+",-1,\n"+
		bidID(0).String()+",1e5,\n"+
		bidID(0).String()+",,EUR\n"+
		bidID(2).String()+",,\n"+
		",,\n"+
		bidID(0).String()+"\n"+
		bidID(1).String()+",,\n")
	require.Equal(t, 8, sum.Bad)
	require.Equal(t, 1, sum.Booked, "one wrong line holds up no other")
	text := errors.Join(sum.BadLines...).Error()
	for i, part := range []string{"line 2", "line 3: it takes back more", "line 4: amount -1", "line 5: amount", "line 6: the currency", "line 7: the bid was billed by another", "line 8: bid_id is missing", "line 9"} {
		require.Contains(t, text, part, i)
	}
	require.ErrorIs(t, sum.BadLines[1], ErrTooMuch)
	for name, report := range map[string]string{"empty": "", "another head": "id,amount\n", "no report": "\"", "a long line": `{"x":"` + strings.Repeat("a", maxClawbackLine) + `"}`} {
		_, err := ReadClawbacks(context.Background(), strings.NewReader(report), b.config(), func(*events.Event) error { return nil })
		require.Error(t, err, name)
	}
	boom := errors.New("boom")
	fresh := newBooks(1, 5)
	_, err := ReadClawbacks(context.Background(), strings.NewReader("bid_id\n"+bidID(0).String()), fresh.config(), func(*events.Event) error { return boom })
	require.ErrorIs(t, err, boom)
}

// TestPartsAddUpToTheWhole: a bid taken back in parts, over several reports,
// ends at nothing for everybody, and never below.
func TestPartsAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBooks(1, money.Nano(rapid.Int64Range(1, 1_000_000).Draw(t, "amount")))
		was := &b.settled[bidID(0)].Event
		was.ShopAmount = money.Nano(rapid.Int64Range(0, 1<<40).Draw(t, "shop"))
		was.ShopFee = money.Nano(rapid.Int64Range(0, 1<<30).Draw(t, "fee"))
		left := was.Amount
		for n := 0; left > 0; n++ {
			take := money.Nano(rapid.Int64Range(1, int64(left)).Draw(t, "take"))
			if n > 5 {
				take = left
			}
			require.Equal(t, 1, b.read(t, fmt.Sprintf("bid_id,amount,reference\n%s,%s,r%d\n", bidID(0), take, n)).Booked)
			left -= take
		}
		var amount, shop, fee money.Nano
		ids := map[events.ID]bool{}
		for _, e := range b.booked {
			require.LessOrEqual(t, e.ShopAmount, money.Nano(0))
			require.LessOrEqual(t, e.ShopFee, money.Nano(0))
			amount, shop, fee = amount+e.Amount, shop+e.ShopAmount, fee+e.ShopFee
			ids[e.EventID] = true
		}
		require.Equal(t, []money.Nano{-was.Amount, -was.ShopAmount, -was.ShopFee}, []money.Nano{amount, shop, fee})
		require.Len(t, ids, len(b.booked))
		require.Equal(t, 1, b.read(t, "bid_id,reference\n"+bidID(0).String()+",more\n").Bad, "nothing is left")
	})
}

func FuzzReadClawbacks(f *testing.F) {
	f.Add("bid_id,amount,currency,reference\n" + bidID(0).String() + ",0.00001,USD,a\n")
	f.Add(`{"bid_id":"` + bidID(0).String() + `","amount":"0.000001"}`)
	f.Fuzz(func(t *testing.T, report string) {
		b := newBooks(2, 10_000)
		taken := map[events.ID]money.Nano{}
		_, _ = ReadClawbacks(context.Background(), strings.NewReader(report), b.config(), func(e *events.Event) error {
			if taken[e.BidID] += e.Amount; taken[e.BidID] < -10_000 || e.Amount >= 0 {
				t.Fatalf("%d of %s", e.Amount, e.BidID)
			}
			return nil
		})
	})
}
