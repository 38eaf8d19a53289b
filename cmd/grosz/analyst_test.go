package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/kafkatest"
)

// question is a worked question of docs/analyst.md.
type question struct {
	sql   string
	views []string // that it reads
}

var (
	readsView = regexp.MustCompile(`grosz\.(\w+)`)
	viewLine  = regexp.MustCompile("(?m)^\\| `grosz\\.(\\w+)` \\| [^|]+ \\| [^|]*, ")
)

// analystGuide reads the guide: its questions, and the views that it lists.
func analystGuide(t testing.TB) (asked []question, views []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/analyst.md")
	require.NoError(t, err)
	for i, block := range strings.Split(string(text), "```") {
		sql, ok := strings.CutPrefix(block, "sql\n")
		if i%2 == 0 || !ok {
			continue
		}
		q := question{sql: sql}
		for _, m := range readsView.FindAllStringSubmatch(sql, -1) {
			q.views = append(q.views, m[1])
		}
		asked = append(asked, q)
	}
	for _, m := range viewLine.FindAllStringSubmatch(string(text), -1) {
		views = append(views, m[1])
	}
	return asked, views
}

// TestEveryViewHasAQuestion holds the guide to its promise.
func TestEveryViewHasAQuestion(t *testing.T) {
	asked, views := analystGuide(t)
	require.Greater(t, len(views), 30)
	reads := map[string]bool{}
	for _, q := range asked {
		for _, v := range q.views {
			reads[v] = true
		}
	}
	for _, v := range views {
		require.True(t, reads[v], "docs/analyst.md has no worked question for grosz.%s", v)
	}
}

// mayBeEmpty says which questions a short and faultless demo may have no rows
// for, by what stands in them, and why.
func mayBeEmpty() map[string]string {
	return map[string]string{
		"HAVING off != 0":           "asks for what does not balance",
		"price_status NOT IN":       "every price could be read",
		"grosz.adjustments":         "no exchange's report was read",
		"grosz.invoices":            "no exchange's report was read",
		"grosz.conflicts":           "no notice came with another price",
		"grosz.rejections":          "no notice was refused",
		"grosz.dropped":             "no bid was dropped",
		"grosz.poison":              "every message could be read",
		"grosz.beyond_budget":       "no win was late",
		"grosz.cpc_margin":          "no campaign is billed by clicks",
		"grosz.conversions":         "the demo's shops sell, and name no other goal",
		"grosz.no_bids":             "every request was bid on",
		"grosz.lift_people":         "no campaign holds people out",
		"grosz.attributed_orders":   "orders come when they come",
		"grosz.attributions":        "orders come when they come",
		"grosz.order_places":        "orders come when they come",
		"grosz.video_plays":         "films play when they play",
		"grosz.cost_by_product":     "clicks on products come when they come",
		"grosz.cost_per_conversion": "orders come when they come",
	}
}

// analystAsks puts every question of the guide to the demo's warehouse: each is
// answered, and with rows, but where there may be nothing to tell.
func (s *stack) analystAsks() {
	s.t.Helper()
	asked, _ := analystGuide(s.t)
	for _, q := range asked {
		kafkatest.Eventually(s.t, "an answer to "+q.sql, func() error {
			var got struct {
				Data []map[string]any
				Rows int
			}
			if err := s.query(q.sql, &got); err != nil {
				return err
			}
			s.t.Logf("%d rows: %s", got.Rows, strings.SplitN(q.sql, "\n", 2)[0])
			if got.Rows > 0 {
				return nil
			}
			for part := range mayBeEmpty() {
				if strings.Contains(q.sql, part) {
					return nil
				}
			}
			return fmt.Errorf("no rows")
		})
	}
}
