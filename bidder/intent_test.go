package bidder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/geo"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

// intentWorld has a furniture shop with an intent campaign that has no
// targeting of its own, and a shop of covers with another.
func intentWorld(t *testing.T) *world {
	w := newWorld(t, with(41, func(c *campaigns.Campaign) { c.Kind = campaigns.KindIntent }))
	other := testShop()
	other.ID, other.Name, other.Domain, other.URL, other.Salt = 8, "Covers", "cover.example", "https://cover.example/", "ff112233445566778899aabbccddeeff"
	covers := with(81, func(c *campaigns.Campaign) { c.Kind, c.ShopID = campaigns.KindIntent, 8 })
	item := func(id, title, category, host string) campaigns.Product {
		return campaigns.Product{
			ID: id, Title: title, Category: category, URL: "https://www." + host + "/p/" + id, ImageURL: "https://cdn." + host + "/" + id + ".jpg",
			Price: 899 * money.NanoUnit, Currency: pln, Available: true,
		}
	}
	w.in.Shops = append(w.in.Shops, other)
	w.in.Campaigns = append(w.in.Campaigns, covers)
	w.in.Buckets = []*campaigns.ProductBucket{
		{ShopID: 7, Feed: 1, Buckets: 1, Items: []campaigns.Product{
			item("sofa-1", "Sofa rozkładana Oslo", "Meble > Sofy", "sofa.example"), item("lamp-1", "Lampa stojąca", "Oświetlenie > Lampy", "sofa.example"),
			item("bed-1", "Łóżko dębowe", "Meble > Łóżka", "sofa.example"),
		}},
		{ShopID: 8, Feed: 1, Buckets: 1, Items: []campaigns.Product{item("cover-1", "Pokrowiec na sofę", "Tekstylia > Pokrowce", "cover.example")}},
	}
	require.Empty(t, w.b.Publish(w.in))
	return w
}

func siteRequest(search, more string) string {
	return fmt.Sprintf(`{"id":"r1","imp":[{"id":"1","banner":{"format":[{"w":300,"h":250}]}}],
 "site":{"domain":"news.example","page":"https://news.example/a","search":%q},"cur":["USD"],"at":2%s}`, search, more)
}

// TestTheAdShowsWhatIsLookedFor: the campaign whose shop sells it bids, and
// the product stands first.
func TestTheAdShowsWhatIsLookedFor(t *testing.T) {
	w := intentWorld(t)
	for _, c := range []struct{ name, search, more, campaign, product string }{
		{"site search", "tanie sofy", "", "41", "sofa-1"},
		{"inflected", "lampami stojącymi", "", "41", "lamp-1"},
		{"the other shop", "pokrowiec na sofę", "", "81", "cover-1"},
		{"a data segment", "", `,"user":{"data":[{"name":"d.example","segment":[{"id":"1","name":"Shopping > Dom > Łóżka"}]}]}`, "41", "bed-1"},
		{"a keyword", "", `,"user":{"keywords":"sofa rozkładana, kino"}`, "41", "sofa-1"},
	} {
		b := w.bid("burl", siteRequest(c.search, c.more)).SeatBid[0].Bid[0]
		assert.Equal(t, c.campaign, b.CID, c.name)
		first := len(b.AdM)
		for _, p := range []string{"sofa-1", "lamp-1", "bed-1", "cover-1"} {
			if i := strings.Index(b.AdM, p+".jpg"); i >= 0 && i < first {
				first = i
			}
		}
		require.Less(t, first, len(b.AdM), c.name)
		assert.True(t, strings.HasPrefix(b.AdM[first:], c.product), "%s shows %.10s first", c.name, b.AdM[first:])
	}
	assert.Equal(t, "no_campaign", w.noBid("burl", siteRequest("pogoda na jutro", "")))
	assert.Equal(t, "no_campaign", w.noBid("burl", siteRequest("", "")))
}

func TestExplainNamesTheWordsThatMatched(t *testing.T) {
	w := intentWorld(t)
	e := explain(t, w.b, siteRequest("tanie sofy rozkładane Bergen", ""))
	got := find(t, &e.Imps[0], 41).Intent
	require.NotNil(t, got)
	assert.Equal(t, "sofa-1", got.Products[0].Product)
	assert.Equal(t, []string{"sofy", "rozkładane"}, got.Products[0].Words)
	assert.Equal(t, "sofy rozkładane Bergen", got.Products[0].Phrase)
	assert.Equal(t, "site search", got.Products[0].Source)
	assert.Nil(t, find(t, &e.Imps[0], 81).Intent)
}

const partnerKey = "pk_compare"

func (w *world) partner(t *testing.T, shops string) {
	t.Helper()
	sum := sha256.Sum256([]byte(partnerKey))
	ps, err := ParsePartners([]byte("partners:\n  - name: compare\n    key_sha256: " + hex.EncodeToString(sum[:]) +
		"\n    licence: {id: L-1, " + shops + ", until: 2026-12-31}\n"))
	require.NoError(t, err)
	w.b.partners = ps
}

func (w *world) tell(t *testing.T, key, contentType, query, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://bid.example/api/v1/intent/compare"+query, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", contentType)
	res, err := w.http.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(got)
}

// foldIntent reads what the spool holds as a follower of the log would.
func (w *world) foldIntent(t *testing.T, items ...*events.Wanted) {
	t.Helper()
	var dec events.Decoder
	for _, e := range items {
		require.NoError(t, dec.Wanteds(e.AppendJSON(nil), func(_ int, e *events.Wanted) error { w.b.applyWanted(e); return nil }))
	}
}

const partnerIFA = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

func wantedItem(text string, strength float64, expires int64) string {
	return fmt.Sprintf(`{"user":{"ifa":%q},"query":%q,"strength":%v,"expires":%d,"consent":"CPxyz"}`, partnerIFA, text, strength, expires)
}

func TestPartnersAreHeldToKeyLicenceAndConsent(t *testing.T) {
	w := intentWorld(t)
	w.partner(t, "shops: [7]")
	day := int64(noon + 86_400_000)
	good := wantedItem("sofa", 0.8, day)
	for _, c := range []struct {
		name, key, body string
		status          int
		says            string
	}{
		{"good", partnerKey, `{"licence":"L-1","items":[` + good + `]}`, 200, `"accepted":1`},
		{"another key", "x", `{"licence":"L-1","items":[` + good + `]}`, 401, "key"},
		{"another licence", partnerKey, `{"licence":"L-2","items":[` + good + `]}`, 403, "L-2"},
		{"no licence", partnerKey, `{"items":[` + good + `]}`, 403, "licence"},
		{"no consent", partnerKey, `{"licence":"L-1","items":[` + strings.Replace(good, "CPxyz", "", 1) + `]}`, 422, `"field":"consent"`},
		{"too strong", partnerKey, `{"licence":"L-1","items":[` + wantedItem("sofa", 1.5, day) + `]}`, 422, `"field":"strength"`},
		{"expired", partnerKey, `{"licence":"L-1","items":[` + wantedItem("sofa", 0.5, noon-1) + `]}`, 422, `"field":"expires"`},
		{"for ever", partnerKey, `{"licence":"L-1","items":[` + wantedItem("sofa", 0.5, noon+40*86_400_000) + `]}`, 422, `"field":"expires"`},
		{"no words", partnerKey, `{"licence":"L-1","items":[` + wantedItem("--", 0.5, day) + `]}`, 422, `"field":"query"`},
		{"nobody", partnerKey, `{"licence":"L-1","items":[` + strings.Replace(good, partnerIFA, "", 1) + `]}`, 422, `"field":"user"`},
		{"some wrong", partnerKey, `{"licence":"L-1","items":[` + good + `,` + wantedItem("sofa", 7, day) + `]}`, 200, `"index":1`},
		{"not JSON", partnerKey, `{`, 400, "items"},
		{"nothing", partnerKey, `{"licence":"L-1","items":[]}`, 400, "items"},
	} {
		before := w.spool.Stats().Records
		status, got := w.tell(t, c.key, "application/json", "", c.body)
		assert.Equal(t, c.status, status, "%s: %s", c.name, got)
		assert.Contains(t, got, c.says, c.name)
		if status == 200 {
			assert.Eventually(t, func() bool { return w.spool.Stats().Records > before }, 3*time.Minute, time.Millisecond, "%s: what is acknowledged is in the spool", c.name)
		}
	}
	csv := "uid,ifa,query,strength,expires,consent\n," + partnerIFA + ",sofa," + "0.7," + fmt.Sprint(day) + ",CPxyz\n,x y,,2,0,\n"
	status, got := w.tell(t, partnerKey, "text/csv", "?licence=L-1", csv)
	assert.Equal(t, 200, status, got)
	assert.Contains(t, got, `"accepted":1`)
	status, got = w.tell(t, partnerKey, "text/csv", "?licence=L-1", "uid,colour\n1,2\n")
	assert.Equal(t, 400, status)
	assert.Contains(t, got, "colour")
	w.clock.Set(noon + 400*86_400_000)
	status, _ = w.tell(t, partnerKey, "application/json", "", `{"licence":"L-1","items":[`+good+`]}`)
	assert.Equal(t, 403, status, "the licence has ended")
}

// TestPartnerIntentIsolation: only the shops that the licence names use what a
// partner tells, and nobody when the licence or the person says no.
func TestPartnerIntentIsolation(t *testing.T) {
	uid := segments.UserFromIFA(partnerIFA)
	said := &events.Wanted{
		UID: uid, Partner: "compare", Licence: "L-1", Consent: "CPxyz", Text: "sofy rozkładane", Strength: 900, ReceivedMS: noon - 1000, ExpiresMS: noon + 86_400_000,
	}
	request := siteRequest("", `,"device":{"ifa":"`+partnerIFA+`"}`)
	for _, c := range []struct {
		name, shops string
		change      func(w *world)
		bids        bool
	}{
		{"licensed", "shops: [7]", func(*world) {}, true},
		{"for all", "all_shops: true", func(*world) {}, true},
		{"for another shop", "shops: [8]", func(*world) {}, false},
		{"expired", "shops: [7]", func(w *world) { w.clock.Set(noon + 86_400_001) }, false},
		{"licence taken back", "shops: [7]", func(w *world) { w.b.partners["compare"].Licence.ID = "L-2" }, false},
		{"partner gone", "shops: [7]", func(w *world) { w.b.partners = nil }, false},
		{"erased", "shops: [7]", func(w *world) { w.b.wanted.Erase(uid, noon) }, false},
	} {
		w := intentWorld(t)
		w.partner(t, c.shops)
		w.foldIntent(t, said)
		c.change(w)
		if c.bids {
			assert.Equal(t, "41", w.bid("burl", request).SeatBid[0].Bid[0].CID, c.name)
			e := explain(t, w.b, request)
			assert.Equal(t, "partner", find(t, &e.Imps[0], 41).Intent.Products[0].Source)
		} else {
			assert.Equal(t, "no_campaign", w.noBid("burl", request), c.name)
		}
		// A person who may not be known is not looked up.
		assert.Equal(t, "no_campaign", w.noBid("burl", strings.Replace(request, `"device":{`, `"regs":{"coppa":1},"device":{`, 1)), c.name)
	}
}

func TestParsePartnersListsAllThatIsWrong(t *testing.T) {
	_, err := ParsePartners([]byte("partners:\n  - {name: 'a b', key_sha256: zz, licence: {id: '', until: soon}}\n"))
	for _, want := range []string{"name", "key_sha256", "licence.id", "either shops or all_shops", "licence.until"} {
		require.ErrorContains(t, err, want)
	}
	_, err = ParsePartners([]byte("partners: []\nfoo: 1\n"))
	require.ErrorContains(t, err, "foo")
}

// TestPlacesComeFromTheDatabase where the request does not say them.
func TestPlacesComeFromTheDatabase(t *testing.T) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-City", RecordSize: 24, IncludeReservedNetworks: true})
	require.NoError(t, err)
	_, network, err := net.ParseCIDR("203.0.113.0/24")
	require.NoError(t, err)
	require.NoError(t, tree.Insert(network, mmdbtype.Map{
		"country": mmdbtype.Map{"iso_code": mmdbtype.String("PL")}, "subdivisions": mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String("12")}},
		"city": mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("Krakow")}},
	}))
	var buf bytes.Buffer
	_, err = tree.WriteTo(&buf)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "city.mmdb")
	require.NoError(t, os.WriteFile(path, buf.Bytes(), 0o600))
	w := newWorld(t, with(41, func(c *campaigns.Campaign) { c.Targeting = `country in ("PL") and region = "12" and city = "Kraków"` }))
	device := func(d string) string { return siteRequest("", `,"device":{`+d+`}`) }
	assert.Equal(t, "no_campaign", w.noBid("burl", device(`"ip":"203.0.113.7"`)))
	w.b.geo, err = geo.New(geo.Config{Path: path}, w.clock, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	w.bid("burl", device(`"ip":"203.0.113.7"`))
	w.bid("burl", device(`"ip":"203.0.113.7","geo":{"country":"POL"}`))
	assert.Equal(t, "no_campaign", w.noBid("burl", device(`"ip":"203.0.113.7","geo":{"country":"DEU"}`)))
	assert.Equal(t, "no_campaign", w.noBid("burl", device(`"ip":"203.0.113.7","geo":{"country":"POL","city":"Gdynia"}`)), "what it says stays")
	assert.Equal(t, "no_campaign", w.noBid("burl", device(`"ip":"198.51.100.1"`)))
	var out bytes.Buffer
	w.b.WriteMetrics(&out)
	assert.Contains(t, out.String(), "grosz_geo_lookups_total")
}

// TestCategoriesOfAnyTaxonomyHold: what a campaign writes in 1.0 holds for a
// request in numbers, and the other way round.
func TestCategoriesOfAnyTaxonomyHold(t *testing.T) {
	for _, c := range []struct {
		name, targeting, site string
		bids                  bool
	}{
		{"1.0 of 2.2", `category in ("IAB17")`, `"cattax":6,"cat":["492"]`, true},
		{"its subcategory", `category in ("IAB17-3")`, `"cattax":6,"cat":["492"]`, true},
		{"another one", `category in ("IAB17-4")`, `"cattax":6,"cat":["492"]`, false},
		{"numbers of 1.0", `category in ("483")`, `"cat":["IAB17-3"]`, true},
		{"the level above", `category in ("552")`, `"cattax":7,"pagecat":["573"]`, true},
		{"content", `category in ("IAB18")`, `"content":{"cattax":9,"cat":["566"]}`, true},
		{"products", `category in ("product:166")`, `"cattax":5,"cat":["573"]`, true},
		{"ids of products are no content", `category in ("IAB17")`, `"cattax":3,"cat":["483"]`, false},
	} {
		w := newWorld(t, with(41, func(x *campaigns.Campaign) { x.Targeting = c.targeting }))
		request := `{"id":"r1","imp":[{"id":"1","banner":{"format":[{"w":300,"h":250}]}}],"site":{"domain":"news.example",` + c.site + `},"cur":["USD"],"at":2}`
		if c.bids {
			w.bid("burl", request)
		} else {
			assert.Equal(t, "no_campaign", w.noBid("burl", request), c.name)
		}
	}
}
