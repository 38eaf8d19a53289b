package console

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/apply"
)

// partsFile has what is not a campaign, and one that names a list.
const partsFile = `
feed:
  url: https://buty.example/feed.xml?key=${FEED_KEY}&lang=pl
  every_minutes: 30
lists:
  - name: blocked
    entries: [www.Spam.example, com.example.game, spam.example]
  - name: big
    file: lists/big.txt
campaigns:
  - name: Look
    kind: interest
    targeting: domain not in list "blocked" and domain not in list "big"
    bid: {cpm: 3}
    creatives: [{media: banner}]
webhooks:
  - url: https://hooks.buty.example/grosz?token=${HOOK}
    kinds: [no_bids, feed_stale, cost_per_order]
    cost_per_order: 40
`

// startParts is an applier with a list's file, variables, and a place for
// secrets.
func startParts(t *testing.T) (a *applier, o apply.Options, secrets *[]string) {
	a = startApply(t)
	dir := t.TempDir()
	a.outside.Dir = dir
	vars := map[string]string{"FEED_KEY": "k-feed", "HOOK": "k-hook"}
	a.outside.Env = func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	require.NoError(t, os.Mkdir(filepath.Join(dir, "lists"), 0o700))
	a.bigList(300)
	secrets = &[]string{}
	o.Secret = func(id uint32, address, secret string) error {
		*secrets = append(*secrets, fmt.Sprint(id, " ", address, " ", secret))
		return nil
	}
	return a, o, secrets
}

// bigList writes the list's file.
func (a *applier) bigList(n int) {
	var b strings.Builder
	b.WriteString("# of places\n\n")
	for i := range n {
		fmt.Fprintf(&b, "site%d.example\n", i)
	}
	require.NoError(a.t, os.WriteFile(filepath.Join(a.outside.Dir, "lists", "big.txt"), []byte(b.String()), 0o600))
}

func TestApplyTakesFeedListsAndWebhooks(t *testing.T) {
	a, o, secrets := startParts(t)
	r, err := a.apply(partsFile, apply.Options{DryRun: true})
	require.NoError(t, err, "a dry run makes no webhook, and has no secret to write")
	require.Equal(t, apply.Result{Made: 5}, r)
	require.Contains(t, a.out.String(), "feed source: new\n  + every_minutes: 30\n  + url: \"https://buty.example/feed.xml?key=***&lang=***\"\n")
	require.Contains(t, a.out.String(), "list \"big\": new\n  + entries: 300\n")
	require.NotContains(t, a.out.String(), "k-")
	var lists list[List]
	a.call(a.c.Key, "GET", a.path+"/lists", "").into(t, &lists)
	require.Empty(t, lists.Items)

	_, err = a.apply(partsFile, apply.Options{})
	require.ErrorContains(t, err, "shop.yaml:17: webhooks[0]: is new, and its secret is told once")
	r, err = a.apply(partsFile, o)
	require.NoError(t, err)
	require.Equal(t, apply.Result{Made: 5}, r)
	require.Len(t, *secrets, 1)
	require.Contains(t, (*secrets)[0], "1 https://hooks.buty.example/*** whsec_")
	require.Contains(t, a.call(a.c.Key, "GET", a.path+"/feed/source", "").body, `"https://buty.example/feed.xml?key=k-feed&lang=pl"`)
	require.Equal(t, "com.example.game\nspam.example\n", a.call(a.c.Key, "GET", a.path+"/lists/blocked/entries", "").body)
	require.Contains(t, a.call(a.c.Key, "GET", a.path+"/webhooks/1", "").body, `token=k-hook`)

	r, err = a.apply(partsFile, apply.Options{Prune: true})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Same: 5}, r, a.out.String())
	require.Empty(t, a.out.String())

	// Another secret, another entry, another amount.
	a.bigList(320)
	changed := strings.NewReplacer("${FEED_KEY}", "new", "www.Spam.example, ", "", "spam.example]", "spam2.example]", "cost_per_order: 40", "cost_per_order: 45.5", "${HOOK}", "other").Replace(partsFile)
	r, err = a.apply(changed, apply.Options{})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Changed: 4, Same: 1}, r, a.out.String())
	out := a.out.String()
	require.Contains(t, out, "feed source\n  ~ url: \"https://buty.example/feed.xml?key=***&lang=***\" -> \"https://buty.example/feed.xml?key=***&lang=***, with other values\"\n")
	require.Contains(t, out, "list \"blocked\"\n  ~ entries: 2 -> 2\n  + entries: \"spam2.example\"\n  - entries: \"spam.example\"\n")
	require.Contains(t, out, "list \"big\"\n  ~ entries: 300 -> 320\n  + entries: \"site300.example\"\n")
	require.Contains(t, out, "  + entries: \"and 10 more\"\n")
	require.Contains(t, out, "  ~ cost_per_order: \"40.00\" -> \"45.50\"\n")
	require.Len(t, *secrets, 1, "a webhook that stays keeps its secret")
	r, err = a.apply(changed, apply.Options{})
	require.NoError(t, err)
	require.False(t, r.Any(), a.out.String())
}

func TestApplyPrunesFeedListsAndWebhooks(t *testing.T) {
	a, o, _ := startParts(t)
	_, err := a.apply(partsFile, o)
	require.NoError(t, err)
	const nothing = "feed: {}\nlists: []\ncampaigns: []\nwebhooks:\n"
	r, err := a.apply("webhooks: []\n", apply.Options{})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Left: 1}, r, "sections that are not there are not its business")
	r, err = a.apply(nothing, apply.Options{})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Left: 5}, r)
	require.Contains(t, a.out.String(), "webhook \"https://hooks.buty.example/***\" is not in the file: left alone, --prune deletes it\n")
	require.Contains(t, a.out.String(), "feed source is not in the file: left alone")
	_, err = a.apply("lists: []\n", apply.Options{Prune: true})
	require.ErrorContains(t, err, "names the list", "a campaign does")
	r, err = a.apply(nothing, apply.Options{Prune: true})
	require.NoError(t, err, "campaigns go before the lists that they name")
	require.Equal(t, apply.Result{Deleted: 5}, r)
	r, err = a.apply(nothing, apply.Options{Prune: true})
	require.NoError(t, err)
	require.Equal(t, apply.Result{}, r)
}

func TestApplyNamesWhatIsWrongWithTheParts(t *testing.T) {
	a, o, _ := startParts(t)
	require.NoError(t, os.WriteFile(filepath.Join(a.outside.Dir, "lists", "bad.txt"), []byte("a.example\n\nnot one\n"), 0o600))
	line := func(text string) int {
		before, _, ok := strings.Cut(partsFile, text)
		require.True(t, ok)
		return 1 + strings.Count(before, "\n")
	}
	for _, c := range []struct{ name, old, new, at, field, msg string }{
		{"a variable that is not there", "${FEED_KEY}", "${FEED_KEYS}", "url: https://buty", "feed.url", "no variable FEED_KEYS"},
		{"a feed without an address", "  url: https://buty.example/feed.xml?key=${FEED_KEY}&lang=pl\n", "", "  url: https://buty", "feed.url", "is missing"},
		{"a feed that is hidden and not there", "${FEED_KEY}", "***", "url: https://buty", "feed.url", "*** stands for what is there already"},
		{"a feed of a format that is none", "every_minutes: 30", "format: xls", "every_minutes", "feed.format", `"xls" must be one of`},
		{"a field that there is not", "every_minutes: 30", "every_hours: 1", "every_minutes", "feed.every_hours", "there is no such field"},
		{"a list's name", "- name: blocked", "- name: -blocked", "- name: blocked", "lists[0].name", "must be letters"},
		{"an id of a list", "- name: blocked", "- id: 7", "- name: blocked", "lists[0].id", "there is no such field"},
		{"an entry", "com.example.game", "not one", "entries: [", "lists[0].entries[1]", `"not one" is neither a domain nor`},
		{"no entries", "entries: [www.Spam.example, com.example.game, spam.example]", "entries: []", "- name: blocked", "lists[0]", "holds nothing"},
		{"a list of nothing known", "    file: lists/big.txt\n", "", "- name: big", "lists[1].name", "the shop has no such list"},
		{"a file that is not there", "lists/big.txt", "lists/bog.txt", "file: ", "lists[1].file", "no such file"},
		{"a line of a list's file", "lists/big.txt", "lists/bad.txt", "file: ", "lists[1].file", `lists/bad.txt:3: "not one" is neither`},
		{"a list twice", "- name: big", "- name: blocked", "- name: big", "lists[1].name", "also the name of the entry in line"},
		{"a list that is nowhere", `list "big"`, `list "bigger"`, "targeting: ", "campaigns[0].targeting", `the shop has no list "bigger"`},
		{"a webhook of no kind", "no_bids, feed_stale", "no_bid, feed_stale", "kinds: ", "webhooks[0].kinds[2]", "must be one of"},
		{"an address that is not called", "https://hooks.buty.example/grosz?token=${HOOK}", "https://127.0.0.1/?token=${HOOK}", "- url: ", "webhooks[0].url", ""},
		{"what is no address", "https://hooks.buty.example/grosz?token=${HOOK}", "htps://hooks.buty.example/grosz?token=k-hook-of-mine", "- url: ", "webhooks[0].url", "https://"},
		{"a webhook's id", "- url: https", "- id: 9\n    url: https", "- url: ", "webhooks[0].id", "the shop has no webhook 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := a.apply(strings.Replace(partsFile, c.old, c.new, 1), o)
			var m *apply.Mistake
			require.ErrorAs(t, err, &m)
			require.Equal(t, line(c.at), m.Line, m.Error())
			require.Equal(t, c.field, m.Field, m.Error())
			require.Contains(t, m.Msg, c.msg)
			require.NotContains(t, err.Error(), "k-hook")
		})
	}
	_, err := a.apply("lists:\n  - name: a\n    entries: [a.example]\n    file: b.txt\n", o)
	require.ErrorContains(t, err, "shop.yaml:4: lists[0].file: is there beside entries")
}

// What is written down has no secret in it, applies as nothing, and makes the
// same of a shop that has nothing once the secrets are named.
func TestExportOfTheParts(t *testing.T) {
	a, o, _ := startParts(t)
	_, err := a.apply(partsFile, o)
	require.NoError(t, err)
	hooks := a.path + "/webhooks"
	for _, url := range []string{"https://hooks.buty.example/two?customer=1", "https://hooks.buty.example/two?customer=2"} {
		require.Equal(t, 201, a.call(a.c.Key, "POST", hooks, `{"url": "`+url+`", "kinds": ["no_bids"]}`).code)
	}
	first := a.export()
	for _, secret := range []string{"k-feed", "k-hook", "whsec_", "customer=1"} {
		require.NotContains(t, first, secret)
	}
	require.Contains(t, first, "  - name: big # 300 entries: grosz export --lists DIR writes them\n")
	require.Equal(t, 3, strings.Count(first, "- id: "), "only webhooks of one host need their numbers\n%s", first)
	r, err := a.apply(first, apply.Options{Prune: true})
	require.NoError(t, err, first)
	require.Equal(t, apply.Result{Same: 8}, r, "%s\n%s", a.out.String(), first)

	a.lists.Lists = t.TempDir()
	whole := a.export()
	require.Contains(t, whole, "file: "+filepath.ToSlash(a.lists.Lists)+"/big.txt\n")
	r, err = a.apply(whole, apply.Options{Prune: true})
	require.NoError(t, err)
	require.False(t, r.Any(), "%s\n%s", a.out.String(), whole)

	path, key := a.shop()
	a.path, a.c.Key, a.c.Shop = path, key, 2
	fresh := strings.NewReplacer("shop: 1\n", "", "key=***&lang=***", "key=${FEED_KEY}&lang=pl",
		"- id: 1\n    url: https://hooks.buty.example/***", "- url: https://hooks.buty.example/grosz?token=${HOOK}",
		"- id: 2\n    url: https://hooks.buty.example/***", "- url: https://hooks.buty.example/two?customer=1",
		"- id: 3\n    url: https://hooks.buty.example/***", "- url: https://hooks.buty.example/two?customer=2").Replace(whole)
	_, err = a.apply(first[strings.Index(first, "settings:"):], o)
	require.ErrorContains(t, err, "the shop has no such list", "a file that only names a list")
	_, err = a.apply(fresh, o)
	require.NoError(t, err, fresh)
	r, err = a.apply(fresh, apply.Options{Prune: true})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Same: 8}, r, a.out.String())

	// One of two that are alike without their secrets: the other is told of.
	r, err = a.apply("webhooks:\n  - {url: \"https://hooks.buty.example/two?customer=2\", kinds: [no_bids]}\n  - {url: \"https://hooks.buty.example/grosz?token=***\", kinds: [no_bids]}\n", apply.Options{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Same: 1, Changed: 1, Left: 1}, r, a.out.String())
	_, err = a.apply("webhooks:\n  - {url: \"https://hooks.buty.example/two?customer=***\", kinds: [no_bids]}\n", apply.Options{DryRun: true})
	require.ErrorContains(t, err, "2 webhooks are named")
}

// Nobody's list, feed source or webhook is overwritten unseen, one that was
// made meanwhile neither.
func TestApplyPartsLoseNobodysChange(t *testing.T) {
	for _, c := range []struct{ name, method, path, other string }{
		{"a list", "PUT", "/lists/blocked", "other.example\n"},
		{"a feed source", "PUT", "/feed/source", `{"url": "https://other.example/feed.xml"}`},
		{"a webhook", "PATCH", "/webhooks/1", `{"kinds": ["no_bids"]}`},
	} {
		for _, there := range []bool{true, false} {
			if c.method == "PATCH" && !there {
				continue
			}
			t.Run(fmt.Sprint(c.name, ", there before ", there), func(t *testing.T) {
				a, o, _ := startParts(t)
				if there {
					_, err := a.apply(partsFile, o)
					require.NoError(t, err)
				}
				a.c.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Method == c.method && strings.HasSuffix(r.URL.Path, c.path) {
						require.Equal(t, 200, a.call(a.c.Key, c.method, a.path+c.path, c.other, "Content-Type", r.Header.Get("Content-Type")).code)
					}
					return http.DefaultTransport.RoundTrip(r)
				})}
				_, err := a.apply(strings.NewReplacer("every_minutes: 30", "every_minutes: 40", "com.example.game", "com.example.other", "no_bids, feed_stale, cost_per_order", "feed_stale").Replace(partsFile), o)
				require.ErrorContains(t, err, "changed by somebody else")
				if c.path == "/lists/blocked" {
					require.Equal(t, c.other, a.call(a.c.Key, "GET", a.path+c.path+"/entries", "").body)
				}
			})
		}
	}
}

// A secret that cannot be written down is told of, and not lost unseen.
func TestApplyTellsOfASecretThatIsLost(t *testing.T) {
	a, o, _ := startParts(t)
	o.Secret = func(uint32, string, string) error { return errors.New("disk full") }
	_, err := a.apply(partsFile, o)
	require.ErrorContains(t, err, "webhook 1 was made, and its secret could not be written: delete it, and apply again: disk full")
}

func TestHide(t *testing.T) {
	for address, want := range map[string]string{
		"https://a.example/feed.xml":                  "https://a.example/feed.xml",
		"https://a.example/feed.xml?key=1&b=&c&d=x=y": "https://a.example/feed.xml?key=***&b=&***&d=***",
		"https://me:secret@a.example:8443/x?k=v#part": "https://***@a.example:8443/x?k=***#***",
		"https://a.example?":                          "https://a.example?",
		"https://a.example/a@b":                       "https://a.example/a@b",
		"":                                            "",
		"not an address?x":                            "not an address?***",
		"https://a.example/feed.xml?key=***&b=&***&d=***": "https://a.example/feed.xml?key=***&b=&***&d=***",
	} {
		require.Equal(t, want, apply.Hide(address))
	}
}

// Who calls a chat's hook needs its path and nothing else: a file has no path of
// a webhook, nor has a difference or an error.
func TestTheWholePathOfAWebhookIsHidden(t *testing.T) {
	a, o, _ := startParts(t)
	const file = "webhooks:\n  - url: https://chat.example/services/T1/B2/${HOOK}\n    kinds: [no_bids]\n"
	r, err := a.apply(file, o)
	require.NoError(t, err)
	require.Equal(t, apply.Result{Made: 1}, r)
	require.Contains(t, a.call(a.c.Key, "GET", a.path+"/webhooks/1", "").body, `"https://chat.example/services/T1/B2/k-hook"`)
	require.NotContains(t, a.out.String(), "T1")
	exported := a.export()
	require.Contains(t, exported, "url: https://chat.example/***\n")
	r, err = a.apply(exported, apply.Options{Prune: true})
	require.NoError(t, err)
	require.False(t, r.Any(), a.out.String())
	r, err = a.apply(strings.Replace(strings.Replace(file, "- url", "- id: 1\n    url", 1), "${HOOK}", "k-other", 1), apply.Options{})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Changed: 1}, r)
	require.Contains(t, a.out.String(), "https://chat.example/***, with other values")
	r, err = a.apply(file, apply.Options{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Made: 1, Left: 1}, r, "another path is another webhook, unless its id says which")
	require.NotContains(t, a.out.String(), "k-")
	_, err = a.apply("webhooks:\n  - url: htps://chat.example/services/k-mine\n    kinds: [no_bids]\n", o)
	require.ErrorContains(t, err, "shop.yaml:2: webhooks[0].url")
	require.NotContains(t, err.Error(), "k-mine")
}
