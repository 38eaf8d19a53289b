package console

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

// bidderLists is what a bidder that reads the whole topic makes of the lists.
func bidderLists(t *testing.T, b *bench) []*campaigns.ListPart {
	t.Helper()
	ctx := context.Background()
	require.NoError(t, b.s.store.EnqueueAll(ctx))
	docs := campaigns.NewDocs()
	for _, key := range b.pending() {
		rec, err := b.s.store.Record(ctx, key)
		require.NoError(t, err)
		_, err = docs.Apply(&rec)
		require.NoError(t, err)
	}
	return docs.Input().Lists
}

func TestListLife(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	otherPath, other := b.shop()
	put := func(key, path, body string) answer {
		return b.call(key, "PUT", path, body, "Content-Type", "text/plain")
	}
	a := put(key, path+"/lists/blocked", "# bad places\nSpam.example\nwww.spam.example\n\nnot a domain\ncom.example.game\n")
	require.Equal(t, 200, a.code, a.body)
	var l List
	a.into(t, &l)
	require.Equal(t, 2, l.Entries, "www. makes no difference")
	require.Equal(t, 1, l.Rejected)
	require.Equal(t, []ListProblem{{5, "not a domain"}}, l.Problems)
	parts := bidderLists(t, b)
	require.Len(t, parts, 1)
	require.Equal(t, "blocked", parts[0].Name)
	require.Len(t, parts[0].Hashes, 16)

	campaign := func(list string) string {
		return fmt.Sprintf(`{"name": "a", "kind": "interest", "targeting": "domain not in list \"%s\"", "bid": {"cpm": "1"}, "creatives": [{"media": "banner"}]}`, list)
	}
	require.Equal(t, []string{"body.targeting"}, b.call(key, "POST", path+"/campaigns", campaign("nosuch")).problem(t).fields())
	require.Equal(t, []string{"body.targeting"}, b.call(other, "POST", otherPath+"/campaigns", campaign("blocked")).problem(t).fields(), "another shop's list")
	require.Equal(t, 201, b.call(key, "POST", path+"/campaigns", campaign("blocked")).code)
	a = b.call(key, "DELETE", path+"/lists/blocked", "")
	require.GreaterOrEqual(t, a.code, 400, "a campaign names it")
	require.Contains(t, a.body, "blocked")

	var big strings.Builder
	for i := range 120_000 {
		fmt.Fprintf(&big, "site%d.example\n", i)
	}
	a = put(key, path+"/lists/big", big.String())
	require.Equal(t, 200, a.code, a.body)
	require.Len(t, bidderLists(t, b), 4, "120,000 entries are three messages")
	require.Equal(t, 200, put(key, path+"/lists/big", "a.example\n").code)
	require.Len(t, bidderLists(t, b), 2, "what is left of the greater list is gone")
	require.Contains(t, b.call(key, "GET", path+"/lists", "").body, `"entries":1`)
	require.Equal(t, 204, b.call(key, "DELETE", path+"/lists/big", "").code)
	require.Len(t, bidderLists(t, b), 1)

	require.Equal(t, 422, put(key, path+"/lists/none", "# nothing\n").code)
	require.Equal(t, 404, put(other, path+"/lists/blocked", "a.example\n").code)
	require.Equal(t, 404, b.call(key, "DELETE", path+"/lists/nosuch", "").code)
	require.Equal(t, 422, put(key, path+"/lists/-bad", "a.example\n").code)
}
