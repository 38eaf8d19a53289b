package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Clients are connections to a bidder that are of no use to anybody.
type Clients struct {
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// SlowClients sends n requests at once, a byte in 50 ms each.
func SlowClients(addr string, n int) *Clients {
	return clients(addr, n, func(ctx context.Context, c net.Conn, _ *rand.Rand) {
		text := fmt.Sprintf("POST /openrtb2/demo HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", addr, len(probeBody), probeBody)
		for i := range len(text) {
			if _, err := c.Write([]byte(text[i : i+1])); err != nil {
				return
			}
			if !sleep(ctx, 50*time.Millisecond) {
				return
			}
		}
	})
}

// SilentClients opens n connections; each sends a part of a request, at most
// all but its last byte, and then nothing, nor does it read or close.
func SilentClients(addr string, n int, seed uint64) *Clients {
	return clientsSeeded(addr, n, seed, func(ctx context.Context, c net.Conn, rng *rand.Rand) {
		text := fmt.Sprintf("POST /openrtb2/demo HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", addr, len(probeBody), probeBody)
		_, _ = c.Write([]byte(text[:rng.IntN(len(text))]))
		<-ctx.Done()
	})
}

func clients(addr string, n int, do func(context.Context, net.Conn, *rand.Rand)) *Clients {
	return clientsSeeded(addr, n, 1, do)
}

func clientsSeeded(addr string, n int, seed uint64, do func(context.Context, net.Conn, *rand.Rand)) *Clients {
	ctx, stop := context.WithCancel(context.Background())
	c := &Clients{stop: stop}
	for i := range n {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		c.wg.Go(func() {
			for ctx.Err() == nil {
				d := net.Dialer{Timeout: time.Second}
				if conn, err := d.DialContext(ctx, "tcp", addr); err == nil {
					do(ctx, conn, rng)
					reset(conn)
				}
				sleep(ctx, 100*time.Millisecond)
			}
		})
	}
	return c
}

// Close drops all connections by reset.
func (c *Clients) Close() {
	c.stop()
	c.wg.Wait()
}

// sleep waits; false: ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
