package campaigns

import (
	"strings"

	"github.com/grosz/grosz/campaigns/taxonomy"
)

// productCategories reads "product:Apparel & Accessories" in a list of
// categories as the content categories that concern such products; nil for
// anything else.
func productCategories(kind predKind, s string) []string {
	name, ok := strings.CutPrefix(strings.TrimSpace(s), "product:")
	if kind != kindCategory || !ok {
		return nil
	}
	var out []string
	for _, c := range taxonomy.ProductCategories(name) {
		out = append(out, strings.ToLower(c))
	}
	return out
}
