package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/bench/storm"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/reporting/warehouse"
)

type stormConfig struct {
	Dir     string        `config:"data" help:"an empty or absent directory of the storm's own; it is removed at the end unless it is named"`
	Notices int           `config:"notices" help:"notices to send, retries not counted" default:"1000000"`
	Real    int           `config:"real-bids" help:"bids to win by requests; the others' tokens are signed with the nodes' key" default:"20000"`
	Seed    uint64        `config:"seed" help:"of everything that is drawn" default:"1"`
	Workers int           `config:"connections" help:"notices under way at once" default:"64"`
	Hold    time.Duration `config:"hold" help:"how long a bid's hold lasts" default:"1m"`
	Kafka   []string      `config:"kafka" help:"Kafka brokers without Grosz's topics; default an embedded one, which is killed too"`
	Library string        `config:"libchdb" help:"path of libchdb.so, if it is not where 'make libchdb' puts it"`
}

func (c *stormConfig) Validate() error {
	var errs []error
	if c.Dir != "" && exists(filepath.Join(c.Dir, "a")) {
		errs = append(errs, fmt.Errorf("--data %s: a storm was there already; name another directory", c.Dir))
	}
	if c.Hold < time.Second {
		errs = append(errs, fmt.Errorf("--hold %s: at least 1s", c.Hold))
	}
	return errors.Join(errs...)
}

// runStorm sends a storm of notices through two bidder nodes, kills every
// process meanwhile, and audits the books. It fails if a nano-unit is wrong.
func runStorm(ctx context.Context, e env, args []string) error {
	var c stormConfig
	if _, err := config.Load("storm", args, e.environ, &c, e.out); err != nil {
		return err
	}
	if _, err := warehouse.FindLibrary(c.Library); err != nil {
		return err
	}
	keep := c.Dir != ""
	if !keep {
		dir, err := os.MkdirTemp("", "grosz-storm-")
		if err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
		c.Dir = dir
	}
	n, err := newStormNodes(&c, e)
	if err != nil {
		return err
	}
	defer n.close()
	err = n.play(ctx)
	n.close()
	switch {
	case err != nil:
		return fmt.Errorf("%w\nlogs and books are in %s", err, c.Dir)
	case keep:
		return nil
	}
	return os.RemoveAll(c.Dir)
}

// play is the storm from its first bid to the audit.
func (n *stormNodes) play(ctx context.Context) error {
	c := n.cfg
	if err := n.startAll(ctx); err != nil {
		return err
	}
	keys, err := loadKeyring(filepath.Join(c.Dir, "a"))
	if err != nil {
		return err
	}
	cfg := storm.Config{
		Notices: c.Notices, Seed: c.Seed, NowMS: time.Now().UnixMilli(), Keys: keys, Nodes: n.urls(), RealBids: c.Real, Workers: c.Workers, Kills: n.kills(),
	}
	began := time.Now()
	real, err := storm.Win(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(n.out, "%d bids won at two nodes in %s\n", len(real), time.Since(began).Round(time.Millisecond))
	plan, err := storm.New(cfg, real)
	if err != nil {
		return err
	}
	k := plan.Counts
	fmt.Fprintf(n.out, "%d notices of %d bids (%d of them won by requests): %d doubled (%d with another price), %d forged, %d late after a loss,\n"+
		"  %d bids with expired tokens, %d tests, %d AUDIT, %d unreadable prices, %d above the bid; of %d bids the log decides among several prices, %d must not settle\n",
		k.Notices, k.Bids, k.RealBids, k.Doubled, k.OtherPrice, k.Forged, k.Late, k.Expired, k.Tests, k.Audits, k.Provisional, k.AboveBid, k.Ambiguous, k.Unbilled)
	sent, err := plan.Send(ctx, func(sent, of int) { fmt.Fprintf(n.out, "  %d of %d sent\n", sent, of) })
	if err != nil {
		return err
	}
	fmt.Fprintf(n.out, "sent in %s, %.0f a second; %d calls were repeated because a node was away; %d kills -9\n",
		sent.Took.Round(time.Millisecond), float64(k.Notices)/sent.Took.Seconds(), sent.Retries, sent.Kills)
	return n.audit(ctx, plan)
}

// standStill is how long the books may stand still before they are given up:
// all processes were killed not long ago, and a busy machine starts them, and
// lets the loader into its group again, in minutes.
const standStill = 3 * time.Minute

// audit compares the books, kills both nodes once more, and compares what they
// know after that.
func (n *stormNodes) audit(ctx context.Context, plan *storm.Plan) error {
	password, err := warehouse.LoadPassword(n.cfg.Dir)
	if err != nil {
		return err
	}
	began := time.Now()
	res, err := plan.Check(ctx, storm.Audit{Brokers: n.kafka, ClickHouse: n.house, Password: password, Wait: standStill, Log: n.log})
	if err != nil {
		return err
	}
	fmt.Fprintf(n.out, "equal to the nano-unit, bid by bid, in the log, in grosz.settlements and in grosz.cost_per_order (after %s):\n  %d bids settled; %d duplicates in the log moved nothing; %d other events, %d rejections and %s conflicting prices recorded\n",
		time.Since(began).Round(time.Millisecond), res.Settled, res.Duplicates, res.NotSettling, res.Rejections, res.Conflicts)
	for _, s := range res.Spend {
		fmt.Fprintln(n.out, " ", s)
	}
	if err := n.holdsEnd(ctx); err != nil {
		return err
	}
	for _, node := range n.bidders() {
		if err := errors.Join(node.kill(), node.start(), n.ready(ctx, node)); err != nil {
			return err
		}
	}
	for _, node := range n.bidders() {
		node.stop() // writes its book
		if err := res.CheckBook(filepath.Join(n.cfg.Dir, node.name, "bidder", "book.snap")); err != nil {
			return err
		}
	}
	fmt.Fprintln(n.out, "equal in both bidders' books, after another kill -9 and recovery; no hold is left open")
	return nil
}

// publish puts the shops and campaigns into Kafka, as the console does.
func (n *stormNodes) publish(ctx context.Context) error {
	if err := kafka.EnsureTopics(ctx, n.kafka, kafka.Topics(0), n.log); err != nil {
		return err
	}
	w := kafka.NewWriter(n.kafka, n.log)
	for _, r := range storm.Records() {
		text, err := json.Marshal(r)
		if err == nil {
			err = w.WriteMessages(ctx, kafkago.Message{Topic: events.TopicCampaigns, Key: []byte(r.Key), Value: text})
		}
		if err != nil {
			return errors.Join(fmt.Errorf("publish campaigns: %w", err), w.Close())
		}
	}
	return w.Close()
}

// partOf names a process in a plan of kills.
type partOf struct {
	at   float64
	name string
}

// kills lists what is killed when: every process, the bidders most.
func (n *stormNodes) kills() []storm.Kill {
	plan := []partOf{{0.15, "a"}, {0.30, "b"}, {0.40, "loader"}, {0.50, "a"}, {0.60, "broker"}, {0.70, "warehouse"}, {0.80, "b"}, {0.90, "a"}, {0.90, "b"}}
	var out []storm.Kill
	for _, k := range plan {
		if p := n.named(k.name); p != nil {
			out = append(out, storm.Kill{At: k.at, Do: func() error {
				fmt.Fprintf(n.out, "  kill -9 %s\n", p.name)
				return errors.Join(p.kill(), p.start())
			}})
		}
	}
	return out
}

// args of a storm's processes.
func (n *stormNodes) make() {
	c := n.cfg
	for _, name := range []string{"a", "b"} {
		n.procs = append(n.procs, &stormProc{name: name, addr: freeAddr(), metrics: freeAddr()})
		p := n.procs[len(n.procs)-1]
		p.args = []string{"bidder", "--data", filepath.Join(c.Dir, name), "--bidder", p.addr, "--metrics", p.metrics, "--kafka", n.kafka[0],
			"--node", name, "--public-url", "http://" + p.addr, "--rates-max-age=-1s"}
	}
	n.procs = append(n.procs,
		&stormProc{name: "loader", args: []string{"loader", "--data", c.Dir, "--kafka", n.kafka[0], "--metrics", freeAddr(), "--clickhouse", n.house}},
		&stormProc{name: "warehouse", addr: n.house, args: []string{"warehouse", "--data", c.Dir, "--warehouse", n.house, "--libchdb", c.Library}})
	if len(c.Kafka) == 0 {
		n.procs = append(n.procs, &stormProc{name: "broker", addr: n.kafka[0], args: []string{"broker", "--data", c.Dir, "--broker", n.kafka[0]}})
	}
}

// metric reads one figure of a process; ok is false when it does not answer.
func metric(ctx context.Context, addr, name string) (v float64, ok bool) {
	all, err := scrape(ctx, "http://"+addr+"/metrics")
	if err != nil {
		return 0, false
	}
	v, ok = all[name]
	return v, ok
}

// holdsEnd waits until both nodes have let every hold go: by a settlement, a
// loss, or its end.
func (n *stormNodes) holdsEnd(ctx context.Context) error {
	last := ""
	for end := time.Now().Add(n.cfg.Hold + standStill); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		last = ""
		for _, node := range n.bidders() {
			if v, ok := metric(ctx, node.metrics, "grosz_holds"); !ok || v != 0 {
				last += " " + node.name + ": " + strconv.FormatFloat(v, 'f', -1, 64)
			}
		}
		if last == "" {
			return nil
		}
	}
	return fmt.Errorf("holds are left open:%s", last)
}
