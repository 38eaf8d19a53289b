package pacing

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

func TestAnAdjustmentMovesTheBidsDayOnce(t *testing.T) {
	b := NewBook(Config{})
	b.Account(1).SetLimits(Limits{Total: 1000, Day: 600})
	require.True(t, b.Fold(Settlement{BidID: bidID(1), Campaign: 1, Amount: 600, Day: startDay, BidMS: startMS}))
	require.Zero(t, b.Account(1).Free(startDay))
	back := Adjustment{EventID: bidID(2), Campaign: 1, Amount: -250, Day: startDay, BidMS: startMS}
	require.True(t, b.Adjust(back))
	require.False(t, b.Adjust(back), "the log may have it twice")
	s := b.Account(1).State(startDay)
	require.Equal(t, []money.Nano{350, 350, 350, 350}, []money.Nano{s.Used, s.Settled, s.DayUsed, s.DaySettled})
	require.Equal(t, money.Nano(250), b.Account(1).Free(startDay), "the budget may be spent again")
}

// TestAnAdjustmentIsRememberedLonger: a month is corrected when it is over,
// and a restart must not correct it again.
func TestAnAdjustmentIsRememberedLonger(t *testing.T) {
	b := NewBook(Config{})
	back := Adjustment{EventID: bidID(2), Campaign: 1, Amount: -250, Day: startDay, BidMS: startMS}
	require.True(t, b.Adjust(back))
	for _, day := range []int64{10, 30, 60} {
		b.seen.expire(startMS + day*dayMS)
		require.False(t, b.Adjust(back), "after %d days", day)
	}
	var file bytes.Buffer
	require.NoError(t, b.Snapshot(&file, map[int]int64{0: 9}))
	again := NewBook(Config{})
	_, err := again.Restore(&file)
	require.NoError(t, err)
	require.False(t, again.Adjust(back))
	require.Equal(t, money.Nano(-250), again.Account(1).State(startDay).Settled)
	b.seen.expire(startMS + 100*dayMS)
	require.Empty(t, b.seen.days, "not for ever")
}
