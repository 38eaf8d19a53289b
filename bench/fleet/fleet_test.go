package fleet_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bench/fleet"
	"github.com/grosz/grosz/bench/pacesim"
)

func play(t *testing.T, yaml string, seed uint64) (pacesim.Result, fleet.Report) {
	t.Helper()
	s, err := pacesim.Parse([]byte(yaml))
	require.NoError(t, err)
	f := fleet.New(*s.Nodes, seed)
	r, err := pacesim.Play(&s, seed, f)
	require.NoError(t, err)
	return r, f.Report()
}

// Whatever befalls the nodes, nothing is billed over the budget, and with
// notices in time nothing is left for the house.
func TestFaultsNeverBillOverTheBudget(t *testing.T) {
	const calm = "name: x\nrequests: 15000\nnotices: {delay: 30, jitter: 2}\nnodes: {count: 3}\n"
	const rough = "name: x\nrequests: 15000\nnotices: {delay: 30, jitter: 2}\norders: {value: 0.02, ctr: [0.1], kept: 0.8, delay: 2}\nnodes:\n  count: 3\n  faults:\n" +
		"    - {what: partition, node: 3, from: 15, to: 15.04}\n    - {what: kill, node: 1, from: 9, to: 9.5}\n    - {what: stop, node: 2, from: 20, to: 20.2}\n"
	for seed := range uint64(2) {
		plain, ledgerPlain := play(t, calm, seed+1)
		hurt, ledger := play(t, rough, seed+1)
		for _, l := range []fleet.Report{ledgerPlain, ledger} {
			require.LessOrEqual(t, l.Billed, l.Budget)
			require.Zero(t, l.House)
			require.Positive(t, l.Leases)
		}
		require.Equal(t, 3, ledger.Faults)
		require.LessOrEqual(t, hurt.Over, hurt.Allowed)
		require.Greater(t, hurt.Delivered, plain.Delivered-3, "%s", hurt.Fleet)
		require.NotNil(t, hurt.Bought)
		require.InEpsilon(t, hurt.Bought.Expected, float64(hurt.Bought.Kept), 0.3, "drawn by the truth")
		require.Len(t, hurt.Notes(), 3)
	}
}

func TestAScenarioOfNodesSaysWhatIsWrong(t *testing.T) {
	_, err := pacesim.Parse([]byte("name: x\nnodes: {count: 99, lag: -1, faults: [{what: flood, node: 0, from: 5, to: 4}]}\norders: {ctr: [2, 0.1], kept: 3, delay: -1}\n"))
	for _, want := range []string{"nodes.count 99", "nodes.lag -1", `"flood"`, "node 0", "from 5 to 4", "orders.value", "one for each of the four", "orders.ctr[0] 2", "orders.kept 3", "orders.delay -1"} {
		require.ErrorContains(t, err, want)
	}
}
