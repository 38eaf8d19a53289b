package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/reporting/warehouse"
)

// clickhouse are the settings of the roles that talk to ClickHouse.
type clickhouse struct {
	ClickHouse   string `config:"clickhouse" help:"address of ClickHouse, host:port" default:"127.0.0.1:8123"`
	Protocol     string `config:"clickhouse-protocol" help:"http (also the embedded engine's) or native" default:"http"`
	User         string `config:"clickhouse-user" help:"user of ClickHouse" default:"default"`
	Password     string `config:"clickhouse-password" help:"its password; better given as GROSZ_CLICKHOUSE_PASSWORD"`
	PasswordFile string `config:"clickhouse-password-file" help:"file that holds it; default DIR/warehouse.key if no password is given"`
}

func (c clickhouse) server(dir string) schema.Server {
	s := schema.Server{Addr: c.ClickHouse, Protocol: c.Protocol, User: c.User, Password: c.Password, PasswordFile: c.PasswordFile}
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
