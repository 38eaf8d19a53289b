// Package kafkanet is how Kafka's brokers are reached: plainly, or by TLS, and
// with a user and a password by SASL. Slow: used where connections are made.
// A Security is safe for many goroutines; nil is plain connections.
package kafkanet

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/grosz/grosz/internal/tlsclient"
)

// Mechanisms of SASL.
const (
	Plain  = "plain"         // RFC 4616: the password itself, so by TLS only
	SHA256 = "scram-sha-256" // RFC 7677
	SHA512 = "scram-sha-512"
)

// Config says how brokers are reached. The zero value is plain connections.
type Config struct {
	// TLS turns it on; so does anything in Files.
	TLS   bool
	Files tlsclient.Files
	// SASL is a mechanism, or empty for none.
	SASL string
	User string
	// Password, or PasswordFile that holds it; at most one of the two.
	Password     string
	PasswordFile string
}

// Validate lists all that is wrong. It never names a password.
func (c Config) Validate() error {
	var errs []error
	if err := c.Files.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("kafka: %w", err))
	}
	switch c.SASL {
	case "":
		if c.User != "" || c.Password != "" || c.PasswordFile != "" {
			errs = append(errs, fmt.Errorf("kafka: a user or password is given, but no SASL mechanism: %s, %s or %s", Plain, SHA256, SHA512))
		}
	case Plain, SHA256, SHA512:
		if c.User == "" {
			errs = append(errs, fmt.Errorf("kafka: SASL %s needs a user", c.SASL))
		}
		if c.Password == "" && c.PasswordFile == "" {
			errs = append(errs, fmt.Errorf("kafka: SASL %s needs a password", c.SASL))
		}
	default:
		errs = append(errs, fmt.Errorf("kafka: SASL mechanism %q is none of %s, %s and %s", c.SASL, Plain, SHA256, SHA512))
	}
	if c.Password != "" && c.PasswordFile != "" {
		errs = append(errs, errors.New("kafka: both a password and a password file are given"))
	}
	if c.SASL == Plain && !c.tls() {
		errs = append(errs, errors.New("kafka: SASL plain sends the password as it is: it needs TLS"))
	}
	return errors.Join(errs...)
}

func (c Config) tls() bool { return c.TLS || c.Files.Any() }

// Open reads the files and returns what connections are made with; nil where
// they are plain.
func (c Config) Open() (*Security, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if !c.tls() && c.SASL == "" {
		return nil, nil
	}
	s := &Security{}
	var err error
	if c.tls() {
		if s.tls, err = c.Files.Config(); err != nil {
			return nil, fmt.Errorf("kafka: %w", err)
		}
	}
	if c.SASL == "" {
		return s, nil
	}
	password := c.Password
	if c.PasswordFile != "" {
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("kafka: reading the password: %w", err)
		}
		if password = strings.TrimSpace(string(b)); password == "" {
			return nil, fmt.Errorf("kafka: the password file %s is empty", c.PasswordFile)
		}
	}
	switch c.SASL {
	case Plain:
		s.sasl = plain.Mechanism{Username: c.User, Password: password}
	case SHA256:
		s.sasl, err = scram.Mechanism(scram.SHA256, c.User, password)
	case SHA512:
		s.sasl, err = scram.Mechanism(scram.SHA512, c.User, password)
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: SASL %s: the user or the password has characters that it does not take", c.SASL)
	}
	return s, nil
}

// Security is TLS, SASL or both.
type Security struct {
	tls  *tls.Config
	sasl sasl.Mechanism
}

// Transport returns one of its own, for clients and writers; its owner closes
// idle connections.
func (s *Security) Transport() *kafka.Transport {
	if s == nil {
		return &kafka.Transport{}
	}
	return &kafka.Transport{TLS: s.tls, SASL: s.sasl}
}

// Shared is the transport of writers that live as long as the process: nil,
// which is kafka-go's own, for plain connections.
func (s *Security) Shared() kafka.RoundTripper {
	if s == nil {
		return nil
	}
	return s.Transport()
}

// Dialer is what readers connect by; nil, which is kafka-go's own, for plain
// connections.
func (s *Security) Dialer() *kafka.Dialer {
	if s == nil {
		return nil
	}
	return &kafka.Dialer{Timeout: 10 * time.Second, DualStack: true, TLS: s.tls, SASLMechanism: s.sasl}
}

// String says what is used, never a user or a password, so that it may be
// logged.
func (s *Security) String() string {
	switch {
	case s == nil:
		return "plain"
	case s.sasl == nil:
		return "TLS"
	case s.tls == nil:
		return "SASL " + s.sasl.Name()
	default:
		return "TLS, SASL " + s.sasl.Name()
	}
}
