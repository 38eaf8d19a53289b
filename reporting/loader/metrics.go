package loader

import (
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// topicMetrics are one topic's.
type topicMetrics struct {
	set                                     *metrics.Set
	fetched, messages, poison               *metrics.Counter
	fetchErrors, insertErrors, commitErrors *metrics.Counter
	insertSeconds                           *metrics.Histogram
}

func newTopicMetrics(set *metrics.Set, topic string) *topicMetrics {
	name := func(n string) string { return fmt.Sprintf(`grosz_loader_%s{topic=%q}`, n, topic) }
	return &topicMetrics{
		set:           set,
		fetched:       set.NewCounter(name("fetched_total")),
		messages:      set.NewCounter(name("messages_total")),
		poison:        set.NewCounter(name("poison_lines_total")),
		fetchErrors:   set.NewCounter(name("fetch_errors_total")),
		insertErrors:  set.NewCounter(name("insert_errors_total")),
		commitErrors:  set.NewCounter(name("commit_errors_total")),
		insertSeconds: set.NewHistogram(name("insert_duration_seconds")),
	}
}

func (m *topicMetrics) inserted(res result, messages int, took time.Duration) {
	m.messages.Add(messages)
	m.poison.Add(res.poison)
	m.insertSeconds.Update(took.Seconds())
	for table, n := range res.rows {
		m.set.GetOrCreateCounter(fmt.Sprintf(`grosz_loader_rows_total{table=%q}`, table)).Add(n)
	}
}
