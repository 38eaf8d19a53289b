package warehouse

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// room bounds how long files the process may make, bytes; negative: any.
// Writes beyond it fail, as on a full disk.
func (p *process) room(t *testing.T, size int64) {
	t.Helper()
	var now unix.Rlimit
	require.NoError(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &now))
	if now.Cur = now.Max; size >= 0 {
		now.Cur = uint64(size)
	}
	require.NoError(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &now, nil))
}

// healthy holds all parts of a table against their checksums.
func (p *process) healthy(t *testing.T, table string) {
	t.Helper()
	r := p.ask(t, "CHECK TABLE "+table+" FORMAT TabSeparated SETTINGS check_query_single_value_result = 1")
	require.Equal(t, "1\n", r.body)
}

// An insert whose files a full disk cuts is refused, leaves nothing, and goes
// through under the same name when there is room.
func TestAFullDiskRefusesInserts(t *testing.T) {
	p := startProcess(t, t.TempDir())
	defer p.stop(t)
	ok := func(sql string) {
		t.Helper()
		r := p.ask(t, sql)
		require.Equal(t, http.StatusOK, r.status, r.body)
	}
	ok("CREATE TABLE full (a UInt64, b String) ENGINE = ReplacingMergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100")
	ok("CREATE TABLE noted (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100")
	ok("CREATE MATERIALIZED VIEW note TO noted AS SELECT count() AS n FROM full")
	insert := func(n int) string {
		return fmt.Sprintf("INSERT INTO full SELECT number + %d, toString(rand64()) FROM numbers(20000) SETTINGS insert_deduplication_token = 'batch %d', deduplicate_blocks_in_dependent_materialized_views = 1", n*20000, n)
	}
	ok(insert(0))
	for n := 1; n <= 3; n++ {
		p.room(t, 4096)
		r := p.ask(t, insert(n))
		require.NotEqual(t, http.StatusOK, r.status, "acknowledged with a cut file")
		require.Contains(t, r.body, "CANNOT_FSYNC")
		require.Equal(t, fmt.Sprintf("%d\n", n*20000), p.ask(t, "SELECT count() FROM full").body, "and nothing of it is there")
		p.room(t, -1)
		ok(insert(n))
		p.healthy(t, "full")
	}
	require.Equal(t, "80000\t80000\t80000\n", p.ask(t, "SELECT count(), uniqExact(a), (SELECT sum(n) FROM noted) FROM full").body)
}

// A merge that a full disk cuts is undone: its sources stay.
func TestAFullDiskUndoesMerges(t *testing.T) {
	p := startProcess(t, t.TempDir())
	defer p.stop(t)
	require.Equal(t, http.StatusOK, p.ask(t, "CREATE TABLE merged (a UInt64, b String) ENGINE = MergeTree ORDER BY a").status)
	for n := range 3 {
		r := p.ask(t, fmt.Sprintf("INSERT INTO merged SELECT number * 3 + %d, toString(rand64()) FROM numbers(20000)", n))
		require.Equal(t, http.StatusOK, r.status, r.body)
	}
	sum := "SELECT count(), sum(cityHash64(a, b)) FROM merged"
	before := p.ask(t, sum).body
	p.room(t, 4096)
	r := p.ask(t, "OPTIMIZE TABLE merged FINAL SETTINGS optimize_throw_if_noop = 1")
	require.NotEqual(t, http.StatusOK, r.status, "put in place with a cut file")
	require.Equal(t, before, p.ask(t, sum).body)
	p.room(t, -1)
	r = p.ask(t, "OPTIMIZE TABLE merged FINAL SETTINGS optimize_throw_if_noop = 1")
	require.Equal(t, http.StatusOK, r.status, r.body)
	p.healthy(t, "merged")
	require.Equal(t, before, p.ask(t, sum).body)
}

// What a statement keeps on disk and cannot write is an error, not a result
// that lacks rows.
func TestAFullDiskUnderAStatement(t *testing.T) {
	p := startProcess(t, t.TempDir())
	defer p.stop(t)
	spill := url.Values{"max_bytes_before_external_group_by": {"1"}, "max_bytes_ratio_before_external_group_by": {"0"}, "max_threads": {"1"}}
	const sql = "SELECT count() FROM (SELECT number % 300000 AS k, count() FROM numbers(600000) GROUP BY k)"
	require.Equal(t, "300000\n", send(t, p.addr, p.password, spill, sql).body)
	p.room(t, 4096)
	r := send(t, p.addr, p.password, spill, sql)
	require.NotEqual(t, http.StatusOK, r.status, r.body)
	p.room(t, -1)
	require.Equal(t, "300000\n", send(t, p.addr, p.password, spill, sql).body)
}
