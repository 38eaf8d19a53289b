package bookkeeper

import (
	"errors"
	"time"

	"github.com/grosz/grosz/internal/kafkanet"
	"github.com/grosz/grosz/reporting/schema"
)

// Config of a Keeper. Brokers, ClickHouse and Dir are needed; other fields have
// usable zero values.
type Config struct {
	Brokers []string
	// Security of the connections to Kafka; nil: plain.
	Security   *kafkanet.Security
	ClickHouse schema.Server
	// Dir keeps the checkpoint. Losing it while the log is whole costs a
	// replay; when the log has been cut it loses who had paid what.
	Dir string
	// Fresh starts without a checkpoint although the log has been cut: balances
	// are then those of what is left of it.
	Fresh bool
	// BatchEntries bounds one insert, default 50,000; BatchWait is how long
	// entries wait for others, default 500 ms.
	BatchEntries int
	BatchWait    time.Duration
	// CheckpointEvery is how often the fold is written down, default 30 s.
	CheckpointEvery time.Duration
	// MaxSettled bounds the bids that are remembered as settled; default
	// 20,000,000. They are forgotten after their billing tokens' life.
	MaxSettled int
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("ledger: no Kafka brokers"))
	}
	if c.Dir == "" {
		errs = append(errs, errors.New("ledger: no directory for its checkpoint"))
	}
	if c.BatchEntries < 0 || c.BatchWait < 0 || c.CheckpointEvery < 0 || c.MaxSettled < 0 {
		errs = append(errs, errors.New("ledger: a negative bound"))
	}
	return errors.Join(append(errs, c.ClickHouse.Validate())...)
}

func (c Config) withDefaults() Config {
	if c.BatchEntries == 0 {
		c.BatchEntries = 50_000
	}
	if c.BatchWait == 0 {
		c.BatchWait = 500 * time.Millisecond
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = 30 * time.Second
	}
	return c
}
