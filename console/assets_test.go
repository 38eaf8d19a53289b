package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/creatives/media"
)

// pngFile is a picture of a size.
func pngFile(w, h int) string {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		panic(err)
	}
	return b.String()
}

func pngID(w, h int) string {
	sum := sha256.Sum256([]byte(pngFile(w, h)))
	return hex.EncodeToString(sum[:])
}

func spotFile(t *testing.T) string {
	b, err := os.ReadFile("../creatives/demo/spot15.mp4")
	require.NoError(t, err)
	return string(b)
}

// upload puts a file into a shop and returns what the API says of it.
func (b *bench) upload(path, key, file string) Asset {
	b.t.Helper()
	a := b.call(key, "POST", path+"/assets", file, "Content-Type", "application/octet-stream")
	require.Equal(b.t, 201, a.code, a.body)
	var out Asset
	a.into(b.t, &out)
	return out
}

func TestAssetLife(t *testing.T) {
	dir := t.TempDir()
	b := start(t, func(c *Config, _ *Deps) { c.AssetDir = dir })
	path, key := b.shop()
	otherPath, other := b.shop()

	a := b.call(key, "PUT", path+"/assets?name=summer.html", pngFile(300, 250), "Content-Type", "text/html")
	require.Equal(t, 201, a.code, a.body)
	var pic Asset
	a.into(t, &pic)
	require.Equal(t, Asset{
		ID: pngID(300, 250), Created: testNow, Name: "summer.html", Kind: "image", MIME: "image/png", W: 300, H: 250,
		Bytes: len(pngFile(300, 250)), Frames: 1, Path: "/s1/" + pngID(300, 250) + ".png", Campaigns: []uint32{},
	}, pic, "what it is, is told by the bytes")
	held, err := os.ReadFile(filepath.Join(dir, pic.Path))
	require.NoError(t, err)
	require.Equal(t, pngFile(300, 250), string(held))
	require.Equal(t, 200, b.call(key, "POST", path+"/assets?name=again", pngFile(300, 250)).code, "the same bytes are one file")
	require.Equal(t, "/s2/"+pngID(300, 250)+".png", b.upload(otherPath, other, pngFile(300, 250)).Path, "each shop has its own")
	video := b.upload(path, key, spotFile(t))
	require.Equal(t, []any{"video", "video/mp4", 640, 360, int64(15_000), 386, "avc1.42C01E, mp4a"},
		[]any{video.Kind, video.MIME, video.W, video.H, video.DurationMS, video.BitrateKbps, video.Codecs})

	for name, body := range map[string]string{
		"svg": `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "html": "<html>", "nothing": "",
		"cut": pngFile(300, 250)[:90], "mp4 cut": spotFile(t)[:50_000],
	} {
		a := b.call(key, "POST", path+"/assets", body)
		require.Equal(t, 422, a.code, name)
		require.Contains(t, a.problem(t).Errors[0].Message, "not taken", name)
	}
	require.Equal(t, 413, b.call(key, "POST", path+"/assets", string(make([]byte, media.MaxVideoBytes+1))).code)

	var all struct{ Items []Asset }
	b.call(key, "GET", path+"/assets", "").into(t, &all)
	require.Len(t, all.Items, 2)
	require.Equal(t, 204, b.call(other, "DELETE", otherPath+"/assets/"+pic.ID, "").code)
	require.Equal(t, 404, b.call(other, "GET", otherPath+"/assets/"+pic.ID, "").code)
	require.Equal(t, 204, b.call(key, "DELETE", path+"/assets/"+video.ID, "").code)

	// A deleted file is served for a day longer, then it is gone; what nobody
	// knows of goes at once, and folders that are not shops' stay.
	stray := filepath.Join(dir, "s1", "tmp-12")
	for _, f := range []string{stray, filepath.Join(dir, "demo", "spot.mp4")} {
		require.NoError(t, os.MkdirAll(filepath.Dir(f), 0o755))
		require.NoError(t, os.WriteFile(f, []byte("x"), 0o644))
	}
	b.s.sweepAssets(t.Context())
	require.NoFileExists(t, stray)
	require.FileExists(t, filepath.Join(dir, video.Path))
	b.clock.Advance(25 * time.Hour)
	b.s.sweepAssets(t.Context())
	require.NoFileExists(t, filepath.Join(dir, video.Path))
	require.NoFileExists(t, filepath.Join(dir, "s2", filepath.Base(pic.Path)))
	require.FileExists(t, filepath.Join(dir, pic.Path))
	require.FileExists(t, filepath.Join(dir, "demo", "spot.mp4"))
	require.Equal(t, 200, b.call(key, "GET", path+"/assets/"+pic.ID, "").code)
	b.upload(path, key, spotFile(t))
	require.FileExists(t, filepath.Join(dir, video.Path), "it may come again")
}

func TestAssetsAreBounded(t *testing.T) {
	dir := t.TempDir()
	b := start(t, func(c *Config, _ *Deps) { c.AssetDir = dir })
	path, key := b.shop()
	ctx := t.Context()
	require.NoError(t, b.s.store.Write(ctx, store.Actor{Name: "test"}, func(tx *store.Tx) error {
		for i := range store.MaxAssets {
			if _, _, err := tx.PutAsset(ctx, store.Asset{ID: fmt.Sprintf("%064x", i), ShopID: 1, Path: fmt.Sprint("/s1/", i), Bytes: 1}); err != nil {
				return err
			}
		}
		return nil
	}))
	a := b.call(key, "POST", path+"/assets", pngFile(30, 30))
	require.Equal(t, 409, a.code, a.body)
	require.NoFileExists(t, filepath.Join(dir, "s1", pngID(30, 30)+".png"), "what is refused takes no room")
	require.Equal(t, 204, b.call(key, "DELETE", path+"/assets/"+fmt.Sprintf("%064x", 7), "").code)
	b.upload(path, key, pngFile(30, 30))
	otherPath, other := b.shop()
	b.upload(otherPath, other, pngFile(30, 30))
}

func TestCampaignsShowAssets(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	otherPath, other := b.shop()
	pic, dense, video := b.upload(path, key, pngFile(300, 250)), b.upload(path, key, pngFile(600, 500)), b.upload(path, key, spotFile(t))
	body := func(creative string) string {
		return `{"name": "a", "kind": "interest", "status": "active", "bid": {"cpm": "1"}, "creatives": [` + creative + `]}`
	}
	for _, c := range []struct{ name, creative, field string }{
		{"unknown", `{"media": "banner", "asset": "` + pngID(1, 1) + `"}`, "body.creatives[0].asset"},
		{"other size", `{"media": "banner", "asset": "` + pic.ID + `", "sizes": [{"w": 300, "h": 600}]}`, "body.creatives[0].sizes"},
		{"two sizes", `{"media": "banner", "asset": "` + pic.ID + `", "sizes": [{"w": 300, "h": 250}, {"w": 150, "h": 125}]}`, "body.creatives[0].sizes"},
		{"template", `{"media": "banner", "asset": "` + pic.ID + `", "template": "grid"}`, "body.creatives[0].template"},
		{"picture as video", `{"media": "video", "asset": "` + pic.ID + `"}`, "body.creatives[0].asset"},
		{"video as banner", `{"media": "banner", "asset": "` + video.ID + `"}`, "body.creatives[0].asset"},
		{"native", `{"media": "native", "asset": "` + pic.ID + `"}`, "body.creatives[0].asset"},
		{"skip too late", `{"media": "video", "asset": "` + video.ID + `", "video": {"skip_after_ms": 20000}}`, "body.creatives[0].video.skip_after_ms"},
		{"a path of its own", `{"media": "video", "video": {"url": "/s2/x.mp4", "mime": "video/mp4", "duration_ms": 15000, "w": 1, "h": 1, "bitrate_kbps": 1}}`, "body.creatives[0].video.url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, b.call(key, "POST", path+"/campaigns", body(c.creative)).problem(t).fields(), c.field)
		})
	}
	require.Contains(t, b.call(other, "POST", otherPath+"/campaigns", body(`{"media": "banner", "asset": "`+pic.ID+`"}`)).problem(t).fields(), "body.creatives[0].asset")

	a := b.call(key, "POST", path+"/campaigns", body(`{"media": "banner", "asset": "`+pic.ID+`"},
		{"media": "banner", "asset": "`+dense.ID+`", "sizes": [{"w": 300, "h": 250}], "image": {"path": "/s2/made-up.png"}},
		{"media": "video", "asset": "`+video.ID+`", "video": {"skip_after_ms": 5000, "duration_ms": 99}}`))
	require.Equal(t, 201, a.code, a.body)
	var c Campaign
	a.into(t, &c)
	require.Equal(t, campaigns.Creative{ID: 1, Media: "banner", Asset: pic.ID, Sizes: []campaigns.Size{{W: 300, H: 250}},
		Image: &campaigns.Image{Path: pic.Path, MIME: "image/png", W: 300, H: 250}}, c.Creatives[0])
	require.Equal(t, dense.Path, c.Creatives[1].Image.Path, "what a picture is, the console says")
	require.Equal(t, &campaigns.Video{URL: video.Path, MIME: "video/mp4", DurationMS: 15_000, W: 640, H: 360, BitrateKbps: 386, SkipAfterMS: 5000}, c.Creatives[2].Video)

	back, err := json.Marshal(map[string]any{"creatives": c.Creatives}) // what was read may be sent back
	require.NoError(t, err)
	require.Equal(t, 200, b.call(key, "PATCH", path+"/campaigns/1", string(back)).code)
	got := b.call(key, "GET", path+"/assets/"+pic.ID, "")
	require.Contains(t, got.body, `"campaigns":[1]`)
	refused := b.call(key, "DELETE", path+"/assets/"+pic.ID, "")
	require.Equal(t, 409, refused.code)
	require.Contains(t, refused.body, "campaign 1 shows this file")
	require.Equal(t, 200, b.call(key, "PATCH", path+"/campaigns/1", `{"creatives": [{"media": "banner"}]}`).code)
	require.Equal(t, 204, b.call(key, "DELETE", path+"/assets/"+pic.ID, "").code)
}
