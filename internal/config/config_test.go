package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type sample struct {
	Addr    string        `config:"bidder" help:"address" default:"127.0.0.1:8080"`
	N       int           `config:"workers" help:"how many" default:"2"`
	Wait    time.Duration `config:"wait" help:"pause" default:"5s"`
	Demo    bool          `config:"demo" help:"demo world"`
	Brokers []string      `config:"kafka" help:"addresses"`
	nested  `config:",squash"`
}

type nested struct {
	Dir string `config:"data" help:"directory" default:"./data"`
}

func (s *sample) Validate() error {
	if s.N < 0 {
		return errors.New("workers must not be negative")
	}
	return nil
}

func load(t *testing.T, args, env []string, file string) (sample, []string, error) {
	t.Helper()
	var s sample
	if file != "" {
		p := filepath.Join(t.TempDir(), "c.yaml")
		require.NoError(t, os.WriteFile(p, []byte(file), 0o600))
		args = append(args, "--config", p)
	}
	rest, err := Load("test", args, env, &s, os.Stderr)
	return s, rest, err
}

func TestPrecedenceIsFlagEnvFileDefault(t *testing.T) {
	s, rest, err := load(t, []string{"--bidder", "a:1", "--demo", "x"}, []string{"GROSZ_BIDDER=b:1", "GROSZ_WORKERS=7", "GROSZ_KAFKA=k1,k2"}, "bidder: c:1\nworkers: 9\nwait: 3s\n")
	require.NoError(t, err)
	require.Equal(t, sample{Addr: "a:1", N: 7, Wait: 3 * time.Second, Demo: true, Brokers: []string{"k1", "k2"}, nested: nested{"./data"}}, s)
	require.Equal(t, []string{"x"}, rest)
}

func TestEveryMistakeIsListed(t *testing.T) {
	_, _, err := load(t, []string{"--nope=1", "--wait", "soon"}, []string{"GROSZ_WORKERS=many"}, "demo: perhaps\nbider: x\n")
	require.Error(t, err)
	for _, want := range []string{"--nope", "--wait", "soon", "GROSZ_WORKERS", "many", "demo", "perhaps", "bider: no such setting"} {
		require.ErrorContains(t, err, want)
	}
}

func TestValidateRunsOnTheJoinedValues(t *testing.T) {
	_, _, err := load(t, []string{"--workers=-1"}, nil, "")
	require.ErrorContains(t, err, "workers must not be negative")
}

func TestHelpListsSettings(t *testing.T) {
	var s sample
	var out bytes.Buffer
	_, err := Load("test", []string{"--help"}, nil, &s, &out)
	require.ErrorIs(t, err, ErrHelp)
	require.Contains(t, out.String(), "--bidder")
	require.Contains(t, out.String(), "default 127.0.0.1:8080")
	require.Contains(t, out.String(), "--data")
}
