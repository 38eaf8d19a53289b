package campaigns

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is not one value is everything else, also what the request does not
// say, and the same as not being in a list of that one.
func TestNotEqualIsTheOpposite(t *testing.T) {
	// 11:00 on a Thursday in Warsaw; 2026-01-01.
	facts := func() *Facts {
		return &Facts{NowMS: 1767261600000, Domain: "news.example", Country: "PL", Device: "mobile", Media: "banner", Exchange: "demo", Search: "sofa"}
	}
	for _, c := range []struct {
		name, equal, not, list string
		holds                  bool // equal
	}{
		{"the domain", `domain = "news.example"`, `domain != "news.example"`, `domain not in ("news.example")`, true},
		{"another domain", `domain = "games.example"`, `domain != "games.example"`, `domain not in ("games.example")`, false},
		{"the country", `country = "PL"`, `country != "PL"`, `country not in ("PL")`, true},
		{"another country", `country = "DE"`, `country != "DE"`, `country not in ("DE")`, false},
		{"the device", `device = "mobile"`, `device != "mobile"`, `device not in ("mobile")`, true},
		{"another media", `media = "video"`, `media != "video"`, `media not in ("video")`, false},
		{"what is not said", `city = "Kraków"`, `city != "Kraków"`, `city not in ("Kraków")`, false},
		{"what was searched", `search = "sofa"`, `search != "sofa"`, `search not in ("sofa")`, true},
		{"another hour", "hour = 3", "hour != 3", "hour not in (3)", false},
		{"the hour", "hour = 11", "hour != 11", "hour not in (11)", true},
		{"the day", "weekday = thu", "weekday != thu", "weekday not in (thu)", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := compiled(t, Input{Shops: []*Shop{testShop(1)}, Campaigns: []*Campaign{
				campaign(1, 1, c.equal), campaign(2, 1, c.not), campaign(3, 1, c.list), campaign(4, 1, "not ("+c.equal+")"),
			}})
			want := []uint32{2, 3, 4}
			if c.holds {
				want = []uint32{1}
			}
			require.Equal(t, want, matched(s, facts(), NewMatcher()))
		})
	}
}
