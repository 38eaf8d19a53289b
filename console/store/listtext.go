package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"github.com/grosz/grosz/campaigns"
)

// maxListTexts bounds what the entries of a shop's lists take, bytes of gzip.
const maxListTexts = 128 << 20

// maxListText bounds the text of one list, bytes: the most entries of the
// greatest length.
const maxListText = 64 << 20

// ErrNotKept is the answer for a list from before entries were kept.
var ErrNotKept = errors.New("uploaded before lists could be read back: upload it again")

// putListText keeps what a list holds, to be read back; it sets the list's sum
// and packed.
func (t *Tx) putListText(ctx context.Context, l *List, entries []string) error {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for _, e := range entries {
		_, _ = io.WriteString(w, e) // into memory
		_, _ = w.Write([]byte{'\n'})
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack list %q: %w", l.Name, err)
	}
	var others int64
	err := t.q.QueryRowContext(ctx, "SELECT coalesce(sum(packed), 0) FROM lists WHERE shop = ? AND id <> ?", l.ShopID, l.ID).Scan(&others)
	if err != nil {
		return fmt.Errorf("measure the lists of shop %d: %w", l.ShopID, err)
	}
	if l.packed = int64(packed.Len()); others+l.packed > maxListTexts {
		return fmt.Errorf("the shop's lists take more than %d bytes: %w", maxListTexts, ErrLimit)
	}
	l.Sum = campaigns.ListSum(entries)
	if err := t.exec(ctx, "INSERT OR REPLACE INTO list_texts (list, doc) VALUES (?, ?)", l.ID, packed.Bytes()); err != nil {
		return fmt.Errorf("keep the entries of list %q: %w", l.Name, err)
	}
	return nil
}

// ListText returns a list with its entries, sorted, a line each; ErrNotKept
// for one from before they were kept.
func (r Reader) ListText(ctx context.Context, shop uint32, name string) (List, []byte, error) {
	var l List
	var doc []byte
	err := r.q.QueryRowContext(ctx, "SELECT "+listColumns+", (SELECT doc FROM list_texts WHERE list = lists.id) FROM lists WHERE shop = ? AND name = ?", shop, name).
		Scan(&l.ID, &l.ShopID, &l.Name, &l.Version, &l.UpdatedMS, &l.Entries, &l.parts, &l.Sum, &l.packed, &doc)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return List{}, nil, fmt.Errorf("list %q: %w", name, ErrNotFound)
	case err != nil:
		return List{}, nil, fmt.Errorf("read list %q: %w", name, err)
	case doc == nil:
		return List{}, nil, fmt.Errorf("list %q: %w", name, ErrNotKept)
	}
	z, err := gzip.NewReader(bytes.NewReader(doc))
	if err != nil {
		return List{}, nil, fmt.Errorf("unpack list %q: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxListText+1))
	if err == nil && len(text) > maxListText {
		err = errors.New("it is longer than a list can be")
	}
	if err != nil {
		return List{}, nil, fmt.Errorf("unpack list %q: %w", name, err)
	}
	return l, text, nil
}
