package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/grosz/grosz/bench/storm"
	"github.com/grosz/grosz/reporting/warehouse"
)

// stormNodes are the processes of a storm: two bidders with directories of
// their own, and what they need.
type stormNodes struct {
	cfg   *stormConfig
	out   io.Writer
	log   *slog.Logger
	kafka []string
	house string
	procs []*stormProc
}

// stormProc is one process, which is killed and started again.
type stormProc struct {
	name, addr, metrics string
	args                []string
	environ             []string // beside the parent's
	self, logs          string

	mu     sync.Mutex
	cmd    *exec.Cmd // nil: it is not to run
	alive  io.Closer
	ended  chan struct{}
	deaths int // ended by itself
}

// maxDeaths is how often a process may end by itself and is started again: a
// port may be taken for a moment.
const maxDeaths = 20

func newStormNodes(c *stormConfig, e env) (*stormNodes, error) {
	n := &stormNodes{cfg: c, out: e.out, log: e.log, kafka: c.Kafka, house: freeAddr()}
	if len(n.kafka) == 0 {
		n.kafka = []string{freeAddr()}
	}
	self, err := thisProgram()
	if err != nil {
		return nil, err
	}
	n.make()
	logs := filepath.Join(c.Dir, "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, fmt.Errorf("make %s: %w", logs, err)
	}
	for _, p := range n.procs {
		p.self, p.logs = self, logs
	}
	if _, err := warehouse.LoadPassword(c.Dir); err != nil {
		return nil, err
	}
	return n, n.writeFiles()
}

// writeFiles gives both nodes the same keys, exchanges and rates.
func (n *stormNodes) writeFiles() error {
	files := storm.Files(time.Now().UnixMilli(), n.cfg.Hold)
	for i, node := range []string{"a", "b"} {
		dir := filepath.Join(n.cfg.Dir, node)
		if err := os.MkdirAll(filepath.Join(dir, "exchanges"), 0o700); err != nil {
			return fmt.Errorf("make a node's directory: %w", err)
		}
		if i == 0 {
			if _, err := loadKeyring(dir); err != nil {
				return err
			}
			keys, err := os.ReadFile(filepath.Join(dir, "token.keys"))
			if err != nil {
				return fmt.Errorf("read token keys: %w", err)
			}
			files["token.keys"] = keys
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), text, 0o600); err != nil {
				return fmt.Errorf("write a node's file: %w", err)
			}
		}
	}
	return nil
}

func (n *stormNodes) named(name string) *stormProc {
	for _, p := range n.procs {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (n *stormNodes) bidders() []*stormProc { return n.procs[:2] }

func (n *stormNodes) urls() (out []string) {
	for _, p := range n.bidders() {
		out = append(out, "http://"+p.addr)
	}
	return out
}

// startAll starts from the back to the front and waits until both nodes bid.
func (n *stormNodes) startAll(ctx context.Context) error {
	for i := len(n.procs) - 1; i >= 2; i-- {
		if err := n.procs[i].start(); err != nil {
			return err
		}
	}
	if err := n.publish(ctx); err != nil {
		return err
	}
	for _, p := range n.bidders() {
		if err := p.start(); err != nil {
			return err
		}
	}
	for _, p := range n.bidders() {
		if err := n.ready(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until a node has read the log to its end.
func (n *stormNodes) ready(ctx context.Context, p *stormProc) error {
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if answers(ctx, "http://"+p.addr+"/readyz") {
			return nil
		}
	}
	return errors.Join(ctx.Err(), fmt.Errorf("node %s does not become ready", p.name))
}

// close stops everything that runs, from the front to the back.
func (n *stormNodes) close() {
	for _, p := range n.procs {
		p.stop()
	}
}

func (p *stormProc) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run()
}

// pid is the process's; 0 while it does not run.
func (p *stormProc) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// run starts the process; mu is held.
func (p *stormProc) run() error {
	f, err := os.OpenFile(filepath.Join(p.logs, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer f.Close() // the child has its own
	cmd := exec.Command(p.self, p.args...)
	cmd.Env = append(append(childEnv(os.Environ()), supervised+"=1"), p.environ...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	alive, err := cmd.StdinPipe() // ends with us, however we end
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
		p.died(cmd)
	}()
	p.cmd, p.alive, p.ended = cmd, alive, ended
	return nil
}

// died starts a process again that ended by itself.
func (p *stormProc) died(cmd *exec.Cmd) {
	time.Sleep(200 * time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == cmd && p.deaths < maxDeaths { // nobody stopped or killed it
		p.deaths++
		_ = p.run() // who waits for it tells
	}
}

// kill is kill -9.
func (p *stormProc) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := p.cmd
	p.cmd = nil
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.ended
	return nil
}

// stop asks it to end; what does not is killed.
func (p *stormProc) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := p.cmd
	if p.cmd = nil; cmd == nil {
		return
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = cmd.Process.Kill()
		<-p.ended
	}
	_ = p.alive.Close()
}
