package load

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain lets the test's own binary be the reference servers.
func TestMain(m *testing.M) {
	if kind := os.Getenv("LOAD_TEST_SERVER"); kind != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			fmt.Printf("http://%s/\n", ln.Addr())
			err = ServeReference(ctx, ln, kind, 1500)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func bodies() [][]byte {
	return [][]byte{[]byte(`{"id":"1"}`), bytes.Repeat([]byte("x"), 3000), []byte(`{"id":"3"}`)}
}

// TestCompare measures the two references as processes of their own.
func TestCompare(t *testing.T) {
	var targets []Target
	for _, kind := range []string{KindEmpty, KindFixed} {
		p, err := Start(context.Background(), os.Args[0], []string{"LOAD_TEST_SERVER=" + kind})
		require.NoError(t, err)
		defer func() { require.NoError(t, p.Stop()) }()
		require.NoError(t, Pin(p.PID, 0))
		targets = append(targets, Target{Name: kind, URL: p.URL, PID: p.PID})
	}
	rows, err := Compare(context.Background(), Config{Targets: targets, Bodies: bodies(), Rounds: 2, Duration: 500 * time.Millisecond, Connections: 4})
	require.NoError(t, err)
	require.Len(t, rows, 2)
	for i, want := range []int{204, 200} {
		require.Len(t, rows[i].Status, 1)
		require.Equal(t, rows[i].Requests, rows[i].Status[want])
		require.Positive(t, rows[i].CPUPerRequest)
		require.Positive(t, rows[i].RSS)
		require.Zero(t, rows[i].Errors)
		require.Greater(t, rows[i].P999, time.Duration(0))
	}
	var out bytes.Buffer
	Print(&out, rows)
	require.Contains(t, out.String(), KindFixed)
	t.Logf("\n%s", out.String())
}

// TestBrokenServers: what is no HTTP, what hangs up, what is not there.
func TestBrokenServers(t *testing.T) {
	serve := func(answer string) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 100))
				_, _ = c.Write([]byte(answer))
				_ = c.Close()
			}
		}()
		t.Cleanup(func() { _ = ln.Close(); <-done })
		return "http://" + ln.Addr().String()
	}
	d := Drive{Bodies: bodies(), Duration: 300 * time.Millisecond, Connections: 1}
	for name, answer := range map[string]string{"not http": "hello\r\n\r\n......", "no length": "HTTP/1.1 200 OK\r\n\r\n", "bad length": "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"} {
		d.URL = serve(answer)
		_, err := d.Run(context.Background())
		require.ErrorIs(t, err, errAnswer, name)
	}
	d.URL = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	res, err := d.Run(context.Background())
	if err != nil { // or there was no time for so many
		require.ErrorContains(t, err, "ended in the middle", "who hangs up on everybody is given up")
	}
	require.Positive(t, res.Requests)
	require.Positive(t, res.Errors)
	for _, bad := range []Drive{{URL: "https://a.example", Bodies: bodies()}, {URL: "http://a.example"}} {
		_, err := bad.Run(context.Background())
		require.Error(t, err)
	}
	_, err = Compare(context.Background(), Config{})
	require.Error(t, err)
	_, err = ReadUsage(-1)
	require.Error(t, err)
	_, err = Start(context.Background(), "/bin/echo", nil, "hello")
	require.ErrorContains(t, err, "instead of its URL")
}

func TestFixedAnswer(t *testing.T) {
	require.Len(t, FixedAnswer(1500), 1500)
	require.Error(t, ServeReference(context.Background(), nil, "x", 0))
}
