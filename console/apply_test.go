package console

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/apply"
)

// shopFile is a shop as people keep it in git.
const shopFile = `
settings:
  language: pl
  categories: [IAB18]
segments:
  - name: Big carts
    expression: cart_value >= 500 PLN and not purchased within 7d
    value_bps: 15000
  - name: Newsletter
    source: import
    ttl_days: 180
campaigns:
  - name: Come back
    kind: remarketing
    status: active
    targeting: segment "Big carts"
    bid:
      cpm: 4.5
      max_cpm: "12"
      boosts:
        - {when: cart_value >= 900 PLN, bps: 20000}
    budget: {total: 3000, day: 100}
    frequency:
      impressions: 8
      hours: 24
      caps: [{per: shop, impressions: 3, hours: 1}]
      fatigue: {half_after: 4, recover_minutes: 60}
    start: 2026-12-01T08:00:00+01:00
    creatives:
      - media: banner
        sizes: [{w: 300, h: 250}]
      - {media: native, cta: Kup}
`

// applier is a console with a shop, and the tool that applies files to it.
type applier struct {
	*bench
	path string
	c    *apply.Client
	out  bytes.Buffer

	outside apply.Outside
	lists   apply.ExportOptions
}

func startApply(t *testing.T) *applier {
	b := start(t, nil)
	srv := httptest.NewServer(b.s.Handler())
	t.Cleanup(srv.Close)
	path, key := b.shop()
	a := &applier{bench: b, path: path, c: &apply.Client{URL: srv.URL, Key: key}}
	var err error
	a.c.Shop, err = a.c.OnlyShop(t.Context())
	require.NoError(t, err)
	return a
}

func (a *applier) apply(text string, o apply.Options) (apply.Result, error) {
	a.t.Helper()
	f, err := apply.Read("shop.yaml", []byte(text), a.outside)
	if err != nil {
		return apply.Result{}, err
	}
	a.out.Reset()
	o.File, o.Out = "shop.yaml", &a.out
	return a.c.Apply(a.t.Context(), f, o)
}

func (a *applier) export() string {
	a.t.Helper()
	var b strings.Builder
	require.NoError(a.t, a.c.Export(a.t.Context(), &b, a.lists))
	return b.String()
}

func (a *applier) campaigns() map[string]Campaign {
	var page list[Campaign]
	a.call(a.c.Key, "GET", a.path+"/campaigns?limit=500", "").into(a.t, &page)
	out := map[string]Campaign{}
	for _, c := range page.Items {
		out[c.Name] = c
	}
	return out
}

func TestApplyMakesTheShopWhatTheFileSays(t *testing.T) {
	a := startApply(t)
	r, err := a.apply(shopFile, apply.Options{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Made: 3, Changed: 1}, r)
	require.Empty(t, a.campaigns(), "a dry run changes nothing")
	require.Contains(t, a.out.String(), "campaign \"Come back\": new\n")
	require.Contains(t, a.out.String(), "  + language: \"pl\"\n")

	r, err = a.apply(shopFile, apply.Options{})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Made: 3, Changed: 1}, r)
	made := a.campaigns()["Come back"]
	require.EqualValues(t, 4_500_000, made.Bid.CPM)
	require.EqualValues(t, 1_796_108_400_000, made.StartMS)

	r, err = a.apply(shopFile, apply.Options{Prune: true})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Same: 4}, r, a.out.String())
	require.Empty(t, a.out.String())
	require.Equal(t, made.Version, a.campaigns()["Come back"].Version)

	// The native ad is dropped and stands first in the file's new list: the
	// banner keeps its id.
	changed := strings.NewReplacer("cpm: 4.5", "cpm: 5", "    frequency:\n      impressions: 8\n      hours: 24\n", "    frequency:\n",
		"      - media: banner\n        sizes: [{w: 300, h: 250}]\n      - {media: native, cta: Kup}\n", "      - {media: native, cta: Sprawdź}\n      - {media: banner, sizes: [{w: 300, h: 250}]}\n").Replace(shopFile)
	r, err = a.apply(changed, apply.Options{})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Changed: 1, Same: 3}, r)
	require.Contains(t, a.out.String(), "  ~ bid.cpm: \"4.50\" -> \"5.00\"\n")
	require.Contains(t, a.out.String(), "  - frequency.impressions: 8\n")
	now := a.campaigns()["Come back"]
	require.Zero(t, now.Frequency.Impressions)
	require.Len(t, now.Frequency.Caps, 1)
	require.Equal(t, []uint32{made.Creatives[1].ID, made.Creatives[0].ID}, []uint32{now.Creatives[0].ID, now.Creatives[1].ID})
	r, err = a.apply(changed, apply.Options{})
	require.NoError(t, err)
	require.False(t, r.Any(), a.out.String())
}

func TestApplyDeletesOnlyWhenTold(t *testing.T) {
	a := startApply(t)
	_, err := a.apply(shopFile, apply.Options{})
	require.NoError(t, err)
	before, _, _ := strings.Cut(shopFile, "segments:")
	some := before + "segments: []\n"
	r, err := a.apply(some, apply.Options{})
	require.NoError(t, err)
	require.Equal(t, apply.Result{Same: 1, Left: 2}, r, "the file has no campaigns section: they are not its business")
	require.Contains(t, a.out.String(), `segment "Newsletter" is not in the file: left alone`)
	_, err = a.apply(some, apply.Options{Prune: true})
	var refused *apply.Refusal
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusConflict, refused.Status, "a campaign names it")
	r, err = a.apply(some+"campaigns: []\n", apply.Options{Prune: true, DryRun: true})
	require.NoError(t, err)
	require.Equal(t, 3, r.Deleted)
	r, err = a.apply(some+"campaigns: []\n", apply.Options{Prune: true})
	require.NoError(t, err)
	require.Equal(t, 3, r.Deleted)
	require.Empty(t, a.campaigns())
	r, err = a.apply(some+"campaigns: []\n", apply.Options{Prune: true})
	require.NoError(t, err)
	require.False(t, r.Any())
}

// A mistake is told with its line and field, and nothing is changed where it
// can be known before.
func TestApplyNamesTheLineAndField(t *testing.T) {
	a := startApply(t)
	line := func(text string) int {
		before, _, ok := strings.Cut(shopFile, text)
		require.True(t, ok)
		return 1 + strings.Count(before, "\n")
	}
	for _, c := range []struct{ name, old, new, field, msg string }{
		{"an unknown field", "max_cpm: ", "maximum: ", "campaigns[0].bid.maximum", "there is no such field"},
		{"a price that is none", "cpm: 4.5", "cpm: much", "campaigns[0].bid.cpm", "much"},
		{"a number that is none", "hours: 24", "hours: a day", "campaigns[0].frequency.hours", "not a whole number"},
		{"a time that is none", "start: 2026-12-01T08:00:00+01:00", "start: soon", "campaigns[0].start", "neither milliseconds"},
		{"an unknown section", "campaigns:", "campaings:", "", `"campaings" is none of`},
		{"a name twice", "name: Newsletter", "name: BIG  carts", "segments[1].name", "also the name of the entry in line 6"},
		{"a list that is none", "categories: [IAB18]", "categories: IAB18", "settings.categories", "must be a list"},
		{"an expression", "expression: cart_value", "expression: crat_value", "segments[0].expression", "line 1, column 1"},
		{"a targeting", `targeting: segment "Big carts"`, `targeting: visted within 3d`, "campaigns[0].targeting", `did you mean "visited"`},
		{"a boost", "when: cart_value >= 900 PLN", "when: cart_value >= 900 EURO", "campaigns[0].bid.boosts[0].when", "not a currency"},
		{"what only the console knows", "kind: remarketing", "kind: banner", "campaigns[0].kind", "must be one of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := a.apply(strings.Replace(shopFile, c.old, c.new, 1), apply.Options{})
			var m *apply.Mistake
			require.ErrorAs(t, err, &m)
			at := line(c.old)
			if c.name == "a name twice" {
				at = line("name: Newsletter")
			}
			require.Equal(t, at, m.Line, m.Error())
			require.Equal(t, c.field, m.Field)
			require.Contains(t, m.Msg, c.msg)
			require.True(t, strings.HasPrefix(m.Error(), fmt.Sprintf("shop.yaml:%d: ", at)))
		})
	}
	require.Empty(t, a.campaigns())
	for name, text := range map[string]string{"nothing": "", "not YAML": "a: [", "two documents": "shop: 1\n---\nshop: 2\n", "a list": "- a\n"} {
		_, err := apply.Read("shop.yaml", []byte(text), apply.Outside{})
		require.ErrorContains(t, err, "shop.yaml", name)
	}
}

// What somebody else changed between the comparison and the change is not
// overwritten.
func TestApplyLosesNobodysChange(t *testing.T) {
	a := startApply(t)
	_, err := a.apply(shopFile, apply.Options{})
	require.NoError(t, err)
	path := fmt.Sprintf("%s/campaigns/%d", a.path, a.campaigns()["Come back"].ID)
	a.c.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPatch {
			require.Equal(t, 200, a.call(a.c.Key, "PATCH", path, `{"budget": {"day": "7"}}`).code)
		}
		return http.DefaultTransport.RoundTrip(r)
	})}
	_, err = a.apply(strings.Replace(shopFile, "day: 100", "day: 200", 1), apply.Options{})
	require.ErrorContains(t, err, "changed by somebody else")
	require.Equal(t, "7.00", a.campaigns()["Come back"].Budget.Day.String())
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What is written down applies as nothing, and makes the same shop of an empty
// one.
func TestExportAppliesAsNothing(t *testing.T) {
	a := startApply(t)
	_, err := a.apply(shopFile, apply.Options{})
	require.NoError(t, err)
	for range 2 { // two of one name
		a.campaign(a.path, a.c.Key)
	}
	asset := a.upload(a.path, a.c.Key, pngFile(600, 500)).ID
	for _, body := range []string{
		`{"name": "true", "kind": "interest", "targeting": "known and searched \"# : ' {sofa\" within 2d\n  or known", "bid": {"cpm": "3"}, "creatives": [{"media": "banner"}]}`,
		`{"name": "Zdjęcie: 1", "kind": "interest", "bid": {"cpm": "0", "max_cpm": "9"}, "goal": {"target_cpo": "45.10", "share_bps": 900}, "billing": "cpc", "cpc": "1.25", "pacing": "even",
		  "end": "2027-01-31T08:00:00.125+01:00", "status": "archived", "creatives": [{"media": "banner", "asset": "` + asset + `", "title": "yes"}, {"media": "banner"}, {"media": "banner"}]}`,
		`{"name": "Film", "kind": "interest", "bid": {"cpm": "3", "boosts": [{"when": "hour in (8..20)", "bps": 1}]}, "frequency": {"impressions": 1, "hours": 1, "strict": true},
		  "creatives": [{"media": "video", "asset": "` + a.upload(a.path, a.c.Key, spotFile(t)).ID + `", "video": {"skip_after_ms": 5000}}]}`,
	} {
		if got := a.call(a.c.Key, "POST", a.path+"/campaigns", body); got.code != 201 {
			t.Fatal(got.body)
		}
	}
	first := a.export()
	require.Equal(t, 3, strings.Count(first, "- id: "), "only entries of one name need their numbers\n%s", first)
	r, err := a.apply(first, apply.Options{Prune: true})
	require.NoError(t, err)
	require.False(t, r.Any(), "%s\n%s", a.out.String(), first)
	require.Equal(t, first, a.export())

	fresh := strings.NewReplacer("shop: 1\n", "").Replace(first)
	for _, c := range []string{"- id: 2\n    name: Come back", "- id: 3\n    name: Come back", "- id: 1\n    name: Come back"} {
		fresh = strings.Replace(fresh, c, "- name: Come back "+c[6:7], 1)
	}
	path, key := a.shop()
	a.path, a.c.Key, a.c.Shop = path, key, 2
	a.upload(path, key, pngFile(600, 500))
	a.upload(path, key, spotFile(t))
	_, err = a.apply(fresh, apply.Options{})
	require.NoError(t, err, fresh)
	r, err = a.apply(fresh, apply.Options{Prune: true})
	require.NoError(t, err)
	require.False(t, r.Any(), a.out.String())
	require.Equal(t, fresh, strings.Replace(a.export(), "shop: 2\n", "", 1))
}

func TestApplyKnowsItsShopOnly(t *testing.T) {
	a := startApply(t)
	_, other := a.shop()
	a.c.Key = other
	_, err := a.apply(shopFile, apply.Options{})
	var refused *apply.Refusal
	require.True(t, errors.As(err, &refused))
	require.Equal(t, 404, refused.Status)
	a.c.Key = a.admin
	_, err = a.c.OnlyShop(t.Context())
	require.ErrorContains(t, err, "more than one shop")
	require.NotContains(t, err.Error(), a.admin)
}
