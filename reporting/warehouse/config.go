package warehouse

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Defaults of Config's zero values.
const (
	DefaultMemoryBytes  = 2 << 30
	DefaultQueries      = 4
	DefaultWaiting      = 32
	DefaultMaxBodyBytes = 256 << 20
	DefaultQueueTimeout = 30 * time.Second
	DefaultQueryTimeout = 10 * time.Minute
	DefaultCloseTimeout = 30 * time.Second

	minMemoryBytes = 512 << 20
	maxQueries     = 64
	maxSessions    = 64
	maxConnections = 512
)

// Config says where the warehouse keeps its data and what it may use. All zero
// values but Dir and Addr have a default.
type Config struct {
	// Dir is the data folder. The engine's tables are in Dir/warehouse, the
	// password is in Dir/warehouse.key. Required; created when missing.
	Dir string
	// Addr is the address to listen on, as host:port; port 0 takes a free one.
	// Required.
	Addr string
	// Library is the path of libchdb. Empty: GROSZ_LIBCHDB, else the cache, as
	// FindLibrary says.
	Library string
	// MemoryBytes bounds what the engine allocates in all; one query may use
	// half of it, with its result if that cannot be streamed (SELECT in row formats
	// and Native can, and has no bound). Beyond is code 241. 0 is 2 GiB; at least 512 MiB. The engine lowers it to 90 % of
	// the machine's memory.
	MemoryBytes int64
	// Queries is how many reading statements run at once. 0 is 4; at most 64.
	Queries int
	// Waiting is how many statements may wait for a slot, of readers and of
	// writers each; one more is refused with code 202. 0 is 32.
	Waiting int
	// MaxBodyBytes bounds a request's body after decompression; all bodies that are being
	// inserted hold at most four times as much, in files of Dir. 0 is 256 MiB.
	MaxBodyBytes int64
	// QueueTimeout is how long a statement waits for a slot before it is refused
	// with code 202. 0 is 30 s.
	QueueTimeout time.Duration
	// QueryTimeout is max_execution_time where the client gives none. 0 is 10 min.
	QueryTimeout time.Duration
	// CloseTimeout is how long Close waits for running statements before it
	// cancels them. 0 is 30 s.
	CloseTimeout time.Duration
	// Clock tells the time for session timeouts. nil is time.Now.
	Clock func() time.Time
}

// Validate returns everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Dir == "" {
		bad("warehouse: Dir is empty")
	} else if strings.ContainsAny(c.Dir, "*?{}\n\x00") {
		bad("warehouse: Dir %q holds *, ?, {, } or a line end, which the engine takes for patterns", c.Dir)
	}
	if c.Addr == "" {
		bad("warehouse: Addr is empty")
	} else if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		bad("warehouse: Addr: %w", err)
	}
	if c.MemoryBytes != 0 && c.MemoryBytes < minMemoryBytes {
		bad("warehouse: MemoryBytes is %d, less than %d (512 MiB)", c.MemoryBytes, int64(minMemoryBytes))
	}
	if c.Queries < 0 || c.Queries > maxQueries {
		bad("warehouse: Queries is %d, not 0 to %d", c.Queries, maxQueries)
	}
	if c.Waiting < 0 {
		bad("warehouse: Waiting is %d, below 0", c.Waiting)
	}
	for _, b := range []struct {
		name  string
		value int64
	}{
		{"MaxBodyBytes", c.MaxBodyBytes},
		{"QueueTimeout", int64(c.QueueTimeout)}, {"QueryTimeout", int64(c.QueryTimeout)}, {"CloseTimeout", int64(c.CloseTimeout)},
	} {
		if b.value < 0 {
			bad("warehouse: %s is %d, below 0", b.name, b.value)
		}
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	wait := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	def(&c.MemoryBytes, DefaultMemoryBytes)
	def(&c.MaxBodyBytes, DefaultMaxBodyBytes)
	wait(&c.QueueTimeout, DefaultQueueTimeout)
	wait(&c.QueryTimeout, DefaultQueryTimeout)
	wait(&c.CloseTimeout, DefaultCloseTimeout)
	if c.Queries == 0 {
		c.Queries = DefaultQueries
	}
	if c.Waiting == 0 {
		c.Waiting = DefaultWaiting
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}
