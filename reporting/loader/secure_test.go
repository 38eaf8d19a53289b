package loader

import (
	"encoding/pem"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/tlsclient"
	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/reporting/warehouse"
)

// TestClickHouseByTLS talks to the real engine through a proxy that ends TLS,
// as a server's port 8443 does.
func TestClickHouseByTLS(t *testing.T) {
	w := start(t)
	target, err := url.Parse("http://" + w.server.Addr())
	require.NoError(t, err)
	front := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(target))
	defer front.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), 0o600))
	addr := front.Listener.Addr().String()
	server := schema.Server{Addr: addr, User: "default", PasswordFile: warehouse.PasswordFile(w.dir), TLS: &tlsclient.Files{CA: ca}}

	ask := func(s schema.Server) error {
		conn, err := s.Open()
		require.NoError(t, err)
		defer conn.Close()
		var one uint8
		return conn.QueryRow(t.Context(), "SELECT 1").Scan(&one)
	}
	require.NoError(t, ask(server))
	conn, err := server.Open()
	require.NoError(t, err)
	require.NoError(t, server.Migrate(t.Context(), conn, quietLog()))
	require.NoError(t, conn.Close())

	dead := server
	dead.Addr = "127.0.0.1:1," + addr
	require.NoError(t, ask(dead), "the next address is asked where the first does not answer")

	const wrong = "hunter2-is-wrong"
	refused := server
	refused.Password, refused.PasswordFile = wrong, ""
	err = ask(refused)
	require.ErrorContains(t, err, "516") // AUTHENTICATION_FAILED
	require.NotContains(t, err.Error(), wrong)

	unknown := server
	unknown.TLS = &tlsclient.Files{} // the system's authorities
	require.ErrorContains(t, ask(unknown), "certificate")
	elsewhere := server
	elsewhere.TLS = &tlsclient.Files{CA: ca, ServerName: "elsewhere.invalid"}
	require.ErrorContains(t, ask(elsewhere), "elsewhere.invalid")
	plain := server
	plain.TLS = nil
	require.Error(t, ask(plain))

	lone := server
	lone.Cluster = "none_such"
	conn, err = lone.Open()
	require.NoError(t, err)
	defer conn.Close()
	require.ErrorContains(t, lone.Migrate(t.Context(), conn, quietLog()), "knows none that is called none_such")
}

// TestClusterSQLIsWhatTheEngineParses asks the real engine's parser for every
// statement of every migration as a cluster would get it.
func TestClusterSQLIsWhatTheEngineParses(t *testing.T) {
	w := start(t)
	all, err := schema.Migrations()
	require.NoError(t, err)
	for _, m := range all {
		for _, sql := range m.Statements {
			text, err := schema.OnCluster("grosz_prod", sql)
			require.NoError(t, err, m.Name)
			var formatted string
			require.NoError(t, w.conn.QueryRow(t.Context(), "SELECT formatQuery(?)", text).Scan(&formatted), "%s: %s", m.Name, text)
			require.NotEmpty(t, formatted)
		}
	}
}
