package warehouse

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

const eventColumns = `(
	shop LowCardinality(String), at DateTime64(3, 'UTC'), day Date, id UUID, bid FixedString(16),
	kind UInt8, width UInt16, height UInt32, price UInt64, delta Int64, spend Decimal(38, 9),
	segments Array(UInt32), deal Nullable(String), extra Map(String, String), score Float64, ok Bool)`

type event struct {
	Shop     string            `ch:"shop"`
	At       time.Time         `ch:"at"`
	Day      time.Time         `ch:"day"`
	ID       uuid.UUID         `ch:"id"`
	Bid      string            `ch:"bid"`
	Kind     uint8             `ch:"kind"`
	Width    uint16            `ch:"width"`
	Height   uint32            `ch:"height"`
	Price    uint64            `ch:"price"`
	Delta    int64             `ch:"delta"`
	Spend    decimal.Decimal   `ch:"spend"`
	Segments []uint32          `ch:"segments"`
	Deal     *string           `ch:"deal"`
	Extra    map[string]string `ch:"extra"`
	Score    float64           `ch:"score"`
	OK       bool              `ch:"ok"`
}

func makeEvent(i int) event {
	at := time.UnixMilli(1_760_000_000_000 + int64(i)).UTC()
	e := event{
		Shop: fmt.Sprint("shop", i%7), At: at, Day: at.Truncate(24 * time.Hour), ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)),
		Bid: fmt.Sprintf("%016d", i), Kind: uint8(i), Width: uint16(i), Height: uint32(i), Price: ^uint64(0) - uint64(i), Delta: -int64(i),
		Spend: decimal.New(int64(i)*1_000_000_001, -9), Segments: []uint32{uint32(i), 10}, // 10 is a line end in Native
		Extra: map[string]string{"k": "a'\n\\" + fmt.Sprint(i)}, Score: float64(i) / 3, OK: i%2 == 0,
	}
	if i%3 == 0 {
		e.Deal = &e.Shop
	}
	return e
}

func TestEventsThroughClickHouseGo(t *testing.T) {
	const rows = 100_000
	for _, c := range []struct {
		name   string
		change func(*clickhouse.Options)
	}{
		{"plain", func(*clickhouse.Options) {}},
		{"lz4", func(o *clickhouse.Options) {
			o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
		}},
		{"zstd", func(o *clickhouse.Options) {
			o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionZSTD, Level: 1}
		}},
		{"gzip", func(o *clickhouse.Options) {
			o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionGZIP, Level: 1}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			conn := dialShared(t, c.change)
			table := "events_" + c.name
			require.NoError(t, conn.Exec(ctx, "CREATE TABLE "+table+eventColumns+" ENGINE = MergeTree ORDER BY (shop, at)"))
			batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+table)
			require.NoError(t, err)
			for i := range rows {
				e := makeEvent(i)
				require.NoError(t, batch.AppendStruct(&e))
			}
			require.NoError(t, batch.Send())

			var n uint64
			var spend decimal.Decimal
			require.NoError(t, conn.QueryRow(ctx, "SELECT count(), sum(spend) FROM "+table).Scan(&n, &spend))
			require.EqualValues(t, rows, n)
			require.True(t, decimal.New(1_000_000_001, -9).Mul(decimal.NewFromInt(rows*(rows-1)/2)).Equal(spend), spend)

			result, err := conn.Query(ctx, "SELECT * FROM "+table+" ORDER BY at")
			require.NoError(t, err)
			defer result.Close()
			i := 0
			for ; result.Next(); i++ {
				var got event
				require.NoError(t, result.ScanStruct(&got))
				want := makeEvent(i)
				require.True(t, want.Spend.Equal(got.Spend))
				got.Spend, got.At, got.Day = want.Spend, got.At.UTC(), got.Day.UTC()
				if !reflect.DeepEqual(want, got) {
					require.Equal(t, want, got)
				}
			}
			require.NoError(t, result.Err())
			require.Equal(t, rows, i)
		})
	}
}

func TestQueriesThroughClickHouseGo(t *testing.T) {
	ctx := t.Context()
	conn := dialShared(t)
	require.NoError(t, conn.Ping(ctx))
	version, err := conn.ServerVersion()
	require.NoError(t, err)
	require.EqualValues(t, 26, version.Version.Major)

	var sum uint64
	var name string
	require.NoError(t, conn.QueryRow(ctx, "SELECT {n:UInt64} + 1, {s:String}",
		clickhouse.Named("n", "41"), clickhouse.Named("s", "it's; a \"name\"")).Scan(&sum, &name))
	require.EqualValues(t, 42, sum)
	require.Equal(t, "it's; a \"name\"", name)
	require.NoError(t, conn.QueryRow(ctx, "SELECT ?", "it's").Scan(&name))
	require.Equal(t, "it's", name)

	withSettings := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1, "log_comment": "it's \\ mine"}))
	var threads, comment string
	require.NoError(t, conn.QueryRow(withSettings, "SELECT toString(getSetting('max_threads')), getSetting('log_comment')").Scan(&threads, &comment))
	require.Equal(t, "1", threads)
	require.Equal(t, "it's \\ mine", comment)

	empty, err := conn.Query(ctx, "SELECT number FROM numbers(10) WHERE number > 100")
	require.NoError(t, err)
	require.False(t, empty.Next())
	require.NoError(t, empty.Err())

	var exception *clickhouse.Exception
	err = conn.Exec(ctx, "SELECT * FROM no_such_table")
	require.ErrorAs(t, err, &exception)
	require.EqualValues(t, 60, exception.Code)
	err = conn.Exec(ctx, "SELECT 1 SETTINGS no_such_setting = 1")
	require.ErrorAs(t, err, &exception)
	require.EqualValues(t, 115, exception.Code)
}

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
		r := ask(t, sql+", max_result_bytes = 0", "wait_end_of_query", "1")
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
	r := ask(t, "SELECT number, repeat('x', 100) FROM numbers(1000000) FORMAT JSON")
	require.Equal(t, "396", r.header.Get("X-ClickHouse-Exception-Code"), r.body[:min(len(r.body), 300)])
	require.Equal(t, "0\t2\n\n0\t2\n", must(t, "SELECT number - number AS k, count() FROM numbers(2) GROUP BY k WITH TOTALS"), "totals are there")
}

func TestHeaders(t *testing.T) {
	r := ask(t, "SELECT count() FROM numbers(1000)", "query_id", "mine")
	require.Equal(t, "mine", r.header.Get("X-ClickHouse-Query-Id"))
	require.Equal(t, "UTC", r.header.Get("X-ClickHouse-Timezone"))
	require.NotEmpty(t, r.header.Get("X-ClickHouse-Server-Display-Name"))
	require.Contains(t, r.header.Get("X-ClickHouse-Summary"), `"read_rows":"1000"`)

	r = ask(t, "SELECT * FROM nowhere")
	require.Equal(t, http.StatusNotFound, r.status)
	require.Equal(t, "60", r.header.Get("X-ClickHouse-Exception-Code"))
	require.Regexp(t, `^Code: 60\. DB::Exception: .*nowhere.* \(UNKNOWN_TABLE\) \(version 26\.`, r.body)
	r = ask(t, "SELEC 1")
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Contains(t, r.body, "Code: 62. DB::Exception: Syntax error")
}

func TestPasswords(t *testing.T) {
	s := server(t)
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	set := func(pairs ...string) func(*http.Request) {
		return func(r *http.Request) {
			for i := 0; i < len(pairs); i += 2 {
				r.Header.Set(pairs[i], pairs[i+1])
			}
		}
	}
	for _, c := range []struct {
		name, path string
		with       func(*http.Request)
		want       int
	}{
		{"none", "/?query=SELECT+1", set(), http.StatusForbidden},
		{"wrong", "/?query=SELECT+1", basic(User, "wrong"), http.StatusForbidden},
		{"other user", "/?query=SELECT+1", basic("admin", s.Password()), http.StatusForbidden},
		{"basic", "/?query=SELECT+1", basic(User, s.Password()), http.StatusOK},
		{"headers", "/?query=SELECT+1", set("X-ClickHouse-User", User, "X-ClickHouse-Key", s.Password()), http.StatusOK},
		{"key alone", "/?query=SELECT+1", set("X-ClickHouse-Key", s.Password()), http.StatusOK},
		{"in the URL", "/?query=SELECT+1&user=default&password=" + s.Password(), set(), http.StatusOK},
		{"ping", "/ping", set(), http.StatusOK},
		{"root", "/", set(), http.StatusOK},
		{"other path", "/play", basic(User, s.Password()), http.StatusNotFound},
		{"GET may not write", "/?query=CREATE+TABLE+get_t(a+Int8)ENGINE=Memory", basic(User, s.Password()), http.StatusInternalServerError},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+c.path, http.NoBody)
			require.NoError(t, err)
			c.with(req)
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer res.Body.Close()
			require.Equal(t, c.want, res.StatusCode)
			if c.want == http.StatusForbidden {
				require.Equal(t, "516", res.Header.Get("X-ClickHouse-Exception-Code"))
			}
		})
	}
	info, err := os.Stat(PasswordFile(shared.dir))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Len(t, s.Password(), 64)
}

// What reaches the host is refused. Every path here is a decoy in a folder of the
// test's own, which must stay as it is.
func TestHostIsOutOfReach(t *testing.T) {
	dir := t.TempDir()
	decoy := filepath.Join(dir, "decoy.txt")
	require.NoError(t, os.WriteFile(decoy, []byte("secret\n"), 0o600))
	out := filepath.Join(dir, "out.txt")
	must(t, "CREATE TABLE reach (a String) ENGINE = MergeTree ORDER BY a")
	for _, c := range []struct{ name, sql string }{
		{"file table", "SELECT * FROM file('<DECOY>', 'LineAsString')"},
		{"file table by name", "SELECT * FROM `<DECOY>`"},
		{"file function", "SELECT file('<DECOY>')"},
		{"file function escaped", "SELECT `fi\\x6ce`('<DECOY>')"},
		{"file function inserted", "INSERT INTO reach VALUES (file('<DECOY>'))"},
		{"outfile", "SELECT 1 INTO OUTFILE '<OUT>'"},
		{"infile", "INSERT INTO reach FROM INFILE '<DECOY>' FORMAT LineAsString"},
		{"insert into file", "INSERT INTO FUNCTION file('<OUT>', 'TSV', 'a String') VALUES ('x')"},
		{"file engine", "CREATE TABLE f (a String) ENGINE = File(TSV, '<DECOY>')"},
		{"filesystem database", "CREATE DATABASE f ENGINE = Filesystem('<DIR>')"},
		{"attach", "ATTACH TABLE f FROM '<DIR>' (a String) ENGINE = MergeTree ORDER BY a"},
		{"disk", "CREATE TABLE f (a String) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'local', path = '<DIR>/')"},
		{"backup", "BACKUP TABLE reach TO File('<OUT>')"},
		{"template file", "SELECT 1 FORMAT Template SETTINGS format_template_resultset = '<DECOY>'"},
		{"schema file", "SELECT 1 FORMAT Protobuf SETTINGS format_schema = '<DECOY>:X'"},
		{"other parser", "SELECT 1 SETTINGS dialect = 'kusto'"},
		{"url", "SELECT * FROM url('http://127.0.0.1:1/', 'TSV', 'a String')"},
		{"url engine", "CREATE TABLE f (a String) ENGINE = URL('http://127.0.0.1:1/', 'TSV')"},
		{"s3", "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'TSV', 'a String')"},
		{"remote", "SELECT * FROM remote('127.0.0.1:1', 'system', 'one')"},
		{"mysql", "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')"},
		{"postgresql", "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')"},
		{"mongodb", "SELECT * FROM mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'a String')"},
		{"hdfs", "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'TSV', 'a String')"},
		{"sqlite", "SELECT * FROM sqlite('<DECOY>', 't')"},
		{"kafka", "CREATE TABLE f (a String) ENGINE = Kafka('127.0.0.1:1', 't', 'g', 'TSV')"},
		{"dictionary", "CREATE DICTIONARY f (a UInt64, b String) PRIMARY KEY a SOURCE(FILE(path '<DECOY>' format 'TSV')) LAYOUT(FLAT()) LIFETIME(1)"},
		{"shutdown", "SYSTEM SHUTDOWN"},
		{"kill", "SYSTEM KILL"},
		{"user", "CREATE USER x"},
		{"more rights", "GRANT ALL ON *.* TO default"},
		{"more memory", "SELECT 1 SETTINGS max_memory_usage = 1000000000000"},
		{"boundless memory", "SELECT 1 SETTINGS max_memory_usage = 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ask(t, strings.NewReplacer("<DECOY>", decoy, "<OUT>", out, "<DIR>", dir).Replace(c.sql))
			require.Contains(t, []string{"497", "452"}, r.header.Get("X-ClickHouse-Exception-Code"), r.body)
			require.NotContains(t, r.body, "secret")
		})
	}
	t.Run("executable", func(t *testing.T) {
		r := ask(t, "SELECT * FROM executable('x.sh', 'TSV', 'a String')")
		require.NotEqual(t, http.StatusOK, r.status)
	})
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "0\n", must(t, "SELECT count() FROM reach"))
}

func TestInserts(t *testing.T) {
	must(t, "CREATE TABLE ins (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
	for i, c := range []struct{ name, query, body string }{
		{"all in the body", "", "INSERT INTO ins FORMAT JSONEachRow\n{\"a\":0,\"b\":\"x;\\n'\"}\n{\"a\":0,\"b\":\"y\"}"},
		{"data in the body", "INSERT INTO ins FORMAT JSONEachRow", "{\"a\":1,\"b\":\"x\"}\n{\"a\":1,\"b\":\"y\"}\n"},
		{"columns", "INSERT INTO ins (b, a) FORMAT CSV ", "\"x\n;\",2\n\"y\",2\n"},
		{"values in the body", "INSERT INTO ins VALUES", "(3,'x;'),(3,'y')"},
		{"values in the query", "INSERT INTO ins VALUES (4,'x'),(4,'y')", ""},
		{"half a statement", "INSERT INTO ins", "FORMAT TSV\n5\tx\n5\ty\n"},
		{"select", "INSERT INTO ins SELECT 6, 'x' FROM numbers(2)", ""},
		{"line ends", "INSERT INTO ins FORMAT TSV\n", "7\tx\n7\ty\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			params := []string{}
			if c.query != "" {
				params = append(params, "query", c.query)
			}
			r := ask(t, c.body, params...)
			require.Equal(t, http.StatusOK, r.status, r.body)
			require.Contains(t, r.header.Get("X-ClickHouse-Summary"), `"written_rows":"2"`)
			require.Equal(t, "2\n", must(t, fmt.Sprintf("SELECT count() FROM ins WHERE a = %d", i)))
		})
	}
	r := ask(t, "", "query", "INSERT INTO ins FORMAT TSV")
	require.Equal(t, "108", r.header.Get("X-ClickHouse-Exception-Code"), r.body)
	r = ask(t, "x\ty\n", "query", "INSERT INTO ins FORMAT TSV")
	require.Equal(t, http.StatusBadRequest, r.status, r.body)
	r = ask(t, strings.Repeat("x", 65<<20), "query", "INSERT INTO ins FORMAT TSV")
	require.Equal(t, http.StatusRequestEntityTooLarge, r.status, r.body)
}

func TestSettingsAndParameters(t *testing.T) {
	require.Equal(t, "3\n", must(t, "SELECT getSetting('max_block_size')", "max_block_size", "3"))
	require.NotEqual(t, "3\n", must(t, "SELECT getSetting('max_block_size')"), "a setting is of one request")
	require.Equal(t, "a', max_threads = '9", must(t, "SELECT getSetting('log_comment') FORMAT RawBLOB", "log_comment", "a', max_threads = '9"))
	require.Equal(t, "it's\n", must(t, "SELECT {x:String}", "param_x", "it's"))
	must(t, "CREATE DATABASE other")
	must(t, "CREATE TABLE here (a Int8) ENGINE = Memory", "database", "other")
	require.Equal(t, "here\n", must(t, "SHOW TABLES", "database", "other"))
	require.Equal(t, "default\n", must(t, "SELECT currentDatabase()"))
	for _, c := range []struct{ name, key, value, code string }{
		{"unknown setting", "no_such_setting", "1", "115"},
		{"bad name", "max_threads = 1, x", "1", "115"},
		{"bad value", "max_threads", "many", ""},
		{"unknown database", "database", "nope", "81"},
		{"bad option", "compress", "perhaps", "36"},
		{"fixed", "dialect", "kusto", "452"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ask(t, "SELECT 1", c.key, c.value)
			require.NotEqual(t, http.StatusOK, r.status)
			if c.code != "" {
				require.Equal(t, c.code, r.header.Get("X-ClickHouse-Exception-Code"), r.body)
			}
		})
	}
}

func TestSessions(t *testing.T) {
	must(t, "CREATE TEMPORARY TABLE tt (a Int8)", "session_id", "s1")
	must(t, "INSERT INTO tt VALUES (5)", "session_id", "s1")
	require.Equal(t, "5\n", must(t, "SELECT a FROM tt", "session_id", "s1", "session_check", "1"))
	require.Equal(t, http.StatusNotFound, ask(t, "SELECT a FROM tt", "session_id", "s2").status)
	require.Equal(t, http.StatusNotFound, ask(t, "SELECT 1", "session_id", "s3", "session_check", "1").status)
	must(t, "SELECT 1", "session_id", "s1", "close_session", "1")
	require.Equal(t, http.StatusNotFound, ask(t, "SELECT a FROM tt", "session_id", "s1").status)
}

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

func TestEngines(t *testing.T) {
	ctx := t.Context()
	conn := dialShared(t)
	for _, sql := range []string{
		"CREATE TABLE raw (k UInt32, v UInt64) ENGINE = MergeTree ORDER BY k SETTINGS non_replicated_deduplication_window = 100",
		"CREATE TABLE total (k UInt32, s SimpleAggregateFunction(sum, UInt64), u AggregateFunction(uniq, UInt64)) ENGINE = AggregatingMergeTree ORDER BY k SETTINGS non_replicated_deduplication_window = 100",
		"CREATE MATERIALIZED VIEW to_total TO total AS SELECT k, sum(v) AS s, uniqState(v) AS u FROM raw GROUP BY k",
		"CREATE TABLE latest (k UInt32, v String, version UInt64) ENGINE = ReplacingMergeTree(version) ORDER BY k",
		"INSERT INTO latest VALUES (1, 'old', 1), (2, 'only', 1)",
		"INSERT INTO latest VALUES (1, 'new', 2)",
	} {
		require.NoError(t, conn.Exec(ctx, sql), sql)
	}
	once := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplication_token": "offsets 1-3", "deduplicate_blocks_in_dependent_materialized_views": 1,
	}))
	for range 2 { // the same block twice counts once
		batch, err := conn.PrepareBatch(once, "INSERT INTO raw")
		require.NoError(t, err)
		for i := range 10_000 {
			require.NoError(t, batch.Append(uint32(i%10), uint64(i)))
		}
		require.NoError(t, batch.Send())
	}
	require.Equal(t, "10000\n", must(t, "SELECT count() FROM raw"))
	require.Equal(t, "49995000\t10000\n", must(t, "SELECT sum(s), uniqMerge(u) FROM total"))
	require.Equal(t, "1\tnew\n2\tonly\n", must(t, "SELECT k, v FROM latest FINAL ORDER BY k"))
}

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
	p.stop(t)
}
