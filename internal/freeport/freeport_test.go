package freeport

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoPortIsGivenTwice(t *testing.T) {
	seen := map[int]bool{}
	for range 500 {
		port, err := Loopback()
		require.NoError(t, err)
		require.False(t, seen[port])
		require.Less(t, port, 32_768, "the system gives it to outgoing connections")
		seen[port] = true
	}
}

func TestATakenPortIsNotGiven(t *testing.T) {
	port, err := Loopback()
	require.NoError(t, err)
	l, err := net.Listen("tcp", Addr(port))
	require.NoError(t, err)
	defer l.Close()
	given.Delete(port) // forgotten, it is still somebody's
	for range 2000 {
		got, err := Loopback()
		require.NoError(t, err)
		require.NotEqual(t, port, got)
	}
}

// What somebody else is to listen at is taken as what was given: a draw would
// find it once in twenty thousand.
func TestWhatIsTakenIsNotGiven(t *testing.T) {
	port, err := Loopback()
	require.NoError(t, err)
	given.Delete(port) // as in another process: the one that tells us of it
	Take("kafka.example", "localhost:name", "[::1]:70", Addr(port))
	for _, p := range []int{port, 70} {
		_, taken := given.Load(p)
		require.True(t, taken, "%d", p)
	}
	_, taken := given.Load(0)
	require.False(t, taken, "what is no address has no port")
}
