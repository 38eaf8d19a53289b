package store

import (
	"fmt"
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
	require.NoError(t, write(func(tx *Tx) error {
		_, err := tx.PutList(ctx, shop, "big", entries)
		return err
	}))
	l, text, err := s.View().ListText(ctx, shop, "big")
	require.NoError(t, err)
	require.Equal(t, strings.Join(entries, "\n")+"\n", string(text))
	require.Equal(t, campaigns.ListSum(entries), l.Sum)
	require.Positive(t, l.packed)

	// The bound is on what all lists of the shop take.
	require.NoError(t, write(func(tx *Tx) error {
		return tx.exec(ctx, "INSERT INTO lists (shop, name, version, updated, entries, parts, packed) VALUES (?, 'huge', 1, 1, 1, 0, ?)", shop, maxListTexts-10)
	}))
	err = write(func(tx *Tx) error {
		_, err := tx.PutList(ctx, shop, "one more", []string{"a.example"})
		return err
	})
	require.ErrorIs(t, err, ErrLimit)
	_, _, err = s.View().ListText(ctx, shop, "huge")
	require.ErrorIs(t, err, ErrNotKept)
	require.NoError(t, write(func(tx *Tx) error {
		_, err := tx.PutList(ctx, shop, "huge", []string{"a.example"})
		return err
	}), "what it took before does not count")

	require.NoError(t, write(func(tx *Tx) error { return tx.DropList(ctx, shop, "big") }))
	_, _, err = s.View().ListText(ctx, shop, "big")
	require.ErrorIs(t, err, ErrNotFound)
	var left int
	require.NoError(t, s.read.QueryRowContext(ctx, "SELECT count(*) FROM list_texts").Scan(&left))
	require.Equal(t, 1, left)
}
