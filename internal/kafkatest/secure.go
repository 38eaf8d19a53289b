package kafkatest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grosz/grosz/internal/freeport"
)

// Listeners of a secure broker, beside the plain one.
const (
	TLS     = "TLS"     // TLS alone
	MTLS    = "MTLS"    // TLS that asks for the client's certificate
	SASLTLS = "SASLTLS" // SASL by TLS: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
	SASL    = "SASL"    // SASL without TLS
)

// User is whom a secure broker knows, by every mechanism; Password is theirs.
const (
	User     = "grosz"
	Password = "correct horse battery"
)

// secure is what a secure broker has beside a plain one's.
type secure struct {
	ports map[string]int
}

var secureListeners = []struct{ name, protocol string }{{TLS, "SSL"}, {MTLS, "SSL"}, {SASLTLS, "SASL_SSL"}, {SASL, "SASL_PLAINTEXT"}}

// SecureAddr is the address of one of the secure listeners.
func (b *Broker) SecureAddr(listener string) string {
	return "127.0.0.1:" + strconv.Itoa(b.secure.ports[listener])
}

// CA is a PEM file of the authority of the broker's certificate.
func (b *Broker) CA() string { return b.path("ca.pem") }

// ClientCert is a PEM file of a client's certificate that the broker takes.
func (b *Broker) ClientCert() string { return b.path("client.pem") }

// ClientKey is the key of ClientCert.
func (b *Broker) ClientKey() string { return b.path("client.key") }

// beginSecure makes certificates and takes ports.
func (b *Broker) beginSecure() error {
	if !b.cfg.Secure || b.secure != nil {
		return nil
	}
	s := &secure{ports: make(map[string]int)}
	taken := map[int]bool{b.port: true, b.control: true}
	for _, l := range secureListeners {
		for s.ports[l.name] == 0 || taken[s.ports[l.name]] {
			var err error
			if s.ports[l.name], err = freeport.Loopback(); err != nil {
				return err
			}
		}
		taken[s.ports[l.name]] = true
	}
	if err := os.MkdirAll(b.cfg.Dir, 0o755); err != nil {
		return fmt.Errorf("kafka: making its directory: %w", err)
	}
	if err := b.certificates(); err != nil {
		return fmt.Errorf("kafka: making certificates: %w", err)
	}
	b.secure = s
	return nil
}

// certificates writes an authority, a broker's key store and a client's
// certificate, all as PEM.
func (b *Broker) certificates() error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := template(1, "a test's authority")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.CA(), encode("CERTIFICATE", caDER), 0o600); err != nil {
		return err
	}
	for i, name := range []string{"broker", "client"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		t := template(int64(i)+2, name)
		t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		der, err := x509.CreateCertificate(rand.Reader, t, ca, &key.PublicKey, caKey)
		if err != nil {
			return err
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		cert, secret := encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8)
		err = errors.Join(
			os.WriteFile(b.path(name+".pem"), cert, 0o600),
			os.WriteFile(b.path(name+".key"), secret, 0o600),
			os.WriteFile(b.path(name+".store.pem"), append(secret, cert...), 0o600),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

func template(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// properties are the lines of server.properties that a secure broker has in
// place of the plain one's.
func (s *secure) properties(b *Broker, plain string) string {
	listeners, protocols := "", ""
	for _, l := range secureListeners {
		listeners += fmt.Sprintf(",%s://127.0.0.1:%d", l.name, s.ports[l.name])
		protocols += "," + l.name + ":" + l.protocol
	}
	var out strings.Builder
	for line := range strings.Lines(plain) {
		line = strings.TrimRight(line, "\n")
		switch name, _, _ := strings.Cut(line, "="); name {
		case "listeners", "advertised.listeners":
			line += listeners
		case "listener.security.protocol.map":
			line += protocols
		}
		out.WriteString(line + "\n")
	}
	fmt.Fprintf(&out, "ssl.keystore.type=PEM\nssl.keystore.location=%s\nssl.truststore.type=PEM\nssl.truststore.location=%s\n", b.path("broker.store.pem"), b.CA())
	out.WriteString("listener.name.mtls.ssl.client.auth=required\nsasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n")
	for _, l := range []string{"sasltls", "sasl"} {
		fmt.Fprintf(&out, "listener.name.%s.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_%s=\"%s\";\n", l, User, Password)
		for _, m := range []string{"scram-sha-256", "scram-sha-512"} {
			fmt.Fprintf(&out, "listener.name.%s.%s.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n", l, m)
		}
	}
	return out.String()
}

// formatArgs add the users of SCRAM to a new storage.
func (s *secure) formatArgs() []string {
	var out []string
	for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
		out = append(out, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", m, User, Password))
	}
	return out
}

// StartSecure is Start with a listener for each way of TLS and SASL.
func StartSecure(t testing.TB) *Broker {
	t.Helper()
	return start(t, Config{Secure: true})
}
