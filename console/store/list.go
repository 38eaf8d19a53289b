package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/grosz/grosz/campaigns"
)

// List is what is known of an uploaded list of domains or bundles.
type List struct {
	ID        uint32
	ShopID    uint32
	Name      string
	Version   int64
	UpdatedMS int64
	Entries   int
	// Sum is campaigns.ListSum of the entries; empty for a list from before
	// they were kept.
	Sum    string
	parts  int
	packed int64 // bytes that the entries take
}

// PackedSize is how many bytes the entries take, packed; 0 if they were not kept.
func (l List) PackedSize() int64 { return l.packed }

func listKey(shop, list uint32, part int) string {
	return fmt.Sprintf("list/%d/%d/%d", shop, list, part)
}

const listColumns = "id, shop, name, version, updated, entries, parts, sum, packed"

func scanList(row interface{ Scan(...any) error }) (l List, err error) {
	err = row.Scan(&l.ID, &l.ShopID, &l.Name, &l.Version, &l.UpdatedMS, &l.Entries, &l.parts, &l.Sum, &l.packed)
	return l, err
}

// Lists returns a shop's lists by name.
func (r Reader) Lists(ctx context.Context, shop uint32) ([]List, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+listColumns+" FROM lists WHERE shop = ? ORDER BY name", shop)
	if err != nil {
		return nil, fmt.Errorf("read the lists of shop %d: %w", shop, err)
	}
	return collect(rows, scanList)
}

// List returns a shop's list by its name; ErrNotFound without one.
func (r Reader) List(ctx context.Context, shop uint32, name string) (List, error) {
	l, err := scanList(r.q.QueryRowContext(ctx, "SELECT "+listColumns+" FROM lists WHERE shop = ? AND name = ?", shop, name))
	if errors.Is(err, sql.ErrNoRows) {
		return List{}, fmt.Errorf("list %q: %w", name, ErrNotFound)
	}
	if err != nil {
		return List{}, fmt.Errorf("read list %q: %w", name, err)
	}
	return l, nil
}

// PutList makes or replaces a list.
func (t *Tx) PutList(ctx context.Context, shop uint32, name string, p *PackedList) (List, error) {
	old, err := t.List(ctx, shop, name)
	if errors.Is(err, ErrNotFound) {
		old, err = t.makeList(ctx, shop, name)
	}
	if err != nil {
		return List{}, err
	}
	version, err := t.next(ctx, "version")
	if err != nil {
		return List{}, err
	}
	l := List{ID: old.ID, ShopID: shop, Name: name, Version: version, UpdatedMS: t.now, Entries: p.entries, Sum: p.sum, packed: int64(len(p.text))}
	l.parts = max(len(p.hashes), 1)
	for i, hashes := range p.hashes {
		part := campaigns.ListPart{ShopID: shop, ID: l.ID, Name: name, Feed: version, Part: i, Parts: l.parts, Hashes: hashes}
		if err := t.putListPart(ctx, &part, i, false); err != nil {
			return List{}, err
		}
	}
	for i := len(p.hashes); i < old.parts; i++ {
		if err := t.putListPart(ctx, &campaigns.ListPart{ShopID: shop, ID: l.ID}, i, true); err != nil {
			return List{}, err
		}
	}
	if err := t.putListText(ctx, &l, p.text); err != nil {
		return List{}, err
	}
	err = t.exec(ctx, "UPDATE lists SET version = ?, updated = ?, entries = ?, parts = ?, sum = ?, packed = ? WHERE id = ?",
		version, t.now, l.Entries, l.parts, l.Sum, l.packed, l.ID)
	if err != nil {
		return List{}, fmt.Errorf("write list %q: %w", name, err)
	}
	return l, t.audit(ctx, change{shop: shop, action: "upload", subject: "list/" + name, version: version, before: listSummary(old), after: listSummary(l)})
}

func (t *Tx) makeList(ctx context.Context, shop uint32, name string) (List, error) {
	all, err := t.Lists(ctx, shop)
	if err != nil {
		return List{}, err
	}
	if len(all) >= campaigns.MaxLists {
		return List{}, fmt.Errorf("a shop has at most %d lists: %w", campaigns.MaxLists, ErrLimit)
	}
	if err := t.exec(ctx, "INSERT INTO lists (shop, name, version, updated, entries, parts) VALUES (?, ?, 0, 0, 0, 0)", shop, name); err != nil {
		return List{}, fmt.Errorf("make list %q: %w", name, err)
	}
	return t.List(ctx, shop, name)
}

func (t *Tx) putListPart(ctx context.Context, p *campaigns.ListPart, part int, deleted bool) error {
	version, err := t.next(ctx, "version")
	if err != nil {
		return err
	}
	doc, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write list %q: %w", p.Name, err)
	}
	err = t.exec(ctx, "INSERT OR REPLACE INTO list_parts (shop, list, part, version, deleted, doc) VALUES (?, ?, ?, ?, ?, ?)", p.ShopID, p.ID, part, version, deleted, doc)
	if err != nil {
		return fmt.Errorf("write list %q: %w", p.Name, err)
	}
	return t.enqueue(ctx, listKey(p.ShopID, p.ID, part), version)
}

// DropList removes a list, unless a campaign names it.
func (t *Tx) DropList(ctx context.Context, shop uint32, name string) error {
	l, err := t.List(ctx, shop, name)
	if err != nil {
		return err
	}
	all, err := t.Campaigns(ctx, shop, CampaignFilter{}, 0, 1<<20)
	if err != nil {
		return err
	}
	for i := range all {
		if NamesList(&all[i].Campaign, name) {
			return fmt.Errorf("campaign %d names the list %q: %w", all[i].ID, name, ErrLimit)
		}
	}
	for i := range l.parts {
		if err := t.putListPart(ctx, &campaigns.ListPart{ShopID: shop, ID: l.ID}, i, true); err != nil {
			return err
		}
	}
	if err := t.exec(ctx, "DELETE FROM lists WHERE id = ?", l.ID); err != nil {
		return fmt.Errorf("drop list %q: %w", name, err)
	}
	return t.audit(ctx, change{shop: shop, action: "delete", subject: "list/" + name, version: l.Version, before: listSummary(l)})
}

// NamesList tells whether a campaign's targeting or boosts name a list.
func NamesList(c *campaigns.Campaign, name string) bool {
	names := func(expr string) bool {
		if !strings.Contains(expr, "list") {
			return false
		}
		all, err := campaigns.ListsIn(expr)
		return err == nil && slices.Contains(all, name)
	}
	return names(c.Targeting) || slices.ContainsFunc(c.Bid.Boosts, func(b campaigns.Boost) bool { return names(b.When) })
}

func listSummary(l List) any {
	if l.Version == 0 {
		return nil
	}
	return struct {
		Version int64 `json:"version"`
		Entries int   `json:"entries"`
	}{l.Version, l.Entries}
}

func (r Reader) listRecord(ctx context.Context, key, rest string) (campaigns.Record, error) {
	part := strings.SplitN(rest, "/", 3)
	if len(part) != 3 {
		return campaigns.Record{}, fmt.Errorf("outbox key %q is not list/SHOP/ID/PART", key)
	}
	rec := campaigns.Record{Key: key}
	var doc []byte
	err := r.q.QueryRowContext(ctx, "SELECT version, deleted, doc FROM list_parts WHERE shop = ? AND list = ? AND part = ?", part[0], part[1], part[2]).
		Scan(&rec.Version, &rec.Deleted, &doc)
	if err != nil {
		return campaigns.Record{}, notFound(err, key)
	}
	if rec.Deleted {
		return rec, nil
	}
	rec.List = new(campaigns.ListPart)
	if err := json.Unmarshal(doc, rec.List); err != nil {
		return campaigns.Record{}, fmt.Errorf("read %s: %w", key, err)
	}
	return rec, nil
}
