package intent

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// bigShop makes a shop of n products with the skew of a real one: few common
// types, many models.
func bigShop(n int) *Index {
	rng := rand.New(rand.NewPCG(1, 2))
	types := []string{"Buty", "Szpilki", "Sandały", "Kurtka", "Sukienka", "Torebka", "Koszula", "Spodnie", "Sweter", "Płaszcz"}
	for i := range 300 {
		types = append(types, "Typ"+string(rune('a'+i%26))+string(rune('a'+i/26))+"owiec")
	}
	attrs := []string{"czerwone", "czarne", "damskie", "męskie", "skórzane", "zimowe", "letnie", "eleganckie", "sportowe", "wygodne"}
	docs := make([]Doc, n)
	for i := range docs {
		t := types[int(float64(len(types))*rng.Float64()*rng.Float64()*rng.Float64())]
		model := fmt.Sprintf("Model%s%s%s", string(rune('a'+rng.IntN(26))), string(rune('a'+rng.IntN(26))), string(rune('a'+rng.IntN(26))))
		docs[i] = Doc{
			Title: t + " " + attrs[rng.IntN(len(attrs))] + " " + model + " na obcasie z kokardą", Brand: fmt.Sprintf("Marka%c%c", 'a'+rng.IntN(26), 'a'+rng.IntN(26)),
			Category: "Moda > " + attrs[rng.IntN(4)] + " > " + t, Pos: uint32(i),
		}
	}
	return New(docs, "pl")
}

// realisticQuery is what a request with a search, keywords and an address
// says.
func realisticQuery(q *Query) {
	q.Reset()
	q.Add("czerwone szpilki na wysokim obcasie", FromSearch)
	q.Add("buty skórzane modelabc", FromKeyword)
	q.Add("moda damska", FromKeyword)
	q.Add("sukienki wieczorowe", FromKeyword)
	q.AddSegment("Shopping > Fashion > Shoes")
	q.AddURL("https://moda.example/trendy/jakie-buty-na-obcasie-wybrac-123.html")
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		x := bigShop(n)
		b.Run(fmt.Sprintf("phrase/%d", n), func(b *testing.B) {
			var q Query
			var m Match
			q.Add("czerwone szpilki na wysokim obcasie", FromSearch)
			b.ReportAllocs()
			for b.Loop() {
				m = Match{}
				x.Match(&m, &q, 1, nil)
			}
			require.Equal(b, MaxHits, m.N)
		})
		b.Run(fmt.Sprintf("request/%d", n), func(b *testing.B) {
			var q Query
			var m Match
			realisticQuery(&q)
			b.ReportAllocs()
			for b.Loop() {
				m = Match{}
				x.Match(&m, &q, 1, nil)
			}
			require.Equal(b, MaxHits, m.N)
			b.ReportMetric(float64(x.Bytes())/float64(n), "B/product")
		})
	}
}

func BenchmarkReadQuery(b *testing.B) {
	var q Query
	b.ReportAllocs()
	for b.Loop() {
		realisticQuery(&q)
		q.prepare()
	}
	require.Greater(b, len(q.phrases), 6)
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				require.Equal(b, n, bigShop(n).Len())
			}
		})
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	x := bigShop(2_000)
	tab := NewTable([]uint32{1}, []*Index{x})
	var q Query
	var m Match
	var shops []uint32
	run := func() {
		realisticQuery(&q)
		m = Match{}
		x.Match(&m, &q, 1, nil)
		shops = tab.Shops(shops[:0], &q)
	}
	run()
	require.Zero(t, testing.AllocsPerRun(100, run))
	require.Equal(t, []uint32{1}, shops)
	require.Equal(t, MaxHits, m.N)
}
