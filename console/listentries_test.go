package console

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

// A list can be read back as it was understood, and its sum tells without
// reading whether it holds the same.
func TestListsCanBeReadBack(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	otherPath, other := b.shop()
	put := func(body string) (l List) {
		a := b.call(key, "PUT", path+"/lists/blocked", body, "Content-Type", "text/plain")
		require.Equal(t, 200, a.code, a.body)
		a.into(t, &l)
		return l
	}
	first := put("# bad places\nwww.spam.example\ncom.example.game\nSpam.example\n")
	require.Equal(t, campaigns.ListSum([]string{"com.example.game", "spam.example"}), first.Sum)
	a := b.call(b.key(path, "read"), "GET", path+"/lists/blocked/entries", "")
	require.Equal(t, 200, a.code, a.body)
	require.Equal(t, "com.example.game\nspam.example\n", a.body)
	require.Contains(t, a.header.Get("Content-Type"), "text/plain")
	require.Equal(t, etag(first.Version), a.header.Get("ETag"))
	require.Equal(t, first.Sum, put("spam.example\ncom.example.game").Sum, "in whatever order")
	require.NotEqual(t, first.Sum, put("spam.example").Sum)
	require.Equal(t, 404, b.call(other, "GET", path+"/lists/blocked/entries", "").code)
	require.Equal(t, 404, b.call(other, "GET", otherPath+"/lists/blocked/entries", "").code)

	require.Equal(t, 204, b.call(key, "DELETE", path+"/lists/blocked", "").code)
}
