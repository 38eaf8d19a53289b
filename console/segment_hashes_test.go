package console

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// Hashed addresses and numbers name the person whom events name by the same
// hash, in this shop alone; what can be read is refused, and nothing of what
// was sent is kept.
func TestHashedAddressesAreImported(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	require.Equal(t, 201, b.call(key, "POST", path+"/segments", `{"name": "CRM", "source": "import"}`).code)
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	mail, phone := sum("anna.nowak@poczta.example"), sum("+48601234567")
	a := b.call(key, "PUT", path+"/segments/1/members",
		"email_sha256,phone_sha256\n"+strings.ToUpper(mail)+",\n,"+phone+"\nanna.nowak@poczta.example,\n"+mail[:63]+"!,\n,+48601234567\n"+mail+","+phone+"\n")
	require.Equal(t, 200, a.code, a.body)
	var got ImportReport
	a.into(t, &got)
	require.Equal(t, []int{6, 3, 3, 1}, []int{got.Rows, got.Accepted, got.Rejected, got.Repeated})
	require.EqualValues(t, 2, got.Members)
	require.NotContains(t, a.body, "anna")
	require.NotContains(t, a.body, "601234567")
	for _, column := range []string{"email", "phone"} {
		refused := b.call(key, "PUT", path+"/segments/1/members", column+"\nx\n")
		require.Equal(t, 422, refused.code)
		require.Contains(t, refused.body, "email_sha256")
	}

	docs := campaigns.NewDocs()
	pending, err := b.s.store.Pending(t.Context(), 1000)
	require.NoError(t, err)
	for _, p := range pending {
		rec, err := b.s.store.Record(t.Context(), p.Key)
		require.NoError(t, err)
		_, err = docs.Apply(&rec)
		require.NoError(t, err, p.Key)
	}
	snap, problems := campaigns.Compile(docs.Input())
	require.Empty(t, problems)
	shop := snap.Shop(1)
	members := shop.Segments.Set.Rule(0).Audience()
	require.Equal(t, 2, members.Len())
	for _, id := range []string{mail, strings.ToUpper(mail), phone} { // what an event's user.id may say
		_, ok := members.Has(segments.UserFromShop(shop.Salt, events.AliasCustomer, id))
		require.True(t, ok)
		_, ok = members.Has(segments.UserFromShop(segments.Salt{1}, events.AliasCustomer, id))
		require.False(t, ok, "another shop's customer is somebody else")
	}
}
