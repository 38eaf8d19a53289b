package events

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestProductsTravelInTokenAndEvent(t *testing.T) {
	k := keyring(t)
	rapid.Check(t, func(t *rapid.T) {
		want := genToken(t)
		want.Lease = rapid.Uint64().Draw(t, "lease")
		n := rapid.IntRange(0, len(want.Products)).Draw(t, "products")
		for i := range n {
			want.Products[i] = rapid.Uint32Min(1).Draw(t, "product")
		}
		text := k.Append(nil, want)
		require.LessOrEqual(t, len(text), TokenMaxLen)
		var got Token
		require.NoError(t, k.Verify(&got, text, want.BidMS, want.Purpose))
		require.Equal(t, *want, got)
		require.Equal(t, text, k.Append(nil, &got), "the same token has the same text")
		require.Equal(t, want.Products, ProductsOf(want.Products.Text()))
		require.Zero(t, want.As(ForClick).Products, "the landing page is not told")
	})
	for _, odd := range []string{"", "0", "zz", "0000000", "00000000"} {
		require.Zero(t, ProductsOf(odd))
	}
	require.Equal(t, uint32(1), ShortProduct(7))
}

func TestEveryFlippedBitOfATokenThatShowsIsRefused(t *testing.T) {
	k, tok := keyring(t), sampleToken()
	tok.Lease, tok.Products = 9, Products{1, 2, 3}
	text := k.Append(nil, tok)
	for i := range text {
		for bit := range 8 {
			bad := append([]byte(nil), text...)
			bad[i] ^= 1 << bit
			requireRefused(t, k, bad, "byte %d bit %d", i, bit)
		}
	}
}
