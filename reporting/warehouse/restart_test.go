package warehouse

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A nil dereference must stay a Go panic beside the engine.
func TestGoPanicsSurviveTheEngine(t *testing.T) {
	must(t, "SELECT 1")
	require.Panics(t, func() {
		var p *Server
		_ = p.password
	})
}

func TestKill9KeepsWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acknowledged := 0
	for round := range 3 {
		p := startProcess(t, dir)
		if round == 0 {
			require.Equal(t, http.StatusOK, p.ask(t, "CREATE TABLE kept (a UInt64, b String) ENGINE = MergeTree ORDER BY a").status)
			require.Equal(t, http.StatusOK, p.ask(t, "CREATE TABLE counted (n UInt64) ENGINE = SummingMergeTree ORDER BY tuple()").status)
			require.Equal(t, http.StatusOK, p.ask(t, "CREATE MATERIALIZED VIEW count_kept TO counted AS SELECT count() AS n FROM kept").status)
		}
		// Whole inserts only, and no more than were begun: the last may be there or not.
		r := p.ask(t, "SELECT count(), uniqExact(a), (SELECT sum(n) FROM counted) FROM kept")
		require.Equal(t, http.StatusOK, r.status, r.body)
		if round > 0 {
			var n, distinct, viewed int
			_, err := fmt.Sscan(r.body, &n, &distinct, &viewed)
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, acknowledged)
			require.LessOrEqual(t, n, acknowledged+1000)
			require.Equal(t, n, distinct)
			require.GreaterOrEqual(t, viewed, acknowledged)
			acknowledged = n
		}
		for range 5 {
			r := p.ask(t, fmt.Sprintf("INSERT INTO kept SELECT number + %d, toString(number) FROM numbers(1000)", acknowledged))
			require.Equal(t, http.StatusOK, r.status, r.body)
			acknowledged += 1000
		}
		ended := make(chan struct{})
		go func() { // one insert is on its way when it dies
			defer close(ended)
			v := url.Values{"password": {p.password}, "query": {fmt.Sprintf("INSERT INTO kept SELECT number + %d, toString(number) FROM numbers(1000)", acknowledged)}}
			if res, err := http.Post("http://"+p.addr+"/?"+v.Encode(), "text/plain", http.NoBody); err == nil {
				_ = res.Body.Close()
			}
		}()
		time.Sleep(time.Duration(round) * 3 * time.Millisecond) // another moment each time
		p.kill(t)
		<-ended
	}
}

func TestRestartKeepsData(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	require.Equal(t, http.StatusOK, p.ask(t, "CREATE DATABASE grosz").status)
	require.Equal(t, http.StatusOK, p.ask(t, "CREATE TABLE grosz.t (a UInt64) ENGINE = MergeTree ORDER BY a").status)
	require.Equal(t, http.StatusOK, p.ask(t, "INSERT INTO grosz.t SELECT number FROM numbers(1000)").status)
	first := p.password
	p.stop(t)
	p = startProcess(t, dir)
	require.Equal(t, first, p.password)
	require.Equal(t, "1000\n", p.ask(t, "SELECT count() FROM grosz.t").body)

	// A statement that would run for hours is cancelled, and its client told so.
	ended := make(chan reply, 1)
	go func() {
		ended <- p.ask(t, "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1 SETTINGS max_threads = 1")
	}()
	require.Eventually(t, func() bool {
		return p.ask(t, "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64(number) = 1 S%'").body == "2\n"
	}, patience, 20*time.Millisecond)
	p.stop(t)
	require.Equal(t, "394", (<-ended).header.Get("X-ClickHouse-Exception-Code"))
}
