package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/events"
)

// flaky takes some messages and then says that it took none.
type flaky struct {
	mu    sync.Mutex
	calls int
	got   []string
}

func (f *flaky) WriteMessages(_ context.Context, msgs ...kafka.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	half := f.calls%2 == 1
	for i, m := range msgs {
		if half && i >= len(msgs)/2 {
			return errors.New("the connection broke")
		}
		if m.Topic != events.TopicEvents || string(m.Key) != string(events.ShopKey(7)) {
			return errors.New("another topic or key")
		}
		f.got = append(f.got, string(m.Value))
	}
	if half {
		return errors.New("the answer was lost")
	}
	return nil
}

func TestAccountRecordsGoOutInOrder(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer s.Close()
	w := &flaky{}
	r := NewRecords(s, w, quiet)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	for i := range 40 {
		require.NoError(t, s.Write(context.Background(), store.Actor{Name: "test"}, func(tx *store.Tx) error {
			return tx.RecordEvent(context.Background(), 7, fmt.Appendf(nil, "%03d", i))
		}))
	}
	require.Eventually(t, func() bool {
		n, err := s.AccountRecordsPending(context.Background())
		return err == nil && n == 0
	}, patience, 5e6)
	cancel()
	<-done
	first := map[string]bool{}
	var order []string
	for _, v := range w.got {
		if !first[v] {
			first[v] = true
			order = append(order, v)
		}
	}
	require.Len(t, order, 40, "none is lost")
	require.IsIncreasing(t, order, "in their order, repetitions aside")
	sent, failed := r.Stats()
	require.EqualValues(t, 40, sent)
	require.Positive(t, failed)
	var none *Records
	none.Run(ctx)
}
