package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/internal/freeport"
	"github.com/grosz/grosz/reporting/warehouse"
)

type upConfig struct {
	listening
	kafkaNet
	clickhouseNet
	Dir       string  `config:"data" help:"directory of all data" default:"./data"`
	Bidder    string  `config:"bidder" help:"address of the bidder" default:"127.0.0.1:8080"`
	Console   string  `config:"console" help:"address of the API and pages" default:"127.0.0.1:8090"`
	Warehouse string  `config:"warehouse" help:"address of the embedded ClickHouse" default:"127.0.0.1:8123"`
	Broker    string  `config:"broker" help:"address of the embedded Kafka broker" default:"127.0.0.1:9092"`
	Metrics   string  `config:"metrics" help:"loopback address of the bidder's metrics and profiles" default:"127.0.0.1:8091"`
	Shop      string  `config:"demo-shop" help:"address of the demo shops' own pages" default:"127.0.0.1:8092"`
	Kafka     string  `config:"kafka" help:"Kafka brokers to use in place of the embedded one"`
	Click     string  `config:"clickhouse" help:"ClickHouse to use in place of the embedded one, host:port"`
	Protocol  string  `config:"clickhouse-protocol" help:"http or native" default:"http"`
	User      string  `config:"clickhouse-user" help:"user of ClickHouse" default:"default"`
	Public    string  `config:"public-url" help:"URL by which exchanges and browsers reach the bidder; default http://ADDRESS"`
	Library   string  `config:"libchdb" help:"path of libchdb.so, if it is not where 'make libchdb' puts it"`
	Profiles  int     `config:"profiles" help:"bound on profiles in the bidder's memory" default:"1000000"`
	Demo      bool    `config:"demo" help:"add demo shops, exchanges and shoppers"`
	Rate      float64 `config:"rate" help:"bid requests per second of the demo" default:"40"`
	Plain     bool    `config:"plain" help:"print the summary as lines, without moving the cursor"`
}

func (c *upConfig) Validate() error {
	if c.Public == "" {
		c.Public = "http://" + c.Bidder
	}
	addrs := map[string]string{"bidder": c.Bidder, "console": c.Console, "metrics": c.Metrics}
	if c.Kafka == "" {
		addrs["broker"] = c.Broker
	}
	if c.Click == "" {
		addrs["warehouse"] = c.Warehouse
	}
	if c.Demo {
		addrs["demo-shop"] = c.Shop
	}
	errs := []error{noDuplicates(addrs), c.checkOwn()}
	for flag, a := range addrs {
		l := c.listening
		if flag == "metrics" {
			l = listening{}
		}
		errs = append(errs, l.check(flag, a))
	}
	return errors.Join(errs...)
}

// checkOwn says what is wrong about a Kafka and a ClickHouse of one's own.
func (c *upConfig) checkOwn() error {
	errs := []error{c.kafkaNet.check(nil)}
	if c.Kafka == "" && len(c.kafkaNet.flags())+len(c.secrets()) > 0 {
		errs = append(errs, errors.New("settings of Kafka's connections without --kafka: the embedded broker has none"))
	}
	if c.Click == "" && len(c.clickhouseNet.flags()) > 0 {
		errs = append(errs, errors.New("settings of ClickHouse's connections without --clickhouse: the embedded engine has none"))
	}
	return errors.Join(errs...)
}

// runUp supervises all roles as child processes of this one, so that a crash
// is of one role only.
func runUp(ctx context.Context, e env, args []string) error {
	var c upConfig
	if _, err := config.Load("up", args, e.environ, &c, e.out); err != nil {
		return err
	}
	lock, err := prepare(ctx, &c, e.out)
	if err != nil {
		return err
	}
	defer lock.Close()
	self, err := thisProgram()
	if err != nil {
		return err
	}
	s := &supervisor{self: self, dir: c.Dir, log: e.log, environ: append(slices.Clip(e.environ), c.secrets()...), lock: lock}
	freeport.Take(slices.Collect(maps.Values(c.ports()))...) // none of them is drawn for a child's metrics
	children := c.children()
	g, gctx := errgroup.WithContext(context.WithoutCancel(ctx))
	// Stopped from the front to the back: who produces ends before who keeps.
	stops := make([]context.CancelFunc, len(children))
	ended := make([]chan struct{}, len(children))
	for i, ch := range children {
		cctx, stop := context.WithCancel(gctx)
		stops[i], ended[i] = stop, make(chan struct{})
		g.Go(func() error { defer close(ended[i]); return s.keep(cctx, ch) })
	}
	sum := &summary{cfg: &c, out: e.out, s: s}
	sumCtx, stopSum := context.WithCancel(gctx)
	g.Go(func() error { defer stopSum(); return sum.run(sumCtx) })
	select {
	case <-ctx.Done():
		stopSum()
		fmt.Fprintln(e.out, "\nstopping: what is in hand is finished and kept")
	case <-gctx.Done():
		stopSum()
	}
	for i := range children {
		stops[i]()
		<-ended[i]
	}
	if err := g.Wait(); err != nil {
		return err
	}
	fmt.Fprintln(e.out, "stopped; the next start goes on from here")
	return nil
}

// prepare makes and locks the data directory and checks what can be checked
// before any child starts: the library and the ports.
func prepare(ctx context.Context, c *upConfig, out io.Writer) (lock *os.File, err error) {
	if err := os.MkdirAll(filepath.Join(c.Dir, "exchanges"), 0o700); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if c.Click == "" {
		if _, err := warehouse.FindLibrary(c.Library); err != nil {
			return nil, err
		}
		if _, err := warehouse.LoadPassword(c.Dir); err != nil {
			return nil, err
		}
	}
	if c.Demo {
		if err := writeDemoFiles(c.Dir); err != nil {
			return nil, err
		}
	}
	if lock, err = lockData(ctx, c.Dir, out); err != nil {
		return nil, err
	}
	if err := portsFree(c.ports()); err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

func (c *upConfig) ports() map[string]string {
	p := map[string]string{"bidder": c.Bidder, "console": c.Console, "metrics": c.Metrics}
	if c.Kafka == "" {
		p["broker"] = c.Broker
	}
	if c.Click == "" {
		p["warehouse"] = c.Warehouse
	}
	if c.Demo {
		p["demo-shop"] = c.Shop
	}
	return p
}

// portsFree names every port that is taken.
func portsFree(ports map[string]string) error {
	var errs []error
	for _, flag := range slices.Sorted(maps.Keys(ports)) {
		l, err := listen(flag, ports[flag])
		if err == nil {
			err = l.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// child is one supervised role.
type child struct {
	role string
	args []string
}

// children lists what runs, in the order in which it is stopped.
func (c *upConfig) children() []child {
	kafkaAddr, click := c.Broker, c.Warehouse
	if c.Kafka != "" {
		kafkaAddr = c.Kafka
	}
	if c.Click != "" {
		click = c.Click
	}
	wide := fmt.Sprintf("--listen-wide=%t", c.Wide)
	toClick := []string{"--clickhouse", click, "--clickhouse-protocol", c.Protocol, "--clickhouse-user", c.User}
	toClick = append(toClick, c.clickhouseNet.flags()...)
	list := []child{
		{"bidder", []string{"--bidder", c.Bidder, "--kafka", kafkaAddr, "--public-url", c.Public, "--metrics", c.Metrics, "--profiles", strconv.Itoa(c.Profiles), wide}},
		{"console", append([]string{"--console", c.Console, "--bidder", c.Bidder, "--public-url", c.Public, "--kafka", kafkaAddr, "--bidder-metrics", c.Metrics, "--metrics", freeAddr(), wide}, toClick...)},
		{"learner", []string{"--kafka", kafkaAddr, "--metrics", freeAddr()}},
		{"loader", append([]string{"--kafka", kafkaAddr, "--metrics", freeAddr()}, toClick...)},
		{"ledger", append([]string{"--kafka", kafkaAddr, "--metrics", freeAddr()}, toClick...)},
	}
	if c.Demo {
		list = append([]child{{"exchange", []string{
			"--bidder", c.Bidder, "--public-url", c.Public, "--console", c.Console, "--demo-shop", c.Shop,
			"--rate", fmt.Sprint(c.Rate), "--metrics", freeAddr(), wide,
		}}}, list...)
	}
	if c.Click == "" {
		list = append(list, child{"warehouse", []string{"--warehouse", c.Warehouse, "--libchdb", c.Library, wide}})
	}
	if c.Kafka == "" {
		list = append(list, child{"broker", []string{"--broker", c.Broker, wide}})
	}
	for i := range list {
		if slices.Contains([]string{"bidder", "console", "learner", "loader", "ledger"}, list[i].role) {
			list[i].args = append(list[i].args, c.kafkaNet.flags()...)
		}
	}
	if c.Demo { // its rates are round and made up: they never age
		for i := range list {
			if list[i].role == "bidder" {
				list[i].args = append(list[i].args, "--rates-max-age=-1s")
			}
		}
	}
	for i := range list {
		list[i].args = append(list[i].args, "--data", c.Dir)
	}
	return list
}

// freeAddr is a loopback address that nobody listens at: for metrics that only
// the summary reads, and for processes of a trial.
func freeAddr() string {
	port, err := freeport.Loopback()
	if err != nil {
		return "127.0.0.1:0" // who listens there says what is wrong
	}
	return freeport.Addr(port)
}
