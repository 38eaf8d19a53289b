package bidder

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCategoriesOfAnyTaxonomy(t *testing.T) {
	home := []string{"IAB10-6"} // Home & Garden > Interior Decorating
	for name, c := range map[string]struct {
		cats, bcat, acat []string
		tax              int32
		want             NoBidReason
	}{
		"1.0, its parent":                     {home, []string{"IAB10"}, nil, 0, ReasonCategory},
		"1.0, a sibling":                      {home, []string{"IAB10-5"}, nil, 1, ReasonNone},
		"1.0, a number that looks like it":    {home, []string{"IAB1"}, nil, 1, ReasonNone},
		"1.0, whatever cattax says":           {home, []string{"iab10"}, nil, 6, ReasonCategory},
		"2.2, the same":                       {home, []string{"274"}, nil, 6, ReasonCategory},
		"2.0, a part of it":                   {home, []string{"280"}, nil, 2, ReasonCategory},
		"3.0, others":                         {home, []string{"1", "53", "483", "680"}, nil, 7, ReasonNone},
		"3.0, letters that cannot be told":    {home, []string{"v9i3On"}, nil, 7, ReasonTaxonomy},
		"3.0, a number beyond the known":      {home, []string{"1003"}, nil, 7, ReasonTaxonomy},
		"3.0, unknown beside a blocked":       {home, []string{"v9i3On", "274"}, nil, 7, ReasonCategory},
		"ad products":                         {home, []string{"1002"}, nil, 3, ReasonTaxonomy},
		"an exchange's own":                   {home, []string{"70"}, nil, 500, ReasonTaxonomy},
		"a shop without categories":           {nil, []string{"v9i3On"}, nil, 7, ReasonNone},
		"a shop of no top category":           {[]string{"IAB25-3"}, []string{"552"}, nil, 6, ReasonTaxonomy},
		"a broader one of 2.x":                {[]string{"IAB7-1"}, []string{"286"}, nil, 6, ReasonCategory},
		"cattax left out, a number":           {home, []string{"274"}, nil, 0, ReasonCategory},
		"cattax left out, another number":     {home, []string{"70", "9999", "BSW1"}, nil, 0, ReasonNone},
		"allowed, 1.0":                        {home, nil, []string{"IAB1", "IAB10"}, 0, ReasonNone},
		"allowed, not":                        {home, nil, []string{"IAB1"}, 0, ReasonCategory},
		"allowed by the whole top category":   {home, nil, []string{"552", "274"}, 6, ReasonNone},
		"allowed by a part of it only":        {home, nil, []string{"275"}, 6, ReasonCategory},
		"allowed by one that overlaps":        {[]string{"IAB1-5"}, nil, []string{"324"}, 6, ReasonCategory},
		"allowed by a number without cattax":  {home, nil, []string{"274"}, 0, ReasonCategory},
		"allowed, by none that is known":      {home, nil, []string{"v9i3On"}, 7, ReasonCategory},
		"allowed, by a shop of no categories": {nil, nil, []string{"IAB10"}, 0, ReasonCategory},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, categories(c.cats, c.bcat, c.acat, c.tax))
			require.Zero(t, testing.AllocsPerRun(20, func() { categories(c.cats, c.bcat, c.acat, c.tax) }))
		})
	}
	for i := 1; i < len(taxa2); i++ {
		require.Equal(t, taxa2[i-1].to+1, taxa2[i].from, "the numbers have no gap")
	}
}

func TestPrebidTypeStandsInTheExtThatIsThere(t *testing.T) {
	require.Equal(t, `{"a":1,"ext":{"prebid":{"type":"video"}}`, string(appendPrebidType([]byte(`{"a":1`), false, 2)))
	require.Equal(t, `{"a":1,"ext":{"dsa":{},"prebid":{"type":"native"}}`, string(appendPrebidType([]byte(`{"a":1,"ext":{"dsa":{}}`), true, 3)))
}
