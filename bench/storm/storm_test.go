package storm

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

func plan(t *testing.T, n int) *Plan {
	t.Helper()
	keys, err := events.NewKeyring(events.Key{ID: 1, Secret: bytes.Repeat([]byte{9}, 32)})
	require.NoError(t, err)
	p, err := New(Config{Notices: n, Seed: 3, NowMS: 1_773_144_000_000, Keys: keys, Nodes: []string{"http://a"}}, nil)
	require.NoError(t, err)
	return p
}

func TestAPlanHasItsShares(t *testing.T) {
	p := plan(t, 50_000)
	require.Len(t, p.notices, 50_000)
	for name, c := range map[string]struct {
		n     int
		share float64
	}{"doubled": {p.Counts.Doubled, doubledShare}, "forged": {p.Counts.Forged, forgedShare}, "late": {p.Counts.Late, lateShare}} {
		require.InDelta(t, c.share, float64(c.n)/50_000, 0.001, name)
	}
	for name, n := range map[string]int{
		"expired": p.Counts.Expired, "tests": p.Counts.Tests, "audits": p.Counts.Audits, "provisional": p.Counts.Provisional,
		"above": p.Counts.AboveBid, "ambiguous": p.Counts.Ambiguous, "unbilled": p.Counts.Unbilled,
	} {
		require.Greater(t, n, 50, name)
	}
	again := plan(t, 50_000)
	require.Equal(t, p.notices, again.notices, "the same seed gives the same plan")
}

// TestForgedTokensAreForged: a token that were good by accident would make the
// truth wrong.
func TestForgedTokensAreForged(t *testing.T) {
	p := plan(t, 20_000)
	c := caller{p: p}
	var tok events.Token
	for i := range p.notices {
		n := &p.notices[i]
		purpose := events.ForNotice
		if kinds[n.kind] == events.TypeImpression {
			purpose = events.ForImpression
		}
		err := p.cfg.Keys.Verify(&tok, c.token(nil, n), p.cfg.NowMS, purpose)
		require.Equal(t, n.token == tokenGood && !p.bids[n.bid].expired, err == nil, "%+v: %v", n, err)
	}
}

func TestBilled(t *testing.T) {
	for _, c := range []struct {
		text   string
		micros bool
		amount int64
		how    int
	}{
		{"0.91", false, 910_000, paidAsSaid}, {".5", false, 500_000, paidAsSaid}, {"1", false, 1_000_000, paidAsSaid},
		{"1.0000019", false, 1_000_001, paidAsSaid}, {"2.000001", false, 2_000_000, paidAboveBid},
		{"", false, 2_000_000, paidUnread}, {"0", false, 2_000_000, paidUnread}, {"abc", false, 2_000_000, paidUnread},
		{"${AUCTION_PRICE}", false, 2_000_000, paidUnread}, {"1e3", false, 2_000_000, paidUnread}, {"-1", false, 2_000_000, paidUnread},
		{"910000", true, 910_000, paidAsSaid}, {"1.5", true, 2_000_000, paidUnread}, {"99999999", true, 2_000_000, paidAboveBid},
	} {
		amount, how := billed(c.text, 2_000_000, c.micros)
		require.Equal(t, []int64{c.amount, int64(c.how)}, []int64{amount, int64(how)}, c.text)
	}
}

func TestShopCostAgreesWithMoney(t *testing.T) {
	for amount := int64(1); amount < 3_000_000; amount += 777 {
		cost, fee := shopCost(amount, 4_268_464_244, 1250)
		want := money.Nano(amount).Convert(4_268_464_244)
		require.EqualValues(t, want, cost)
		require.EqualValues(t, want.Fee(1250), fee)
	}
}

func TestDecimals(t *testing.T) {
	for text, n := range map[string]int64{"0": 0, "1": 1_000_000_000, "0.000000001": 1, "12.5": 12_500_000_000, "-0.25": -250_000_000} {
		require.Equal(t, text, decimal(big.NewInt(n)))
		got, ok := nano(text)
		require.True(t, ok)
		require.Equal(t, n, got.Int64())
	}
}
