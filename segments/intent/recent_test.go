package intent

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A word that was read before is read as if it were new, wherever it stands and
// whatever pushed it out meanwhile.
func TestRememberedWordsAreReadAsNew(t *testing.T) {
	var texts []string
	for i := range 3 * recentPlaces {
		texts = append(texts, fmt.Sprintf("Skórzane buty-%d do biegania and word%d with Konstantynopolitańczykowianeczka%d", i%7, i, i))
	}
	texts = append(texts, "", "--", "a", "SOFA sofa Sófa sofas", "1234567890123456789012345678901234567890")
	fresh, again := scanner{}, scanner{recent: new(recentWords)}
	words := 0
	for round := range 2 {
		for _, text := range texts {
			for rest := text; ; {
				want, left, broken, ok := fresh.next(rest)
				got, gotLeft, gotBroken, gotOK := again.next(rest)
				require.Equal(t, want, got, "round %d: %q", round, rest)
				require.Equal(t, []any{left, broken, ok}, []any{gotLeft, gotBroken, gotOK})
				if rest = left; !ok {
					break
				}
				words++
			}
		}
	}
	require.Greater(t, words, 2*recentPlaces)
}
