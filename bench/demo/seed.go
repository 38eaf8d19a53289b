package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/grosz/grosz/bench/sim"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/durable"
	"github.com/grosz/grosz/internal/money"
)

// Config says where to seed and with what.
type Config struct {
	// Console is the console's base URL, AdminKey the key in admin.key.
	Console  string
	AdminKey string
	// Site is the base URL of the shops' own site (Sites).
	Site string
	// Videos are the files that video ads play (see WriteVideos); none leaves
	// video out.
	Videos []campaigns.Video
	// Assets is the base of relative video URLs, such as
	// http://127.0.0.1:8080/assets; empty means the shops' own site.
	Assets string
	// Dir keeps the keys that the console shows only once.
	Dir string
	// Seed of the feeds.
	Seed uint64
	// Client; nil means http.DefaultClient.
	Client *http.Client
}

// Validate lists everything that is wrong.
func (c *Config) Validate() error {
	var errs []error
	for _, f := range []struct{ name, v string }{{"console", c.Console}, {"admin key", c.AdminKey}, {"site", c.Site}, {"dir", c.Dir}} {
		if f.v == "" {
			errs = append(errs, fmt.Errorf("demo: %s is empty", f.name))
		}
	}
	return errors.Join(errs...)
}

// Shop is a demo shop as it stands after seeding.
type Shop struct {
	ID       uint32
	Slug     string
	Name     string
	Domain   string
	Key      string // scope events
	Products []campaigns.Product
	// Made counts what this run made: shops, keys, feeds, segments, campaigns.
	Made int

	concept concept
}

// kept is what the demo remembers in Dir: the console shows a key once, and a
// feed need not be sent again.
type kept struct {
	Shops map[string]keptShop `json:"shops"` // by slug
}

type keptShop struct {
	KeyID string `json:"key_id"`
	Key   string `json:"key"`
	Feed  string `json:"feed"` // SHA-256 of what was uploaded
}

const keptFile = "demo.json"

// keptFormat seals the file.
const keptFormat = "grosz-demo 1"

// Seed makes what is missing and returns the shops. What is there already,
// found by name, is left as it is, even if somebody changed it.
func Seed(ctx context.Context, cfg Config) ([]Shop, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Assets == "" {
		cfg.Assets = cfg.Site + mediaPath
	}
	videos := absolute(cfg.Videos, cfg.Assets)
	state, err := readKept(cfg.Dir)
	if err != nil {
		return nil, err
	}
	api := newClient(&cfg)
	var out []Shop
	for _, c := range concepts() {
		s := Shop{Slug: c.slug, Name: c.name, Domain: c.domain, Products: c.products(cfg.Site, cfg.Seed), concept: c}
		k := state.Shops[c.slug]
		err := s.ensureShop(ctx, api, &cfg)
		if err == nil {
			err = s.ensureKey(ctx, api, &k)
		}
		if err == nil {
			// Kept before anything else can fail: the key is not shown again.
			state.Shops[c.slug] = k
			err = writeKept(cfg.Dir, state)
		}
		if err == nil {
			err = s.ensureFeed(ctx, api, &k)
		}
		if err == nil {
			state.Shops[c.slug] = k
			err = errors.Join(writeKept(cfg.Dir, state), s.ensureSegments(ctx, api), s.ensureCampaigns(ctx, api, videos))
		}
		if err != nil {
			return nil, fmt.Errorf("demo shop %s: %w", c.slug, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// SimShops are the shops as the simulated shoppers need them.
func SimShops(shops []Shop) []sim.Shop {
	var out []sim.Shop
	for _, s := range shops {
		x := sim.Shop{ID: s.ID, Name: s.Name, Domain: s.Domain, Key: s.Key, Currency: money.MustCurrency("PLN")}
		for _, p := range s.Products {
			if p.Available {
				x.Products = append(x.Products, sim.Product{ID: p.ID, Title: p.Title, Category: p.Category, Price: p.Price})
			}
		}
		out = append(out, x)
	}
	return out
}

func (s *Shop) ensureShop(ctx context.Context, api *client, cfg *Config) error {
	id, err := api.find(ctx, "/api/v1/shops", s.Name)
	if err != nil || id != 0 {
		s.ID = id
		return err
	}
	body := map[string]any{
		"name": s.Name, "domain": s.Domain, "url": cfg.Site + "/" + s.Slug + "/", "logo_url": cfg.Site + "/img/" + s.Slug + "/wordmark.svg",
		"currency": "PLN", "time_zone": "Europe/Warsaw", "language": s.concept.language, "fee_bps": 1000, "categories": s.concept.categories,
	}
	var made struct {
		ID uint32 `json:"id"`
	}
	if err := api.post(ctx, "/api/v1/shops", "demo-shop-"+s.Slug, body, &made); err != nil {
		return err
	}
	s.ID = made.ID
	s.Made++
	return nil
}

func (s *Shop) path(rest string) string { return fmt.Sprintf("/api/v1/shops/%d/%s", s.ID, rest) }

// ensureKey keeps the key it has while the console calls it valid.
func (s *Shop) ensureKey(ctx context.Context, api *client, k *keptShop) error {
	var keys struct {
		Items []struct {
			ID      string `json:"id"`
			Revoked int64  `json:"revoked"`
		} `json:"items"`
	}
	if err := api.get(ctx, s.path("keys"), &keys); err != nil {
		return err
	}
	for _, have := range keys.Items {
		if have.ID == k.KeyID && have.Revoked == 0 && k.Key != "" {
			s.Key = k.Key
			return nil
		}
	}
	var made struct {
		ID  string `json:"id"`
		Key string `json:"key"`
	}
	if err := api.post(ctx, s.path("keys"), "", map[string]any{"name": "demo shop events", "scopes": []string{"events"}}, &made); err != nil {
		return err
	}
	s.Key, k.KeyID, k.Key = made.Key, made.ID, made.Key
	k.Feed = "" // another console perhaps: its feed is not known
	s.Made++
	return nil
}

func (s *Shop) ensureFeed(ctx context.Context, api *client, k *keptShop) error {
	feed, err := feedCSV(s.Products)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(feed)
	hash := hex.EncodeToString(sum[:])
	if hash == k.Feed {
		return nil
	}
	var got struct {
		Products int `json:"products"`
	}
	if err := api.put(ctx, s.path("feed?format=csv"), "text/csv", feed, &got); err != nil {
		return err
	}
	if got.Products != len(s.Products) {
		return fmt.Errorf("feed: %d of %d products were taken", got.Products, len(s.Products))
	}
	k.Feed = hash
	s.Made++
	return nil
}

// audiences are the ready-made segments that a demo shop begins with, so that
// its results can be told by audience.
func audiences() []string {
	return []string{"cart_abandoners", "product_viewers", "close_to_buying"}
}

// ensureSegments makes them once: where there is any segment, somebody has
// begun to keep their own.
func (s *Shop) ensureSegments(ctx context.Context, api *client) error {
	var have struct {
		Items []struct{} `json:"items"`
	}
	if err := api.get(ctx, s.path("segments"), &have); err != nil {
		return fmt.Errorf("segments: %w", err)
	}
	if len(have.Items) > 0 {
		return nil
	}
	for _, t := range audiences() {
		if err := api.post(ctx, s.path("segments"), "demo-segment-"+s.Slug+"-"+t, map[string]any{"template": t}, nil); err != nil {
			return fmt.Errorf("segment %q: %w", t, err)
		}
		s.Made++
	}
	return nil
}

func (s *Shop) ensureCampaigns(ctx context.Context, api *client, videos []campaigns.Video) error {
	for i, c := range s.concept.plan(videos) {
		id, err := api.find(ctx, s.path("campaigns"), c.Name)
		if err != nil {
			return err
		}
		if id != 0 {
			continue
		}
		body, err := plain(c)
		if err != nil {
			return err
		}
		if err := api.post(ctx, s.path("campaigns"), fmt.Sprintf("demo-campaign-%s-%d", s.Slug, i), body, nil); err != nil {
			return fmt.Errorf("campaign %q: %w", c.Name, err)
		}
		s.Made++
	}
	return nil
}

// plain is a document without what the console gives itself.
func plain(c campaigns.Campaign) (map[string]any, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	for _, k := range []string{"id", "shop_id", "version"} {
		delete(m, k)
	}
	for _, cr := range m["creatives"].([]any) {
		delete(cr.(map[string]any), "id")
	}
	return m, nil
}

func readKept(dir string) (kept, error) {
	k := kept{Shops: map[string]keptShop{}}
	raw, err := os.ReadFile(filepath.Join(dir, keptFile))
	if errors.Is(err, os.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		raw, err = durable.UnsealOrBefore(keptFormat, raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	if err != nil {
		return k, fmt.Errorf("read %s: %w; without it new keys are made", keptFile, err)
	}
	if k.Shops == nil {
		k.Shops = map[string]keptShop{}
	}
	return k, nil
}

// writeKept replaces the file in one step; it holds keys, so only its owner
// reads it.
func writeKept(dir string, k kept) error {
	raw, err := json.Marshal(k)
	if err == nil {
		raw, err = durable.Seal(keptFormat, raw)
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = durable.ReplaceBytes(filepath.Join(dir, keptFile), 0o600, raw)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", keptFile, err)
	}
	return nil
}
