package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
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
	rows, err := Compare(context.Background(), Config{Targets: targets, Bodies: bodies(), Rounds: 2, Duration: 500 * time.Millisecond, Connections: 4, Pipeline: 4})
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

// TestOpenLoopCountsStalls: a server that stops for a while shows in every
// request that was due meanwhile, not in one.
func TestOpenLoopCountsStalls(t *testing.T) {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 50 {
			time.Sleep(300 * time.Millisecond)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	res, err := Run(context.Background(), Drive{URL: srv.URL, Bodies: bodies(), Duration: 1200 * time.Millisecond, Connections: 1, Rate: 200})
	require.NoError(t, err)
	require.Zero(t, res.Errors)
	require.InDelta(t, 240, res.Requests, 40)
	late := 0
	for _, b := range res.Latency.Distribution() {
		if b.From > int64(50*time.Millisecond) {
			late += int(b.Count)
		}
	}
	require.Greater(t, late, 20)
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
		_, err := Run(context.Background(), d)
		require.ErrorIs(t, err, errAnswer, name)
	}
	for name, rate := range map[string]float64{"closed": 0, "open": 100} {
		d.URL, d.Rate = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), rate
		res, err := Run(context.Background(), d)
		require.NoError(t, err, name)
		require.Positive(t, res.Requests, name)
		require.Positive(t, res.Errors, name)
	}
	for _, bad := range []Drive{{URL: "https://a.example", Bodies: bodies()}, {URL: "http://a.example"}} {
		_, err := Run(context.Background(), bad)
		require.Error(t, err)
	}
	_, err := Compare(context.Background(), Config{})
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

func FuzzRead(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	f.Add("HTTP/1.1 204 No Content\r\n\r\n")
	f.Add("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		c := &conn{r: bufio.NewReader(strings.NewReader(s))}
		status, size, err := c.read()
		if err == nil && (size < 0 || status < -1 || size > len(s)) {
			t.Fatalf("%q: status %d size %d", s, status, size)
		}
	})
}
