package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/clock"
)

var ctx = context.Background()

func open(t testing.TB, cfg Config) (*Store, *clock.Manual) {
	t.Helper()
	if cfg.Path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "console.db")
	}
	clk := clock.NewManual(1_795_341_600_000)
	s, err := Open(ctx, cfg, clk)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s, clk
}

func change1(t *testing.T, s *Store, fn func(*Tx) error) {
	t.Helper()
	require.NoError(t, s.Write(ctx, Actor{Name: "test"}, fn))
}

func TestDatabaseIsDurable(t *testing.T) {
	s, _ := open(t, Config{})
	var mode string
	var sync, keys int
	require.NoError(t, s.write.QueryRow("PRAGMA journal_mode").Scan(&mode))
	require.NoError(t, s.write.QueryRow("PRAGMA synchronous").Scan(&sync))
	require.NoError(t, s.write.QueryRow("PRAGMA foreign_keys").Scan(&keys))
	require.Equal(t, "wal", mode)
	files, err := filepath.Glob(s.cfg.Path + "*")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f)
	}
	require.Equal(t, []int{2, 1}, []int{sync, keys})
	_, err = s.read.Exec("DELETE FROM counters")
	require.Error(t, err, "readers cannot write")
}

func TestANewerSchemaIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s, _ := open(t, Config{Path: path})
	_, err := s.write.Exec("PRAGMA user_version = 99")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = Open(ctx, Config{Path: path}, clock.System{})
	require.ErrorContains(t, err, "schema 99")
}

func TestVersionsOnlyGrowAndIDsAreNeverGivenAgain(t *testing.T) {
	s, _ := open(t, Config{})
	var mu sync.Mutex
	var versions []int64
	seen := map[uint32]bool{}
	change1(t, s, func(tx *Tx) error { _, err := tx.CreateShop(ctx, campaigns.Shop{}); return err })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 15 {
				err := s.Write(ctx, Actor{}, func(tx *Tx) error {
					c, err := tx.CreateCampaign(ctx, campaigns.Campaign{ShopID: 1, Creatives: []campaigns.Creative{{Media: "banner"}}})
					if err != nil {
						return err
					}
					mu.Lock()
					defer mu.Unlock()
					versions = append(versions, c.Version)
					if seen[c.ID] {
						return errors.New("id given twice")
					}
					seen[c.ID] = true
					return tx.DeleteCampaign(ctx, 1, c.ID)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.True(t, slices.IsSorted(versions))
	require.Len(t, slices.Compact(versions), 60)
}

func TestAFailedChangeLeavesNothing(t *testing.T) {
	s, _ := open(t, Config{})
	err := s.Write(ctx, Actor{}, func(tx *Tx) error {
		_, err := tx.CreateShop(ctx, campaigns.Shop{})
		require.NoError(t, err)
		return errors.New("no")
	})
	require.EqualError(t, err, "no")
	for _, table := range []string{"shops", "outbox", "changes"} {
		var n int
		require.NoError(t, s.read.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
		require.Zero(t, n, table)
	}
}

func TestOldVersionsConflict(t *testing.T) {
	s, _ := open(t, Config{})
	change1(t, s, func(tx *Tx) error {
		shop, err := tx.CreateShop(ctx, campaigns.Shop{})
		require.NoError(t, err)
		c, err := tx.CreateCampaign(ctx, campaigns.Campaign{ShopID: shop.ID})
		require.NoError(t, err)
		_, err = tx.UpdateShop(ctx, shop.Shop)
		require.NoError(t, err)
		_, err = tx.UpdateShop(ctx, shop.Shop)
		require.ErrorIs(t, err, ErrConflict)
		_, err = tx.UpdateCampaign(ctx, c.Campaign)
		require.NoError(t, err)
		_, err = tx.UpdateCampaign(ctx, c.Campaign)
		require.ErrorIs(t, err, ErrConflict)
		c.ShopID = 2
		_, err = tx.UpdateCampaign(ctx, c.Campaign)
		require.ErrorIs(t, err, ErrNotFound)
		return nil
	})
}

func TestLimits(t *testing.T) {
	s, _ := open(t, Config{MaxShops: 2, MaxCampaigns: 2, MaxKeys: 2})
	for i, fn := range []func(*Tx) error{
		func(tx *Tx) error { _, err := tx.CreateShop(ctx, campaigns.Shop{}); return err },
		func(tx *Tx) error { _, err := tx.CreateCampaign(ctx, campaigns.Campaign{ShopID: 1}); return err },
		func(tx *Tx) error {
			_, err := tx.CreateKey(ctx, Key{ShopID: 1, Key: campaigns.Key{ID: fmt.Sprint(tx.now, tx.must("SELECT count(*) FROM keys"))}})
			return err
		},
	} {
		change1(t, s, fn)
		change1(t, s, fn)
		require.ErrorIs(t, s.Write(ctx, Actor{}, fn), ErrLimit, i)
	}
}

func (t *Tx) must(query string) int {
	n, err := t.count(ctx, query)
	if err != nil {
		panic(err)
	}
	return n
}

func TestWhatGrowsIsBounded(t *testing.T) {
	s, clk := open(t, Config{MaxChanges: 50, MaxIdempotency: 30})
	change1(t, s, func(tx *Tx) error { _, err := tx.CreateShop(ctx, campaigns.Shop{}); return err })
	for i := range 300 {
		clk.Advance(time.Millisecond)
		change1(t, s, func(tx *Tx) error {
			shop, err := tx.Shop(ctx, 1)
			require.NoError(t, err)
			_, err = tx.UpdateShop(ctx, shop.Shop)
			require.NoError(t, err)
			k, err := tx.CreateKey(ctx, Key{ShopID: 1, Key: campaigns.Key{ID: fmt.Sprintf("k%d", i), Scopes: []string{"read"}}})
			require.NoError(t, err)
			require.NoError(t, tx.RevokeKey(ctx, 1, k.ID))
			return tx.SaveAnswer(ctx, []byte(k.ID), Answer{Request: []byte("r"), Body: []byte("b")})
		})
	}
	rows := func(table string) int {
		var n int
		require.NoError(t, s.read.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
		return n
	}
	require.LessOrEqual(t, rows("changes"), 50+pruneEvery)
	require.LessOrEqual(t, rows("idempotency"), 31)
	require.Equal(t, keptRevoked, rows("keys"))
	require.Equal(t, 1, rows("outbox"))
	change1(t, s, func(tx *Tx) error {
		a, err := tx.Answer(ctx, []byte("k299"))
		require.Equal(t, "b", string(a.Body))
		return err
	})
	clk.Advance(IdempotencyTTL)
	change1(t, s, func(tx *Tx) error {
		_, err := tx.Answer(ctx, []byte("k299"))
		require.ErrorIs(t, err, ErrNotFound)
		return nil
	})
}

func TestKeysOfTheDeadAreNotPublished(t *testing.T) {
	s, _ := open(t, Config{})
	change1(t, s, func(tx *Tx) error {
		_, err := tx.CreateShop(ctx, campaigns.Shop{Name: "n"})
		require.NoError(t, err)
		for _, id := range []string{"a", "b"} {
			_, err = tx.CreateKey(ctx, Key{ShopID: 1, Key: campaigns.Key{ID: id, SHA256: "hash " + id, Scopes: []string{"events"}}})
			require.NoError(t, err)
		}
		return tx.RevokeKey(ctx, 1, "a")
	})
	rec, err := s.Record(ctx, "shop/1")
	require.NoError(t, err)
	require.Len(t, rec.Shop.Keys, 1)
	require.Equal(t, "hash b", rec.Shop.Keys[0].SHA256)
	p, err := s.Pending(ctx, 10)
	require.NoError(t, err)
	require.Equal(t, []Pending{{Key: "shop/1", Version: rec.Version}}, p, "a key republishes its shop")
	for _, key := range []string{"shop/9", "campaign/9", "products/1/9"} {
		_, err = s.Record(ctx, key)
		require.ErrorIs(t, err, ErrNotFound, key)
	}
	_, err = s.Record(ctx, "odd/1")
	require.ErrorContains(t, err, "no known kind")
}

// TestBucketsHoldEveryProductOnce: whatever the products and however many
// buckets there were, each product is in one bucket, the one of its hash, and
// the bounds hold.
func TestBucketsHoldEveryProductOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 3000).Draw(rt, "products")
		size := rapid.IntRange(0, 4000).Draw(rt, "title bytes")
		now := 1 << rapid.IntRange(0, 8).Draw(rt, "buckets now, log2")
		products := make([]campaigns.Product, n)
		for i := range products {
			products[i] = campaigns.Product{ID: fmt.Sprintf("sku-%d", i*7), Title: strings.Repeat("x", size)}
		}
		buckets, err := Buckets(products, now)
		if err != nil {
			rt.Fatal(err)
		}
		if len(buckets)&(len(buckets)-1) != 0 {
			rt.Fatalf("%d buckets are no power of two", len(buckets))
		}
		total := 0
		for _, b := range buckets {
			total += b.Products
			if b.Products > MaxBucketProducts || len(b.Items) > MaxBucketBytes {
				rt.Fatalf("a bucket has %d products and %d bytes", b.Products, len(b.Items))
			}
		}
		if total != n {
			rt.Fatalf("%d products became %d", n, total)
		}
		for _, p := range products[:min(n, 50)] {
			b := bucketOf(p.ID, len(buckets))
			if !strings.Contains(string(buckets[b].Items), `"id":"`+p.ID+`"`) {
				rt.Fatalf("%s is not in its bucket %d", p.ID, b)
			}
		}
	})
}

func TestAProductLargerThanABucketIsRefused(t *testing.T) {
	_, err := Buckets([]campaigns.Product{{ID: "big", Title: strings.Repeat("x", MaxBucketBytes)}}, 1)
	require.ErrorIs(t, err, ErrLimit)
	require.ErrorContains(t, err, `"big"`)
}

func TestBucketsStayWhereTheyAre(t *testing.T) {
	// Stored feeds rely on these values.
	for id, want := range map[string]int{"": 961, "sku-1": 462, "SKU-1": 944, "żółw": 665} {
		require.Equal(t, want, bucketOf(id, 1024), id)
	}
}

func TestReadersSeeOnlyWhatIsCommitted(t *testing.T) {
	s, _ := open(t, Config{})
	change1(t, s, func(tx *Tx) error {
		_, err := tx.CreateShop(ctx, campaigns.Shop{Name: "n"})
		require.NoError(t, err)
		_, err = s.View().Shop(ctx, 1)
		require.ErrorIs(t, err, ErrNotFound)
		_, err = tx.Shop(ctx, 1)
		return err
	})
	_, err := s.View().Shop(ctx, 1)
	require.NoError(t, err)
	require.NotErrorIs(t, err, sql.ErrNoRows)
}

func TestAnotherNumberOfBucketsSendsThemAll(t *testing.T) {
	s, _ := open(t, Config{})
	change1(t, s, func(tx *Tx) error { _, err := tx.CreateShop(ctx, campaigns.Shop{}); return err })
	put := func(n int) int {
		buckets := make([]Bucket, n)
		for i := range buckets {
			buckets[i] = Bucket{Items: []byte("[]")}
		}
		var sent int
		change1(t, s, func(tx *Tx) error {
			_, n, err := tx.PutFeed(ctx, 1, buckets, "{}")
			sent = n
			return err
		})
		return sent
	}
	require.Equal(t, 2, put(2))
	require.Equal(t, 0, put(2))
	require.Equal(t, 4, put(4), "equal contents, but of another number of buckets")
	require.Equal(t, 2+2, put(2), "two that stay, two that are gone")
	for i, gone := range []bool{false, false, true, true} {
		rec, err := s.Record(ctx, bucketKey(1, i))
		require.NoError(t, err)
		require.Equal(t, gone, rec.Deleted)
		if !gone {
			require.Equal(t, 2, rec.Products.Buckets)
		}
	}
}
