package bidder

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
)

const assetID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// staticCampaign shows an uploaded picture and an uploaded video.
func staticCampaign(id uint32) *campaigns.Campaign {
	c := openCampaign(id)
	c.Creatives = []campaigns.Creative{
		{ID: 11, Media: "banner", Title: `Sale "now" <b>`, Asset: assetID, Sizes: []campaigns.Size{{W: 300, H: 250}},
			Image: &campaigns.Image{Path: "/s7/" + assetID + ".png", MIME: "image/png", W: 600, H: 500}},
		{ID: 12, Media: "video", Asset: assetID, Video: &campaigns.Video{
			URL: "/s7/" + assetID + ".mp4", MIME: "video/mp4", DurationMS: 15_000, W: 640, H: 360, BitrateKbps: 386}},
	}
	return c
}

const inlineRequest = `{"id":"v1","imp":[{"id":"1","secure":1,"video":{"mimes":["video/mp4"],"minduration":5,"maxduration":30,"protocols":[3,7],"w":640,"h":360,"linearity":1}}],"site":{"domain":"news.example"}}`

func TestStaticBanner(t *testing.T) {
	w := newWorld(t, staticCampaign(5))
	w.b.exchangeNamed(t, "burl").clickMacro = "${CLICK_URL}"
	for secure, base := range []string{"http://bid.example", "https://bid.example"} {
		bid := w.bid("burl", strings.Replace(bannerRequest, `"id":"1",`, fmt.Sprintf(`"id":"1","secure":%d,`, secure), 1)).SeatBid[0].Bid[0]
		src := base + "/assets/s7/" + assetID + ".png"
		if secure == 0 {
			src = strings.Replace(src, "http://", "https://", 1) // only loopback hosts are left without
		}
		require.Contains(t, bid.AdM, `<img width="300" height="250" alt="Sale &#34;now&#34; &lt;b&gt;" src="`+src+`">`)
		require.Contains(t, bid.AdM, `href="${CLICK_URL}`+base+`/c?t=`)
		require.Contains(t, bid.AdM, base+"/why?t=")
		require.Contains(t, bid.AdM, base+"/i?t=")
		require.Equal(t, int64(300), bid.W)
		require.Regexp(t, `^s7-a0123456789abcdef-300x250-v\d+\.2$`, bid.CrID)
		if secure == 1 {
			require.Equal(t, src, bid.IURL)
		}
	}
	require.Equal(t, "size", w.noBid("burl", strings.Replace(bannerRequest, `"w":300,"h":250`, `"w":728,"h":90`, 1)), "a picture has its own size only")
	video := w.bid("burl", inlineRequest).SeatBid[0].Bid[0]
	require.Contains(t, video.AdM, "https://bid.example/assets/s7/"+assetID+".mp4")
	require.Regexp(t, `^s7-a0123456789abcdef-640x360-v\d+\.2$`, video.CrID)

	other := staticCampaign(6)
	other.Creatives[0].ID = 99
	w.in.Campaigns = []*campaigns.Campaign{other}
	require.Empty(t, w.b.Publish(w.in))
	require.Equal(t, w.bid("burl", bannerRequest).SeatBid[0].Bid[0].CrID,
		string(creatives.CRIDOf(nil, 7, &staticCampaign(5).Creatives[0], creatives.Version(&staticCampaign(5).Creatives[0]), creatives.TemplateImage, 300, 250)),
		"two campaigns that show the same have one crid")
}

// exchangeNamed gives a test an exchange to change.
func (b *Bidder) exchangeNamed(t testing.TB, name string) *Exchange {
	t.Helper()
	x := b.state.Load().Exchanges[name]
	require.NotNil(t, x)
	return x
}

// approve publishes what an exchange has approved.
func (w *world) approve(exchange string, crids ...string) {
	w.t.Helper()
	w.in.Approvals = []*campaigns.Approvals{{ShopID: 7, Approved: map[string][]string{exchange: crids}}}
	require.Empty(w.t, w.b.Publish(w.in))
}

func TestOnlyApprovedCreativesBid(t *testing.T) {
	w := newWorld(t, openCampaign(5))
	strict := w.b.exchangeNamed(t, "burl")
	strict.approvalOnly = true
	native := `{"id":"n","imp":[{"id":"1","native":{"request":"{\"ver\":\"1.2\",\"assets\":[{\"id\":1,\"required\":1,\"title\":{\"len\":40}}]}"}}]}`
	for _, req := range []string{bannerRequest, inlineRequest, native} {
		require.Equal(t, "not_approved", w.noBid("burl", req))
		w.bid("nurl", req) // another exchange does not ask for it
	}
	form := func(cr int, tmpl creatives.Template, wd, h int) string {
		c := &openCampaign(5).Creatives[cr]
		return string(creatives.CRIDOf(nil, 7, c, creatives.Version(c), tmpl, wd, h))
	}
	grid, single, logo := form(0, creatives.TemplateGrid, 300, 250), form(0, creatives.TemplateSingle, 300, 250), form(0, creatives.TemplateLogo, 300, 250)
	for _, c := range []struct {
		name     string
		approved []string
		crid     string // "" for no bid
	}{
		{"what is shown", []string{grid}, grid},
		{"all", []string{logo, single, grid}, grid},
		{"one product in place of four", []string{single}, single},
		{"none in place of four", []string{logo}, logo},
		{"the larger of two", []string{single, logo}, single},
		{"another size", []string{form(0, creatives.TemplateGrid, 728, 90)}, ""},
		{"another version", []string{grid + "1"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.approve("burl", c.approved...)
			if c.crid == "" {
				require.Equal(t, "not_approved", w.noBid("burl", bannerRequest))
				return
			}
			require.Equal(t, c.crid, w.bid("burl", bannerRequest).SeatBid[0].Bid[0].CrID)
		})
	}
	w.approve("burl", form(1, creatives.TemplateAuto, 0, 0), form(2, creatives.TemplateAuto, 640, 360))
	w.bid("burl", native)
	w.bid("burl", inlineRequest)
	require.Equal(t, "not_approved", w.noBid("burl", bannerRequest))
	w.approve("nurl", grid)
	require.Equal(t, "not_approved", w.noBid("burl", bannerRequest), "another exchange's word")

	// Only several products are approved, and there are none: a refusal before
	// anything is held, so that the next campaign has its chance.
	next := openCampaign(6)
	next.Bid.CPM = 11_000_000
	next.Creatives[0].ID, next.Creatives[0].Template = 21, "logo"
	w.in.Campaigns, w.in.Buckets = append(w.in.Campaigns, next), nil
	w.approve("burl", grid, string(creatives.CRIDOf(nil, 7, &next.Creatives[0], creatives.Version(&next.Creatives[0]), creatives.TemplateLogo, 300, 250)))
	require.Equal(t, "6", w.bid("burl", bannerRequest).SeatBid[0].Bid[0].CID)

	ex, err := w.b.Explain("burl", []byte(bannerRequest))
	require.NoError(t, err)
	text, err := json.Marshal(ex)
	require.NoError(t, err)
	require.Contains(t, string(text), `"rule":"not_approved"`)
	require.Contains(t, string(text), "burl bids with approved creatives only")
}

func TestFormsAreWhatIsBid(t *testing.T) {
	// Every form of a creative is bid under the crid that was submitted.
	w := newWorld(t, openCampaign(5))
	forms := map[string]bool{}
	for i := range openCampaign(5).Creatives {
		for _, f := range creatives.Forms(7, &openCampaign(5).Creatives[i]) {
			forms[f.CRID] = true
		}
	}
	for _, buckets := range [][]*campaigns.ProductBucket{{testProducts()}, nil} {
		w.in.Buckets = buckets
		require.Empty(t, w.b.Publish(w.in))
		for _, s := range campaigns.StandardSizes() {
			crid := w.bid("burl", strings.Replace(bannerRequest, `"w":300,"h":250`, fmt.Sprintf(`"w":%d,"h":%d`, s.W, s.H), 1)).SeatBid[0].Bid[0].CrID
			require.True(t, forms[crid], crid)
		}
		require.True(t, forms[w.bid("burl", inlineRequest).SeatBid[0].Bid[0].CrID])
	}
}

func TestReview(t *testing.T) {
	w := newWorld(t, openCampaign(5), staticCampaign(6))
	get := func(crid, key string, campaign int) (*http.Response, string) {
		q := url.Values{"campaign": {fmt.Sprint(campaign)}, "crid": {crid}, "key": {key}}
		res, err := w.http.Get("http://bid.example/creative?" + q.Encode())
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, string(body)
	}
	salt := testShop().Salt
	for id, c := range map[int]*campaigns.Campaign{5: openCampaign(5), 6: staticCampaign(6)} {
		for i := range c.Creatives {
			for _, f := range creatives.Forms(7, &c.Creatives[i]) {
				res, body := get(f.CRID, creatives.PreviewKey(salt, f.CRID), id)
				require.Equal(t, 200, res.StatusCode, f.CRID)
				require.Contains(t, res.Header.Get("Content-Security-Policy"), "sandbox")
				require.Equal(t, f.Template == creatives.TemplateLogo || f.Template == creatives.TemplateImage || c.Creatives[i].Media == "video", !strings.Contains(body, "899"), f.CRID)
				require.NotContains(t, body, "/i?t=", "nothing is counted")
			}
		}
	}
	crid := creatives.Forms(7, &openCampaign(5).Creatives[0])[0].CRID
	for name, ask := range map[string][2]string{"no key": {crid, ""}, "another's key": {crid, creatives.PreviewKey("x", crid)}, "another crid's": {crid, creatives.PreviewKey(salt, crid+"1")}} {
		res, _ := get(ask[0], ask[1], 5)
		require.Equal(t, 404, res.StatusCode, name)
	}
	res, _ := get("s7-c1-old", creatives.PreviewKey(salt, "s7-c1-old"), 5)
	require.Equal(t, 410, res.StatusCode)
	res, _ = get(crid, creatives.PreviewKey(salt, crid), 999)
	require.Equal(t, 404, res.StatusCode)
}

func TestAssetsAreServedAsWhatTheyAre(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "s7"), 0o755))
	for _, name := range []string{"a.png", "a.jpg", "a.gif", "a.webp", "a.mp4", "a.svg", "a.html", "a.js", "a", "tmp-1"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "s7", name), []byte("<script>alert(1)</script>"), 0o644))
	}
	w := newWorld(t, openCampaign(5))
	w.b.cfg.AssetDir = dir
	w.serve()
	for name, want := range map[string]string{"a.png": "image/png", "a.jpg": "image/jpeg", "a.gif": "image/gif", "a.webp": "image/webp", "a.mp4": "video/mp4"} {
		res := w.get("http://bid.example/assets/s7/" + name)
		require.Equal(t, 200, res.StatusCode, name)
		require.Equal(t, want, res.Header.Get("Content-Type"), "whatever its bytes are")
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "default-src 'none'; sandbox", res.Header.Get("Content-Security-Policy"))
		require.Equal(t, "inline", res.Header.Get("Content-Disposition"))
	}
	for _, name := range []string{"a.svg", "a.html", "a.js", "a", "tmp-1", "", "../s7/a.html", "nosuch.png"} {
		require.Equal(t, 404, w.get("http://bid.example/assets/s7/"+name).StatusCode, name)
	}
	req, err := http.NewRequest(http.MethodGet, "http://bid.example/assets/s7/a.mp4", nil)
	require.NoError(t, err)
	req.Header.Set("Range", "bytes=0-6")
	res, err := w.http.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, 206, res.StatusCode, "players ask for parts")
	require.Equal(t, "video/mp4", res.Header.Get("Content-Type"))
}

func TestRequireApprovalIsRead(t *testing.T) {
	for text, want := range map[string]bool{"name: x": false, "name: x\nrequire_approval: true": true, "name: x\nrequire_approval: false": false} {
		x, err := ParseExchange([]byte(text))
		require.NoError(t, err)
		require.Equal(t, want, x.approvalOnly, text)
	}
}
