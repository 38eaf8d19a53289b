package pacesim_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bench/pacesim"
)

func clickDay(t *testing.T, values, more string) *pacesim.Charged {
	t.Helper()
	s, err := pacesim.Parse([]byte("name: x\nrequests: 30000\nbudget_ratio: 3\nchanges: [{what: values, times: " + values + "}]\nbilling: cpc\nclicks: {price: 0.02" + more + "}\n"))
	require.NoError(t, err)
	row, err := pacesim.Seeds(context.Background(), &s, 5, 1, 1, newPlanner)
	require.NoError(t, err)
	r := row.Results[0]
	require.NotNil(t, r.Charged)
	assert.InDelta(t, r.Spend, r.Charged.Paid, 1e-9, "what is spent is what the shop paid")
	assert.LessOrEqual(t, r.Charged.Paid, r.Budget+1e-9)
	assert.InDelta(t, 0.02*float64(r.Charged.Clicks-r.Charged.Beyond), r.Charged.Paid, 1e-6)
	return r.Charged
}

// A day that is billed by clicks: the platform keeps something where clicks
// are as likely as predicted; where they are not, it loses what it may and
// hardly more, and without a bound a lot.
func TestADayBilledByClicks(t *testing.T) {
	fair := clickDay(t, "1", "")
	assert.Less(t, fair.Media, fair.Paid)
	assert.Zero(t, fair.Refused)
	assert.Contains(t, fair.String(), "the platform keeps")
	blind := clickDay(t, "0.1", ", model: 10, loss_clicks: 10")
	assert.Positive(t, blind.Refused)
	assert.Less(t, blind.Lost, blind.May+0.1)
	open := clickDay(t, "0.1", ", model: 10, loss_clicks: -1")
	assert.Zero(t, open.Refused)
	assert.Greater(t, open.Lost, 2*blind.Lost)
}

func TestAScenarioOfClicksSaysAllThatIsWrong(t *testing.T) {
	_, err := pacesim.Parse([]byte("name: x\nbilling: cpa\nclicks: {price: 0, margin: 1, model: -1, delay: -1, loss_share: -1}\nnodes: {count: 2}\norders: {value: 1, ctr: [0.1]}\n"))
	for _, want := range []string{`billing "cpa"`, "go together", "clicks.price", "clicks.margin", "clicks.model", "clicks.delay", "clicks.loss_share", "nodes", "orders"} {
		require.ErrorContains(t, err, want)
	}
	s, err := pacesim.Parse([]byte("name: x\nbilling: cpc\nclicks: {price: 1}\n"))
	require.NoError(t, err)
	_, err = pacesim.Play(&s, 1, &half{})
	require.ErrorContains(t, err, "knows no billing cpc")
}
