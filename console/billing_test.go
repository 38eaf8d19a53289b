package console

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatACampaignIsBilledBy(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	const campaign = `{"name": "c", "kind": "interest", "bid": {"cpm": "0", "max_cpm": "9"}, `
	for name, c := range map[string]struct {
		fields string
		at     string // the field that is wrong, "" for none
	}{
		"clicks":                       {`"billing": "cpc", "cpc": "1.25"`, ""},
		"impressions, with a goal":     {`"billing": "cpm", "goal": {"max_cpc": "1"}`, ""},
		"clicks without a price":       {`"billing": "cpc"`, "body.cpc"},
		"clicks at less than nothing":  {`"billing": "cpc", "cpc": "-1"`, "body.cpc"},
		"clicks that nobody can pay":   {`"billing": "cpc", "cpc": "10000.01"`, "body.cpc"},
		"impressions at a click price": {`"cpc": "1", "goal": {"max_cpc": "1"}`, "body.cpc"},
		"something else":               {`"billing": "cpa", "cpc": "1", "goal": {"max_cpc": "1"}`, "body.billing"},
	} {
		t.Run(name, func(t *testing.T) {
			a := b.call(key, "POST", path+"/campaigns", campaign+c.fields+"}")
			if c.at != "" {
				require.Equal(t, 422, a.code, a.body)
				assert.Contains(t, a.body, `"`+c.at+`"`)
				return
			}
			require.Equal(t, 201, a.code, a.body)
		})
	}
	a := b.call(key, "POST", path+"/campaigns", campaign+`"billing": "cpc", "cpc": "1.25"}`)
	var made Campaign
	a.into(t, &made)
	one := fmt.Sprintf("%s/campaigns/%d", path, made.ID)
	require.EqualValues(t, 1_250_000_000, made.ClickPrice())
	a = b.call(key, "PATCH", one, `{"bid": {"max_cpm": "0"}}`)
	require.Equal(t, 422, a.code, "no prediction may bid without a bound")
	require.Contains(t, a.body, `"body.bid.max_cpm"`)
	a = b.call(key, "PATCH", one, `{"billing": "cpm", "cpc": "0", "bid": {"cpm": "2"}}`)
	require.Equal(t, 200, a.code, a.body)
}
