package pacing

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

const (
	startMS  = int64(1_790_000_000_000)
	startDay = int32(startMS / dayMS)
	hourMS   = int64(60 * 60 * 1000)
)

func bidID(n int) (id events.ID) {
	// Spread over the shards, as random ids are.
	binary.LittleEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15+1)
	return id
}

func sweepAll(b *Book, nowMS int64) {
	for range holdShards {
		b.Sweep(nowMS)
	}
}

// modelBid is all that ever happened to a bid.
type modelBid struct {
	campaign    uint32
	day         int32
	bidMS       int64
	held        int64 // while open
	open        bool
	expires     int64
	settledHere bool
	booked      int64 // what it cost, by the log or else by this node
	folded      bool
}

type modelLimits struct{ total, day int64 }

// bookMachine drives a Book and a model of it, which adds everything up anew
// from the bids' histories with big integers.
type bookMachine struct {
	book    *Book
	now     int64
	bids    []modelBid
	limits  map[uint32]modelLimits
	maxOpen int
	days    int32 // days that bids may be of, from startDay on
}

func (m *bookMachine) campaign(t *rapid.T) uint32 {
	return rapid.Uint32Range(1, 3).Draw(t, "campaign")
}

func (m *bookMachine) day(t *rapid.T) int32 {
	return startDay + rapid.Int32Range(0, m.days-1).Draw(t, "day")
}

func amount() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64Range(0, 100), rapid.Int64Range(0, 1e9), rapid.SampledFrom([]int64{0, 1, 50}))
}

// known picks a bid that something happened to before.
func (m *bookMachine) known(t *rapid.T) int {
	if len(m.bids) == 0 {
		t.Skip("no bid yet")
	}
	return rapid.IntRange(0, len(m.bids)-1).Draw(t, "bid")
}

func (m *bookMachine) isOpen() int {
	n := 0
	for i := range m.bids {
		if m.bids[i].open {
			n++
		}
	}
	return n
}

// sums adds an account up: settled by the log, pending, held; of one day, or
// of all when day is 0.
func (m *bookMachine) sums(campaign uint32, day int32) (settled, pending, held *big.Int) {
	settled, pending, held = new(big.Int), new(big.Int), new(big.Int)
	for i := range m.bids {
		b := &m.bids[i]
		if b.campaign != campaign || day != 0 && b.day != day {
			continue
		}
		switch {
		case b.folded:
			settled.Add(settled, big.NewInt(b.booked))
		case b.settledHere:
			pending.Add(pending, big.NewInt(b.booked))
		}
		if b.open {
			held.Add(held, big.NewInt(b.held))
		}
	}
	return settled, pending, held
}

func (m *bookMachine) used(campaign uint32, day int32) *big.Int {
	s, p, h := m.sums(campaign, day)
	return s.Add(s, p).Add(s, h)
}

func (m *bookMachine) fits(campaign uint32, day int32, n int64) bool {
	lim := m.limits[campaign]
	total := new(big.Int).Add(m.used(campaign, 0), big.NewInt(n))
	if lim.total > 0 && total.Cmp(big.NewInt(lim.total)) > 0 {
		return false
	}
	today := new(big.Int).Add(m.used(campaign, day), big.NewInt(n))
	return lim.day <= 0 || today.Cmp(big.NewInt(lim.day)) <= 0
}

func (m *bookMachine) Reserve(t *rapid.T) {
	c, d := m.campaign(t), m.day(t)
	n := rapid.OneOf(amount(), rapid.SampledFrom([]int64{-1, math.MaxInt64, math.MinInt64})).Draw(t, "amount")
	ttl := rapid.Int64Range(1, 3*hourMS).Draw(t, "ttl")
	want := n >= 0 && n < maxUsed && m.isOpen() < m.maxOpen && m.fits(c, d, n)
	got := m.book.Reserve(m.book.Account(c), bidID(len(m.bids)), money.Nano(n), d, m.now+ttl)
	require.Equal(t, want, got, "reserve %d of campaign %d on day %d", n, c, d)
	if !got {
		return
	}
	m.bids = append(m.bids, modelBid{campaign: c, day: d, bidMS: m.now, held: n, open: true, expires: m.now + ttl})
	if lim := m.limits[c]; lim.total > 0 {
		require.LessOrEqual(t, m.used(c, 0).Cmp(big.NewInt(lim.total)), 0, "reserved past the limit")
	}
}

func (m *bookMachine) ReserveAgain(t *rapid.T) {
	i := m.known(t)
	if !m.bids[i].open {
		t.Skip("no hold")
	}
	require.False(t, m.book.Reserve(m.book.Account(m.campaign(t)), bidID(i), 1, m.day(t), m.now+hourMS))
}

func (m *bookMachine) Reprice(t *rapid.T) {
	i, n := m.known(t), rapid.OneOf(amount(), rapid.Just(int64(-1))).Draw(t, "amount")
	m.book.Reprice(bidID(i), money.Nano(n))
	if b := &m.bids[i]; b.open && n >= 0 && n < b.held {
		b.held = n
	}
}

func (m *bookMachine) Release(t *rapid.T) {
	i := m.known(t)
	m.book.Release(bidID(i))
	m.bids[i].open = false
}

func (m *bookMachine) settlement(i int, n int64) Settlement {
	b := &m.bids[i]
	return Settlement{BidID: bidID(i), Campaign: b.campaign, Amount: money.Nano(n), Day: b.day, BidMS: b.bidMS}
}

// Settle settles a bid of this node: in time, late, or twice.
func (m *bookMachine) Settle(t *rapid.T) { m.settle(t, m.known(t)) }

// SettleUnknown settles a bid that another node made.
func (m *bookMachine) SettleUnknown(t *rapid.T) { m.settle(t, m.strange(t)) }

func (m *bookMachine) strange(t *rapid.T) int {
	m.bids = append(m.bids, modelBid{campaign: m.campaign(t), day: m.day(t), bidMS: m.now})
	return len(m.bids) - 1
}

func (m *bookMachine) settle(t *rapid.T, i int) {
	n, b := amount().Draw(t, "amount"), &m.bids[i]
	first, onTime := m.book.Settle(m.settlement(i, n))
	isFirst := !b.settledHere && !b.folded
	require.Equal(t, isFirst, first, "a bid settles once")
	require.Equal(t, isFirst && b.open, onTime)
	if isFirst {
		b.settledHere, b.booked, b.open = true, n, false
	}
}

// Fold folds a settlement of a bid that is known here: its own, another
// node's of the same bid at another price, or one that was folded before.
func (m *bookMachine) Fold(t *rapid.T) { m.fold(t, m.known(t)) }

// FoldUnknown folds a settlement of a bid this node never saw.
func (m *bookMachine) FoldUnknown(t *rapid.T) { m.fold(t, m.strange(t)) }

func (m *bookMachine) fold(t *rapid.T, i int) {
	b := &m.bids[i]
	n := b.booked
	if !b.settledHere || rapid.Bool().Draw(t, "at another price") {
		n = amount().Draw(t, "amount")
	}
	require.Equal(t, !b.folded, m.book.Fold(m.settlement(i, n)))
	if !b.folded {
		b.folded, b.booked, b.open = true, n, false
	}
}

func (m *bookMachine) Sweep(t *rapid.T) {
	m.now += rapid.Int64Range(0, hourMS).Draw(t, "later")
	sweepAll(m.book, m.now)
	for i := range m.bids {
		if m.bids[i].expires <= m.now {
			m.bids[i].open = false
		}
	}
}

func (m *bookMachine) SetLimits(t *rapid.T) {
	c := m.campaign(t)
	limit := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 500), rapid.Int64Range(1, 5e9), rapid.Just(int64(math.MaxInt64)))
	lim := modelLimits{limit.Draw(t, "total"), limit.Draw(t, "day")}
	m.book.Account(c).SetLimits(Limits{Total: money.Nano(lim.total), Day: money.Nano(lim.day)})
	m.limits[c] = lim
}

// Check compares every account, in all and on every day.
func (m *bookMachine) Check(t *rapid.T) {
	for c := uint32(1); c <= 3; c++ {
		a := m.book.Account(c)
		settled, pending, held := m.sums(c, 0)
		for d := startDay; d < startDay+m.days; d++ {
			s := a.State(d)
			require.Equal(t, []int64{settled.Int64(), pending.Int64(), held.Int64()}, []int64{int64(s.Settled), int64(s.Pending), int64(s.Held)}, "campaign %d", c)
			require.Equal(t, m.used(c, 0).Int64(), int64(s.Used), "used = settled + pending + held")
			daySettled, _, _ := m.sums(c, d)
			require.Equal(t, m.used(c, d).Int64(), int64(s.DayUsed), "campaign %d day %d", c, d)
			require.Equal(t, daySettled.Int64(), int64(s.DaySettled))
			free := int64(a.Free(d))
			require.GreaterOrEqual(t, free, int64(0))
			if lim := m.limits[c]; lim.total > 0 && lim.total < math.MaxInt64 {
				require.Equal(t, free > 0, m.fits(c, d, 1))
			}
		}
	}
	settled, pending := 0, 0
	for i := range m.bids {
		b := &m.bids[i]
		require.Equal(t, b.open, m.book.Open(bidID(i)))
		require.Equal(t, b.settledHere || b.folded, m.book.Settled(bidID(i), b.bidMS))
		if b.settledHere || b.folded {
			settled++
		}
		if b.settledHere && !b.folded {
			pending++
		}
	}
	st := m.book.Stats()
	require.EqualValues(t, m.isOpen(), st.Holds)
	require.EqualValues(t, settled, st.Settled)
	require.EqualValues(t, pending, st.Pending)
}

func TestBookAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &bookMachine{now: startMS, limits: map[uint32]modelLimits{}, maxOpen: 20, days: 3}
		m.book = NewBook(Config{MaxHolds: m.maxOpen})
		t.Repeat(map[string]func(*rapid.T){
			"Reserve": m.Reserve, "ReserveAgain": m.ReserveAgain, "Reprice": m.Reprice, "Release": m.Release,
			"Settle": m.Settle, "SettleUnknown": m.SettleUnknown, "Fold": m.Fold, "FoldUnknown": m.FoldUnknown,
			"Sweep": m.Sweep, "SetLimits": m.SetLimits, "": m.Check,
		})
	})
}

// TestManyGoroutinesNeverOverspend lets many bid against one small budget.
func TestManyGoroutinesNeverOverspend(t *testing.T) {
	const limit, goroutines, tries = 1000, 16, 400
	b := NewBook(Config{})
	a := b.Account(1)
	a.SetLimits(Limits{Total: limit, Day: limit - 100})
	var taken atomic.Int64
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range tries {
				n := money.Nano(i%7 + 1)
				if b.Reserve(a, bidID(g*tries+i), n, startDay, startMS+hourMS) {
					if sum := taken.Add(int64(n)); sum > limit-100 {
						t.Errorf("%d of %d taken", sum, limit-100)
					}
				}
			}
		})
	}
	wg.Wait()
	s := a.State(startDay)
	require.EqualValues(t, taken.Load(), s.Held)
	require.EqualValues(t, taken.Load(), s.DayUsed)
	require.Greater(t, int64(s.Used), int64(limit-100-7), "the budget is used up")
}

// TestManyGoroutinesKeepTheBooksStraight does everything at once; when all is
// quiet again the sums must be those of what was said to have happened.
func TestManyGoroutinesKeepTheBooksStraight(t *testing.T) {
	const goroutines, tries, limit = 8, 600, 50_000
	b := NewBook(Config{})
	a := b.Account(1)
	a.SetLimits(Limits{Total: limit})
	var booked atomic.Int64
	folds := make(chan Settlement, goroutines*tries*2)
	var wg, folding sync.WaitGroup
	folding.Go(func() {
		for s := range folds {
			b.Fold(s)
		}
	})
	for g := range goroutines {
		wg.Go(func() {
			for i := range tries {
				id := bidID(g*tries + i)
				if !b.Reserve(a, id, 10, startDay, startMS+hourMS) {
					continue
				}
				s := Settlement{BidID: id, Campaign: 1, Amount: 10, Day: startDay, BidMS: startMS}
				switch i % 6 {
				case 0:
					b.Release(id)
				case 1: // left to the sweep
				case 2: // the log is faster than this node
					booked.Add(10)
					folds <- s
					b.Settle(s)
				case 3:
					booked.Add(10)
					b.Settle(s)
					folds <- s
					folds <- s
				case 4:
					b.Reprice(id, 4)
					booked.Add(4)
					s.Amount = 4
					b.Settle(s)
					b.Settle(s)
					folds <- s
				case 5: // another node's comes first in the log
					booked.Add(7)
					b.Settle(s)
					s.Amount = 7
					folds <- s
					s.Amount = 10
					folds <- s
				}
				if i%50 == 0 {
					b.Sweep(startMS)
					a.State(startDay)
					b.Stats()
				}
			}
		})
	}
	wg.Wait()
	close(folds)
	folding.Wait()
	sweepAll(b, startMS+hourMS)
	s := a.State(startDay)
	require.EqualValues(t, booked.Load(), s.Settled)
	require.Equal(t, s.Settled, s.Used)
	require.Equal(t, s.Settled, s.DayUsed)
	require.Zero(t, s.Held)
	require.Zero(t, s.Pending)
	require.Zero(t, b.Stats().Holds)
}

func TestDaysRollOver(t *testing.T) {
	b := NewBook(Config{})
	a := b.Account(1)
	a.SetLimits(Limits{Total: 1000, Day: 100})
	reserve := func(n int, day int32, amount money.Nano) bool {
		return b.Reserve(a, bidID(n), amount, day, math.MaxInt64)
	}
	const d = startDay
	require.True(t, reserve(1, d, 100))
	require.False(t, reserve(2, d, 1), "the day is used up")
	require.True(t, reserve(3, d+1, 100), "the next is not")
	require.EqualValues(t, 100, a.State(d).DayUsed, "both are kept apart")

	// Sixteen days later the first day's slot is another day's.
	require.True(t, reserve(4, d+daySlots, 60))
	require.EqualValues(t, 60, a.State(d+daySlots).DayUsed)
	require.EqualValues(t, 0, a.State(d).DayUsed, "no longer known")
	b.Release(bidID(1))
	require.EqualValues(t, 60, a.State(d+daySlots).DayUsed, "an old day's hold leaves the new day alone")
	require.EqualValues(t, 160, a.State(d).Used)

	// A settlement of the old day counts in all, and on no day.
	b.Settle(Settlement{BidID: bidID(1), Campaign: 1, Amount: 90, Day: d, BidMS: startMS})
	b.Fold(Settlement{BidID: bidID(5), Campaign: 1, Amount: 5, Day: d, BidMS: startMS})
	require.EqualValues(t, 255, a.State(d).Used)
	require.EqualValues(t, 60, a.State(d+daySlots).DayUsed)
	require.EqualValues(t, 5, a.State(d).Settled)
	require.Zero(t, a.State(d+daySlots).DaySettled)

	require.False(t, reserve(6, d, 1), "a day that cannot be counted has no room under a daily limit")
	a.SetLimits(Limits{Total: 1000})
	require.True(t, reserve(6, d, 1))
	require.EqualValues(t, 60, a.State(d+daySlots).DayUsed)
}

func TestLateSettlementsMayExceedAndAreCounted(t *testing.T) {
	b := NewBook(Config{})
	a := b.Account(1)
	a.SetLimits(Limits{Total: 100})
	require.True(t, b.Reserve(a, bidID(1), 100, startDay, startMS+1000))
	sweepAll(b, startMS+1000)
	require.EqualValues(t, 1, b.Stats().Expired)
	require.True(t, b.Reserve(a, bidID(2), 100, startDay, startMS+5000))
	first, onTime := b.Settle(Settlement{BidID: bidID(1), Campaign: 1, Amount: 80, Day: startDay, BidMS: startMS})
	require.True(t, first)
	require.False(t, onTime)
	require.EqualValues(t, 180, a.State(startDay).Used)
	require.Zero(t, a.Free(startDay))
	require.False(t, b.Reserve(a, bidID(3), 1, startDay, startMS+5000))
	st := b.Stats()
	require.EqualValues(t, []uint64{1, 1}, []uint64{st.Late, st.RefusedBudget})
}

func TestHoldsAreBounded(t *testing.T) {
	b := NewBook(Config{MaxHolds: 3})
	a := b.Account(1)
	for i := range 5 {
		require.Equal(t, i < 3, b.Reserve(a, bidID(i), 1, startDay, startMS))
	}
	require.EqualValues(t, 2, b.Stats().RefusedFull)
	require.EqualValues(t, 3, a.State(startDay).Held)
	b.Release(bidID(0))
	require.True(t, b.Reserve(a, bidID(9), 1, startDay, startMS))
}

func TestHotFunctionsAllocateNothing(t *testing.T) {
	b := NewBook(Config{})
	a := b.Account(1)
	n := 0
	next := func() events.ID { n++; return bidID(n) }
	for range 20_000 { // to size the maps
		b.Reserve(a, next(), 1, startDay, startMS)
	}
	for i := range n {
		b.Release(bidID(i + 1))
	}
	require.Zero(t, testing.AllocsPerRun(5000, func() {
		id := next()
		if !b.Reserve(a, id, 10, startDay, startMS+1) {
			panic("refused")
		}
		b.Reprice(id, 5)
		b.Release(id)
	}))
	require.Zero(t, testing.AllocsPerRun(5000, func() {
		s := Settlement{BidID: next(), Campaign: 1, Amount: 7, Day: startDay, BidMS: startMS}
		if !b.Reserve(a, s.BidID, 10, startDay, startMS+1) {
			panic("refused")
		}
		if first, onTime := b.Settle(s); !first || !onTime {
			panic(fmt.Sprint(first, onTime))
		}
		b.Fold(s)
	}))
}

func BenchmarkReserveRelease(b *testing.B) {
	book := NewBook(Config{})
	a := book.Account(1)
	a.SetLimits(Limits{Total: 1 << 50, Day: 1 << 50})
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if id := bidID(n); book.Reserve(a, id, 10, startDay, startMS) {
			book.Release(id)
		}
	}
	if s := a.State(startDay); s.Used != 0 || book.Stats().Released != uint64(n) {
		b.Fatal(s, n)
	}
}

func BenchmarkReserveReleaseParallel(b *testing.B) {
	book := NewBook(Config{})
	for c := range uint32(100) {
		book.Account(c).SetLimits(Limits{Total: 1 << 50, Day: 1 << 50})
	}
	var worker atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		n := int(worker.Add(1)) << 40
		for pb.Next() {
			n++
			a := book.Account(uint32(n) % 100)
			if id := bidID(n); book.Reserve(a, id, 10, startDay, startMS) {
				book.Release(id)
			}
		}
	})
	if book.Stats().Holds != 0 {
		b.Fatal("holds are left")
	}
}

func BenchmarkSettleFold(b *testing.B) {
	book := NewBook(Config{MaxSettled: 1 << 20})
	a := book.Account(1)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		s := Settlement{BidID: bidID(n), Campaign: 1, Amount: 7, Day: startDay, BidMS: startMS}
		book.Settle(s)
		book.Fold(s)
	}
	if a.State(startDay).Settled != money.Nano(7*n) {
		b.Fatal("sum is wrong")
	}
}
