package store

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

// What a list holds is kept with it, goes with it, and is not made up for
// lists from before it was kept.
func TestListTexts(t *testing.T) {
	s, _ := open(t, Config{})
	write := func(do func(tx *Tx) error) error { return s.Write(ctx, Actor{}, do) }
	shop := uint32(0)
	require.NoError(t, write(func(tx *Tx) error {
		made, err := tx.CreateShop(ctx, campaigns.Shop{Name: "s"})
		shop = made.ID
		return err
	}))
	var entries []string
	for i := range campaigns.MaxListPartSize + 1 {
		entries = append(entries, fmt.Sprintf("site%06d.example", i))
	}
	pack := func(entries ...string) *PackedList {
		p, err := PackList(entries)
		require.NoError(t, err)
		return p
	}
	big := pack(entries...)
	require.NoError(t, write(func(tx *Tx) error {
		_, err := tx.PutList(ctx, shop, "big", big)
		return err
	}))
	l, text, err := s.View().ListText(ctx, shop, "big")
	require.NoError(t, err)
	var got strings.Builder
	n, err := text.WriteTo(&got)
	require.NoError(t, err)
	require.Equal(t, strings.Join(entries, "\n")+"\n", got.String())
	require.Equal(t, n, text.Size())
	require.Equal(t, campaigns.ListSum(entries), l.Sum)
	require.Positive(t, l.packed)

	// The bound is on what all lists of the shop take.
	require.NoError(t, write(func(tx *Tx) error {
		return tx.exec(ctx, "INSERT INTO lists (shop, name, version, updated, entries, parts, packed) VALUES (?, 'huge', 1, 1, 1, 0, ?)", shop, maxListTexts-10)
	}))
	err = write(func(tx *Tx) error {
		_, err := tx.PutList(ctx, shop, "one more", pack("a.example"))
		return err
	})
	require.ErrorIs(t, err, ErrLimit)
	_, _, err = s.View().ListText(ctx, shop, "huge")
	require.ErrorIs(t, err, ErrNotKept)
	require.NoError(t, write(func(tx *Tx) error {
		_, err := tx.PutList(ctx, shop, "huge", pack("a.example"))
		return err
	}), "what it took before does not count")

	require.NoError(t, write(func(tx *Tx) error { return tx.DropList(ctx, shop, "big") }))
	_, _, err = s.View().ListText(ctx, shop, "big")
	require.ErrorIs(t, err, ErrNotFound)
	var left int
	require.NoError(t, s.read.QueryRowContext(ctx, "SELECT count(*) FROM list_texts").Scan(&left))
	require.Equal(t, 1, left)
}

// What takes long with a list is done while others may change what they like:
// packing waits for no writer, and the change that keeps a list writes what was
// packed before, whatever it is.
func TestListsArePackedBeforeTheChange(t *testing.T) {
	s, _ := open(t, Config{})
	shop := uint32(0)
	var p *PackedList
	require.NoError(t, s.Write(ctx, Actor{}, func(tx *Tx) error { // the only writer
		made, err := tx.CreateShop(ctx, campaigns.Shop{Name: "s"})
		if err != nil {
			return err
		}
		shop = made.ID
		p, err = PackList([]string{"a.example", "b.example"})
		return err
	}))
	other, err := PackList([]string{"c.example"})
	require.NoError(t, err)
	p.text = other.text
	require.NoError(t, s.Write(ctx, Actor{}, func(tx *Tx) error {
		_, err := tx.PutList(ctx, shop, "l", p)
		return err
	}))
	l, text, err := s.View().ListText(ctx, shop, "l")
	require.NoError(t, err)
	require.Equal(t, other.text, text.packed)
	require.Equal(t, p.sum, l.Sum)
	require.Equal(t, 2, l.Entries)
}

// A text that cannot be read to its end is told, and none is longer than a list
// can be.
func TestADamagedListTextIsTold(t *testing.T) {
	p, err := PackList([]string{"a.example", "b.example"})
	require.NoError(t, err)
	for i := range p.text[4:] {
		_, err := (&ListText{name: "l", packed: p.text[:i+4]}).WriteTo(io.Discard)
		require.ErrorContains(t, err, "unpack list", "%d bytes", i+4)
	}
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	for line, n := make([]byte, 1<<20), 0; n <= maxListText; n += len(line) {
		_, err := w.Write(line)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	n, err := (&ListText{name: "l", packed: bomb.Bytes()}).WriteTo(io.Discard)
	require.ErrorContains(t, err, "longer than a list can be")
	require.EqualValues(t, maxListText+1, n)
}
