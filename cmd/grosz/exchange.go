package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/demo"
	"github.com/grosz/grosz/bench/sim"
	"github.com/grosz/grosz/internal/config"
)

type exchangeConfig struct {
	listening
	Dir      string  `config:"data" help:"directory of all data; journals are in DIR/exchange, the admin key in DIR/admin.key" default:"./data"`
	Bidder   string  `config:"bidder" help:"address of the bidder" default:"127.0.0.1:8080"`
	Public   string  `config:"public-url" help:"public URL of the bidder, if it is not http://ADDRESS"`
	Console  string  `config:"console" help:"address of the console, where the demo shops are made" default:"127.0.0.1:8090"`
	Shop     string  `config:"demo-shop" help:"address of the demo shops' own pages" default:"127.0.0.1:8092"`
	Metrics  string  `config:"metrics" help:"loopback address of metrics and profiles" default:"127.0.0.1:8095"`
	Rate     float64 `config:"rate" help:"bid requests per second" default:"40"`
	Shoppers int     `config:"shoppers" help:"size of the population" default:"2000"`
	Seed     uint64  `config:"seed" help:"seed of everything drawn" default:"1"`
}

func (c *exchangeConfig) Validate() error {
	return errors.Join(c.check("demo-shop", c.Shop), listening{}.check("metrics", c.Metrics))
}

func (c *exchangeConfig) publicURL() string {
	if c.Public != "" {
		return c.Public
	}
	return "http://" + c.Bidder
}

// runExchange makes the demo shops, serves their pages, and plays exchanges
// and shoppers until ctx ends.
func runExchange(ctx context.Context, e env, args []string) error {
	var c exchangeConfig
	if _, err := config.Load("exchange", args, e.environ, &c, e.out); err != nil {
		return err
	}
	shops, err := seedDemo(ctx, e, &c)
	if err != nil {
		return err
	}
	sites, err := demo.NewSites(shops, c.publicURL(), e.log)
	if err != nil {
		return fmt.Errorf("demo shops: %w", err)
	}
	stopSites, err := serveHTTP("demo-shop", c.Shop, sites)
	if err != nil {
		return err
	}
	defer stopSites()
	if err := waitShops(ctx, c.Bidder, shops); err != nil {
		return err
	}
	world, err := sim.New(sim.Config{
		Dir: filepath.Join(c.Dir, "exchange"), BidderURL: "http://" + c.Bidder, PublicURL: c.publicURL(),
		Shops: demo.SimShops(shops), Shoppers: c.Shoppers, Rate: c.Rate, Seed: c.Seed, Log: e.log,
	})
	if err != nil {
		return err
	}
	stop, err := serveMetrics(c.Metrics, func(w io.Writer) { world.Snapshot().WriteMetrics(w) }, e.log)
	if err != nil {
		return err
	}
	defer stop()
	sites.Sell(world)
	e.log.Info("exchanges and shoppers run", "rate", c.Rate, "shops", len(shops), "pages", "http://"+c.Shop)
	return world.Run(ctx)
}

// waitShops waits until the bidder knows the shops, so that their first
// visitors are not turned away.
func waitShops(ctx context.Context, bidder string, shops []demo.Shop) error {
	for _, s := range shops {
		for !answers(ctx, fmt.Sprintf("http://%s/pixel.js?shop=%d", bidder, s.ID)) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}

// seedDemo makes the demo shops and campaigns, once the console answers.
func seedDemo(ctx context.Context, e env, c *exchangeConfig) ([]demo.Shop, error) {
	videos, err := demo.WriteVideos(filepath.Join(c.Dir, "assets"))
	if err != nil {
		return nil, err
	}
	var last error
	for i := range 120 {
		var key []byte
		if key, last = os.ReadFile(filepath.Join(c.Dir, "admin.key")); last == nil {
			var shops []demo.Shop
			shops, last = demo.Seed(ctx, demo.Config{
				Console: "http://" + c.Console, AdminKey: strings.TrimSpace(string(key)), Site: "http://" + c.Shop,
				Videos: videos, Assets: c.publicURL() + "/assets", Dir: filepath.Join(c.Dir, "exchange"), Seed: c.Seed,
			})
			if last == nil {
				return shops, nil
			}
		}
		if i%10 == 9 {
			e.log.Warn("the demo shops are not made yet", "err", last)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("the demo shops could not be made: %w", last)
}

func serveHTTP(flag, addr string, h http.Handler) (stop func(), err error) {
	l, err := listen(flag, addr)
	if err != nil {
		return nil, err
	}
	if l, err = bothSchemes(l, addr); err != nil { // ads on https pages show its pictures
		return nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }() // ends by Shutdown
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
		<-done
	}, nil
}
