package kafka

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/kafkanet"
	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/internal/tlsclient"
)

// TestTLSAndSASLReachApacheKafka goes the whole way by each of them: topics
// made, a message written, followed, read by a group, and its backlog asked.
func TestTLSAndSASLReachApacheKafka(t *testing.T) {
	b := kafkatest.StartSecure(t)
	secret := filepath.Join(t.TempDir(), "kafka.password")
	require.NoError(t, os.WriteFile(secret, []byte(kafkatest.Password+"\n"), 0o600))
	trust := tlsclient.Files{CA: b.CA()}
	mutual := tlsclient.Files{CA: b.CA(), Cert: b.ClientCert(), Key: b.ClientKey()}
	for _, c := range []struct {
		name, listener string
		cfg            kafkanet.Config
	}{
		{"tls", kafkatest.TLS, kafkanet.Config{Files: trust}},
		{"tls-client-certificate", kafkatest.MTLS, kafkanet.Config{Files: mutual}},
		{"plain-tls", kafkatest.SASLTLS, kafkanet.Config{Files: trust, SASL: kafkanet.Plain, User: kafkatest.User, Password: kafkatest.Password}},
		{"scram-sha-256-tls", kafkatest.SASLTLS, kafkanet.Config{Files: trust, SASL: kafkanet.SHA256, User: kafkatest.User, PasswordFile: secret}},
		{"scram-sha-512-tls", kafkatest.SASLTLS, kafkanet.Config{Files: trust, SASL: kafkanet.SHA512, User: kafkatest.User, PasswordFile: secret}},
		{"scram-sha-512", kafkatest.SASL, kafkanet.Config{SASL: kafkanet.SHA512, User: kafkatest.User, Password: kafkatest.Password}},
	} {
		t.Run(c.name, func(t *testing.T) {
			security, err := c.cfg.Open()
			require.NoError(t, err)
			k := Cluster{Brokers: []string{b.SecureAddr(c.listener)}, Security: security, Replication: 1, MinInSync: 1}
			require.NoError(t, k.EnsureTopics(waitCtx(t), []TopicSpec{{Name: c.name, Partitions: 1, RetentionMS: day}}, quiet()))
			w := k.NewWriter(quiet())
			defer w.Close()
			require.NoError(t, w.WriteMessages(waitCtx(t), kafka.Message{Topic: c.name, Key: []byte("k"), Value: []byte("v")}))

			ctx, stop := context.WithCancel(waitCtx(t))
			var got string
			f := Follower{Brokers: k.Brokers, Security: security, Topic: c.name, Log: quiet(), Handle: func(m Message) error { got = string(m.Value); stop(); return nil }}
			require.NoError(t, f.Run(ctx))
			require.Equal(t, "v", got)

			r := kafka.NewReader(kafka.ReaderConfig{Brokers: k.Brokers, Dialer: security.Dialer(), Topic: c.name, GroupID: "g-" + c.name, MaxWait: 100 * time.Millisecond})
			defer r.Close()
			m, err := r.FetchMessage(waitCtx(t))
			require.NoError(t, err)
			require.NoError(t, r.CommitMessages(waitCtx(t), m))
			end, err := k.End(waitCtx(t), c.name)
			require.NoError(t, err)
			n, err := k.Behind(waitCtx(t), "g-"+c.name, end)
			require.NoError(t, err)
			require.Zero(t, n)
		})
	}
	t.Run("refused", func(t *testing.T) { refuses(t, b) })
}

// refuses: what must not get through does not, and no log line or error has
// a password.
func refuses(t *testing.T, b *kafkatest.Broker) {
	other := filepath.Join(t.TempDir(), "other.pem")
	text, err := os.ReadFile(b.ClientCert()) // a certificate, but not the authority's
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(other, text, 0o600))
	const wrong = "hunter2-is-wrong"
	for _, c := range []struct {
		name, listener string
		cfg            kafkanet.Config
	}{
		{"a password that is wrong", kafkatest.SASLTLS, kafkanet.Config{Files: tlsclient.Files{CA: b.CA()}, SASL: kafkanet.SHA256, User: kafkatest.User, Password: wrong}},
		{"plain with a wrong password", kafkatest.SASLTLS, kafkanet.Config{Files: tlsclient.Files{CA: b.CA()}, SASL: kafkanet.Plain, User: kafkatest.User, Password: wrong}},
		{"an authority that is not trusted", kafkatest.TLS, kafkanet.Config{Files: tlsclient.Files{CA: other}}},
		{"a name that is not the broker's", kafkatest.TLS, kafkanet.Config{Files: tlsclient.Files{CA: b.CA(), ServerName: "elsewhere.example"}}},
		{"no certificate of our own", kafkatest.MTLS, kafkanet.Config{Files: tlsclient.Files{CA: b.CA()}}},
		{"no TLS", kafkatest.TLS, kafkanet.Config{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each waits for its time to be over
			security, err := c.cfg.Open()
			require.NoError(t, err)
			var out bytes.Buffer
			log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			k := Cluster{Brokers: []string{b.SecureAddr(c.listener)}, Security: security}
			err = k.EnsureTopics(ctx, []TopicSpec{{Name: "never", Partitions: 1}}, log)
			require.Error(t, err)
			require.NotContains(t, err.Error()+out.String(), wrong)
		})
	}
}

func TestClusterRefusesWhatCouldNeverBeWritten(t *testing.T) {
	require.NoError(t, Cluster{Brokers: []string{"a:1", "b:2"}, Replication: 3, MinInSync: 2}.Validate())
	err := Cluster{Brokers: []string{"a"}, Replication: 1, MinInSync: 2}.Validate()
	require.ErrorContains(t, err, `broker "a"`)
	require.ErrorContains(t, err, "2 replicas in sync")
}
