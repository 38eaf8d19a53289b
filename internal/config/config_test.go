package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
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

type secretConfig struct {
	Password string `config:"kafka-password" secret:"true" help:"its password"`
	File     string `config:"kafka-password-file" help:"file that holds it"`
}

func TestASecretIsNeverAFlag(t *testing.T) {
	const secret = "correct horse"
	for _, args := range [][]string{{"--kafka-password", secret}, {"--kafka-password=" + secret}} {
		var c secretConfig
		_, err := Load("role", args, nil, &c, io.Discard)
		require.ErrorContains(t, err, "--kafka-password: process lists would show it: give it as GROSZ_KAFKA_PASSWORD")
		require.NotContains(t, err.Error(), secret)
		require.Empty(t, c.Password)
	}
	var c secretConfig
	_, err := Load("role", nil, []string{"GROSZ_KAFKA_PASSWORD=" + secret}, &c, io.Discard)
	require.NoError(t, err)
	require.Equal(t, secret, c.Password)

	path := filepath.Join(t.TempDir(), "role.yaml")
	require.NoError(t, os.WriteFile(path, []byte("kafka-password: "+secret+"\n"), 0o600))
	c = secretConfig{}
	_, err = Load("role", []string{"--config", path}, nil, &c, io.Discard)
	require.NoError(t, err)
	require.Equal(t, secret, c.Password)

	var help strings.Builder
	_, err = Load("role", []string{"--help"}, []string{"GROSZ_KAFKA_PASSWORD=" + secret}, &c, &help)
	require.ErrorIs(t, err, ErrHelp)
	require.Contains(t, help.String(), "GROSZ_KAFKA_PASSWORD")
	require.NotContains(t, help.String(), "--kafka-password ")
	require.NotContains(t, help.String(), secret)
}
