package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/grosz/grosz/bench/world"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/segments"
)

type worldConfig struct {
	Dir       string `config:"dir" help:"directory to make, for 'grosz up --data DIR'; the requests are in DIR/requests.jsonl"`
	Campaigns int    `config:"campaigns" help:"campaigns, of about 50 a shop" default:"10000"`
	Profiles  int    `config:"profiles" help:"profiles of people at shops" default:"1000000"`
	Products  int    `config:"products" help:"products of all shops" default:"100000"`
	Requests  int    `config:"requests" help:"bid requests to write" default:"20000"`
	Seed      uint64 `config:"seed" help:"seed of everything drawn" default:"1"`
}

func (c *worldConfig) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("--dir: which directory is to be made"))
	}
	if c.Requests < 1 {
		errs = append(errs, fmt.Errorf("--requests %d: 1 or more", c.Requests))
	}
	return errors.Join(append(errs, world.Config{Campaigns: c.Campaigns, Profiles: c.Profiles, Products: c.Products, NowMS: 1}.Validate())...)
}

// worldExchange is the exchange to send a world's requests to. Its holds are
// short: nobody settles the bids of a load test.
const worldExchange = `# The exchange of a drawn world: send DIR/requests.jsonl to /openrtb2/demo.
# Nobody settles the bids of a load test, so their holds are short.
name: demo
auction_type: 2
timeout_ms: 300
network_ms: 5
hold_seconds: 5
seat: grosz
vendor_id: %d
# These people are made up: they may be known and counted.
may_profile: true
may_log: true
`

// runBenchWorld writes a world to measure against.
func runBenchWorld(ctx context.Context, e env, args []string) error {
	var c worldConfig
	if _, err := config.Load("bench world", args, e.environ, &c, e.out); err != nil {
		return err
	}
	w, err := world.New(world.Config{
		Campaigns: c.Campaigns, Profiles: c.Profiles, Products: c.Products, Seed: c.Seed, NowMS: time.Now().UnixMilli(),
	})
	if err != nil {
		return err
	}
	return (&worldWriter{w: w, c: &c, out: e.out, start: time.Now()}).write(ctx)
}

// worldWriter puts a world where the roles look for it.
type worldWriter struct {
	w     *world.World
	c     *worldConfig
	out   io.Writer
	start time.Time
	in    campaigns.Input // what was written, to count what matches
}

func (t *worldWriter) say(format string, args ...any) {
	fmt.Fprintf(t.out, "%6.1fs  %s\n", time.Since(t.start).Seconds(), fmt.Sprintf(format, args...))
}

func (t *worldWriter) write(ctx context.Context) error {
	if exists(filepath.Join(t.c.Dir, "console.db")) {
		return fmt.Errorf("--dir %s: there is a world, or a shop's data, already; choose another directory", t.c.Dir)
	}
	for _, d := range []string{"exchanges", "bidder"} {
		if err := os.MkdirAll(filepath.Join(t.c.Dir, d), 0o700); err != nil {
			return fmt.Errorf("--dir: %w", err)
		}
	}
	exchange := fmt.Appendf(nil, worldExchange, world.VendorID)
	if err := os.WriteFile(filepath.Join(t.c.Dir, "exchanges", "demo.yaml"), exchange, 0o600); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	for _, step := range []func(context.Context) error{t.documents, t.profiles, t.requests} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	says, err := json.Marshal(worldSays{Campaigns: t.c.Campaigns, Profiles: t.c.Profiles, Products: t.c.Products})
	if err == nil {
		err = os.WriteFile(filepath.Join(t.c.Dir, worldFile), append(says, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	t.matches()
	t.say("serve it with 'grosz up --data %s', then send %s to /openrtb2/demo", t.c.Dir, filepath.Join(t.c.Dir, "requests.jsonl"))
	return nil
}

// documents writes shops, products and campaigns into the console's database,
// from which its start publishes them.
func (t *worldWriter) documents(ctx context.Context) error {
	db, err := store.Open(ctx, store.Config{
		Path: filepath.Join(t.c.Dir, "console.db"), MaxShops: t.w.Shops(), MaxCampaigns: t.w.Campaigns(), MaxChanges: 1,
	}, clock.System{})
	if err != nil {
		return err
	}
	shops := 0
	err = t.batches(ctx, db, t.w.Shops(), 20, func(ctx context.Context, tx *store.Tx, i int) error {
		shops++
		return t.shop(ctx, tx, i+1)
	})
	t.say("%d shops with %d products", shops, t.c.Products)
	if err == nil {
		err = t.batches(ctx, db, t.w.Campaigns(), 1000, func(ctx context.Context, tx *store.Tx, i int) error {
			made, err := tx.CreateCampaign(ctx, t.w.Campaign(i))
			t.in.Campaigns = append(t.in.Campaigns, &made.Campaign)
			return err
		})
	}
	t.say("%d campaigns", len(t.in.Campaigns))
	return errors.Join(err, db.Close())
}

// batches calls f for 0 to n-1, so many in a transaction.
func (t *worldWriter) batches(ctx context.Context, db *store.Store, n, each int, f func(context.Context, *store.Tx, int) error) error {
	for from := 0; from < n; from += each {
		err := db.Write(ctx, store.Actor{Name: "bench world"}, func(tx *store.Tx) error {
			for i := from; i < min(from+each, n); i++ {
				if err := f(ctx, tx, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if done := from + each; done/20_000 != from/20_000 {
			t.say("%d of %d", done, n)
		}
	}
	return nil
}

func (t *worldWriter) shop(ctx context.Context, tx *store.Tx, id int) error {
	made, err := tx.CreateShop(ctx, t.w.Shop(id))
	if err != nil {
		return err
	}
	if made.ID != uint32(id) {
		return fmt.Errorf("shop %d was given the id %d: the database is not new", id, made.ID)
	}
	t.in.Shops = append(t.in.Shops, &made.Shop)
	buckets, err := store.Buckets(t.w.Products(id), 0)
	if err != nil {
		return err
	}
	_, _, err = tx.PutFeed(ctx, made.ID, buckets, "{}")
	return err
}

// profiles writes the bidder's checkpoint of profiles: before the first
// message of the log.
func (t *worldWriter) profiles(ctx context.Context) error {
	s, err := segments.NewStore(segments.Config{MaxProfiles: t.c.Profiles + t.c.Profiles/8 + 1<<16, ShopShareBPS: 10_000})
	if err != nil {
		return err
	}
	n := 0
	err = t.w.Profiles(func(u segments.UserKey, shop uint32, p *segments.Profile) error {
		s.Put(u, shop, p)
		if n++; n%250_000 == 0 {
			t.say("%d of %d profiles", n, t.c.Profiles)
		}
		return ctx.Err()
	})
	if err == nil {
		err = writeAll(filepath.Join(t.c.Dir, "bidder", "profiles.snap"), func(w *bufio.Writer) error { return s.Snapshot(w, nil) })
	}
	t.say("%d profiles", n)
	return err
}

func (t *worldWriter) requests(ctx context.Context) error {
	bytes := 0
	err := writeAll(filepath.Join(t.c.Dir, "requests.jsonl"), func(w *bufio.Writer) error {
		for i := range t.c.Requests {
			b, err := t.w.Request(i)
			if err == nil {
				bytes += len(b)
				_, err = w.Write(append(b, '\n'))
			}
			if err := errors.Join(err, ctx.Err()); err != nil {
				return err
			}
		}
		return nil
	})
	t.say("%d requests, %d bytes each on average", t.c.Requests, bytes/t.c.Requests)
	return err
}

func writeAll(path string, write func(*bufio.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(write(w), w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// matches says how many campaigns concern an impression.
func (t *worldWriter) matches() {
	s, problems := campaigns.Compile(t.in)
	for i, p := range problems {
		if i < 5 {
			t.say("left out: %v", p)
		}
	}
	n := t.w.Matches(s, min(t.c.Requests, 2000))
	t.say("campaigns that match an impression: median %d, 99 of 100 below %d", n[len(n)/2], n[len(n)*99/100])
}
