package money

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFee(t *testing.T) {
	for name, c := range map[string]struct {
		fee  Fee
		net  Nano
		want Nano
		ok   bool
	}{
		"none":             {Fee{}, 1000, 0, true},
		"a share":          {Fee{BPS: 1250}, 8000, 1000, true},
		"half to even":     {Fee{BPS: 5000}, 3, 2, true},
		"a CPM":            {Fee{CPM: 2 * CPMUnit}, 8000, 2_000_000, true},
		"a CPM of nothing": {Fee{CPM: 7}, 0, 7, true},
		"both":             {Fee{BPS: 1, CPM: 1}, 0, 1, false},
		"negative":         {Fee{BPS: -1}, 0, 0, false},
		"too high":         {Fee{CPM: MaxFeeCPM + 1}, 0, MaxFeeCPM.PerImpression() + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, c.fee.Of(c.net))
			if c.ok {
				assert.NoError(t, c.fee.Check())
			} else {
				assert.ErrorIs(t, c.fee.Check(), ErrFee)
			}
		})
	}
}
