package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bench/sim"
	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/reporting/warehouse"
)

// TestMain lets the test binary be grosz itself, so that the roles run as the
// processes that they are.
func TestMain(m *testing.M) {
	if keep := os.Getenv(killEnv); keep != "" {
		if err := killedBroker(keep); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// stack is a whole Grosz with its demo, as `grosz up --demo` runs it.
type stack struct {
	t      testing.TB
	dir    string
	args   []string
	bidder string
	house  string
	cmd    *exec.Cmd
	out    *lockedBuffer
	done   chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func newStack(t testing.TB, more ...string) *stack {
	t.Helper()
	if _, err := warehouse.FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s := &stack{t: t, dir: t.TempDir(), bidder: freeAddr(), house: freeAddr()}
	s.args = append([]string{"--plain", "--demo", "--data", s.dir, "--bidder", s.bidder, "--warehouse", s.house,
		"--console", freeAddr(), "--metrics", freeAddr(), "--broker", freeAddr(), "--demo-shop", freeAddr()}, more...)
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			s.logs()
		}
	})
	return s
}

// start runs `grosz up` with some requests per second.
func (s *stack) start(rate float64) {
	s.t.Helper()
	self, err := os.Executable()
	require.NoError(s.t, err)
	s.out = new(lockedBuffer)
	s.cmd = exec.Command(self, append([]string{"up", "--rate", fmt.Sprint(rate)}, s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	require.NoError(s.t, s.cmd.Start())
	s.done = make(chan error, 1)
	go func() { s.done <- s.cmd.Wait() }()
	kafkatest.Eventually(s.t, "the bidder to be ready", func() error {
		select {
		case err := <-s.done:
			s.cmd = nil
			s.t.Fatalf("up ended: %v\n%s", err, s.out)
		default:
		}
		if !answers(context.Background(), "http://"+s.bidder+"/readyz") {
			return fmt.Errorf("not ready; up says: %s", s.out)
		}
		return nil
	})
}

func (s *stack) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(10 * stopTimeout): // one child after the other, and each has as long
		s.t.Error("up does not stop")
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	s.cmd = nil
}

func (s *stack) logs() {
	s.t.Logf("up says:\n%s", s.out)
	files, _ := filepath.Glob(filepath.Join(s.dir, "logs", "*.log"))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if len(b) > 4000 {
			b = b[len(b)-4000:]
		}
		s.t.Logf("%s:\n%s", filepath.Base(f), b)
	}
}

// query asks the warehouse as an analyst does, with curl's means.
func (s *stack) query(sql string, into any) error {
	password, err := warehouse.LoadPassword(s.dir)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+s.house+"/?default_format=JSON&output_format_json_quote_decimals=1&output_format_json_quote_64bit_integers=1", strings.NewReader(sql))
	if err != nil {
		return err
	}
	req.SetBasicAuth("default", password)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", res.Status, b)
	}
	return json.Unmarshal(b, into)
}

func (s *stack) journals() string { return filepath.Join(s.dir, "exchange") }

// settled waits until the warehouse's books equal the exchanges' invoices and
// the shops' orders the truth, to the last digit.
func (s *stack) settled(attribution bool) {
	s.t.Helper()
	var invoice sim.Invoice
	kafkatest.Eventually(s.t, "books equal to the truth", func() error {
		var err error
		if invoice, err = sim.ReadInvoice(s.journals()); err != nil {
			return err
		}
		if err := s.spendEquals(invoice); err != nil {
			return err
		}
		truth, err := sim.ReadTruth(s.journals())
		if err != nil {
			return err
		}
		if err := s.ordersEqual(truth); err != nil {
			return err
		}
		if attribution {
			return s.attributionEquals(truth)
		}
		return nil
	})
	for name, t := range invoice.Exchanges {
		require.Greater(s.t, t.Count, int64(20), "too little was billed to say that it is equal")
		s.t.Logf("%s: %d impressions billed, %s %s; equal", name, t.Count, t.Amount, t.Currency)
	}
}

func (s *stack) spendEquals(invoice sim.Invoice) error {
	var got struct {
		Data []struct{ Exchange, Currency, Total string }
	}
	if err := s.query(`SELECT c.exchange AS exchange, c.currency AS currency, toString(sum(c.spend)) AS total
	  FROM grosz.cost_per_order AS c GROUP BY c.exchange, c.currency`, &got); err != nil {
		return err
	}
	if len(got.Data) < len(invoice.Exchanges) {
		return fmt.Errorf("the report has %d exchanges, the invoices are of %d", len(got.Data), len(invoice.Exchanges))
	}
	for _, row := range got.Data {
		want := invoice.Exchanges[row.Exchange]
		if want == nil && decimal(row.Total) == "0" {
			continue // bids that nobody won, sent by hand
		}
		if want == nil {
			return fmt.Errorf("%s spent %s %s and sent no invoice", row.Exchange, row.Total, row.Currency)
		}
		if decimal(row.Total) != decimal(want.Amount.String()) || row.Currency != want.Currency.String() {
			return fmt.Errorf("%s: the report has %s %s, the invoice %s %s", row.Exchange, row.Total, row.Currency, want.Amount, want.Currency)
		}
	}
	return nil
}

// decimal drops the zeros that say nothing.
func decimal(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

func (s *stack) ordersEqual(truth sim.Truth) error {
	if len(truth.Refused) > 0 {
		return fmt.Errorf("orders refused: %v", truth.Refused)
	}
	var got struct {
		Data []struct{ Shop, Orders, Revenue string }
	}
	if err := s.query(`SELECT toString(shop) AS shop, toString(count()) AS orders, toString(sum(value)) AS revenue FROM grosz.orders GROUP BY shop`, &got); err != nil {
		return err
	}
	if len(got.Data) != len(truth.Shops) {
		return fmt.Errorf("orders of %d shops, in truth %d", len(got.Data), len(truth.Shops))
	}
	for _, row := range got.Data {
		id, err := strconv.ParseUint(row.Shop, 10, 32)
		if err != nil {
			return err
		}
		want := truth.Shops[uint32(id)]
		if want == nil || row.Orders != fmt.Sprint(want.Orders) || decimal(row.Revenue) != decimal(want.Revenue.String()) {
			return fmt.Errorf("shop %s: %s orders worth %s, in truth %+v", row.Shop, row.Orders, row.Revenue, want)
		}
	}
	return nil
}

// attributionEquals compares campaign by campaign.
func (s *stack) attributionEquals(truth sim.Truth) error {
	want := map[string]int{}
	for i := range truth.Orders {
		if c := truth.Orders[i].Campaign(); c != "" {
			want[c]++
		}
	}
	var got struct {
		Data []struct{ ID, N string }
	}
	if err := s.query(`SELECT toString(campaign) AS id, toString(sum(orders)) AS n FROM grosz.cost_per_order GROUP BY campaign HAVING sum(orders) > 0`, &got); err != nil {
		return err
	}
	have := map[string]int{}
	for _, row := range got.Data {
		n, err := strconv.Atoi(row.N)
		if err != nil {
			return err
		}
		have[row.ID] = n
	}
	if fmt.Sprint(have) != fmt.Sprint(want) {
		return fmt.Errorf("orders by campaign %v, in truth %v", have, want)
	}
	return nil
}

// calm starts the stack once more with next to no traffic, so that what is
// under way arrives.
func (s *stack) calm() {
	s.t.Helper()
	s.stop()
	s.start(0.0001)
}

func playFor(d time.Duration) { time.Sleep(d) } // traffic takes time, nothing is asserted of it

func TestEndToEndOnEmbeddedParts(t *testing.T) {
	s := newStack(t)
	s.start(150)
	playFor(20 * time.Second)
	s.calm()
	s.settled(true)
	s.strangersAreBidOn()
	s.stop()
	s.start(150) // the next start goes on from where it was
	playFor(5 * time.Second)
	s.calm()
	s.settled(true)
}

func TestEndToEndOnApacheKafka(t *testing.T) {
	broker := kafkatest.Start(t)
	s := newStack(t, "--kafka", broker.Addr())
	s.start(150)
	playFor(8 * time.Second)
	require.NoError(t, broker.Kill())
	playFor(3 * time.Second)
	require.NoError(t, broker.Restart(context.Background()))
	playFor(8 * time.Second)
	s.calm()
	s.settled(false)
}

// TestKillAnything kills -9 any process at any moment under load, `up`
// itself among them.
func TestKillAnything(t *testing.T) {
	s := newStack(t)
	s.start(150)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	roles := []string{"bidder", "broker", "warehouse", "loader", "ledger", "exchange", "console", "bidder", "up", "broker"}
	for _, role := range roles {
		playFor(time.Duration(1000+rng.IntN(2500)) * time.Millisecond)
		t.Logf("kill -9 %s", role)
		if role == "up" {
			require.NoError(t, s.cmd.Process.Kill())
			<-s.done
			s.cmd = nil
			s.start(150)
			continue
		}
		kill9(t, s.dir, role)
	}
	playFor(3 * time.Second)
	s.calm()
	s.settled(false)
}

func kill9(t *testing.T, dir, role string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "run", role+".pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL), "%s was not running", role)
}

// strangersAreBidOn sends the ordinary requests of README's first minute.
func (s *stack) strangersAreBidOn() {
	s.t.Helper()
	native := `{\"ver\":\"1.2\",\"assets\":[{\"id\":1,\"required\":1,\"title\":{\"len\":90}},{\"id\":2,\"required\":1,\"img\":{\"type\":3,\"w\":1200,\"h\":627}},{\"id\":3,\"data\":{\"type\":1}}]}`
	imps := []string{`"native":{"ver":"1.2","request":"` + native + `"}`}
	for _, size := range []string{"300x250", "300x600", "160x600", "728x90", "970x250", "320x50", "320x100"} {
		w, h, _ := strings.Cut(size, "x")
		imps = append(imps, `"banner":{"w":`+w+`,"h":`+h+`}`, `"secure":1,"banner":{"format":[{"w":`+w+`,"h":`+h+`}]}`)
	}
	for _, dur := range []string{"15", "30"} {
		imps = append(imps, `"video":{"mimes":["video/mp4"],"minduration":`+dur+`,"maxduration":`+dur+`,"protocols":[2,3,5,6],"w":640,"h":480,"linearity":1,"minbitrate":300,"maxbitrate":1500}`)
	}
	ask := func(imp string) error {
		body := `{"id":"x","imp":[{"id":"1","bidfloor":1,` + imp + `}],"site":{"domain":"anything.example","page":"https://anything.example/"},"device":{"ua":"x"}}`
		req, err := http.NewRequest(http.MethodPost, "http://"+s.bidder+"/openrtb2/demo", strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("X-Grosz-Debug", "1")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s %v %s", imp, res.Status, res.Header, answer)
		}
		return err
	}
	for _, imp := range imps { // a campaign's lease may be under way
		kafkatest.Eventually(s.t, "a bid", func() error { return ask(imp) })
	}
}
