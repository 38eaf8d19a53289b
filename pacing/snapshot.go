package pacing

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// What the first bytes of a snapshot say; the last one is the version.
var (
	bookHead      = [8]byte{'g', 'r', 'z', 'b', 'o', 'o', 'k', 1}
	frequencyHead = [8]byte{'g', 'r', 'z', 'f', 'r', 'e', 'q', 2} // 1 had no shops
)

// ErrNotEmpty is what Restore answers when something was folded before.
var ErrNotEmpty = errors.New("restore needs an empty one")

// Snapshot writes what the log has said up to offsets, the next offset to
// read by partition: what is settled per account and day, and which bids are.
// Holds and what is on its way to the log are not in it. It is a consistent
// cut if it is called from the goroutine that folds, between two messages;
// bidding and settling may go on meanwhile.
func (b *Book) Snapshot(w io.Writer, offsets map[int]int64) error {
	s := newSectionWriter(w, bookHead)
	s.int(int64(len(offsets)))
	for _, p := range slices.Sorted(maps.Keys(offsets)) {
		s.int(int64(p))
		s.int(offsets[p])
	}
	b.mu.RLock()
	accounts := slices.Clone(b.accounts)
	b.mu.RUnlock()
	s.int(int64(len(accounts)))
	for _, a := range accounts {
		a.snapshot(s)
	}
	b.seen.snapshot(s)
	if err := s.end(); err != nil {
		return fmt.Errorf("write snapshot of the budgets: %w", err)
	}
	return nil
}

func (a *Account) snapshot(s *sectionWriter) {
	s.int(int64(a.id))
	s.int(a.settled.Load())
	for i := range a.days {
		slot := &a.days[i]
		slot.mu.Lock()
		day, settled := slot.day, slot.settled
		slot.mu.Unlock()
		s.int(int64(day))
		s.int(settled)
	}
}

// snapshot writes the folded bids by day. Only one day's are copied at a time.
func (s *seenSet) snapshot(w *sectionWriter) {
	s.mu.Lock()
	days := slices.Sorted(maps.Keys(s.days))
	s.mu.Unlock()
	w.int(int64(len(days)))
	var keys []uint64
	for _, d := range days {
		keys = keys[:0]
		s.mu.Lock()
		for k, folded := range s.days[d] {
			if folded {
				keys = append(keys, k)
			}
		}
		s.mu.Unlock()
		w.int(int64(d))
		w.int(int64(len(keys)))
		for _, k := range keys {
			w.fixed64(k)
		}
	}
}

// accountImage is an account as a snapshot has it.
type accountImage struct {
	id      uint32
	settled int64
	days    [daySlots]struct {
		day     int32
		settled int64
	}
}

// Restore reads what Snapshot wrote and returns its offsets: fold from there
// on. It must come before the first Fold and Settle. An error leaves the book
// as it was, and the log is to be read from its beginning. It reads no further
// than its own end.
func (b *Book) Restore(r io.Reader) (offsets map[int]int64, err error) {
	s := newSectionReader(r, bookHead)
	offsets = make(map[int]int64)
	for range s.within("number of partitions", 0, math.MaxInt32) {
		p := s.within("partition", 0, math.MaxInt32)
		if offsets[int(p)] = s.within("offset", 0, math.MaxInt64); s.err != nil {
			break
		}
	}
	var accounts []accountImage
	for range s.within("number of accounts", 0, math.MaxUint32) {
		if accounts = append(accounts, readAccount(s)); s.err != nil {
			break
		}
	}
	days := readSeen(s)
	if err := s.end(); err != nil {
		return nil, fmt.Errorf("restore the budgets: %w", err)
	}
	if !b.seen.restore(days) {
		return nil, fmt.Errorf("restore the budgets: %w", ErrNotEmpty)
	}
	for i := range accounts {
		b.Account(accounts[i].id).restore(&accounts[i])
	}
	return offsets, nil
}

func readAccount(s *sectionReader) (a accountImage) {
	a.id = uint32(s.within("account", 0, math.MaxUint32))
	a.settled = s.int()
	for i := range a.days {
		a.days[i].day = int32(s.within("day", math.MinInt32, math.MaxInt32))
		a.days[i].settled = s.int()
	}
	return a
}

func readSeen(s *sectionReader) map[int32]map[uint64]bool {
	days := make(map[int32]map[uint64]bool)
	for range s.within("number of days", 0, math.MaxInt32) {
		m := make(map[uint64]bool)
		days[int32(s.within("day", math.MinInt32, math.MaxInt32))] = m
		for range s.within("number of bids", 0, math.MaxInt64) {
			if m[s.fixed64()] = true; s.err != nil {
				break
			}
		}
		if s.err != nil {
			break
		}
	}
	return days
}

func (a *Account) restore(from *accountImage) {
	a.settled.Add(from.settled)
	a.used.Add(from.settled)
	for _, d := range from.days {
		slot := a.slot(d.day)
		slot.mu.Lock()
		if slot.turn(d.day); slot.day == d.day {
			slot.used += d.settled
			slot.settled += d.settled
		}
		slot.mu.Unlock()
	}
}

// restore takes days over, unless something is known already.
func (s *seenSet) restore(days map[int32]map[uint64]bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n > 0 || len(s.pending) > 0 {
		return false
	}
	s.days = days
	for d, m := range days {
		s.n += len(m)
		// The log is read on from there, however long ago that was.
		s.readFrom(d)
	}
	for s.n > s.max {
		s.forgetOldest()
	}
	return true
}

// Snapshot writes the counts, to be kept beside the book's: they, too, come
// from the log, and a restored node does not read it from its beginning. The
// goroutine that folds calls it, between two messages.
func (f *Frequency) Snapshot(w io.Writer) error {
	s := newSectionWriter(w, frequencyHead)
	type pair struct {
		freqKey
		freqCell
	}
	var pairs []pair
	for i := range f.shards {
		sh := &f.shards[i]
		pairs = pairs[:0]
		sh.mu.Lock()
		for k, c := range sh.m {
			pairs = append(pairs, pair{k, c})
		}
		sh.mu.Unlock()
		s.int(int64(len(pairs)))
		for _, p := range pairs {
			s.fixed64(p.user)
			s.int(int64(p.what))
			s.int(int64(p.more))
			s.int(int64(p.shop))
			for _, at := range p.at {
				s.int(int64(at))
			}
		}
	}
	if err := s.end(); err != nil {
		return fmt.Errorf("write snapshot of the frequency counts: %w", err)
	}
	return nil
}

// Restore reads what Snapshot wrote, in place of what is counted. An error
// leaves the counts as they were.
func (f *Frequency) Restore(r io.Reader) error {
	s := newSectionReaderFrom(r, frequencyHead, 1)
	var shards [holdShards]map[freqKey]freqCell
	for i := range shards {
		shards[i] = make(map[freqKey]freqCell)
	}
	for range shards {
		for range s.within("number of pairs", 0, math.MaxInt64) { // of one shard
			k, c := readPair(s)
			if s.err != nil {
				break
			}
			shards[k.user%holdShards][k] = c
		}
	}
	if err := s.end(); err != nil {
		return fmt.Errorf("restore the frequency counts: %w", err)
	}
	for i := range f.shards {
		sh := &f.shards[i]
		sh.mu.Lock()
		for k := range sh.m {
			f.remove(sh, k)
		}
		sh.m = shards[i]
		for _, c := range sh.m {
			f.add(c.shop, 1)
		}
		sh.mu.Unlock()
	}
	for i := range f.shards {
		sh := &f.shards[i]
		sh.mu.Lock()
		for k, c := range sh.m { // what was a shop's share then may be too much now
			if f.tooMany(c.shop) {
				f.remove(sh, k)
			}
		}
		sh.mu.Unlock()
	}
	return nil
}

func readPair(s *sectionReader) (k freqKey, c freqCell) {
	k.user = s.fixed64()
	k.what = What(s.within("campaign or other", 0, math.MaxInt64))
	c.more = uint32(s.within("count", 0, math.MaxUint32))
	if s.version > 1 {
		c.shop = uint32(s.within("shop", 0, math.MaxUint32))
	}
	for i := range c.at {
		c.at[i] = uint32(s.within("second", 0, math.MaxUint32))
	}
	return k, c
}
