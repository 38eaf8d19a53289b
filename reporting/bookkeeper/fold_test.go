package bookkeeper

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/reporting/schema"
)

var (
	pln = money.MustCurrency("PLN")
	eur = money.MustCurrency("EUR")
)

// noon is 2026-03-10 12:00 UTC.
const noon = 1_773_144_000_000

// billing is a settling notice of a bid: net is its cost for the shop.
func billing(shop, campaign uint32, bid uint64, net money.Nano) events.Event {
	var id events.ID
	binary.LittleEndian.PutUint64(id[:], bid*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(id[8:], bid)
	return events.Event{
		EventID: events.EventID(id, events.TypeBilling, 0), Type: events.TypeBilling, TimeMS: noon, BidMS: noon, Day: "2026-03-10", BidID: id,
		ShopID: shop, CampaignID: campaign, Exchange: "x", Settles: true, PriceStatus: events.PriceOK, Currency: eur, Amount: net / 4,
		ShopCurrency: pln, ShopAmount: net, ShopFee: net.Fee(1000), BidDay: 20_522,
	}
}

func deposit(shop uint32, seq int64, n money.Nano) events.Event {
	return events.Event{
		EventID: events.NamedID(shop, "deposit", fmt.Sprint(seq)), Type: events.TypeDeposit, TimeMS: noon, BidMS: noon, Day: "2026-03-10",
		ShopID: shop, ShopAmount: n, ShopCurrency: pln, Version: seq, Raw: "bank 1",
	}
}

func terms(shop uint32, version int64, credit money.Nano) events.Event {
	return events.Event{
		EventID: events.NamedID(shop, "terms", fmt.Sprint(version)), Type: events.TypeTerms, TimeMS: noon, ShopID: shop, Version: version,
		Reason: events.TermsPrepaid, LimitTotal: credit, ShopCurrency: pln,
	}
}

func message(partition int, offset int64, evs ...events.Event) kafka.Message {
	m := kafka.Message{Partition: partition, Offset: offset}
	for i := range evs {
		m.Value = evs[i].AppendJSON(m.Value)
	}
	return m
}

// log draws a log of two partitions: settlements with repetitions, prepaid
// shops, deposits that are sent again.
func drawLog(rng *rand.Rand, n int) (log []kafka.Message) {
	var next [2]int64
	var before [2][]events.Event
	for i := range n {
		shop := uint32(1 + rng.IntN(4))
		p := int(shop) % 2
		var evs []events.Event
		for range 1 + rng.IntN(5) {
			e := billing(shop, shop*10, uint64(1+rng.IntN(3*n)), money.Nano(rng.IntN(1000)))
			switch rng.IntN(12) {
			case 0:
				e = deposit(shop, int64(i/20+1), 5000)
			case 1:
				e = terms(shop, int64(i/20+1), money.Nano(rng.IntN(3000)))
			case 2:
				e.Disputed = 3
			case 3:
				if len(before[p]) > 0 {
					e = before[p][rng.IntN(len(before[p]))]
				}
			}
			evs = append(evs, e)
		}
		before[p] = append(before[p], evs...)
		log = append(log, message(p, next[p], evs...))
		next[p]++
	}
	return log
}

// A fold that was written down anywhere and goes on from there makes the same
// entries as one that was never stopped, and each only once.
func TestARestartMakesTheSameEntries(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		log := drawLog(rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1)), 60)
		whole := newFold(0)
		var want []row
		for _, m := range log {
			want = whole.message(m, want)
		}
		cut, died := rapid.IntRange(0, len(log)).Draw(rt, "checkpoint after"), rapid.IntRange(0, 10).Draw(rt, "died after")
		f := newFold(0)
		var got []row
		for _, m := range log[:cut] {
			got = f.message(m, got)
		}
		var snap bytes.Buffer
		require.NoError(rt, f.snapshot(&snap))
		for _, m := range log[cut:min(cut+died, len(log))] {
			got = f.message(m, got) // inserted, but not in the checkpoint
		}
		again, err := restoreFold(bytes.NewReader(snap.Bytes()), 0)
		require.NoError(rt, err)
		for _, m := range log {
			if m.Offset >= again.next[m.Partition] {
				got = again.message(m, got)
			}
		}
		require.Equal(rt, index(rt, want), index(rt, got))
	})
}

// index has the rows by what ClickHouse keeps one of.
func index(t require.TestingT, rows []row) map[string]row {
	out := map[string]row{}
	for _, r := range rows {
		k := fmt.Sprint(r.Shop, r.day, r.ID, r.leg)
		if old, ok := out[k]; ok {
			require.Equal(t, old, r, "one id, two entries")
		}
		out[k] = r
	}
	return out
}

func TestEveryEntryBalances(t *testing.T) {
	f := newFold(0)
	log := drawLog(rand.New(rand.NewPCG(5, 5)), 400)
	var rows []row
	for _, m := range log {
		rows = f.message(m, rows)
	}
	require.NotEmpty(t, rows)
	sum := map[string]money.Nano{}
	for _, r := range rows {
		require.NotEqual(t, r.From, r.To)
		sum[r.From.String()+r.Currency.String()] -= r.Amount
		sum[r.To.String()+r.Currency.String()] += r.Amount
	}
	for shop := uint32(1); shop <= 4; shop++ {
		s := f.ledger.Shop(shop)
		if s.Prepaid {
			require.GreaterOrEqual(t, s.Deposited+5000, s.Billed)
		}
	}
	require.Positive(t, f.counts.houseWins)
	require.Positive(t, f.counts.repeated)
	require.Positive(t, f.counts.disputes)
	require.Zero(t, sum["balanceEUR"]+sum["houseEUR"]+sum["feeEUR"]+sum["mediaPLN"], "each account in its own currency")
	require.Positive(t, sum["mediaEUR"])
}

func TestADepositSentAgainCountsOnce(t *testing.T) {
	f := newFold(0)
	rows := f.message(message(0, 0, terms(7, 1, 0), deposit(7, 1, 100), deposit(7, 2, 50), deposit(7, 1, 100), deposit(7, 2, 50)), nil)
	require.Len(t, rows, 2)
	require.Equal(t, money.Nano(150), f.ledger.Shop(7).Deposited)
	rows = f.message(message(0, 1, billing(7, 1, 1, 100), billing(7, 1, 2, 100)), nil)
	require.Equal(t, money.Nano(110), f.ledger.Shop(7).Billed, "fee included")
	require.Equal(t, int64(1), f.counts.houseWins)
	require.Len(t, rows, 5)
}

func TestACheckpointIsWholeOrAnError(t *testing.T) {
	dir := t.TempDir()
	f, err := load(dir, 0)
	require.NoError(t, err)
	require.Nil(t, f)
	f = newFold(0)
	f.message(message(1, 41, deposit(7, 1, 100), billing(7, 1, 1, 50)), nil)
	require.NoError(t, f.save(dir))
	again, err := load(dir, 0)
	require.NoError(t, err)
	require.Equal(t, int64(42), again.next[1])
	require.Equal(t, f.ledger.Shop(7), again.ledger.Shop(7))
	require.Empty(t, again.message(message(1, 42, billing(7, 1, 1, 50)), nil), "settled before the checkpoint")
	path := filepath.Join(dir, checkpointFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, cut := range []int{0, 8, len(whole) / 2, len(whole) - 1} {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		_, err := load(dir, 0)
		require.Error(t, err, "cut at %d", cut)
	}
}

func TestTwoKeepersOfOneDirectory(t *testing.T) {
	dir := t.TempDir()
	one, err := lock(dir)
	require.NoError(t, err)
	_, err = lock(dir)
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, one.Close())
}

func TestConfigSaysAllThatIsWrong(t *testing.T) {
	err := Config{BatchWait: -1, ClickHouse: schema.Server{Addr: "x"}}.Validate()
	for _, part := range []string{"no Kafka", "no directory", "negative", `"x"`} {
		require.ErrorContains(t, err, part)
	}
	_, err = New(Config{}, metrics.NewSet(), slog.New(slog.DiscardHandler))
	require.Error(t, err)
}

// BenchmarkKeeper folds messages of 100 settlements, hands the entries over in
// batches of 50,000 and writes a checkpoint, fsynced, after each of them.
func BenchmarkKeeper(b *testing.B) {
	k, err := New(Config{Brokers: []string{"-"}, Dir: b.TempDir(), ClickHouse: schema.Server{Addr: "127.0.0.1:1"}}, metrics.NewSet(), slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	var out *os.File
	out, err = os.Create(filepath.Join(b.TempDir(), "rows"))
	require.NoError(b, err)
	defer out.Close()
	var buf bytes.Buffer
	k.put = func(_ context.Context, rows []row) error {
		buf.Reset()
		for i := range rows {
			fmt.Fprintln(&buf, rows[i].ID, rows[i].leg, rows[i].Amount)
		}
		_, err := out.Write(buf.Bytes())
		return errors.Join(err, out.Sync())
	}
	const each = 100
	bid := uint64(0)
	msgs := make([]kafka.Message, 1000)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i%len(msgs) == 0 {
			b.StopTimer()
			for j := range msgs {
				evs := make([]events.Event, each)
				for n := range evs {
					bid++
					evs[n] = billing(uint32(1+j%50), uint32(j%500), bid, 12_000_000)
				}
				msgs[j] = message(0, int64(i+j), evs...)
			}
			b.StartTimer()
		}
		require.NoError(b, k.handle(b.Context(), msgs[i%len(msgs)]))
		if len(k.rows) == 0 {
			require.NoError(b, k.checkpoint())
		}
	}
	b.ReportMetric(float64(b.N*each)/b.Elapsed().Seconds(), "settlements/s")
	b.ReportMetric(float64(k.fold.counts.entries)/b.Elapsed().Seconds(), "entries/s")
}
