package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/config"
)

// TestUpHandsConnectionsOnWithoutSecrets: what `up` was told of Kafka and
// ClickHouse reaches every child that talks to them, and no password stands on
// a command line.
func TestUpHandsConnectionsOnWithoutSecrets(t *testing.T) {
	const secret = "correct horse"
	file := filepath.Join(t.TempDir(), "up.yaml")
	require.NoError(t, os.WriteFile(file, []byte("kafka-password: "+secret+"\n"), 0o600))
	var c upConfig
	_, err := config.Load("up", []string{
		"--config", file, "--kafka", "k1:9093,k2:9093", "--kafka-ca", "ca.pem", "--kafka-sasl", "scram-sha-512", "--kafka-user", "grosz",
		"--kafka-replication", "3", "--kafka-min-insync", "2",
		"--clickhouse", "c1:8443,c2:8443", "--clickhouse-tls", "--clickhouse-cluster", "prod",
	}, nil, &c, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"GROSZ_KAFKA_PASSWORD=" + secret}, c.secrets())
	children := c.children()
	require.Len(t, children, 5)
	for _, ch := range children {
		line := strings.Join(ch.args, " ")
		require.NotContains(t, line, secret, ch.role)
		require.Contains(t, line, "--kafka k1:9093,k2:9093", ch.role)
		into := map[string]any{"bidder": &bidderConfig{}, "console": &consoleConfig{}, "learner": &learnerConfig{}, "loader": &loaderConfig{}, "ledger": &ledgerConfig{}}[ch.role]
		_, err := config.Load(ch.role, ch.args, c.secrets(), into, io.Discard)
		require.NoError(t, err, ch.role)
		var net kafkaNet
		var click *clickhouse
		switch v := into.(type) {
		case *bidderConfig:
			net = v.kafkaNet
		case *learnerConfig:
			net = v.kafkaNet
		case *consoleConfig:
			net, click = v.kafkaNet, &v.clickhouse
		case *loaderConfig:
			net, click = v.kafkaNet, &v.clickhouse
		case *ledgerConfig:
			net, click = v.kafkaNet, &v.clickhouse
		}
		require.Equal(t, c.kafkaNet, net, ch.role)
		if click != nil {
			require.Equal(t, c.clickhouseNet, click.clickhouseNet, ch.role)
			s := click.server(t.TempDir())
			require.NoError(t, s.Validate())
			require.Equal(t, "prod", s.Cluster)
			require.NotNil(t, s.TLS)
		}
	}
}

func TestConnectionsThatCannotBeAreRefusedAtStart(t *testing.T) {
	_, err := runRole(t, "up", "--data", t.TempDir(), "--kafka-tls", "--clickhouse-tls")
	require.ErrorContains(t, err, "without --kafka")
	require.ErrorContains(t, err, "without --clickhouse")
	for _, role := range []string{"bidder", "console", "loader", "ledger", "learner"} {
		_, err := runRole(t, role, "--data", t.TempDir(), "--kafka-sasl", "plain", "--kafka-user", "u", "--kafka-password", "secret", "--kafka-replication", "1", "--kafka-min-insync", "2")
		require.ErrorContains(t, err, "it needs TLS", role)
		require.ErrorContains(t, err, "2 replicas in sync", role)
		require.ErrorContains(t, err, "process lists would show it", role)
	}
}
