package bidder

import (
	"cmp"
	"slices"
	"sync"

	"github.com/grosz/grosz/segments"
)

// requestStore holds the sample that forecasts replay, within a bound of
// memory. When it is full every second person is left out, wholly, so that
// what stays is a sample of people again. Safe for many goroutines; slow side.
type requestStore struct {
	mu     sync.Mutex
	list   []*RequestSample
	sorted []*RequestSample // by hash; nil when the list has changed
	bytes  int64
	max    int64
	lifeMS int64
	share  float64 // of people that are still taken in
	missed uint64  // requests lost at the nodes, of those kept
	adds   uint32
}

func newRequestStore(cfg RequestConfig) *requestStore {
	s := &requestStore{max: cfg.Bytes, lifeMS: int64(cfg.Days) * 24 * hourMS, share: 1}
	if s.max == 0 {
		s.max = 96 << 20
	}
	if s.lifeMS <= 0 {
		s.lifeMS = 14 * 24 * hourMS
	}
	return s
}

func (s *RequestSample) size() int64 {
	n := int64(len(s.Request) + sampleOverhead)
	for i := range s.Profiles {
		n += int64(len(s.Profiles[i].Packed)) + 32
	}
	return n
}

// tick lets old requests go now and then, and takes more people in where there
// is room; s.mu is held.
func (s *requestStore) tick(nowMS int64) {
	if s.adds++; s.adds%4096 == 0 {
		s.drop(func(r *RequestSample) bool { return r.TimeMS < nowMS-s.lifeMS })
		if s.share < 1 && s.bytes < s.max/3 {
			s.share = min(1, s.share*2)
		}
	}
}

// wants tells whether a person is of those who are taken in.
func (s *requestStore) wants(hash uint64, nowMS int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick(nowMS)
	return below(hash, s.share)
}

func (s *requestStore) add(r *RequestSample, nowMS int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick(nowMS)
	if r.Share <= 0 || r.Share > 1 || r.TimeMS < nowMS-s.lifeMS || !below(r.Hash, s.share) {
		return
	}
	r.Share = min(r.Share, s.share)
	s.list, s.sorted = append(s.list, r), nil
	s.bytes += r.size()
	s.missed += uint64(r.Missed)
	for s.bytes > s.max && len(s.list) > 0 {
		s.share /= 2
		s.drop(func(r *RequestSample) bool { return !below(r.Hash, s.share) })
		for i, r := range s.list {
			if r.Share > s.share {
				rarer := *r // readers may hold the old one
				rarer.Share = s.share
				s.list[i] = &rarer
			}
		}
	}
}

// drop leaves out what gone says; s.mu is held. The list is made anew: readers
// may hold the old one.
func (s *requestStore) drop(gone func(*RequestSample) bool) (n int) {
	left := make([]*RequestSample, 0, len(s.list))
	for _, r := range s.list {
		if gone(r) {
			s.bytes -= r.size()
			s.missed -= uint64(r.Missed)
			n++
			continue
		}
		left = append(left, r)
	}
	s.list, s.sorted = left, nil
	return n
}

// all returns the sample by person, and what a sampled request stands for
// beside its share because others were lost on the way. The samples must not
// be changed.
func (s *requestStore) all() (list []*RequestSample, lost float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sorted == nil {
		s.sorted = slices.Clone(s.list)
		slices.SortFunc(s.sorted, func(a, b *RequestSample) int {
			return cmp.Or(cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.TimeMS, b.TimeMS))
		})
	}
	n := float64(len(s.sorted))
	return s.sorted, (n + float64(s.missed)) / max(n, 1)
}

// forget drops what is kept of a person.
func (s *requestStore) forget(u segments.UserKey) int {
	if s == nil || u.IsZero() {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop(func(r *RequestSample) bool { return r.User == u })
}

type requestStats struct {
	kept       int
	bytes, max int64
	share      float64
}

func (s *requestStore) stats() requestStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return requestStats{len(s.list), s.bytes, s.max, s.share}
}
