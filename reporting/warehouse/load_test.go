package warehouse

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// busy keeps a reading slot taken until the function it returns is called.
func busy(t *testing.T, mark string) (stop func()) {
	t.Helper()
	s := server(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.Addr()+"/",
			strings.NewReader("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1 AND '"+mark+"' != '' SETTINGS max_threads = 1"))
		if err != nil {
			return
		}
		req.SetBasicAuth(User, s.Password())
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	require.Eventually(t, func() bool { return running(t, mark) }, patience, 20*time.Millisecond)
	return func() { cancel(); <-ended }
}

// running asks through the write gate, which the readers do not hold.
func running(t *testing.T, mark string) bool {
	t.Helper()
	s := server(t)
	v := url.Values{"query": {"INSERT INTO FUNCTION null('n UInt64') SELECT throwIf(count() > 0, 'it runs') FROM system.processes WHERE query LIKE '%" + mark[:2] + "%" + mark[2:] + "%' AND query NOT LIKE '%throwIf%'"}}
	return strings.Contains(send(t, s.Addr(), s.Password(), v, "").body, "it runs")
}

func TestLongQueryHoldsUpNobody(t *testing.T) {
	stop := busy(t, "longquery")
	require.Equal(t, "1\n", must(t, "SELECT 1"))
	must(t, "CREATE TABLE meanwhile (a Int8) ENGINE = Memory")
	stop()
	require.Eventually(t, func() bool { return !running(t, "longquery") }, patience, 20*time.Millisecond, "a client that left takes its statement along")
}

func TestTooManyQueries(t *testing.T) {
	stopA := busy(t, "fullone")
	stopB := busy(t, "fulltwo")
	s := server(t)
	var wg sync.WaitGroup
	waiting := make(chan reply, 2)
	for range 2 { // both may wait
		wg.Go(func() { waiting <- send(t, s.Addr(), s.Password(), nil, "SELECT 1") })
	}
	require.Eventually(t, func() bool { return s.handler.readers.waiting.Load() == 2 }, patience, 10*time.Millisecond)
	r := ask(t, "SELECT 1")
	require.Equal(t, http.StatusServiceUnavailable, r.status)
	require.Equal(t, "202", r.header.Get("X-ClickHouse-Exception-Code"))
	require.Contains(t, r.body, "TOO_MANY_SIMULTANEOUS_QUERIES")
	stopA()
	stopB()
	wg.Wait()
	for range 2 {
		require.Equal(t, "1\n", (<-waiting).body)
	}
}
