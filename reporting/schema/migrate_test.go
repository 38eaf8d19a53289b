package schema

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	got := split("-- a comment; with a semicolon\nCREATE TABLE a\n(\n  x Int8 COMMENT 'one; two',\n  -- inside\n  y Int8\n);\n\nSELECT 1;  \nSELECT 2")
	require.Equal(t, []string{"CREATE TABLE a\n(\n  x Int8 COMMENT 'one; two',\n  y Int8\n)", "SELECT 1", "SELECT 2"}, got)
}

func TestMigrationsAreNumberedAndRepeatable(t *testing.T) {
	all, err := Migrations()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, m := range all {
		require.NotEmpty(t, m.Statements, m.Name)
		for _, sql := range m.Statements {
			ok := strings.Contains(sql, "IF NOT EXISTS") || strings.Contains(sql, "OR REPLACE") || strings.Contains(sql, "IF EXISTS") ||
				strings.HasPrefix(sql, "INSERT INTO grosz.rollup_touched ") || // a note made twice says the same
				strings.HasPrefix(sql, "INSERT INTO grosz.reach_touched ") || // likewise
				strings.HasPrefix(sql, "INSERT INTO grosz.reach_people ") // a set
			require.True(t, ok, "%s: not safe to run twice: %s", m.Name, sql[:min(80, len(sql))])
		}
	}
}

func TestMigrationNumbersHaveNoGap(t *testing.T) {
	_, err := readMigrations(fstest.MapFS{
		"migrations/0001_a.sql": {Data: []byte("SELECT 1")},
		"migrations/0003_b.sql": {Data: []byte("SELECT 1")},
	})
	require.ErrorContains(t, err, "0003_b.sql: its number must be 0002")
}

func TestServerSaysAllThatIsWrong(t *testing.T) {
	err := Server{Addr: "nowhere", Protocol: "ftp", Password: "a", PasswordFile: "b", MaxConns: -1}.Validate()
	for _, part := range []string{`"nowhere"`, `"ftp"`, "both a password", "-1 connections"} {
		require.ErrorContains(t, err, part)
	}
	require.NoError(t, Server{Addr: "127.0.0.1:8123"}.Validate())
}

func TestMissingPasswordFile(t *testing.T) {
	_, err := Server{Addr: "127.0.0.1:1", PasswordFile: t.TempDir() + "/none"}.Open()
	require.ErrorContains(t, err, "reading the password")
}
