package kafkanet

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/tlsclient"
)

const password = "correct horse"

func TestConfigSaysAllThatIsWrongAndNeverAPassword(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"a user without SASL", Config{User: "u", Password: password}, []string{"no SASL mechanism"}},
		{"no user, no password", Config{SASL: SHA512}, []string{"needs a user", "needs a password"}},
		{"unknown mechanism", Config{SASL: "gssapi"}, []string{`"gssapi" is none of`}},
		{"plain without TLS", Config{SASL: Plain, User: "u", Password: password}, []string{"it needs TLS"}},
		{"two passwords", Config{SASL: SHA256, User: "u", Password: password, PasswordFile: "f"}, []string{"both a password and a password file"}},
		{"half a certificate", Config{Files: tlsclient.Files{Cert: "c"}}, []string{"together or not at all"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.cfg.Validate()
			for _, w := range c.want {
				require.ErrorContains(t, err, w)
			}
			require.NotContains(t, err.Error(), password)
			_, err = c.cfg.Open()
			require.Error(t, err)
		})
	}
	require.NoError(t, Config{}.Validate())
}

func TestFilesThatCannotBeReadAreNamed(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Files: tlsclient.Files{CA: filepath.Join(dir, "none")}}, "none"},
		{Config{Files: tlsclient.Files{CA: empty}}, "holds no certificate"},
		{Config{Files: tlsclient.Files{Cert: empty, Key: empty}}, "our certificate"},
		{Config{SASL: SHA256, User: "u", PasswordFile: filepath.Join(dir, "none")}, "reading the password"},
		{Config{SASL: SHA256, User: "u", PasswordFile: empty}, "is empty"},
	} {
		_, err := c.cfg.Open()
		require.ErrorContains(t, err, c.want)
	}
}

func TestWhatIsPrintedHasNoSecret(t *testing.T) {
	var none *Security
	require.Equal(t, "plain", none.String())
	require.Nil(t, none.Dialer())
	require.Nil(t, none.Shared())
	require.NotNil(t, none.Transport())
	s, err := Config{TLS: true, SASL: SHA512, User: "someone", Password: password}.Open()
	require.NoError(t, err)
	require.Equal(t, "TLS, SASL SCRAM-SHA-512", s.String())
	for _, verb := range []string{"%v", "%+v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, s), password)
		require.NotContains(t, fmt.Sprintf(verb, s), "someone")
	}
}
