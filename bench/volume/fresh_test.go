package volume

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/reporting/schema"
)

// Every event's row leads back to its number, and no other run's does.
func TestEventsAreToldApart(t *testing.T) {
	f := &fresh{cfg: FreshConfig{Rate: 10, Tag: 7}, seen: make([]int64, 100)}
	ids := map[string]bool{}
	for i := range f.seen {
		e := f.event(i)
		require.Equal(t, i, f.number(uuid.UUID(e.BidID), string(e.Type)))
		require.False(t, ids[e.EventID.String()], "an id twice")
		ids[e.EventID.String()] = true
	}
	e := f.event(3)
	require.Equal(t, -1, (&fresh{cfg: FreshConfig{Tag: 8}, seen: f.seen}).number(uuid.UUID(e.BidID), string(e.Type)))
	require.Equal(t, -1, f.number(uuid.UUID(e.BidID), "click"))
	e = f.event(1 << 40)
	require.Equal(t, -1, f.number(uuid.UUID(e.BidID), string(e.Type)))
}

// Delays count from when an event was due, not from when it was sent.
func TestDelaysCountFromWhenAnEventWasDue(t *testing.T) {
	f := &fresh{cfg: FreshConfig{Rate: 10}, seen: make([]int64, 100), sent: make([]int64, 100)}
	for i := range f.seen { // due every 100 ms, all read two seconds after the last was
		f.seen[i] = int64(12 * time.Second)
	}
	r := f.result()
	require.Equal(t, 100, r.Events)
	require.Equal(t, 12*time.Second, r.Max, "the first was due at once")
	require.InDelta(t, 7.1, r.P50.Seconds(), 1e-6)
	require.Equal(t, 12*time.Second, r.Took)
	require.Zero(t, quantile(nil, 0.5))
}

func TestFreshConfigSaysAllThatIsWrong(t *testing.T) {
	err := FreshConfig{ClickHouse: schema.Server{Addr: "nowhere"}, Kafka: kafka.Cluster{Replication: 1, MinInSync: 2}}.Validate()
	for _, part := range []string{"events a second", "a second to an hour", "brokers and a directory", "2 replicas in sync"} {
		require.ErrorContains(t, err, part)
	}
}

func TestGoals(t *testing.T) {
	for name, c := range map[string]struct {
		view   View
		missed bool
	}{
		"a roll-up in time":  {View{RollupsAnswer: true, Rolled: Took{Time: rollupGoal}}, false},
		"a roll-up too slow": {View{RollupsAnswer: true, Rolled: Took{Time: rollupGoal + 1}}, true},
		"a view in time":     {View{Rolled: Took{Time: viewGoal}}, false},
		"a view too slow":    {View{Rolled: Took{Time: viewGoal + 1}}, true},
	} {
		require.Equal(t, c.missed, c.view.missed(), name)
	}
}
