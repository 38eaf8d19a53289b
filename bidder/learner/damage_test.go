package learner

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/bidder/value/learn"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/damagetest"
)

func TestAStateIsRefusedForAnyDamage(t *testing.T) {
	l, err := New(Config{Brokers: []string{"x"}, Clock: clock.NewManual(start), Log: quiet, Publish: func(context.Context, []value.Chunk) error { return nil },
		Trainer: learn.Config{GlobalBits: 8, ShopBits: 8}})
	require.NoError(t, err)
	l.next[events.TopicBids][0] = 7
	whole, err := l.encode()
	require.NoError(t, err)
	damagetest.Some(t, whole, 1+len(whole)/3000, func(what string, bad []byte) {
		require.Error(t, l.decode(bad), what)
	})
}
