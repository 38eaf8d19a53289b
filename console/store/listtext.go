package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/grosz/grosz/campaigns"
)

// maxListTexts bounds what the entries of a shop's lists take, bytes of gzip.
const maxListTexts = 128 << 20

// maxListText bounds the text of one list, bytes: the most entries of the
// greatest length.
const maxListText = 64 << 20

// ErrNotKept is the answer for a list from before entries were kept.
var ErrNotKept = errors.New("uploaded before lists could be read back: upload it again")

// PackedList is a list as it is kept. All that takes long with a list is to make
// one, which needs no transaction: the only writer would hold up every other
// change for that time.
type PackedList struct {
	entries int
	hashes  [][]byte // of each part, for the bidders
	text    []byte   // gzip of the entries, a line each
	sum     string
}

// PackList packs entries: as campaigns.ListEntry makes them, sorted and distinct.
func PackList(entries []string) (*PackedList, error) {
	p := &PackedList{entries: len(entries), sum: campaigns.ListSum(entries)}
	for chunk := range slices.Chunk(entries, campaigns.MaxListPartSize) {
		hashes := make([]byte, 0, 8*len(chunk))
		for _, e := range chunk {
			hashes = binary.LittleEndian.AppendUint64(hashes, campaigns.ListHash(e))
		}
		p.hashes = append(p.hashes, hashes)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for _, e := range entries {
		_, _ = io.WriteString(w, e) // into memory
		_, _ = w.Write([]byte{'\n'})
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack a list: %w", err)
	}
	p.text = packed.Bytes()
	return p, nil
}

// putListText keeps what a list holds, to be read back.
func (t *Tx) putListText(ctx context.Context, l *List, packed []byte) error {
	var others int64
	err := t.q.QueryRowContext(ctx, "SELECT coalesce(sum(packed), 0) FROM lists WHERE shop = ? AND id <> ?", l.ShopID, l.ID).Scan(&others)
	if err != nil {
		return fmt.Errorf("measure the lists of shop %d: %w", l.ShopID, err)
	}
	if others+l.packed > maxListTexts {
		return fmt.Errorf("the shop's lists take more than %d bytes: %w", maxListTexts, ErrLimit)
	}
	if err := t.exec(ctx, "INSERT OR REPLACE INTO list_texts (list, doc) VALUES (?, ?)", l.ID, packed); err != nil {
		return fmt.Errorf("keep the entries of list %q: %w", l.Name, err)
	}
	return nil
}

// ListText is what a list holds, sorted, a line each, still packed.
type ListText struct {
	name   string
	packed []byte
}

// Size is the length of the text, bytes: the last four of gzip's (RFC 1952, 2.3.1).
func (t *ListText) Size() int64 {
	return int64(binary.LittleEndian.Uint32(t.packed[len(t.packed)-4:]))
}

// WriteTo writes the text, piece by piece. An error after some of it was written
// tells that the rest cannot be read, or that w took no more.
func (t *ListText) WriteTo(w io.Writer) (n int64, err error) {
	z, err := gzip.NewReader(bytes.NewReader(t.packed))
	if err != nil {
		return 0, fmt.Errorf("unpack list %q: %w", t.name, err)
	}
	n, err = io.Copy(w, io.LimitReader(z, maxListText+1))
	if err == nil && n > maxListText {
		err = errors.New("it is longer than a list can be")
	}
	if err != nil {
		return n, fmt.Errorf("unpack list %q: %w", t.name, err)
	}
	return n, nil
}

// ListText returns a list with its entries; ErrNotKept for one from before they
// were kept.
func (r Reader) ListText(ctx context.Context, shop uint32, name string) (List, *ListText, error) {
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
	case len(doc) < 4:
		return List{}, nil, fmt.Errorf("unpack list %q: %w", name, io.ErrUnexpectedEOF)
	}
	return l, &ListText{name: name, packed: doc}, nil
}
