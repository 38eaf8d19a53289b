package warehouse

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
		{"system tables", "DROP DATABASE system"},
		{"a system table", "DROP TABLE system.one"},
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
