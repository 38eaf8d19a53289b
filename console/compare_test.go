package console

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/report"
)

func TestBeforeAfter(t *testing.T) {
	side := func(spend string, orders uint64) report.Side {
		return report.Side{Spend: spend, Orders: orders, Revenue: "0"}
	}
	at := int64(testNow - 2*hourMS)
	for name, c := range map[string]struct {
		before, after report.Side
		verdict       string
	}{
		"nothing yet":       {side("0", 0), side("0", 0), verdictUnclear},
		"a little cheaper":  {side("100", 10), side("90", 10), verdictUnclear},
		"surely cheaper":    {side("1000", 50), side("500", 60), verdictLower},
		"surely dearer":     {side("500", 60), side("1000", 50), verdictHigher},
		"no orders any way": {side("5", 0), side("5", 0), verdictUnclear},
	} {
		t.Run(name, func(t *testing.T) {
			reports := &fakeReports{sides: []report.Side{c.before, c.after}}
			b := start(t, func(_ *Config, d *Deps) { d.Reports = reports })
			path, key := b.shop()
			var out Comparison
			b.call(key, "GET", fmt.Sprintf("%s/report/before-after?at=%d&campaign=3&by=domain&key=a.example", path, at), "").into(t, &out)
			require.Equal(t, c.verdict, out.Verdict)
			require.Equal(t, report.Moment{
				Shop: 1, Campaign: 3, By: "domain", Key: "a.example", Zone: "Europe/Warsaw", From: at - compareHours*hourMS, At: at, To: testNow + 1,
			}, reports.moment)
			require.Equal(t, c.before.Orders == 0, out.Before.CostPerOrder == nil)
			require.Equal(t, at, out.Before.To)
			require.Equal(t, at, out.After.From)
		})
	}
	reports := &fakeReports{}
	b := start(t, func(_ *Config, d *Deps) { d.Reports = reports })
	path, key := b.shop()
	for name, query := range map[string]string{
		"tomorrow":           fmt.Sprintf("at=%d", testNow+hourMS),
		"too long ago":       fmt.Sprintf("at=%d", testNow-(maxCompare+1)*hourMS),
		"no moment":          "hours=2",
		"a key of nothing":   fmt.Sprintf("at=%d&key=a.example", at),
		"nothing of a part":  fmt.Sprintf("at=%d&by=domain", at),
		"an unknown one":     fmt.Sprintf("at=%d&by=user&key=1", at),
		"more than 90 days":  fmt.Sprintf("at=%d&hours=2161", at),
		"a negative instant": "at=-1",
	} {
		require.Equal(t, 422, b.call(key, "GET", path+"/report/before-after?"+query, "").code, name)
	}
	require.Zero(t, reports.shop, "nothing was asked for")
	reports.err = io.ErrUnexpectedEOF
	require.Equal(t, 503, b.call(key, "GET", fmt.Sprintf("%s/report/before-after?at=%d", path, at), "").code)
}

func TestChangesOfOneCampaign(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	b.campaign(path, key)
	b.campaign(path, key)
	require.Equal(t, 200, b.call(key, "PATCH", path+"/campaigns/2", `{"name": "other"}`).code)
	var out struct{ Items []Change }
	b.call(key, "GET", path+"/changes?subject=campaign/2", "").into(t, &out)
	require.Len(t, out.Items, 2)
	for _, c := range out.Items {
		require.Equal(t, "campaign/2", c.Subject)
	}
	b.call(key, "GET", path+"/changes?subject=campaign/99", "").into(t, &out)
	require.Empty(t, out.Items)
}
