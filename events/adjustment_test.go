package events

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIDsOfCorrectionsAndConflicts(t *testing.T) {
	bid, other := ID{1}, ID{2}
	require.Equal(t, CorrectionID(bid, 0), CorrectionID(bid, 0))
	seen := map[ID]bool{}
	for _, id := range []ID{
		CorrectionID(bid, 0), CorrectionID(bid, 1), CorrectionID(other, 0), EventID(bid, TypeAdjustment, 0),
		ConflictID(bid, TypeBilling, 5), ConflictID(bid, TypeBilling, 6), ConflictID(bid, TypeImpression, 5), ConflictID(other, TypeBilling, 5),
	} {
		require.False(t, seen[id])
		seen[id] = true
	}
	require.True(t, IsClawback("clawback: bots"))
	require.False(t, IsClawback(ReasonReport))
}
