package pacing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
)

func newSeen(max int) *seenSet {
	s := new(seenSet)
	s.init(max)
	return s
}

func TestSeenForgetsWhenTheTokenHasExpired(t *testing.T) {
	life := events.BillingLifetime.Milliseconds()
	s := newSeen(1000)
	for _, ms := range []int64{startMS, startMS + dayMS, startMS + 2*dayMS} {
		require.True(t, s.settle(uint64(ms), ms, pendingBid{}))
		was, _ := s.fold(uint64(ms), ms)
		require.Equal(t, seenPending, was)
	}
	s.expire(startMS) // what was folded is of today
	s.expire(startMS + life)
	require.True(t, s.has(uint64(startMS), startMS), "the token still counts")
	s.expire(startMS + life + dayMS - 1)
	require.True(t, s.has(uint64(startMS), startMS), "and a day more, for what is on its way")
	s.expire(startMS + life + 2*dayMS)
	require.False(t, s.has(uint64(startMS), startMS))
	require.True(t, s.has(uint64(startMS+2*dayMS), startMS+2*dayMS))
	n, pending := s.len()
	require.EqualValues(t, 2, n, "day 1 and 2 are left")
	require.Zero(t, pending)
	s.expire(startMS + 100*dayMS)
	n, _ = s.len()
	require.Zero(t, n)
	require.Empty(t, s.days)
}

func TestAskingRemembersNothing(t *testing.T) {
	s := newSeen(10)
	for day := range int64(50) {
		require.False(t, s.has(1, startMS+day*dayMS))
	}
	require.Empty(t, s.days)
}

// TestReplayRemembersOldDays: a month of log is read in seconds, while the
// clock stands far behind it all. What repeats days later in the log must
// still be known.
func TestReplayRemembersOldDays(t *testing.T) {
	b := NewBook(Config{})
	now := startMS + 30*dayMS
	fold := func(n int, bidMS int64) bool {
		return b.Fold(Settlement{BidID: bidID(n), Campaign: 1, Amount: 10, Day: dayOf(bidMS), BidMS: bidMS})
	}
	for day := range 30 {
		require.True(t, fold(day, startMS+int64(day)*dayMS))
		sweepAll(b, now)
		if day >= 6 {
			require.False(t, fold(day-6, startMS+int64(day-6)*dayMS), "billed again after six days")
		}
	}
	require.EqualValues(t, 300, b.Account(1).State(startDay).Settled)
	require.EqualValues(t, 30, b.Stats().Settled)
	// Once the log is read to its end the old days go.
	sweepAll(b, now+replayQuietMS)
	require.EqualValues(t, 8, b.Stats().Settled)
}

func TestSeenIsBounded(t *testing.T) {
	const limit = 100
	s := newSeen(limit)
	for i := range 1000 {
		day := int64(i % 7)
		s.settle(uint64(i), startMS+day*dayMS, pendingBid{})
		n, pending := s.len()
		require.LessOrEqual(t, n, int64(limit))
		require.LessOrEqual(t, pending, int64(limit))
		sum := 0
		for _, m := range s.days {
			sum += len(m)
		}
		require.EqualValues(t, sum, n)
	}
}

// TestForgettingEarlyDoesNotCountPendingTwice: a bid that was settled here and
// then forgotten for want of room is still known until the log has shown it.
func TestForgettingEarlyDoesNotCountPendingTwice(t *testing.T) {
	b := NewBook(Config{MaxSettled: 2})
	settlement := func(n int, day int64) Settlement {
		return Settlement{BidID: bidID(n), Campaign: 1, Amount: 10, Day: startDay, BidMS: startMS + day*dayMS}
	}
	b.Settle(settlement(0, 0))
	b.Settle(settlement(1, 1))
	b.Fold(settlement(2, 1)) // the first day is forgotten
	require.True(t, b.Settled(bidID(0), startMS))
	first, _ := b.Settle(settlement(0, 0))
	require.False(t, first)
	require.True(t, b.Fold(settlement(0, 0)))
	require.True(t, b.Fold(settlement(1, 1)))
	s := b.Account(1).State(startDay)
	require.EqualValues(t, 30, s.Settled)
	require.EqualValues(t, 30, s.Used)
}

// TestTooManyPendingAreTakenAtWhatTheyWereBooked: what there was no room to
// remember counts once, at this node's own price.
func TestTooManyPendingAreTakenAtWhatTheyWereBooked(t *testing.T) {
	s := newSeen(2)
	for i := range 2 {
		s.pending[uint64(100+i)] = pendingBid{}
	}
	require.True(t, s.settle(1, startMS, pendingBid{amount: 5}))
	was, _ := s.fold(1, startMS)
	require.Equal(t, seenForgotten, was)
	was, _ = s.fold(1, startMS)
	require.Equal(t, seenFolded, was)
}
