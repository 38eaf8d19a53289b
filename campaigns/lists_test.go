package campaigns

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func partOf(shop, id uint32, name string, feed int64, entries ...string) *ListPart {
	l := &ListPart{ShopID: shop, ID: id, Name: name, Feed: feed, Parts: 1}
	for _, e := range entries {
		v, ok := ListEntry(e)
		if !ok {
			panic(e)
		}
		l.Hashes = binary.LittleEndian.AppendUint64(l.Hashes, ListHash(v))
	}
	return l
}

func TestLists(t *testing.T) {
	shop, feed := intentShop(1, Product{Title: "Sofa"})
	interest := func(id uint32, src string) *Campaign {
		c := intentCampaign(id, 1, src)
		c.Kind = KindInterest
		return c
	}
	c := NewCompiler()
	in := Input{
		Shops: []*Shop{shop}, Buckets: []*ProductBucket{feed},
		Campaigns: []*Campaign{interest(1, `domain in list "good"`), interest(2, `domain not in list "bad"`), interest(3, `bundle in list "apps" and media = "banner"`)},
		Lists: []*ListPart{
			partOf(1, 1, "good", 1, "News.example", "www.blog.example"), partOf(1, 2, "bad", 1, "spam.example"), partOf(1, 3, "apps", 1, "com.example.news"),
			partOf(2, 1, "good", 1, "other.example"), // another shop's list of that name
		},
	}
	s, problems := c.Compile(in)
	require.Empty(t, problems)
	for _, x := range []struct {
		name string
		f    Facts
		want []uint32
	}{
		{"listed", Facts{Domain: "news.example"}, []uint32{1, 2}},
		{"a subdomain", Facts{Domain: "m.news.example"}, []uint32{1, 2}},
		{"by the page", Facts{URL: "https://blog.example/x"}, []uint32{1, 2}},
		{"blocked", Facts{Domain: "a.spam.example"}, nil},
		{"another shop's", Facts{Domain: "other.example"}, []uint32{2}},
		{"no suffix of a name", Facts{Domain: "badnews.example"}, []uint32{2}},
		{"an app", Facts{Bundle: "com.example.news", Media: MediaBanner}, []uint32{2, 3}},
		{"nothing said", Facts{}, []uint32{2}},
	} {
		assert.ElementsMatch(t, x.want, looking(s, &x.f), x.name)
	}

	in.Lists = append(in.Lists[:1:1], in.Lists[2:]...)
	s, problems = c.Compile(in)
	require.Len(t, problems, 1, "a campaign without its block list does not bid")
	assert.ErrorContains(t, problems[0], `no list "bad"`)
	assert.Empty(t, looking(s, &Facts{Domain: "x.example"}))

	in.Lists = append(in.Lists, partOf(1, 2, "bad", 2, "x.example"))
	s, problems = c.Compile(in)
	require.Empty(t, problems)
	assert.Empty(t, looking(s, &Facts{Domain: "x.example"}))
	assert.Equal(t, []uint32{2}, looking(s, &Facts{Domain: "spam.example"}), "the new list is in force")
}

func TestListsAreCheckedAndNamed(t *testing.T) {
	names, err := ListsIn(`domain in list "a" and not (bundle not in list "b" or domain in list "a")`)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, names)
	for _, bad := range []string{`domain in list`, `country in list "a"`, `domain in list ""`} {
		_, err := ListsIn(bad)
		assert.Error(t, err, bad)
	}
}

func TestListRecords(t *testing.T) {
	d := NewDocs()
	ok, err := d.Apply(&Record{Key: "list/7/2/0", Version: 3, List: partOf(7, 2, "bad", 3, "spam.example")})
	require.NoError(t, err)
	require.True(t, ok)
	require.Len(t, d.Input().Lists, 1)
	_, err = d.Apply(&Record{Key: "list/7/3/0", Version: 3, List: partOf(7, 2, "bad", 3, "spam.example")})
	require.ErrorIs(t, err, ErrRecord)
	ok, err = d.Apply(&Record{Key: "list/7/2/0", Version: 4, Deleted: true})
	require.NoError(t, err)
	require.True(t, ok)
	require.Empty(t, d.Input().Lists)
}

func bigList(n int) *ListPart {
	l := &ListPart{ShopID: 1, ID: 1, Name: "big", Feed: 1, Parts: 1}
	for i := range n {
		l.Hashes = binary.LittleEndian.AppendUint64(l.Hashes, ListHash(fmt.Sprintf("site%d.example", i)))
	}
	return l
}

func BenchmarkBlockList(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			shop, feed := intentShop(1)
			camp := intentCampaign(1, 1, `domain not in list "big"`)
			var before, after runtime.MemStats
			part := bigList(n)
			runtime.GC()
			runtime.ReadMemStats(&before)
			s, problems := Compile(Input{Shops: []*Shop{shop}, Buckets: []*ProductBucket{feed}, Campaigns: []*Campaign{camp}, Lists: []*ListPart{part}})
			runtime.GC()
			runtime.ReadMemStats(&after)
			require.Empty(b, problems)
			m, f := NewMatcher(), &Facts{Domain: "www.free.example"}
			b.ReportAllocs()
			for b.Loop() {
				if len(s.Match(f, m)) != 1 {
					b.Fatal("blocked")
				}
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/entry")
			runtime.KeepAlive(part)
		})
	}
}
