package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/rules"
)

// After any imports the members are those that a set would hold, and what is
// published says the same.
func TestImportsAreASet(t *testing.T) {
	s, _ := open(t, Config{})
	ctx := context.Background()
	var shop Shop
	require.NoError(t, s.Write(ctx, Actor{Name: "test"}, func(tx *Tx) (err error) {
		shop, err = tx.CreateShop(ctx, campaigns.Shop{Name: "s"})
		return err
	}))
	rounds := 0
	rapid.Check(t, func(t *rapid.T) {
		if rounds++; rounds > 20 { // each is a few fsyncs
			return
		}
		var seg Segment
		want := map[segments.UserKey]bool{}
		write := func(fn func(tx *Tx) error) {
			if err := s.Write(ctx, Actor{Name: "test"}, fn); err != nil {
				t.Fatal(err)
			}
		}
		write(func(tx *Tx) (err error) {
			seg, err = tx.CreateSegment(ctx, campaigns.Segment{ShopID: shop.ID, Name: fmt.Sprint("list ", rounds), Source: campaigns.SegmentImport})
			return err
		})
		for range rapid.IntRange(1, 5).Draw(t, "imports") {
			mode := rapid.SampledFrom([]Mode{Add, Remove, Replace}).Draw(t, "mode")
			var in Members
			if mode == Replace {
				want = map[segments.UserKey]bool{}
			}
			for _, n := range rapid.SliceOfN(rapid.Uint64Range(1, 30), 0, 20).Draw(t, "users") {
				var u segments.UserKey
				binary.LittleEndian.PutUint64(u[:], n*0x9e3779b97f4a7c15)
				b := rules.AudienceBucket(u)
				in[b] = rules.AppendMember(in[b], u, uint32(1000+n))
				if want[u] = true; mode == Remove {
					delete(want, u)
				}
			}
			for b := range in {
				in[b] = rules.SortMembers(in[b])
			}
			write(func(tx *Tx) error {
				did, err := tx.PutMembers(ctx, shop.ID, seg.ID, mode, in)
				if err == nil && did.Members != int64(len(want)) {
					t.Fatalf("%d members, want %d", did.Members, len(want))
				}
				return err
			})
		}
		have, err := s.View().members(ctx, seg.ID)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for b, m := range have {
			if err := rules.CheckMembers(b, m); err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(m); i += rules.MemberSize {
				if got++; !want[segments.UserKey(m[i:i+16])] {
					t.Fatal("a member that nobody imported")
				}
			}
		}
		if got != len(want) {
			t.Fatalf("%d are kept, want %d", got, len(want))
		}
	})
}
