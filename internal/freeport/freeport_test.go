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
