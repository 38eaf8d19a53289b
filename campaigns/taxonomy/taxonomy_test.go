package taxonomy

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAlso(t *testing.T) {
	for _, c := range []struct {
		name   string
		tax    int32
		id     string
		has    []string
		hasNot []string
	}{
		{"sports of 2.2", Content22, "483", []string{"IAB17"}, []string{"IAB17-1"}},
		{"cycling of 3.0", Content30, "492", []string{"IAB17-3", "483", "IAB17"}, []string{"IAB17-21"}},
		{"a level that 1.0 has not", Content21, "573", []string{"560", "552", "IAB18"}, []string{"IAB18-4"}},
		{"one that 1.0 has in several parts", Content20, "511", []string{"IAB17"}, []string{"IAB17-11", "IAB17-32"}},
		{"women's clothing", Content31, "566", []string{"IAB18-5", "IAB18-3", "IAB18"}, nil},
		{"letters of 3.0", Content30, "JLBCU7", []string{"IAB1"}, nil},
		{"movies", Content30, "324", []string{"IAB1-5", "JLBCU7"}, nil},
		{"1.0 in numbers", Content1, "IAB17-3", []string{"492", "483"}, nil},
		{"absent means 1.0", 0, "IAB2-15", []string{"27", "1"}, nil},
		{"running is of two branches", Content22, "227", []string{"IAB17-30", "IAB7-1", "IAB7"}, nil},
		{"products are no content", 3, "483", nil, []string{"IAB17"}},
		{"unknown", Content22, "99999", nil, []string{"IAB1"}},
	} {
		got := Also(c.tax, c.id)
		for _, want := range c.has {
			assert.Contains(t, got, want, c.name)
		}
		for _, not := range c.hasNot {
			assert.NotContains(t, got, not, c.name)
		}
	}
}

// TestTablesAreWhole: every top level and subcategory of 1.0 is there with the
// number of subcategories that the standard has, and what it leads to exists.
func TestTablesAreWhole(t *testing.T) {
	counts := []int{7, 23, 12, 11, 15, 9, 45, 18, 31, 9, 5, 3, 12, 8, 10, 7, 44, 6, 36, 27, 3, 4, 10, 0, 7, 4}
	forth, back := readContent1()
	n := 0
	for i, want := range counts {
		top := "IAB" + strconv.Itoa(i+1)
		assert.Contains(t, forth, top)
		have := 0
		for c := range forth {
			if strings.HasPrefix(c, top+"-") {
				have++
			}
		}
		assert.Equal(t, want, have, top)
		n += 1 + have
	}
	assert.Len(t, forth, n)
	m := tables()
	for code, id := range forth {
		if id != "-" && id != "1014" && id != "1455" {
			assert.Contains(t, m.also, id, code)
		}
	}
	for id, codes := range back {
		for _, c := range codes {
			assert.Contains(t, forth, c, id)
		}
	}
	for id := range m.names {
		assert.Contains(t, m.also, id)
	}
	assert.Len(t, m.goods, 42)
	for g, codes := range m.goods {
		for _, c := range codes {
			assert.Contains(t, forth, c, g)
		}
	}
}

func TestProductCategories(t *testing.T) {
	assert.Equal(t, []string{"IAB18"}, ProductCategories("166"))
	assert.Equal(t, []string{"IAB18"}, ProductCategories("Apparel & Accessories > Shoes"))
	assert.Nil(t, ProductCategories("Shoes"))
}

func TestLookingUpAllocatesNothing(t *testing.T) {
	Also(Content22, "492")
	assert.Zero(t, testing.AllocsPerRun(100, func() { Also(Content22, "492"); Name("573") }))
}
