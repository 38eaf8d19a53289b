package bidder

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

// Where campaigns are bid for out of leases, an explanation and a replay have
// this node's leases to bid with: they come out as the live bid does, and
// change nothing of it.
func TestExplanationsBidOutOfTheLiveLeases(t *testing.T) {
	l := newLeasedNodes(t, 1, money.NanoUnit)
	w := l.nodes[0]
	body := fmt.Sprintf(leasedRequest, 1)

	before := explain(t, w.b, body)
	require.Equal(t, ReasonLease.String(), before.NoBid)
	require.Equal(t, []string{ReasonLease.String()}, rulesOf(&before.Imps[0].Campaigns[0]), "nothing was granted yet")
	require.Equal(t, OutcomeFails, before.Imps[0].Campaigns[0].Outcome)

	l.turn()
	l.turn()
	wallet := w.b.book.Account(42).Wallet()
	lent := wallet.Lent()
	require.NotEmpty(t, lent)
	after := explain(t, w.b, body)
	require.Empty(t, after.NoBid)
	require.Equal(t, OutcomeWins, after.Imps[0].Campaigns[0].Outcome)
	require.Equal(t, lent, wallet.Lent(), "the explanation took nothing")

	s, c := w.sampler(8, 1), newContext([32]byte{3})
	require.Equal(t, ReasonNone, w.sampled(s, c, body))
	require.NotEqual(t, lent, wallet.Lent(), "the bid is held out of the lease")
	w.b.leases.write(w.b.leases.giveBack())
	require.Empty(t, wallet.Lent(), "all went back")
	p := takeSample(s)
	require.Equal(t, lent, p.Counts[0].Leases, "as they were before the bid")
	got, err := w.b.Replay(p)
	require.NoError(t, err)
	require.True(t, got.Same, "%v %s", got.Reason, got.Answer)
	p.Counts = counts(p, 42, func(n *SampledCount) { n.Leases = nil })
	got, err = w.b.Replay(p)
	require.NoError(t, err)
	require.Equal(t, ReasonLease, got.Reason)
	p.Counts = counts(p, 42, func(n *SampledCount) { n.Poor = true })
	got, err = w.b.Replay(p)
	require.NoError(t, err)
	require.Equal(t, ReasonBalance, got.Reason)
}
