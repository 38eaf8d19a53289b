package warehouse

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
)

// childEnv makes the test binary a warehouse on the folder it names, for tests
// that restart or kill one.
const childEnv = "GROSZ_WAREHOUSE_TEST_CHILD"

// patience bounds every wait for an effect.
const patience = 3 * time.Minute

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the shared warehouse:", err)
			code = 1
		}
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// child serves dir until its standard input ends.
func child(dir string) int {
	signal.Ignore(syscall.SIGXFSZ) // as the program does: a write beyond a limit is an error
	s, err := Start(context.Background(), Config{Dir: dir, Addr: "127.0.0.1:0", CloseTimeout: time.Second}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

var shared struct {
	once   sync.Once
	server *Server
	dir    string
	err    error
}

// needLibrary skips a test without libchdb; in CI that is a failure.
func needLibrary(t testing.TB) {
	t.Helper()
	if _, err := FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// server is the warehouse that the tests of this process share: a process can
// hold only one.
func server(t testing.TB) *Server {
	t.Helper()
	needLibrary(t)
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "warehouse-test-"); shared.err != nil {
			return
		}
		shared.server, shared.err = Start(context.Background(), Config{
			Dir: shared.dir, Addr: "127.0.0.1:0", Queries: 2, Waiting: 2, QueueTimeout: time.Minute,
			MaxBodyBytes: 64 << 20,
		}, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	})
	require.NoError(t, shared.err)
	return shared.server
}

// reply is an HTTP answer, read whole.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// send posts body with URL parameters; header entries are name, value, ….
func send(t testing.TB, addr, password string, params url.Values, body string, header ...string) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/?"+params.Encode(), strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Accept-Encoding", "identity")
	req.SetBasicAuth(User, password)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(res.Body)
	return reply{status: res.StatusCode, header: res.Header, body: text.String(), err: err}
}

// ask sends a statement to the shared warehouse.
func ask(t testing.TB, sql string, params ...string) reply {
	t.Helper()
	s := server(t)
	v := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		v.Set(params[i], params[i+1])
	}
	return send(t, s.Addr(), s.Password(), v, sql)
}

// must is the answer's body when all is well.
func must(t testing.TB, sql string, params ...string) string {
	t.Helper()
	r := ask(t, sql, params...)
	require.Equal(t, http.StatusOK, r.status, "%s\n%s", sql, r.body)
	require.NoError(t, r.err)
	return r.body
}

// dial opens clickhouse-go in HTTP mode.
func dial(t testing.TB, addr, password string, change ...func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	opt := &clickhouse.Options{
		Addr: []string{addr}, Protocol: clickhouse.HTTP, DialTimeout: patience, ReadTimeout: 2 * patience,
		Auth: clickhouse.Auth{Database: "default", Username: User, Password: password},
	}
	for _, c := range change {
		c(opt)
	}
	conn, err := clickhouse.Open(opt)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func dialShared(t testing.TB, change ...func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	s := server(t)
	return dial(t, s.Addr(), s.Password(), change...)
}

// process is a warehouse in a process of its own.
type process struct {
	cmd            *exec.Cmd
	stdin          io.WriteCloser
	addr, password string
}

func startProcess(t *testing.T, dir string) *process {
	t.Helper()
	needLibrary(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan(), "the warehouse's process gave no address")
	password, err := LoadPassword(dir)
	require.NoError(t, err)
	return &process{cmd: cmd, stdin: stdin, addr: lines.Text(), password: password}
}

func (p *process) ask(t *testing.T, sql string) reply {
	t.Helper()
	return send(t, p.addr, p.password, nil, sql)
}

// kill ends it as kill -9 does.
func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait()
}

// stop closes it in order.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.stdin.Close())
	require.NoError(t, p.cmd.Wait())
}
