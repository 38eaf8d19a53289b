package console

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryReasonHasWords holds the pages against the list of reasons that the
// guide for exchanges has, which another test holds against the bidder.
func TestEveryReasonHasWords(t *testing.T) {
	guide, err := os.ReadFile("../docs/exchanges.md")
	require.NoError(t, err)
	_, part, ok := strings.Cut(string(guide), "| reason | meaning |")
	require.True(t, ok)
	part, _, _ = strings.Cut(part, "\n\n")
	names := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(part, -1)
	require.Greater(t, len(names), 40)
	for _, lang := range languages() {
		raw, err := web.ReadFile("web/words/" + lang + ".json")
		require.NoError(t, err)
		var words map[string]string
		require.NoError(t, json.Unmarshal(raw, &words))
		require.Contains(t, words, "reason.targeting")
		for _, n := range names {
			require.Contains(t, words, "reason."+n[1], lang)
		}
	}
}
