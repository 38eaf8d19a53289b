package schema

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/grosz/grosz/internal/tlsclient"
)

// Protocols of a Server.
const (
	ProtocolHTTP   = "http"   // the embedded engine, or a server's port 8123
	ProtocolNative = "native" // a server's port 9000
)

// Server says how to reach ClickHouse.
type Server struct {
	// Addr is host:port, or several, comma separated: connections are made to
	// the first that answers.
	Addr string
	// Protocol is ProtocolHTTP or ProtocolNative; empty is HTTP.
	Protocol string
	// User; empty is "default".
	User string
	// Password, or PasswordFile that holds it (the embedded engine's
	// warehouse.key), read at each Open. At most one of the two.
	Password     string
	PasswordFile string
	// TLS is how to speak it; nil: plain connections.
	TLS *tlsclient.Files
	// Cluster makes the schema that of a cluster; empty: of one server.
	Cluster string
	// MaxConns bounds the pool; 0 is 8.
	MaxConns int
}

// Validate lists all that is wrong.
func (s Server) Validate() error {
	var errs []error
	for _, addr := range strings.Split(s.Addr, ",") {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			errs = append(errs, fmt.Errorf("clickhouse: address %q is not host:port: %w", addr, err))
		}
	}
	if s.TLS != nil {
		if err := s.TLS.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("clickhouse: %w", err))
		}
	}
	if s.Cluster != "" && !clusterName.MatchString(s.Cluster) {
		errs = append(errs, fmt.Errorf("clickhouse: %q is no name of a cluster", s.Cluster))
	}
	switch s.Protocol {
	case "", ProtocolHTTP, ProtocolNative:
	default:
		errs = append(errs, fmt.Errorf("clickhouse: protocol %q is neither %s nor %s", s.Protocol, ProtocolHTTP, ProtocolNative))
	}
	if s.Password != "" && s.PasswordFile != "" {
		errs = append(errs, errors.New("clickhouse: both a password and a password file are given"))
	}
	if s.MaxConns < 0 {
		errs = append(errs, fmt.Errorf("clickhouse: %d connections", s.MaxConns))
	}
	return errors.Join(errs...)
}

// Open returns a pool of connections. None is made yet: a server that is away
// shows at the first query.
func (s Server) Open() (driver.Conn, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	password := s.Password
	if s.PasswordFile != "" {
		b, err := os.ReadFile(s.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("clickhouse: reading the password: %w", err)
		}
		password = strings.TrimSpace(string(b))
	}
	opt := &clickhouse.Options{
		Addr:            strings.Split(s.Addr, ","),
		Protocol:        clickhouse.HTTP,
		Auth:            clickhouse.Auth{Username: "default", Password: password},
		DialTimeout:     5 * time.Second,
		ReadTimeout:     5 * time.Minute,
		MaxOpenConns:    8,
		ConnMaxLifetime: time.Hour,
		// One server for all, so that what was written is read back.
		ConnOpenStrategy: clickhouse.ConnOpenInOrder,
	}
	if s.TLS != nil {
		var err error
		if opt.TLS, err = s.TLS.Config(); err != nil {
			return nil, fmt.Errorf("clickhouse: %w", err)
		}
	}
	if s.Cluster != "" {
		opt.Settings = clusterSettings()
	}
	if s.Protocol == ProtocolNative {
		opt.Protocol = clickhouse.Native
		opt.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	}
	if s.User != "" {
		opt.Auth.Username = s.User
	}
	if s.MaxConns != 0 {
		opt.MaxOpenConns = s.MaxConns
	}
	opt.MaxIdleConns = opt.MaxOpenConns
	conn, err := clickhouse.Open(opt)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	return conn, nil
}
