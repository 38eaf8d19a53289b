package campaigns

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadHead(t *testing.T) {
	for _, tc := range []struct {
		name, record string
		want         Head
		ok           bool
	}{
		{"a deletion", `{"key":"campaign/12","version":7,"deleted":true}`, Head{"campaign/12", 7}, true},
		{"nothing but a head", `{"key":"shop/7","version":-1}`, Head{"shop/7", -1}, true},
		{"another order", `{"version":7,"key":"campaign/12"}`, Head{}, false},
		{"space, as others write", `{ "key": "campaign/12", "version": 7 }`, Head{}, false},
		{"an escape in the key", `{"key":"camp\u0061ign/12","version":7}`, Head{}, false},
		{"a version that is no integer", `{"key":"campaign/12","version":7.5}`, Head{}, false},
		{"a version in quotes", `{"key":"campaign/12","version":"7"}`, Head{}, false},
		{"cut in the key", `{"key":"campa`, Head{}, false},
		{"cut in the version", `{"key":"campaign/12","version":7`, Head{}, false},
		{"empty", "", Head{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := ReadHead([]byte(tc.record))
			require.Equal(t, tc.ok, ok)
			if ok {
				require.Equal(t, tc.want, got)
			}
		})
	}
}

// TestEveryKindOfRecordHasAHead holds Record and ReadHead together: a member
// that is put before the version would have all of them read whole again.
func TestEveryKindOfRecordHasAHead(t *testing.T) {
	for key, r := range map[string]Record{
		"shop/7":         {Shop: &Shop{ID: 7, Name: `"quoted", {braced}`}},
		"campaign/12":    {Campaign: &Campaign{ID: 12}},
		"products/7/3":   {Products: &ProductBucket{ShopID: 7, Bucket: 3}},
		"segment/5":      {Segment: &Segment{}},
		"audience/5/3":   {Audience: &AudienceBucket{}},
		"list/7/2/0":     {List: &ListPart{}},
		"approvals/7":    {Approvals: &Approvals{}},
		"feed/7":         {Feed: &FeedState{}},
		"campaign/13":    {Deleted: true},
		"products/7/100": {Deleted: true},
	} {
		r.Key, r.Version = key, 41
		text, err := json.Marshal(r)
		require.NoError(t, err)
		got, ok := ReadHead(text)
		require.True(t, ok, key)
		require.Equal(t, Head{Key: key, Version: 41}, got)
		require.Equal(t, strings.Split(key, "/")[0], got.Kind())
	}
}

// FuzzReadHead: what it reads is what encoding/json reads of a record that
// names each member once.
func FuzzReadHead(f *testing.F) {
	f.Add(`{"key":"shop/7","version":3,"shop":{}}`)
	f.Add(`{"key":"a","version":03}`)
	f.Add("{\"key\":\"\x80\",\"version\":1}")
	f.Fuzz(func(t *testing.T, text string) {
		head, ok := ReadHead([]byte(text))
		if !ok || strings.Count(strings.ToLower(text), `"key"`) != 1 || strings.Count(strings.ToLower(text), `"version"`) != 1 {
			return
		}
		var r Record
		if json.Unmarshal([]byte(text), &r) == nil && (r.Key != head.Key || r.Version != head.Version) {
			t.Fatalf("%q: read %+v, encoding/json reads %q %d", text, head, r.Key, r.Version)
		}
	})
}

func TestWhatIsHeldIsKnownByItsHead(t *testing.T) {
	d := NewDocs()
	require.False(t, d.Has(Head{"shop/7", 1}))
	changed, err := d.Apply(&Record{Key: "shop/7", Version: 3, Shop: &Shop{ID: 7}})
	require.NoError(t, err)
	require.True(t, changed)
	require.True(t, d.Has(Head{"shop/7", 2}))
	require.True(t, d.Has(Head{"shop/7", 3}))
	require.False(t, d.Has(Head{"shop/7", 4}))
	changed, err = d.Apply(&Record{Key: "shop/7", Version: 4, Deleted: true})
	require.NoError(t, err)
	require.True(t, changed)
	require.True(t, d.Has(Head{"shop/7", 4}), "a deletion is remembered, so that what is older does not come back")
}

// BenchmarkRecord is a bucket of products that is read again: whole, and by
// its head.
func BenchmarkRecord(b *testing.B) {
	bucket := &ProductBucket{ShopID: 7, Buckets: 1}
	for i := range 1000 {
		bucket.Items = append(bucket.Items, Product{ID: fmt.Sprint(i), Title: "Red running shoes, size 42", URL: "https://shop.example/p/" + fmt.Sprint(i), Price: 19_900_000_000})
	}
	text, err := json.Marshal(Record{Key: "products/7/0", Version: 3, Products: bucket})
	require.NoError(b, err)
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r Record
			if err := json.Unmarshal(text, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("head", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := ReadHead(text); !ok {
				b.Fatal("no head")
			}
		}
	})
}
