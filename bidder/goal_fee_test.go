package bidder

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// What a goal allows includes the fee, also one of so much a thousand: of 11
// PLN that a thousand impressions may cost, 2 are the platform's.
func TestGoalsLeaveRoomForAFeePerThousand(t *testing.T) {
	const unit = money.NanoUnit
	for _, c := range []struct {
		name string
		goal campaigns.Goal
		fee  money.CPM
		want float64 // PLN CPM
	}{
		{"max_cpc", campaigns.Goal{MaxCPC: 11 * unit / 10}, 2_000_000, 9},
		{"target_cpo", campaigns.Goal{TargetCPO: 55 * unit}, 2_000_000, 9},
		{"target_roas", campaigns.Goal{TargetROASBPS: 80_000}, 2_000_000, 3},
		{"share", campaigns.Goal{ShareBPS: 1_000}, 2_000_000, 2},
		{"a fee above what is allowed", campaigns.Goal{ShareBPS: 1_000}, 5_000_000, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, goalCampaign(1, c.goal, 0, 50_000_000))
			w.in.Shops[0].FeeBPS, w.in.Shops[0].FeeCPM = 0, c.fee
			w.in.Version++
			require.Empty(t, w.b.Publish(w.in))
			w.b.SetModel(flatModel())
			e, err := w.b.Explain("burl", []byte(bannerRequest))
			require.NoError(t, err)
			assert.InDelta(t, c.want*1e6, float64(e.Imps[0].Campaigns[0].Value.CPM), 5_000)
			if c.want == 0 {
				require.Equal(t, "no_price", w.noBid("burl", bannerRequest))
			}
		})
	}
}

// Who finds no lease because the shop's money is gone is told so.
func TestABalanceThatIsGoneIsNotALease(t *testing.T) {
	l := newLeasedNodes(t, 1, 0)
	w := l.nodes[0]
	w.in.Shops[0].Prepaid = true
	w.in.Version++
	require.Empty(t, w.b.Publish(w.in))
	l.turn()
	require.Equal(t, "lease", w.noBid("burl", fmt.Sprintf(leasedRequest, 0)), "its terms are not known yet")
	l.log = append(l.log, termsOf(1, 0), depositOf(1, 100))
	l.read()
	l.turn()
	require.Equal(t, "balance", w.noBid("burl", fmt.Sprintf(leasedRequest, 1)), "the deposit is too small for one bid")
	l.log = append(l.log, depositOf(2, money.NanoUnit))
	l.read()
	l.turn()
	l.turn()
	w.bid("burl", fmt.Sprintf(leasedRequest, 2))

	// A budget that is used up is not a balance.
	l = newLeasedNodes(t, 1, 13_200_000)
	l.nodes[0].b.seeder = rand.NewChaCha8([32]byte{77})
	l.turn()
	l.turn()
	l.nodes[0].bid("burl", fmt.Sprintf(leasedRequest, 3))
	l.turn()
	require.Equal(t, "lease", l.nodes[0].noBid("burl", fmt.Sprintf(leasedRequest, 4)))
}
