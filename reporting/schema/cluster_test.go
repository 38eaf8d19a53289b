package schema

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestClusterSQLIsGolden holds the SQL for a cluster to what was read by a
// person: there is no cluster here to run it on.
func TestClusterSQLIsGolden(t *testing.T) {
	in, err := os.ReadFile("testdata/cluster.in.sql")
	require.NoError(t, err)
	var out strings.Builder
	for _, sql := range split(string(in)) {
		got, err := OnCluster("grosz_prod", sql)
		require.NoError(t, err)
		out.WriteString(got + ";\n\n")
	}
	const golden = "testdata/cluster.golden.sql"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

// TestEveryMigrationCanBeOneOfACluster: none makes a thing on one server only,
// or a table that is not replicated.
func TestEveryMigrationCanBeOneOfACluster(t *testing.T) {
	all, err := Migrations()
	require.NoError(t, err)
	plain := regexp.MustCompile(`(?m)^ENGINE = (?:Replacing|Aggregating|Summing|Collapsing)?MergeTree`)
	tables := 0
	for _, m := range append(all, Migration{Name: "ledger", Statements: []string{ledger}}) {
		for _, sql := range m.Statements {
			got, err := OnCluster("c", sql)
			require.NoError(t, err, m.Name)
			if strings.HasPrefix(sql, "INSERT ") {
				require.Equal(t, sql, got)
				continue
			}
			head, _, _ := strings.Cut(got, "\n")
			require.Contains(t, head, " ON CLUSTER `c`", m.Name)
			require.NotRegexp(t, plain, got, m.Name)
			require.NotContains(t, got, "non_replicated", m.Name)
			if strings.HasPrefix(sql, "CREATE TABLE") {
				tables++
				require.Contains(t, got, "'/clickhouse/tables/{shard}/grosz/", m.Name)
			}
		}
	}
	require.Greater(t, tables, 10)
}

func TestWhatIsNotKnownIsNotMadeOnOneServerAlone(t *testing.T) {
	for sql, want := range map[string]string{
		"RENAME TABLE grosz.a TO grosz.b":                               "cannot be made one of cluster",
		"CREATE TABLE IF NOT EXISTS grosz.a (x Int8) ENGINE = Log":      "no engine that can be replicated",
		"CREATE TABLE grosz.a (x Int8)\nENGINE = MergeTree\nORDER BY x": "cannot be made one of cluster",
	} {
		_, err := OnCluster("c", sql)
		require.ErrorContains(t, err, want, sql)
	}
	for _, name := range []string{"", "a b", "x`; DROP TABLE y", "{cluster}", "1"} {
		_, err := OnCluster(name, "DROP TABLE IF EXISTS grosz.a")
		require.ErrorContains(t, err, "no name of a cluster", name)
	}
}

func TestAClusterOfSeveralShardsIsRefused(t *testing.T) {
	require.NoError(t, clusterFits("c", 3, 1))
	require.ErrorContains(t, clusterFits("c", 0, 0), "knows none that is called c")
	require.ErrorContains(t, clusterFits("c", 4, 2), "has 2 shards")
}

func TestServerSaysWhatIsWrongAboutClustersAndAddresses(t *testing.T) {
	require.NoError(t, Server{Addr: "a:8443,b:8443", Cluster: "c"}.Validate())
	err := Server{Addr: "a:8443,b", Cluster: "a b"}.Validate()
	require.ErrorContains(t, err, `"b" is not host:port`)
	require.ErrorContains(t, err, `"a b" is no name of a cluster`)
}
