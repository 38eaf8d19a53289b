package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/grosz/grosz/internal/tlsclient"
	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/reporting/warehouse"
)

// clickhouse are the settings of the roles that talk to ClickHouse.
type clickhouse struct {
	ClickHouse   string `config:"clickhouse" help:"addresses of ClickHouse, host:port, comma separated: the first that answers is used" default:"127.0.0.1:8123"`
	Protocol     string `config:"clickhouse-protocol" help:"http (also the embedded engine's) or native" default:"http"`
	User         string `config:"clickhouse-user" help:"user of ClickHouse" default:"default"`
	Password     string `config:"clickhouse-password" secret:"true" help:"its password"`
	PasswordFile string `config:"clickhouse-password-file" help:"file that holds it; default DIR/warehouse.key if no password is given"`
	clickhouseNet
}

// clickhouseNet is how a ClickHouse of one's own is reached, beside addresses.
type clickhouseNet struct {
	ClickTLS     bool   `config:"clickhouse-tls" help:"reach ClickHouse by TLS; so does naming any of its files"`
	ClickCA      string `config:"clickhouse-ca" help:"PEM file of the authorities to trust for ClickHouse, in place of the system's"`
	ClickCert    string `config:"clickhouse-cert" help:"PEM file of our certificate for ClickHouse, if it asks for one"`
	ClickKey     string `config:"clickhouse-key" help:"PEM file of that certificate's key"`
	ClickName    string `config:"clickhouse-server-name" help:"name in ClickHouse's certificate; default the host that is dialled"`
	ClickCluster string `config:"clickhouse-cluster" help:"cluster to make replicated tables on (ON CLUSTER); empty: one server"`
}

func (n clickhouseNet) files() tlsclient.Files {
	return tlsclient.Files{CA: n.ClickCA, Cert: n.ClickCert, Key: n.ClickKey, ServerName: n.ClickName}
}

// tls is nil for plain connections.
func (n clickhouseNet) tls() *tlsclient.Files {
	f := n.files()
	if !n.ClickTLS && !f.Any() {
		return nil
	}
	return &f
}

// flags hands the settings on to a child.
func (n clickhouseNet) flags() []string {
	var out []string
	for _, f := range []struct{ name, value string }{
		{"clickhouse-ca", n.ClickCA}, {"clickhouse-cert", n.ClickCert}, {"clickhouse-key", n.ClickKey},
		{"clickhouse-server-name", n.ClickName}, {"clickhouse-cluster", n.ClickCluster},
	} {
		if f.value != "" {
			out = append(out, "--"+f.name, f.value)
		}
	}
	if n.ClickTLS {
		out = append(out, "--clickhouse-tls")
	}
	return out
}

func (c clickhouse) server(dir string) schema.Server {
	s := schema.Server{
		Addr: c.ClickHouse, Protocol: c.Protocol, User: c.User, Password: c.Password, PasswordFile: c.PasswordFile,
		TLS: c.tls(), Cluster: c.ClickCluster,
	}
	if s.Password == "" && s.PasswordFile == "" && exists(warehouse.PasswordFile(filepath.Clean(dir))) {
		s.PasswordFile = warehouse.PasswordFile(filepath.Clean(dir))
	}
	return s
}

// password reads the password that server would use.
func (c clickhouse) password(dir string) (string, error) {
	s := c.server(dir)
	if s.PasswordFile == "" {
		return s.Password, nil
	}
	b, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("--clickhouse-password-file: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
