package plan

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Nodes write an hour's count into the log; what is sent again, read again or
// read after a restart counts once, in whatever order.
func TestAnHourThatIsToldAgainCountsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, hours := rapid.IntRange(1, 4).Draw(t, "nodes"), rapid.IntRange(3, 6).Draw(t, "hours")
		d := NewDemand(1)
		want := make(map[int64]float64)
		var before []HourCount
		for h := range int64(hours) {
			var records []HourCount
			for n := range nodes {
				c := HourCount{fmt.Sprint("n", n), 0, monday + h*hourMS, rapid.Int64Range(1, 10_000).Draw(t, "count")}
				want[h] += float64(c.Count)
				for range rapid.IntRange(1, 3).Draw(t, "times") {
					records = append(records, c)
				}
				if rapid.Bool().Draw(t, "a part before it, from a run that was killed") {
					part := c
					part.Count = max(1, c.Count/2)
					records = append(records, part)
				}
			}
			records = append(records, before...) // read again from further back
			for _, c := range rapid.Permutation(records).Draw(t, "order") {
				d.Told(c)
			}
			before = records[:len(records)-len(before)]
			if rapid.Bool().Draw(t, "restart") {
				text, err := json.Marshal(d.State(0))
				require.NoError(t, err)
				var s DemandState
				require.NoError(t, json.Unmarshal(text, &s))
				d = NewDemand(1)
				d.Restore(0, s)
			}
		}
		d.Told(HourCount{"n0", 0, monday + int64(hours+openHours)*hourMS, 1}) // all of them are over
		s := d.State(0)
		for h, n := range want {
			require.Equal(t, float32(n), s.Week[floorDiv(monday+h*hourMS, hourMS)%weekHours], "hour %d", h)
		}
	})
}

func TestAnHourUnderWayOutlivesARestart(t *testing.T) {
	d := NewDemand(1)
	for at := int64(monday); at < monday+hourMS/2; at += 10_000 {
		d.Seen(0, at, 2)
	}
	again := NewDemand(1)
	again.Restore(0, d.State(0))
	var told []HourCount
	for at := int64(monday + hourMS/2); at < monday+hourMS+20_000; at += 10_000 {
		if c, ok := again.Seen(0, at, 2); ok {
			told = append(told, c)
		}
	}
	assert.Equal(t, []HourCount{{"", 0, monday, 720}}, told)
}

func TestAnHoursNodesAreBounded(t *testing.T) {
	d := NewDemand(1)
	for n := range 3 * maxNodes {
		d.Told(HourCount{fmt.Sprint(n), 0, monday, 1})
	}
	assert.Len(t, d.State(0).Open[0].Nodes, maxNodes)
}
