package forecast

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// The words count as people do, in both languages.
func TestForecastWords(t *testing.T) {
	some := Interval{Low: 100, Mid: 100, High: 100}
	for name, c := range map[string]struct {
		r      Result
		en, pl string
	}{
		"one of each": {
			Result{Days: 1, Impressions: some, Orders: Interval{1, 1, 1}, Cost: some, CostPerOrder: some, Bids: 1},
			"In 1 day, with a likelihood of 90%: 1 order, about 1 in the middle, for 100 PLN. An order would cost 100 PLN. It rests on only 1 bid in the sampled traffic: take it with care.",
			"Przez 1 dzień, z prawdopodobieństwem 90%: 1 zamówienie, pośrodku około 1; koszt: 100 PLN. Zamówienie kosztowałoby 100 PLN. Opiera się tylko na 1 ofercie w próbce ruchu: proszę traktować ostrożnie.",
		},
		"some": {
			Result{Days: 30, Impressions: some, Orders: Interval{0, 1.5, 5}, Cost: some, CostPerOrder: Interval{20, 66.6, math.Inf(1)}, Bids: 9000, SampleDays: 7},
			"In 30 days, with a likelihood of 90%: 0 to 5 orders, about 1.5 in the middle, for 100 PLN. An order would cost about 67 PLN; it may be that none comes.",
			"Przez 30 dni, z prawdopodobieństwem 90%: od 0 do 5 zamówień, pośrodku około 1,5; koszt: 100 PLN. Zamówienie kosztowałoby około 67 PLN; może też nie być żadnego.",
		},
		"thousands": {
			Result{Days: 30, Impressions: some, Orders: Interval{51, 140.6, 359}, Cost: Interval{5681, 12000, 12000}, CostPerOrder: Interval{31.5, 84.8, 1234}, Bids: 9000, SampleDays: 7},
			"In 30 days, with a likelihood of 90%: 51 to 360 orders, about 140 in the middle, for 5,700 PLN to 12,000 PLN. An order would cost 32 PLN to 1,200 PLN.",
			"Przez 30 dni, z prawdopodobieństwem 90%: od 51 do 360 zamówień, pośrodku około 140; koszt: od 5700 PLN do 12\u00a0000 PLN. Zamówienie kosztowałoby od 32 PLN do 1200 PLN.",
		},
		"half a day": {
			Result{Days: 30, Impressions: some, Orders: Interval{51, 140.6, 359}, Cost: some, CostPerOrder: some, Bids: 9000, SampleDays: 0.5},
			"In 30 days, with a likelihood of 90%: 51 to 360 orders, about 140 in the middle, for 100 PLN. An order would cost 100 PLN. It rests on less than a day of traffic, so nobody knows yet how days differ: take it with care.",
			"Przez 30 dni, z prawdopodobieństwem 90%: od 51 do 360 zamówień, pośrodku około 140; koszt: 100 PLN. Zamówienie kosztowałoby 100 PLN. Opiera się na ruchu z mniej niż jednej doby, więc nie wiadomo jeszcze, jak różnią się dni: proszę traktować ostrożnie.",
		},
		"none": {
			Result{Days: 7, Impressions: some, Cost: some, CostPerOrder: Interval{math.Inf(1), math.Inf(1), math.Inf(1)}, Bids: 2},
			"In 7 days, with a likelihood of 90%: no order, about 0 in the middle, for 100 PLN. It may well be that no order comes. It rests on only 2 bids in the sampled traffic: take it with care.",
			"Przez 7 dni, z prawdopodobieństwem 90%: żadnego zamówienia, pośrodku około 0; koszt: 100 PLN. Możliwe, że nie będzie żadnego zamówienia. Opiera się tylko na 2 ofertach w próbce ruchu: proszę traktować ostrożnie.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.r.Say("PLN", false)
			require.Equal(t, c.en, got.EN)
			require.Equal(t, c.pl, got.PL)
		})
	}
}
