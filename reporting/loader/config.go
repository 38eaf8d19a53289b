package loader

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/kafkanet"
	"github.com/grosz/grosz/reporting/schema"
)

// DefaultGroup begins the names of the loader's consumer groups.
const DefaultGroup = "grosz-loader"

// Config of a Loader. Brokers and ClickHouse are needed.
type Config struct {
	// Brokers are Kafka's, host:port.
	Brokers []string
	// Security of the connections to Kafka; nil: plain.
	Security *kafkanet.Security
	// ClickHouse is where rows go.
	ClickHouse schema.Server
	// Group begins the consumer groups' names, "<Group>.<topic>"; empty is
	// DefaultGroup. A new name reads all that Kafka still holds once more.
	Group string
	// BatchRows ends a batch that has so many lines; 0 is 20,000.
	BatchRows int
	// BatchBytes ends a batch whose messages have so many bytes; 0 is 16 MiB.
	// It bounds the memory per topic together with a message's size.
	BatchBytes int64
	// BatchWait ends a batch that long after its first message; 0 is 200 ms.
	BatchWait time.Duration
	// InsertTimeout bounds one attempt to insert a batch; 0 is 60 s.
	InsertTimeout time.Duration
	// StopTimeout bounds the last insert and commit at the end; 0 is 15 s.
	StopTimeout time.Duration
	// Clock stamps loaded_at; nil is the machine's.
	Clock clock.Clock
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("loader: no Kafka broker given"))
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			errs = append(errs, fmt.Errorf("loader: broker %q is not host:port: %w", b, err))
		}
	}
	if err := c.ClickHouse.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.BatchRows < 0 || c.BatchRows > 1_000_000 {
		errs = append(errs, fmt.Errorf("loader: batches of %d rows; 1 to 1,000,000, or 0 for the default", c.BatchRows))
	}
	if c.BatchBytes < 0 || c.BatchBytes > 1<<30 {
		errs = append(errs, fmt.Errorf("loader: batches of %d bytes; 1 to 1 GiB, or 0 for the default", c.BatchBytes))
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"batch wait", c.BatchWait}, {"insert timeout", c.InsertTimeout}, {"stop timeout", c.StopTimeout}} {
		if d.v < 0 || d.v > time.Hour {
			errs = append(errs, fmt.Errorf("loader: %s of %v; up to an hour, or 0 for the default", d.name, d.v))
		}
	}
	return errors.Join(errs...)
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Group == "" {
		c.Group = DefaultGroup
	}
	if c.BatchRows == 0 {
		c.BatchRows = 20_000
	}
	if c.BatchBytes == 0 {
		c.BatchBytes = 16 << 20
	}
	if c.BatchWait == 0 {
		c.BatchWait = 200 * time.Millisecond
	}
	if c.InsertTimeout == 0 {
		c.InsertTimeout = time.Minute
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = 15 * time.Second
	}
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	return c
}
