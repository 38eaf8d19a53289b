// Package tlsmux lets one port answer both http and https: the first byte of
// a connection tells them apart. So a machine without a certificate of its
// own still has every ad URL under https, as exchanges ask for it; behind a
// TLS-terminating balancer it is not needed. Imports nothing of Grosz.
package tlsmux

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Listener wraps a listener; what it accepts speaks TLS if its client does.
type Listener struct {
	net.Listener
	config *tls.Config
}

// New wraps l. cert serves the TLS connections.
func New(l net.Listener, cert tls.Certificate) *Listener {
	return &Listener{l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}}
}

// Accept waits for a connection. It does not wait for its first byte: a
// client that sends nothing holds up nobody.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{lazy: lazy{Conn: c}, config: l.config}, nil
}

// conn decides at its first read. One goroutine reads, as net/http and
// fasthttp do until a request is there.
type conn struct {
	lazy
	config  *tls.Config
	decided bool
	tls     *tls.Conn
}

// recordHandshake begins every TLS connection (RFC 8446 § 5.1).
const recordHandshake = 0x16

func (c *conn) Read(b []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Read(b)
	}
	if c.decided {
		return c.lazy.Read(b)
	}
	if len(b) == 0 {
		return 0, nil
	}
	n, err := c.lazy.Read(b)
	if n == 0 {
		return n, err
	}
	c.decided = true
	if b[0] != recordHandshake {
		return n, err
	}
	c.tls = tls.Server(&replay{Conn: &c.lazy, ahead: append([]byte(nil), b[:n]...)}, c.config)
	return c.tls.Read(b)
}

func (c *conn) Write(b []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Write(b)
	}
	return c.lazy.Write(b)
}

func (c *conn) Close() error {
	if c.tls != nil {
		return c.tls.Close()
	}
	return c.Conn.Close()
}

// IsTLS tells which of the two the connection turned out to be.
func (c *conn) IsTLS() bool { return c.tls != nil }

// IsTLS tells whether a connection of a Listener speaks TLS.
func IsTLS(c net.Conn) bool {
	t, ok := c.(interface{ IsTLS() bool })
	return ok && t.IsTLS()
}

// replay gives back what was read while deciding.
type replay struct {
	net.Conn
	ahead []byte
}

func (r *replay) Read(b []byte) (int, error) {
	if len(r.ahead) > 0 {
		n := copy(b, r.ahead)
		r.ahead = r.ahead[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

// SelfSigned makes a certificate for the hosts, valid for a year: for trials
// on one machine.
func SelfSigned(now time.Time, hosts ...string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a serial number: %w", err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Grosz trial"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else if h != "" {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
