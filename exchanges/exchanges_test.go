package exchanges_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder"
	"github.com/grosz/grosz/exchanges"
)

// secrets are keys of the right shape under every name that the files give.
func secrets() bidder.Secrets {
	return bidder.Secrets{Env: func(name string) (string, bool) {
		return "encryption: " + strings.Repeat("ab", 32) + "\nintegrity: " + strings.Repeat("cd", 32), strings.HasPrefix(name, "GROSZ_PRICE_KEYS_")
	}}
}

func all(t *testing.T) []exchanges.Ready {
	t.Helper()
	list, err := exchanges.All()
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return list
}

func TestEveryFileIsTakenByTheBidder(t *testing.T) {
	var names []string
	for _, r := range all(t) {
		t.Run(r.Name, func(t *testing.T) {
			x, err := bidder.ParseExchangeWith(r.Text, secrets())
			require.NoError(t, err)
			assert.Equal(t, r.Name, x.Name, "the file's name is the exchange's")
			assert.NotEmpty(t, r.Title)
		})
		names = append(names, r.Name)
	}
	assert.True(t, slices.IsSorted(names))
	_, err := exchanges.Get("nobody")
	require.ErrorContains(t, err, `"nobody"`)
}

// TestWithoutItsKeysAFileIsRefused: a bidder that could not read prices must
// not start.
func TestWithoutItsKeysAFileIsRefused(t *testing.T) {
	for _, name := range []string{"authorized-buyers", "openx"} {
		r, err := exchanges.Get(name)
		require.NoError(t, err)
		_, err = bidder.ParseExchange(r.Text)
		require.ErrorContains(t, err, "is not set")
	}
}

var (
	setting = regexp.MustCompile(`^([a-z_]+):`)
	defined = regexp.MustCompile(`(?m)^# {3}\[([a-z0-9]+)\]`)
	cited   = regexp.MustCompile(`\[([a-z0-9]+)\]`)
)

// TestEverySettingNamesItsSource: the comment above a setting cites a document
// of the file's list, or says that the contract decides; every document of
// the list is cited.
func TestEverySettingNamesItsSource(t *testing.T) {
	for _, r := range all(t) {
		t.Run(r.Name, func(t *testing.T) {
			var sources, used []string
			for _, m := range defined.FindAllStringSubmatch(string(r.Text), -1) {
				sources = append(sources, m[1])
			}
			require.NotEmpty(t, sources)
			require.Contains(t, string(r.Text), "Not said by what was read, left at the default:")
			comment := ""
			for line := range strings.Lines(string(r.Text)) {
				switch m := setting.FindStringSubmatch(line); {
				case strings.HasPrefix(line, "#"):
					comment += line
					if !defined.MatchString(line) {
						for _, c := range cited.FindAllStringSubmatch(line, -1) {
							used = append(used, c[1])
						}
					}
				case strings.TrimSpace(line) == "":
					comment = ""
				case m != nil && m[1] != "name":
					if !strings.Contains(comment, "Depends on your contract") {
						assert.True(t, cited.MatchString(comment), "%s has no source", m[1])
					}
				}
			}
			for _, c := range used {
				assert.Contains(t, sources, c, "cited but not listed")
			}
			for _, s := range sources {
				assert.Contains(t, used, s, "listed but not cited")
			}
		})
	}
}
