package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/kafkatest"
)

// balancer is a small HTTP load balancer: it asks /readyz of each node and
// sends requests to the ready ones in turn, on connections that it keeps. It
// tries nothing twice, so what a node refuses or loses is seen.
type balancer struct {
	nodes   []string
	ready   []atomic.Bool
	clients []*http.Client
	next    atomic.Uint32
	broken  atomic.Int64
	last    atomic.Value // the newest error
	sent    []atomic.Int64
}

func newBalancer(nodes ...string) *balancer {
	l := &balancer{nodes: nodes, ready: make([]atomic.Bool, len(nodes)), sent: make([]atomic.Int64, len(nodes))}
	for range nodes {
		l.clients = append(l.clients, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second})
	}
	return l
}

// watch asks a node whether it is ready until ctx ends. One that says that it
// is not is believed at once. One that does not answer may only be slow, on a
// busy machine, as the only one there is: it counts as gone the second time.
func (l *balancer) watch(ctx context.Context, i int) {
	for silent := 0; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		ok, answered := readyz(ctx, l.nodes[i])
		if silent++; answered {
			silent = 0
		}
		if silent == 1 {
			continue
		}
		if l.ready[i].Swap(ok) && !ok {
			l.clients[i].CloseIdleConnections()
		}
	}
}

// readyz asks a node whether it is ready; answered is false where it said
// nothing in time.
func readyz(ctx context.Context, node string) (ok, answered bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+node+"/readyz", nil)
	if err != nil {
		return false, false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK, true
}

func (l *balancer) pick() int {
	for range 2 * len(l.nodes) {
		if i := int(l.next.Add(1)) % len(l.nodes); l.ready[i].Load() {
			return i
		}
	}
	return -1
}

func (l *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	i := l.pick()
	if err != nil || i < 0 {
		l.fail(w, fmt.Errorf("no node is ready: %w", err))
		return
	}
	// The transport repeats by itself what has no body; what has one, and no
	// means to get it again, it does not.
	req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+l.nodes[i]+r.URL.RequestURI(), io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		l.fail(w, err)
		return
	}
	req.Header, req.ContentLength = r.Header.Clone(), int64(len(body))
	res, err := l.clients[i].Do(req)
	if err != nil {
		l.fail(w, err)
		return
	}
	defer res.Body.Close()
	l.sent[i].Add(1)
	for name := range res.Header {
		if name != "Connection" {
			w.Header().Set(name, res.Header.Get(name))
		}
	}
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}

func (l *balancer) fail(w http.ResponseWriter, err error) {
	l.broken.Add(1)
	l.last.Store(err.Error())
	http.Error(w, err.Error(), http.StatusBadGateway)
}

var burlToken = regexp.MustCompile(`"burl":"http://[^/]+(/n/[^"]+)"`)

// rollingClient asks for bids and bills each, one after the other.
type rollingClient struct {
	url    string
	http   *http.Client
	asked  atomic.Int64
	wrong  atomic.Value
	mu     sync.Mutex
	billed int
}

func (c *rollingClient) play(ctx context.Context, worker int) {
	for i := 0; ctx.Err() == nil; i++ {
		body := fmt.Sprintf(`{"id":"w%d-%d","at":1,"tmax":2000,"cur":["USD"],"imp":[{"id":"1","banner":{"w":300,"h":250}}],"site":{"domain":"news.example","page":"https://news.example/"}}`, worker, i)
		status, answer, why, err := c.do(http.MethodPost, "/openrtb2/storm-usd", body)
		if c.asked.Add(1); why == "overload" || why == "no_time" {
			continue // an answer as well, on a busy machine
		}
		m := burlToken.FindSubmatch(answer)
		if err != nil || status != http.StatusOK || m == nil {
			c.wrong.Store(fmt.Sprintf("a bid request was answered %d %s %s %v", status, why, answer, err))
			continue
		}
		notice := strings.ReplaceAll(strings.ReplaceAll(string(m[1]), `\u0026`, "&"), "${AUCTION_PRICE}", "1.5")
		if status, _, _, err = c.do(http.MethodGet, notice, ""); err != nil || status != http.StatusNoContent {
			c.wrong.Store(fmt.Sprintf("a notice was answered %d %v", status, err))
			continue
		}
		c.mu.Lock()
		c.billed++
		c.mu.Unlock()
	}
}

func (c *rollingClient) do(method, path, body string) (status int, answer []byte, why string, err error) {
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Grosz-Debug", "1")
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, strings.TrimSpace(res.Header.Get("X-Grosz-Nobid")), err
}

// TestARollingRestartLosesNothing restarts two bidders, one after the other,
// twice, behind a balancer under load: every request is answered with a bid,
// every notice is taken, and each is in the log.
func TestARollingRestartLosesNothing(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	log := slog.New(slog.DiscardHandler)
	n, err := newStormNodes(&stormConfig{Dir: t.TempDir(), Hold: time.Minute}, env{nil, io.Discard, io.Discard, log})
	require.NoError(t, err)
	defer n.close()
	require.NoError(t, n.named("broker").start())
	require.NoError(t, n.publish(ctx))
	var addrs []string
	for _, node := range n.bidders() {
		node.args = append(node.args, "--drain-wait", "3s")
		require.NoError(t, node.start())
		require.NoError(t, n.ready(ctx, node))
		addrs = append(addrs, node.addr)
	}
	lb := newBalancer(addrs...)
	front := httptest.NewServer(lb)
	defer front.Close()
	var wg sync.WaitGroup
	defer func() { stop(); wg.Wait() }()
	for i := range addrs {
		wg.Go(func() { lb.watch(ctx, i) })
	}
	kafkatest.Eventually(t, "both nodes to be seen", func() error {
		if lb.ready[0].Load() && lb.ready[1].Load() {
			return nil
		}
		return fmt.Errorf("not ready")
	})
	c := &rollingClient{url: front.URL, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 30 * time.Second}}
	load, endLoad := context.WithCancel(ctx)
	var players sync.WaitGroup
	for w := range 8 {
		players.Go(func() { c.play(load, w) })
	}
	for range 2 {
		for i, node := range n.bidders() {
			node.stop()
			require.NoError(t, node.start())
			require.NoError(t, n.ready(ctx, node))
			before := lb.sent[i].Load()
			kafkatest.Eventually(t, "the node to be used again", func() error {
				if lb.sent[i].Load() > before+20 {
					return nil
				}
				return fmt.Errorf("%d requests since it is back", lb.sent[i].Load()-before)
			})
		}
	}
	endLoad()
	players.Wait()
	require.Zero(t, lb.broken.Load(), "refused or lost: %v", lb.last.Load())
	require.Nil(t, c.wrong.Load())
	require.Greater(t, c.billed, 100)
	t.Logf("%d requests answered with a bid, %d notices taken, over four restarts", c.asked.Load(), c.billed)
	kafkatest.Eventually(t, "every billed bid in the log", func() error {
		settled, err := settledBids(ctx, n.kafka, log)
		if err == nil && settled != c.billed {
			err = fmt.Errorf("%d bids are settled in the log, %d were billed", settled, c.billed)
		}
		return err
	})
	for _, node := range n.bidders() {
		node.stop()
		dirs, err := filepath.Glob(filepath.Join(n.cfg.Dir, node.name, "bidder", "spool"))
		require.NoError(t, err)
		require.Len(t, dirs, 1, node.name)
		left, err := spool.Open(spool.Config{Dir: dirs[0]}, log)
		require.NoError(t, err)
		require.Zero(t, left.Stats().BacklogBytes, "what %s counted last has to wait for a node that may never start again", node.name)
		require.NoError(t, left.Close())
	}
}

// settledBids counts the bids that the log settles.
func settledBids(ctx context.Context, brokers []string, log *slog.Logger) (int, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	bids := map[string]bool{}
	f := &kafka.Follower{Brokers: brokers, Topic: events.TopicEvents, Log: log, CaughtUp: stop, Handle: func(m kafka.Message) error {
		for line := range bytes.SplitSeq(m.Value, []byte{'\n'}) {
			var e struct {
				BidID   string `json:"bid_id"`
				Settles bool
			}
			if len(line) > 0 {
				if err := json.Unmarshal(line, &e); err != nil {
					return err
				}
			}
			if e.Settles {
				bids[e.BidID] = true
			}
		}
		return nil
	}}
	err := f.Run(ctx)
	return len(bids), err
}
