package pacing

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
)

// foldedState is all of a book that comes from the log.
type foldedState struct {
	settled map[uint32]money.Nano
	days    map[uint32][daySlots]daySum
	seen    map[int32]map[uint64]bool
}

type daySum struct {
	day           int32
	used, settled int64
}

func stateOf(b *Book) foldedState {
	s := foldedState{map[uint32]money.Nano{}, map[uint32][daySlots]daySum{}, map[int32]map[uint64]bool{}}
	for _, a := range b.accounts {
		st := a.State(startDay)
		s.settled[a.id] = st.Settled
		var days [daySlots]daySum
		for i := range a.days {
			if d := &a.days[i]; d.used != 0 || d.settled != 0 { // a hold may have turned the slot
				days[i] = daySum{d.day, d.used, d.settled}
			}
		}
		s.days[a.id] = days
	}
	for d, m := range b.seen.days {
		s.seen[d] = map[uint64]bool{}
		for k, folded := range m {
			if folded {
				s.seen[d][k] = true
			}
		}
	}
	return s
}

func genSettlements() *rapid.Generator[[]Settlement] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Settlement {
		n := rapid.IntRange(0, 30).Draw(t, "bid") // few, so that some repeat
		day := int32(n % 20)                      // more than there are slots
		return Settlement{
			BidID: bidID(n), Campaign: uint32(n%4) + 1, Day: startDay + day, BidMS: startMS + int64(day)*dayMS,
			Amount: money.Nano(rapid.OneOf(rapid.Int64Range(0, 1e9), rapid.Int64Range(-5, 5), rapid.Just(int64(1<<55))).Draw(t, "amount")),
		}
	}), 0, 60)
}

func TestRestoreAndTheRestIsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := genSettlements().Draw(t, "log")
		cut := rapid.IntRange(0, len(log)).Draw(t, "cut")
		local := rapid.SliceOfN(rapid.IntRange(0, 40), 0, 10).Draw(t, "settled or held here")
		offsets := map[int]int64{0: int64(cut), 7: math.MaxInt64}

		all, before := NewBook(Config{}), NewBook(Config{})
		for i, n := range local { // neither belongs to a snapshot
			before.Reserve(before.Account(uint32(n%5)+1), bidID(100+i), 5, startDay, math.MaxInt64)
			if i%2 == 0 {
				before.Settle(Settlement{BidID: bidID(200 + i), Campaign: uint32(n%5) + 1, Amount: 3, Day: startDay, BidMS: startMS})
			}
		}
		for _, s := range log {
			all.Fold(s)
		}
		for _, s := range log[:cut] {
			before.Fold(s)
		}
		var file bytes.Buffer
		require.NoError(t, before.Snapshot(&file, offsets))
		file.WriteString("what follows")

		after := NewBook(Config{})
		after.Account(3).SetLimits(Limits{Total: 77})
		got, err := after.Restore(iotest.OneByteReader(&file))
		require.NoError(t, err)
		require.Equal(t, offsets, got)
		require.Equal(t, "what follows", file.String(), "it reads no further than its end")
		require.EqualValues(t, 77, after.Account(3).State(startDay).Total)
		for _, s := range log[cut:] {
			after.Fold(s)
		}
		want, have := stateOf(all), stateOf(after)
		for id, settled := range have.settled {
			require.Equal(t, want.settled[id], settled, "campaign %d", id)
			require.Equal(t, settled, after.Account(id).State(startDay).Used)
		}
		for id := range want.settled {
			require.Equal(t, want.days[id], have.days[id], "days of campaign %d", id)
		}
		require.Equal(t, nonEmpty(want.seen), nonEmpty(have.seen))
		require.Equal(t, all.Stats().Settled, after.Stats().Settled)
	})
}

// nonEmpty leaves out days without a folded bid.
func nonEmpty(m map[int32]map[uint64]bool) map[int32]map[uint64]bool {
	for d, bids := range m {
		if len(bids) == 0 {
			delete(m, d)
		}
	}
	return m
}

func sampleBook() *Book {
	b := NewBook(Config{})
	for n := range 50 {
		day := int32(n % 3)
		b.Fold(Settlement{BidID: bidID(n), Campaign: uint32(n % 5), Amount: money.Nano(n), Day: startDay + day, BidMS: startMS + int64(day)*dayMS})
	}
	return b
}

func sampleFrequency() *Frequency {
	f := NewFrequency(0)
	for n := range 60 {
		f.Add(uint64(n%20+1), uint32(n%2), startMS+int64(n)*1000)
	}
	for n := range 12 {
		f.Add(5, 9, startMS-int64(n)*1000)
	}
	return f
}

// TestDamagedSnapshotsAreRefused cuts at every byte and flips every bit.
func TestDamagedSnapshotsAreRefused(t *testing.T) {
	var book, freq bytes.Buffer
	require.NoError(t, sampleBook().Snapshot(&book, map[int]int64{0: 5, 3: 9}))
	require.NoError(t, sampleFrequency().Snapshot(&freq))
	for _, c := range []struct {
		name    string
		file    []byte
		restore func(t *testing.T, b []byte) error
	}{
		{"book", book.Bytes(), func(t *testing.T, b []byte) error {
			into := NewBook(Config{})
			offsets, err := into.Restore(bytes.NewReader(b))
			if err != nil {
				require.Nil(t, offsets)
				require.Empty(t, into.accounts)
				require.Zero(t, into.Stats().Settled)
			}
			return err
		}},
		{"frequency", freq.Bytes(), func(t *testing.T, b []byte) error {
			into := NewFrequency(0)
			into.Add(1, 1, startMS)
			err := into.Restore(bytes.NewReader(b))
			if err != nil {
				require.Equal(t, 1, into.Count(1, 1, startMS))
				n, _, _ := into.Stats()
				require.EqualValues(t, 1, n)
			}
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, c.restore(t, c.file))
			for cut := range c.file {
				require.ErrorIs(t, c.restore(t, c.file[:cut]), ErrDamaged, "cut at %d", cut)
			}
			for i := range c.file {
				for bit := range 8 {
					bad := bytes.Clone(c.file)
					bad[i] ^= 1 << bit
					require.ErrorIs(t, c.restore(t, bad), ErrDamaged, "byte %d bit %d", i, bit)
				}
			}
		})
	}
}

func TestASnapshotOfAnotherVersionSaysSo(t *testing.T) {
	var file bytes.Buffer
	require.NoError(t, sampleBook().Snapshot(&file, nil))
	b := file.Bytes()
	b[7] = 2
	_, err := NewBook(Config{}).Restore(bytes.NewReader(b))
	require.ErrorContains(t, err, "version 2, this program reads 1")
	require.ErrorContains(t, NewFrequency(0).Restore(bytes.NewReader(b)), `not "grzfreq`)
}

// TestLargeSnapshots has many blocks; one that is missing, doubled or swapped
// does not pass.
func TestLargeSnapshots(t *testing.T) {
	b := NewBook(Config{})
	for n := range 30_000 {
		b.Fold(Settlement{BidID: bidID(n), Campaign: uint32(n % 100), Amount: 1, Day: startDay, BidMS: startMS})
	}
	var file bytes.Buffer
	require.NoError(t, b.Snapshot(&file, map[int]int64{1: 2}))
	whole := file.Bytes()
	require.Greater(t, len(whole), 3*maxBlock)
	restored := NewBook(Config{})
	_, err := restored.Restore(bytes.NewReader(whole))
	require.NoError(t, err)
	require.Equal(t, stateOf(b), stateOf(restored))

	blocks := cutBlocks(whole)
	require.Greater(t, len(blocks), 4)
	for _, c := range []struct {
		name  string
		order []int
	}{
		{"missing", []int{0, 1, 3, 4}}, {"doubled", []int{0, 1, 1, 2, 3, 4}}, {"swapped", []int{0, 2, 1, 3, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var bad []byte
			for _, i := range c.order {
				bad = append(bad, blocks[i]...)
			}
			for _, rest := range blocks[5:] {
				bad = append(bad, rest...)
			}
			_, err := NewBook(Config{}).Restore(bytes.NewReader(bad))
			require.ErrorIs(t, err, ErrDamaged)
		})
	}
}

// cutBlocks cuts a section into its head and its blocks.
func cutBlocks(b []byte) [][]byte {
	blocks := [][]byte{b[:8]}
	for b = b[8:]; len(b) > 0; {
		n := 8 + int(b[0]) + int(b[1])<<8 + int(b[2])<<16
		blocks = append(blocks, b[:n])
		b = b[n:]
	}
	return blocks
}

func TestRestoreNeedsAnEmptyBook(t *testing.T) {
	var file bytes.Buffer
	require.NoError(t, sampleBook().Snapshot(&file, nil))
	b := NewBook(Config{})
	b.Fold(Settlement{BidID: bidID(1), Campaign: 1, Amount: 5, Day: startDay, BidMS: startMS})
	_, err := b.Restore(bytes.NewReader(file.Bytes()))
	require.ErrorIs(t, err, ErrNotEmpty)
	require.EqualValues(t, 5, b.Account(1).State(startDay).Settled)
}

// TestRestoredBidsOutliveTheNodesAbsence: the node was away for three weeks;
// the log goes on where it stopped, and says again what it had said before.
func TestRestoredBidsOutliveTheNodesAbsence(t *testing.T) {
	var file bytes.Buffer
	require.NoError(t, sampleBook().Snapshot(&file, nil))
	b := NewBook(Config{})
	_, err := b.Restore(&file)
	require.NoError(t, err)
	now := startMS + 21*dayMS
	sweepAll(b, now)
	require.False(t, b.Fold(Settlement{BidID: bidID(0), Campaign: 0, Amount: 9, Day: startDay, BidMS: startMS}))
	sweepAll(b, now+2*replayQuietMS)
	require.Zero(t, b.Stats().Settled)
}

func TestRestoreKeepsTheBound(t *testing.T) {
	var file bytes.Buffer
	require.NoError(t, sampleBook().Snapshot(&file, nil))
	b := NewBook(Config{MaxSettled: 20})
	_, err := b.Restore(bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	require.LessOrEqual(t, b.Stats().Settled, int64(20))
	require.Equal(t, sampleBook().Account(1).State(startDay).Settled, b.Account(1).State(startDay).Settled)
}

func TestWriteErrorsAreTold(t *testing.T) {
	full := errors.New("disk is full")
	for _, room := range []int{0, 8, 20} {
		w := &shortWriter{room: room, err: full}
		require.ErrorIs(t, sampleBook().Snapshot(w, nil), full)
		w = &shortWriter{room: room, err: full}
		require.ErrorIs(t, sampleFrequency().Snapshot(w), full)
	}
	_, err := NewBook(Config{}).Restore(iotest.ErrReader(full))
	require.ErrorIs(t, err, full)
	require.NotErrorIs(t, err, ErrDamaged, "the disk failed, not the file")
}

type shortWriter struct {
	room int
	err  error
}

func (w *shortWriter) Write(b []byte) (int, error) {
	if w.room -= len(b); w.room < 0 {
		return 0, w.err
	}
	return len(b), nil
}

func TestFrequencyComesBackWhole(t *testing.T) {
	f := sampleFrequency()
	var file bytes.Buffer
	require.NoError(t, f.Snapshot(&file))
	back := NewFrequency(0)
	back.Add(999, 1, startMS) // is replaced
	require.NoError(t, back.Restore(&file))
	for i := range f.shards {
		require.Equal(t, f.shards[i].m, back.shards[i].m)
	}
	a, _, _ := f.Stats()
	b, _, _ := back.Stats()
	require.Equal(t, a, b)

	require.NoError(t, f.Snapshot(&file))
	small := NewFrequency(5)
	require.NoError(t, small.Restore(&file))
	n, _, _ := small.Stats()
	require.LessOrEqual(t, n, int64(5))
}

func FuzzRestore(f *testing.F) {
	var file bytes.Buffer
	if err := sampleBook().Snapshot(&file, map[int]int64{0: 1}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte("grzbook\x01"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		into := NewBook(Config{})
		offsets, err := into.Restore(r)
		if err != nil {
			if len(into.accounts) > 0 {
				t.Fatal("something was restored")
			}
			return
		}
		var again bytes.Buffer
		require.NoError(t, into.Snapshot(&again, offsets))
		back := NewBook(Config{})
		same, err := back.Restore(&again)
		require.NoError(t, err)
		require.Equal(t, offsets, same)
		require.Equal(t, stateOf(into), stateOf(back))
	})
}

// FuzzSection gives the reader what passes every checksum but was not written
// by Snapshot.
func FuzzSection(f *testing.F) {
	f.Add([]byte{2, 0, 2, 2, 4})
	f.Fuzz(func(t *testing.T, payload []byte) {
		var file bytes.Buffer
		s := newSectionWriter(&file, bookHead)
		for _, b := range payload {
			s.room(1)
			s.buf = append(s.buf, b)
		}
		require.NoError(t, s.end())
		into := NewBook(Config{})
		if _, err := into.Restore(io.MultiReader(&file)); err != nil && len(into.accounts) > 0 {
			t.Fatal("something was restored")
		}
	})
}

func BenchmarkSnapshot(b *testing.B) {
	book := NewBook(Config{})
	for n := range 200_000 {
		book.Fold(Settlement{BidID: bidID(n), Campaign: uint32(n % 1000), Amount: 1, Day: startDay, BidMS: startMS})
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := book.Snapshot(io.Discard, nil); err != nil {
			b.Fatal(err)
		}
	}
}
