package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func runRole(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(context.Background(), args, env{nil, &out, &out, nil})
	return out.String(), err
}

func TestHelpExplainsEveryRole(t *testing.T) {
	out, err := runRole(t, "help")
	require.NoError(t, err)
	for _, r := range roles() {
		require.Contains(t, out, r.name)
		if r.name == "version" {
			continue
		}
		text, _ := runRole(t, "help", r.name)
		require.Contains(t, text, "Usage: grosz "+r.name)
		require.Contains(t, text, "--config")
	}
	_, err = runRole(t, "nonsense")
	require.ErrorContains(t, err, `no role "nonsense"`)
}

func TestABadConfigurationIsRefusedWithAllThatIsWrong(t *testing.T) {
	_, err := runRole(t, "up", "--data", t.TempDir(), "--bidder", "0.0.0.0:8080", "--console", "here", "--broker", "127.0.0.1:1", "--metrics", "127.0.0.1:1", "--rate", "fast", "--colour")
	for _, want := range []string{
		"--bidder 0.0.0.0:8080 would listen wider", "--listen-wide", `--console "here"`, "--broker and --metrics are both", "--rate", "fast", "--colour: no such flag",
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestATakenPortNamesItsFlag(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = runRole(t, "broker", "--data", t.TempDir(), "--broker", l.Addr().String())
	require.ErrorContains(t, err, "--broker "+l.Addr().String())
	_, err = runRole(t, "bidder", "--data", t.TempDir(), "--bidder", l.Addr().String())
	require.ErrorContains(t, err, "--bidder "+l.Addr().String())
}

func TestAMissingLibrarySaysHowToGetIt(t *testing.T) {
	_, err := runRole(t, "up", "--data", t.TempDir(), "--libchdb", "/nowhere/libchdb.so")
	require.ErrorContains(t, err, "make libchdb")
}

func TestABrokenExchangeFileIsNamedWithItsMistakes(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "exchanges"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "exchanges", "x.yaml"), []byte("name: Bad Name\nauction_type: 7\nsettle: {banner: click}\n"), 0o600))
	_, err := runRole(t, "bidder", "--data", dir, "--bidder", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	for _, want := range []string{"x.yaml", "Bad Name", "auction_type 7", "settle.banner"} {
		require.ErrorContains(t, err, want)
	}
}

func TestTokenKeysAreMadeOnceAndPrivate(t *testing.T) {
	dir := t.TempDir()
	_, err := loadKeyring(dir)
	require.NoError(t, err)
	first, err := os.ReadFile(filepath.Join(dir, "token.keys"))
	require.NoError(t, err)
	_, err = loadKeyring(dir)
	require.NoError(t, err)
	again, err := os.ReadFile(filepath.Join(dir, "token.keys"))
	require.NoError(t, err)
	require.Equal(t, first, again)
	info, err := os.Stat(filepath.Join(dir, "token.keys"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
