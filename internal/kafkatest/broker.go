package kafkatest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/internal/freeport"
)

// Config says where a broker lives. Only Dir is needed.
type Config struct {
	// Dir holds the broker's data, configuration and log; a broker started
	// again on the same Dir has the same data.
	Dir string
	// Port on 127.0.0.1; 0 takes a free one.
	Port int
	// HeapMB bounds the Java heap; 0 is 512.
	HeapMB int
	// Secure adds listeners with TLS and SASL; see SecureAddr.
	Secure bool
	// StartTimeout bounds the wait until the broker answers; 0 is 3 minutes.
	StartTimeout time.Duration
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("kafka: no directory given"))
	}
	if c.Port < 0 || c.Port > 65535 {
		errs = append(errs, fmt.Errorf("kafka: port %d is not within 0–65535", c.Port))
	}
	if c.HeapMB < 0 {
		errs = append(errs, fmt.Errorf("kafka: heap of %d MB", c.HeapMB))
	}
	return errors.Join(errs...)
}

// Broker is one Apache Kafka node with its process, or without it between
// Stop or Kill and Restart.
type Broker struct {
	cfg        Config
	java, libs string
	port       int // of clients
	control    int // of the controller
	proc       *process
	secure     *secure // nil: plain connections only
}

// Open starts a broker and returns once it answers. It wraps ErrMissing
// when Java or Kafka is not installed.
func Open(ctx context.Context, cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.HeapMB == 0 {
		cfg.HeapMB = 512
	}
	if cfg.StartTimeout == 0 {
		cfg.StartTimeout = 3 * time.Minute
	}
	java, libs, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("kafka: directory %s: %w", cfg.Dir, err)
	}
	cfg.Dir = dir
	b := &Broker{cfg: cfg, java: java, libs: libs}
	// Another process may take a free port before the broker does.
	for try := 0; ; try++ {
		err := b.begin(ctx)
		if err == nil || cfg.Port != 0 || try == 2 || ctx.Err() != nil {
			return b, err
		}
	}
}

// begin picks ports, formats the storage if it is new, and starts.
func (b *Broker) begin(ctx context.Context) error {
	var err error
	if b.port = b.cfg.Port; b.port == 0 {
		if b.port, err = freeport.Loopback(); err != nil {
			return err
		}
	}
	for b.control == 0 || b.control == b.port {
		if b.control, err = freeport.Loopback(); err != nil {
			return err
		}
	}
	if err := b.beginSecure(); err != nil {
		return err
	}
	if err := b.configure(); err != nil {
		return err
	}
	if err := b.format(ctx); err != nil {
		return err
	}
	return b.Restart(ctx)
}

// Addr is the broker's host:port, the same over restarts.
func (b *Broker) Addr() string { return freeport.Addr(b.port) }

// PID is the broker's process, or 0 when it does not run.
func (b *Broker) PID() int {
	if b.proc == nil {
		return 0
	}
	return b.proc.cmd.Process.Pid
}

// Stop ends the broker in good order and waits for it; after 20 s it is
// killed. Stopping a stopped broker does nothing.
func (b *Broker) Stop() error { return b.end(syscall.SIGTERM, 20*time.Second) }

// Kill ends the broker as a crash would (kill -9) and waits for it.
func (b *Broker) Kill() error { return b.end(syscall.SIGKILL, 0) }

func (b *Broker) end(sig syscall.Signal, grace time.Duration) error {
	if b.proc == nil {
		return nil
	}
	p := b.proc
	b.proc = nil
	return p.end(sig, grace)
}

// Restart starts a stopped or killed broker on the same data and port, and
// returns once it answers.
func (b *Broker) Restart(ctx context.Context) error {
	if b.proc != nil {
		return errors.New("kafka: the broker already runs")
	}
	cmd := b.command("kafka.Kafka", b.path("server.properties"))
	p, err := startProcess(cmd, b.path("kafka.log"))
	if err != nil {
		return fmt.Errorf("starting Kafka: %w", err)
	}
	b.proc = p
	if err := b.waitReady(ctx); err != nil {
		_ = b.Kill()
		return fmt.Errorf("starting Kafka on %s: %w\n%s", b.Addr(), err, b.logTail())
	}
	return nil
}

func (b *Broker) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.StartTimeout)
	defer cancel()
	client := &kafka.Client{Addr: kafka.TCP(b.Addr()), Timeout: 2 * time.Second, Transport: &kafka.Transport{}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	for {
		err := b.answers(ctx, client)
		if err == nil {
			return nil
		}
		select {
		case <-b.proc.done:
			return fmt.Errorf("it ended: %w", b.proc.err)
		case <-ctx.Done():
			return fmt.Errorf("it did not answer: %w", errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// answers asks for what a client needs first: the brokers, and a coordinator
// of consumer groups. Asking for that one makes the topic of their offsets,
// which would else cost the first group some seconds of retries.
func (b *Broker) answers(ctx context.Context, client *kafka.Client) error {
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return err
	}
	if len(meta.Brokers) != 1 || meta.Brokers[0].Port != b.port {
		return errors.New("the broker is not in its own list yet")
	}
	group, err := client.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: "any", KeyType: kafka.CoordinatorKeyTypeConsumer})
	if err != nil {
		return err
	}
	return group.Error
}

func (b *Broker) path(name string) string { return filepath.Join(b.cfg.Dir, name) }

func (b *Broker) command(class string, args ...string) *exec.Cmd {
	java := []string{
		"-Xmx" + strconv.Itoa(b.cfg.HeapMB) + "m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Djava.awt.headless=true", "-cp", filepath.Join(b.libs, "*"), class,
	}
	cmd := exec.Command(b.java, append(java, args...)...)
	cmd.Dir = b.cfg.Dir
	return cmd
}

// configure writes server.properties: broker and controller in one, bound to
// loopback, one replica of everything, no topic made by accident. The short
// session lets a killed broker come back in seconds: its controller takes it
// for alive until then, and refuses it.
func (b *Broker) configure() error {
	if err := os.MkdirAll(b.cfg.Dir, 0o755); err != nil {
		return fmt.Errorf("kafka: making its directory: %w", err)
	}
	text := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=%[3]s
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
initial.broker.registration.timeout.ms=60000
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=16777216
`, b.port, b.control, b.path("data"))
	if b.secure != nil {
		text = b.secure.properties(b, text)
	}
	if err := os.WriteFile(b.path("server.properties"), []byte(text), 0o644); err != nil {
		return fmt.Errorf("kafka: writing its configuration: %w", err)
	}
	return nil
}

// format makes the storage of a new directory.
func (b *Broker) format(ctx context.Context) error {
	if _, err := os.Stat(b.path("data/meta.properties")); err == nil {
		return nil
	}
	var id [16]byte
	for i := range id {
		id[i] = byte(rand.Uint32())
	}
	id[0] &= 0x7f // a leading '-' would read as a flag
	uuid := base64.RawURLEncoding.EncodeToString(id[:])
	args := []string{"format", "-t", uuid, "-c", b.path("server.properties")}
	if b.secure != nil {
		args = append(args, b.secure.formatArgs()...)
	}
	cmd := b.command("kafka.tools.StorageTool", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := startProcess(cmd, "")
	if err != nil {
		return fmt.Errorf("formatting Kafka's storage: %w", err)
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = p.end(syscall.SIGKILL, 0)
		return fmt.Errorf("formatting Kafka's storage: %w", ctx.Err())
	}
	if p.err != nil {
		return fmt.Errorf("formatting Kafka's storage: %w\n%s", p.err, tail(out.Bytes()))
	}
	return nil
}

func (b *Broker) logTail() []byte {
	text, err := os.ReadFile(b.path("kafka.log"))
	if err != nil {
		return nil
	}
	return tail(text)
}

// tail is the last 2 KB of a log.
func tail(text []byte) []byte { return text[max(0, len(text)-2048):] }
