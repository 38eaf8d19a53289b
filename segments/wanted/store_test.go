package wanted

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grosz/grosz/events"
)

const now = int64(1_800_000_000_000)

func user(i int) (u events.ID) { return events.NamedID(1, "user", fmt.Sprint(i)) }

func said(u events.ID, text string, strength, received, expires int64) *events.Wanted {
	return &events.Wanted{UID: u, Partner: "p", Licence: "l", Consent: "c", Text: text, Strength: strength, ReceivedMS: received, ExpiresMS: expires}
}

func texts(s *Store, u events.ID, at int64) (out []string) {
	for _, n := range s.Lookup(u, at, nil) {
		out = append(out, fmt.Sprint(n.Text, n.Strength))
	}
	return out
}

func TestSignalsComeGoAndExpire(t *testing.T) {
	s, u := New(0), user(1)
	assert.True(t, s.Apply(said(u, "sofa", 500, now, now+60_000), now))
	assert.True(t, s.Apply(said(u, "sofa", 900, now+1000, now+90_000), now), "newer of the same")
	assert.False(t, s.Apply(said(u, "sofa", 100, now-5000, now+90_000), now), "older of the same")
	assert.False(t, s.Apply(said(u, "fotel", 900, now, now), now), "expired")
	assert.True(t, s.Apply(said(u, "lampa", 300, now, now+5000), now))
	assert.ElementsMatch(t, []string{"sofa900", "lampa300"}, texts(s, u, now))
	assert.Equal(t, []string{"sofa900"}, texts(s, u, now+6000))
	for i := range uint32(shards) {
		s.Sweep(i, now+6000)
	}
	assert.EqualValues(t, 1, s.Stats().Expired)
	assert.Empty(t, texts(s, user(2), now))
}

func TestOnePersonIsBounded(t *testing.T) {
	s, u := New(0), user(1)
	for i := range 3 * MaxSignals {
		s.Apply(said(u, fmt.Sprint("t", i), int64(100+i), now, now+60_000), now)
	}
	got := texts(s, u, now)
	assert.Len(t, got, MaxSignals)
	assert.Contains(t, got, fmt.Sprintf("t%d%d", 3*MaxSignals-1, 100+3*MaxSignals-1), "the strongest stays")
}

func TestPeopleAreBounded(t *testing.T) {
	s := New(shards * 4)
	for i := range 5000 {
		s.Apply(said(user(i), "sofa", 500, now, now+int64(i)*1000+1000), now)
	}
	st := s.Stats()
	assert.LessOrEqual(t, st.Users, st.MaxUsers)
	assert.GreaterOrEqual(t, st.Evicted, uint64(5000-st.MaxUsers))
}

func TestErase(t *testing.T) {
	s, u := New(0), user(1)
	s.Apply(said(u, "sofa", 500, now, now+60_000), now)
	s.Apply(said(u, "lampa", 500, now+10_000, now+60_000), now)
	assert.Equal(t, 1, s.Erase(u, now+5000))
	assert.Equal(t, []string{"lampa500"}, texts(s, u, now))
	s.Apply(said(user(2), "sofa", 500, now, now+60_000), now)
	assert.Equal(t, 1, s.EraseWhere(func(x events.ID) int64 {
		if x == u {
			return now + 20_000
		}
		return -1
	}))
	assert.Empty(t, texts(s, u, now))
	assert.Len(t, texts(s, user(2), now), 1)
}

func TestLookupAllocatesNothing(t *testing.T) {
	s, u := New(0), user(1)
	s.Apply(said(u, "sofa", 500, now, now+60_000), now)
	dst := make([]Signal, 0, MaxSignals)
	assert.Zero(t, testing.AllocsPerRun(100, func() { dst = s.Lookup(u, now, dst) }))
}
