package ledger_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/ledger"
)

// What impressions cost the platform and what their clicks were billed is told
// by the days of the bids; a click that did not fit was billed to nobody, and
// a restored fold knows it all.
func TestClicksByDay(t *testing.T) {
	on := func(r *ledger.Record, day int32) *ledger.Record { r.Day = day; return r }
	f := ledger.New()
	apply(f, budget(ledger.Limits{Total: 900}),
		on(shown(), 1), on(clicked(400, 40), 1),
		on(shown(), 5), on(shown(), 5), on(clicked(400, 40), 5),
		on(clicked(400, 40), 5), // beyond the budget
		on(clicked(-400, -40), 5), on(shown(), 9))
	var b bytes.Buffer
	require.NoError(t, f.Snapshot(&b))
	again, err := ledger.Restore(&b)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		last, days    int32
		media, clicks money.Nano
	}{
		"all":           {9, 9, 400, 400},
		"the first day": {1, 7, 100, 400},
		"its end":       {7, 7, 300, 400},
		"just beyond":   {8, 7, 200, 0},
		"the last":      {9, 1, 100, 0},
		"nothing yet":   {0, 7, 0, 0},
	} {
		for kind, f := range map[string]*ledger.Fold{"": f, ", restored": again} {
			media, clicks := f.Clicks(7, c.last, c.days)
			assert.Equal(t, []money.Nano{c.media, c.clicks}, []money.Nano{media, clicks}, name+kind)
		}
	}
	media, clicks := f.Clicks(8, 9, 9)
	assert.Zero(t, media+clicks, "another campaign")
}
