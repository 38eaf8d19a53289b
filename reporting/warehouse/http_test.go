package warehouse

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
		{"blank lines", "INSERT INTO ins FORMAT JSONEachRow", "{\"a\":8,\"b\":\"x\"}\n\n\n{\"a\":8,\"b\":\"y\"}\n"},
		{"blank lines in a value", "INSERT INTO ins FORMAT CSV", "9,\"x\n\n;\"\n9,y\n"},
		{"blank lines in VALUES", "INSERT INTO ins VALUES", "(10,'\n\n'),\n\n(5+5,'y');\n"},
		{"settings", "INSERT INTO ins SETTINGS max_threads = 1 FORMAT TSV", "11\tx\n11\ty\n"},
		{"a long head", "", "INSERT INTO ins /* " + strings.Repeat("x", 100_000) + " */ FORMAT TSV\n12\tx\n12\ty\n"},
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
	require.Equal(t, "it's\n", must(t, "SELECT {x:String} FORMAT TSVRaw", "param_x", "it's"))
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
