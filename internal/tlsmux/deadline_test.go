package tlsmux

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// timers is a connection that notes how its timers are set.
type timers struct {
	net.Conn
	reads, writes []time.Time
}

func (t *timers) Read(b []byte) (int, error)          { return len(b), nil }
func (t *timers) Write(b []byte) (int, error)         { return len(b), nil }
func (t *timers) SetReadDeadline(at time.Time) error  { t.reads = append(t.reads, at); return nil }
func (t *timers) SetWriteDeadline(at time.Time) error { t.writes = append(t.writes, at); return nil }

func TestTimersOfABusyConnectionStandStill(t *testing.T) {
	raw := &timers{}
	c := &lazy{Conn: raw}
	start := time.Now()
	for range 1_000 { // as fasthttp does
		require.NoError(t, c.SetReadDeadline(time.Now().Add(2*time.Minute)))
		_, err := c.Read(make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(10*time.Second)))
		_, err = c.Write(make([]byte, 1))
		require.NoError(t, err)
	}
	most := 1 + int(time.Since(start)/deadlineSlack)
	assert.LessOrEqual(t, len(raw.reads), most)
	assert.LessOrEqual(t, len(raw.writes), most)
}

func TestDeadlinesHoldFromTheNextUseOn(t *testing.T) {
	near := func(t *testing.T, want, got time.Time) {
		t.Helper()
		assert.False(t, got.Before(want), "never early")
		assert.False(t, got.After(want.Add(deadlineSlack)), "%s late", got.Sub(want))
	}
	raw := &timers{}
	c := &lazy{Conn: raw}
	idle, whole := time.Now().Add(2*time.Minute), time.Now().Add(10*time.Second)
	require.NoError(t, c.SetReadDeadline(idle))
	_, err := c.Read(make([]byte, 1))
	require.NoError(t, err)
	near(t, idle, raw.reads[0])
	require.NoError(t, c.SetReadDeadline(whole))
	require.Len(t, raw.reads, 1)
	_, err = c.Read(make([]byte, 1)) // the rest of a request that drips
	require.NoError(t, err)
	require.Len(t, raw.reads, 2)
	near(t, whole, raw.reads[1])
	_, err = c.Write(make([]byte, 1))
	require.NoError(t, err)
	assert.Empty(t, raw.writes, "none was asked for")

	require.NoError(t, c.SetDeadline(time.Time{}))
	assert.True(t, raw.reads[2].IsZero(), "none, at once")
	assert.True(t, raw.writes[0].IsZero())
	_, err = c.Read(make([]byte, 1))
	require.NoError(t, err)
	assert.Len(t, raw.reads, 3)
}

func TestADeadlineOfThePastEndsAReadAtOnce(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	c := &lazy{Conn: here}
	defer c.Close()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	done := make(chan error, 1)
	go func() { _, err := c.Read(make([]byte, 1)); done <- err }()
	for range 100 {
		require.NoError(t, c.SetReadDeadline(time.Unix(1, 0)))
		select {
		case err := <-done:
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			return
		case <-time.After(50 * time.Millisecond): // the read may not have begun, and armed its own
		}
	}
	t.Fatal("a read does not end")
}
