package bidder

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/rules"
)

// shopSegments is who is in which named segment, worked out as shop events
// come and time passes, so that a bid looks bits up.
type shopSegments struct {
	b      *Bidder
	engine *rules.Engine
	barred func(u segments.UserKey, shop, atS uint32) bool // made once: a bid allocates nothing
	// scratch tells that nothing worked out may be believed: who decides
	// about another moment evaluates every rule.
	scratch bool
	shops   map[uint32]*rules.Set // installed; publishMu is held
}

func newShopSegments(b *Bidder) (*shopSegments, error) {
	s := &shopSegments{b: b, shops: make(map[uint32]*rules.Set)}
	suppress := b.people.cfg.Suppress
	forgotten := func(u segments.UserKey, atS uint32) bool {
		return suppress != nil && suppress.Suppressed(u, int64(atS)*1000)
	}
	s.barred = func(u segments.UserKey, shop, atS uint32) bool {
		return forgotten(u, atS) || b.profiles.Load().OptedOut(u, shop)
	}
	var err error
	if s.engine, err = rules.New(b.cfg.Segments, b.profiles.Load(), forgotten); err != nil {
		return nil, err
	}
	s.engine.SetNow(b.clock.NowMS())
	return s, nil
}

// fromScratch is for a shadow with profiles of its own.
func (s *shopSegments) fromScratch(profiles *segments.Store) *shopSegments {
	return &shopSegments{engine: s.engine, scratch: true, barred: func(u segments.UserKey, shop, atS uint32) bool {
		return s.barred(u, shop, atS) || profiles.OptedOut(u, shop)
	}}
}

// describe fills in what is known of the user's segments.
func (s *shopSegments) describe(f *campaigns.Facts, u segments.UserKey) {
	f.User, f.Barred = u, s.barred
	f.Members = s.engine.Lookup(u, f.Members)
	for i := range f.Members {
		if s.scratch || linked(f.Profiles, f.Members[i].Shop) {
			f.Members[i].Doubt()
		}
	}
}

// linked tells whether a shop's profile was joined from several keys: what is
// worked out of one of them does not know the others.
func linked(profiles []segments.ShopProfile, shop uint32) bool {
	for i := range profiles {
		if profiles[i].Shop == shop {
			return profiles[i].Linked
		}
	}
	return false
}

// install puts the shops' rules in force; publishMu is held.
func (s *shopSegments) install(snap *campaigns.Snapshot) {
	if s == nil { // before anything was published
		return
	}
	live := make(map[uint32]*rules.Set, len(s.shops))
	snap.EachShop(func(shop *campaigns.CompiledShop) {
		if shop.Segments != nil && shop.Active {
			live[shop.ID] = shop.Segments.Set
		}
	})
	s.b.profilesMu.Lock()
	defer s.b.profilesMu.Unlock()
	for shop := range s.shops {
		if live[shop] == nil {
			s.engine.Install(shop, nil)
		}
	}
	for shop, set := range live {
		if s.shops[shop] != set {
			s.engine.Install(shop, set)
		}
	}
	s.shops = live
}

// forget works a person out again who asked to be forgotten; profilesMu is
// held.
func (s *shopSegments) forget(u segments.UserKey) {
	if s != nil {
		s.engine.Forget(u)
	}
}

// Of every 50 ms, work takes at most workFor, in rounds, between which events
// are applied.
const (
	workFor   = 10 * time.Millisecond
	workRound = 256
)

// work moves the segments on with time, and works out those that were made or
// changed.
func (s *shopSegments) work() {
	for end := s.b.now().Add(workFor); ; {
		now := s.b.clock.NowMS()
		s.b.profilesMu.Lock()
		due := s.engine.Tick(now, workRound)
		idle := s.engine.Backfill(now, workRound)
		s.b.profilesMu.Unlock()
		if due < workRound && idle || s.b.now().After(end) {
			return
		}
	}
}

// SegmentSizes tells how many users are in each segment of a shop now. It is
// of this shop alone: what is worked out for others does not show.
func (b *Bidder) SegmentSizes(shop uint32) SegmentSizes {
	out := SegmentSizes{
		ShopID: shop, AtMS: b.clock.NowMS(), Node: b.cfg.Node, Ready: b.ready[1].Load(), Progress: 1,
		Left: b.segments.engine.LeftOut(shop), Segments: b.segments.engine.Sizes(shop),
	}
	for _, s := range out.Segments {
		out.Ready = out.Ready && s.Ready
	}
	if !out.Ready {
		out.Progress = b.segments.engine.Stats().Progress
	}
	return out
}

// SegmentSizes are the sizes of a shop's segments as one node has them. Every
// node has all profiles, so any node's will do.
type SegmentSizes struct {
	ShopID uint32 `json:"shop_id"`
	AtMS   int64  `json:"at"`
	Node   string `json:"node"`
	// Ready tells that nothing is still being worked out; else Progress is
	// the share that is done.
	Ready    bool    `json:"ready"`
	Progress float64 `json:"progress"`
	// Left counts updates of this shop's users for which there was no room:
	// the sizes are then too small.
	Left     int64        `json:"left_out,omitempty"`
	Segments []rules.Size `json:"segments"`
}

func (s *shopSegments) writeMetrics(w io.Writer) {
	st := s.engine.Stats()
	for _, m := range []struct {
		name string
		v    float64
	}{
		{"grosz_segments", float64(st.Segments)},
		{"grosz_segment_entries", float64(st.Entries)},
		{"grosz_segment_entries_max", float64(st.MaxEntries)},
		{"grosz_segment_entries_left_out_total", float64(st.Dropped)},
		{"grosz_segment_bytes", float64(st.Bytes)},
		{"grosz_segment_waiting", float64(st.Waiting)},
		{"grosz_segment_evaluations_total", float64(st.Evaluated)},
		{"grosz_segment_timeouts_total", float64(st.Expired)},
		{"grosz_segment_backfills_total", float64(st.Backfills)},
		{"grosz_segment_backfill_progress", st.Progress},
	} {
		fmt.Fprintf(w, "%s %g\n", m.name, m.v)
	}
}

// SegmentMembers writes who is in a segment of a shop now as CSV: a column
// user with the shop's own pseudonyms, and a last line #end that tells that
// the list is whole. found is false, and nothing written, if there is no such
// segment.
func (b *Bidder) SegmentMembers(shop, segment uint32, w io.Writer) (found bool, err error) {
	doc := b.state.Load().Snapshot.Shop(shop)
	if doc == nil {
		return false, nil
	}
	out := bufio.NewWriterSize(w, 1<<15)
	_, err = out.WriteString("user\n")
	var line []byte
	found = b.segments.engine.Members(shop, segment, func(users []segments.UserKey) bool {
		for _, u := range users {
			line = append(strconv.AppendUint(line[:0], segments.Pseudonym(doc.Salt, u), 10), '\n')
			if _, err = out.Write(line); err != nil {
				return false
			}
		}
		return true
	})
	if !found || err != nil {
		return found, err
	}
	_, err = out.WriteString("#end\n")
	return true, errors.Join(err, out.Flush())
}
