// Package tlsclient reads what a client needs to speak TLS to Kafka and to
// ClickHouse: whom it trusts, and who it is. Slow: used at start only. Imports
// nothing of Grosz.
package tlsclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// Files names what TLS needs. The zero value is TLS with the system's
// authorities and no certificate of our own.
type Files struct {
	// CA is a PEM file of the authorities to trust in place of the system's.
	CA string
	// Cert and Key are PEM files of our own certificate, where the server asks
	// for one: both or none.
	Cert, Key string
	// ServerName is the name that the server's certificate must have; empty is
	// the host that is dialled.
	ServerName string
}

// Any tells whether anything is set.
func (f Files) Any() bool { return f != Files{} }

// Validate says what cannot be.
func (f Files) Validate() error {
	if (f.Cert == "") != (f.Key == "") {
		return errors.New("a certificate and its key are given together or not at all")
	}
	return nil
}

// Config reads the files. The server's certificate is always verified, by TLS
// 1.2 or newer: there is no way to turn that off.
func (f Files) Config() (*tls.Config, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("read the trusted authorities: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the trusted authorities: %s holds no certificate in PEM", f.CA)
		}
	}
	if f.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("read our certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
