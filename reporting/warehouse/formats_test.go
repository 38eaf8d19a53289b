package warehouse

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
)

func TestErrorInTheMiddleOfAResult(t *testing.T) {
	const sql = "SELECT number, throwIf(number = 3000000) FROM numbers(4000000) SETTINGS max_threads = 1"
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionGZIP} {
		t.Run(method.String(), func(t *testing.T) {
			conn := dialShared(t, func(o *clickhouse.Options) { o.Compression = &clickhouse.Compression{Method: method, Level: 1} })
			rows, err := conn.Query(t.Context(), sql)
			require.NoError(t, err)
			defer rows.Close()
			n := 0
			for rows.Next() {
				n++
			}
			require.Greater(t, n, 1000)
			require.ErrorContains(t, rows.Err(), "throwIf")
		})
	}
	t.Run("curl", func(t *testing.T) {
		r := ask(t, sql)
		require.Equal(t, http.StatusOK, r.status)
		require.Error(t, r.err, "the body must break off")
		require.Contains(t, r.body, "__exception__\r\n"+r.header.Get("X-ClickHouse-Exception-Tag")+"\r\nCode: 395. DB::Exception")
	})
	t.Run("waiting", func(t *testing.T) {
		r := ask(t, sql, "wait_end_of_query", "1")
		require.Equal(t, http.StatusInternalServerError, r.status)
		require.Equal(t, "395", r.header.Get("X-ClickHouse-Exception-Code"))
	})
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ format, want, contentType string }{
		{"TabSeparated", "0\ta\n1\ta\n", "text/tab-separated-values; charset=UTF-8"},
		{"TSVWithNames", "n\ts\n0\ta\n1\ta\n", "text/tab-separated-values; charset=UTF-8"},
		{"CSV", "0,\"a\"\n1,\"a\"\n", "text/csv; charset=UTF-8; header=absent"},
		{"CSVWithNames", "\"n\",\"s\"\n0,\"a\"\n1,\"a\"\n", "text/csv; charset=UTF-8; header=present"},
		{"JSONEachRow", "{\"n\":0,\"s\":\"a\"}\n{\"n\":1,\"s\":\"a\"}\n", "application/x-ndjson; charset=UTF-8"},
		{"JSONCompact", "\"rows\": 2", "application/json; charset=UTF-8"},
		{"JSON", "\"rows\": 2", "application/json; charset=UTF-8"},
		{"Pretty", "┃", "text/plain; charset=UTF-8"},
		{"PrettyCompactMonoBlock", "│ 1 │ a │", "text/plain; charset=UTF-8"},
		{"Values", "(0,'a'),(1,'a')", "text/plain; charset=UTF-8"},
		{"Parquet", "PAR1", "application/octet-stream"},
		{"XML", "<rows>2</rows>", "application/xml; charset=UTF-8"},
	} {
		t.Run(c.format, func(t *testing.T) {
			const sql = "SELECT number AS n, 'a' AS s FROM numbers(2)"
			r := ask(t, sql+" FORMAT "+c.format)
			require.Equal(t, http.StatusOK, r.status, r.body)
			require.Contains(t, r.body, c.want)
			require.Equal(t, c.contentType, r.header.Get("Content-Type"))
			require.Equal(t, c.format, r.header.Get("X-ClickHouse-Format"))
			require.Contains(t, must(t, sql, "default_format", c.format), c.want)
		})
	}
}

// A result of many blocks has one head, not one a block.
func TestStreamedHeads(t *testing.T) {
	const rows = 200_000
	for format, heads := range map[string]int{
		"TabSeparated": 0, "TabSeparatedWithNames": 1, "TSVWithNamesAndTypes": 2, "CSVWithNames": 1, "CSVWithNamesAndTypes": 2, "JSONEachRow": 0,
	} {
		t.Run(format, func(t *testing.T) {
			require.Equal(t, rows+heads, strings.Count(must(t, "SELECT number FROM numbers(200000) FORMAT "+format), "\n"))
		})
	}
	t.Run("RowBinaryWithNamesAndTypes", func(t *testing.T) {
		require.Len(t, must(t, "SELECT number FROM numbers(200000) FORMAT RowBinaryWithNamesAndTypes"), rows*8+1+7+7)
	})
}

func TestLargeResults(t *testing.T) {
	body := must(t, "SELECT number, repeat('x', 100) FROM numbers(1000000)") // 107 MB, more than MaxResultBytes
	require.Equal(t, 1_000_000, strings.Count(body, "\n"))
	r := ask(t, "SELECT number, repeat('x', 100) FROM numbers(1000000) FORMAT JSON", "max_memory_usage", "50000000")
	require.Equal(t, "241", r.header.Get("X-ClickHouse-Exception-Code"), r.body[:min(len(r.body), 300)])
	require.Equal(t, "0\t2\n\n0\t2\n", must(t, "SELECT number - number AS k, count() FROM numbers(2) GROUP BY k WITH TOTALS"), "totals are there")
}
