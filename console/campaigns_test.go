package console

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

func TestCampaignLife(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	a := b.call(key, "POST", path+"/campaigns", `{"name": "All of it", "kind": "intent", "status": "active", "targeting": "searched within 2d",
		"bid": {"cpm": 2.5, "max_cpm": "10", "boosts": [{"when": "in_cart", "bps": 15000}]},
		"budget": {"total": "1000.50", "day": "0"}, "frequency": {"impressions": 3, "hours": 24},
		"start": "2026-12-01T00:00:00+01:00", "end": 1797000000000,
		"creatives": [{"media": "banner", "sizes": [{"w": 300, "h": 250}], "template": "grid", "attr": [1]},
			{"media": "video", "video": {"url": "https://cdn.example/a.mp4", "mime": "video/mp4", "duration_ms": 15000, "w": 640, "h": 360, "bitrate_kbps": 800}},
			{"media": "native", "title": "Shoes", "image_url": "https://cdn.example/a.jpg"}]}`)
	require.Equal(t, 201, a.code, a.body)
	var c Campaign
	a.into(t, &c)
	require.Equal(t, money.CPM(2_500_000), c.Bid.CPM, "a JSON number is money too")
	require.Contains(t, a.body, `"cpm":"2.50"`, "money is a decimal string")
	require.Contains(t, a.body, `"total":"1000.50"`)
	require.Equal(t, int64(1_796_079_600_000), c.StartMS)
	require.Equal(t, []uint32{1, 2, 3}, creativeIDs(c))
	require.Equal(t, uint32(1), c.ShopID)

	// A patch replaces arrays: the named creative stays, the new one is new.
	target := fmt.Sprintf("%s/campaigns/%d", path, c.ID)
	a = b.call(key, "PATCH", target, `{"start": 1797000000001}`)
	require.Equal(t, []string{"body.end"}, a.problem(t).fields(), "the whole of what comes out is checked")
	a = b.call(key, "PATCH", target, `{"status": "paused", "end": null, "creatives": [{"id": 3, "media": "native"}, {"media": "banner"}]}`, "Content-Type", "application/merge-patch+json")
	require.Equal(t, 200, a.code, a.body)
	c = Campaign{}
	a.into(t, &c)
	require.Equal(t, "paused", c.Status)
	require.Equal(t, int64(0), c.EndMS)
	require.Equal(t, []uint32{3, 4}, creativeIDs(c))

	// Server-set fields in a patch change nothing.
	a = b.call(key, "PATCH", target, `{"id": 99, "shop_id": 2, "version": 1, "created": 5}`)
	require.Equal(t, 200, a.code, a.body)
	require.Contains(t, a.body, fmt.Sprintf(`"id":%d,"shop_id":1,`, c.ID))

	require.Equal(t, 204, b.call(key, "DELETE", target, "").code)
	require.Equal(t, 404, b.call(key, "GET", target, "").code)
	require.Equal(t, 404, b.call(key, "DELETE", target, "").code)
	rec, err := b.s.store.Record(context.Background(), "campaign/1")
	require.NoError(t, err)
	require.True(t, rec.Deleted, "bidders are told")
	require.Equal(t, path+"/campaigns/2", b.campaign(path, key), "its id is not given again")
}

func creativeIDs(c Campaign) []uint32 {
	var ids []uint32
	for _, x := range c.Creatives {
		ids = append(ids, x.ID)
	}
	return ids
}

func TestCreativeIDsSurviveAPatch(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	target := b.campaign(path, key)
	var c Campaign
	b.call(key, "PATCH", target, `{"creatives": [{"media": "native"}, {"id": 1, "media": "banner"}]}`).into(t, &c)
	require.Equal(t, []uint32{2, 1}, creativeIDs(c))
	a := b.call(key, "PATCH", target, `{"creatives": [{"id": 1, "media": "banner"}, {"id": 1, "media": "banner"}, {"id": 77, "media": "banner"}]}`)
	require.Equal(t, []string{"body.creatives[1].id", "body.creatives[2].id"}, a.problem(t).fields())
}

func TestCampaignMistakesAreListedAtOnce(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	cases := []struct {
		name, body string
		fields     string
	}{
		{"everything missing", `{}`, "body.bid.cpm body.kind body.name"},
		{"active without an ad", `{"name": "a", "kind": "intent", "status": "active", "bid": {"cpm": "1"}}`, "body.creatives"},
		{"everything wrong", `{"name": " ", "kind": "banner", "status": "on", "targeting": "vistied within 3d", "bid": {"cpm": "0", "max_cpm": "-1",
			"boosts": [{"when": "", "bps": 0}, {"when": "cart_value > 5 USD", "bps": 10000001}]}, "budget": {"total": "-1", "day": "1e3"},
			"frequency": {"impressions": 3}, "start": "tomorrow", "end": 1700000000, "colour": 1,
			"creatives": [{"media": "audio", "sizes": [{"w": 0, "h": 9999}, {"w": 3, "h": 4}, {"w": 3, "h": 4}], "template": "huge", "image_url": "http://a.example/x",
				"title": "` + strings.Repeat("x", 201) + `", "attr": [0]},
				{"media": "video"}, {"media": "banner", "video": {}}, {"media": "video", "video": {"url": "x", "mime": "video/ogg", "duration_ms": 1, "skip_after_ms": 5}}]}`,
			"body.bid.boosts[0].bps body.bid.boosts[0].when body.bid.boosts[1].bps body.bid.boosts[1].when body.bid.cpm body.bid.max_cpm body.budget.day body.budget.total " +
				"body.colour body.creatives[0].attr[0] body.creatives[0].image_url body.creatives[0].media body.creatives[0].sizes[0].h body.creatives[0].sizes[0].w body.creatives[0].sizes[2] " +
				"body.creatives[0].template body.creatives[0].title body.creatives[1].video body.creatives[2].video body.creatives[3].video.bitrate_kbps body.creatives[3].video.duration_ms " +
				"body.creatives[3].video.h body.creatives[3].video.mime body.creatives[3].video.skip_after_ms body.creatives[3].video.url body.creatives[3].video.w " +
				"body.end body.frequency.hours body.kind body.name body.start body.status body.targeting"},
		{"wrong types", `{"name": [], "kind": 1, "bid": [], "budget": "5", "frequency": {"impressions": "3", "hours": 1.5}, "start": true, "creatives": {"media": "banner"}}`,
			"body.bid body.bid.cpm body.budget body.creatives body.frequency.hours body.frequency.impressions body.kind body.name body.start"},
		{"max below cpm", `{"name": "a", "kind": "intent", "bid": {"cpm": "5", "max_cpm": "4.99"}}`, "body.bid.max_cpm"},
		{"end before start", `{"name": "a", "kind": "intent", "bid": {"cpm": "5"}, "start": 1795341600001, "end": 1795341600001}`, "body.end"},
		{"too fine", `{"name": "a", "kind": "intent", "bid": {"cpm": "0.0000001"}, "budget": {"day": "0.0000000001"}}`, "body.bid.cpm body.budget.day"},
		{"too great", `{"name": "a", "kind": "intent", "bid": {"cpm": "1000000.01"}, "budget": {"day": "99999999999999999999", "total": "1000000000.01"}}`,
			"body.bid.cpm body.budget.day body.budget.total"},
		{"many ads", `{"name": "a", "kind": "intent", "bid": {"cpm": "1"}, "creatives": [` + strings.Repeat(`{"media": "banner"},`, maxCreatives) + `{"media": "banner"}]}`, "body.creatives"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := b.call(key, "POST", path+"/campaigns", c.body)
			require.Equal(t, 422, a.code, a.body)
			require.Equal(t, strings.Fields(c.fields), a.problem(t).fields(), a.body)
		})
	}
	require.Contains(t, b.call(key, "POST", path+"/campaigns", cases[2].body).body, "is not a predicate")
}

func TestProblemsAreBounded(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	var odd strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&odd, `"x%d": 1,`, i)
	}
	a := b.call(key, "POST", path+"/campaigns", `{`+odd.String()+`"name": "a"}`)
	require.Len(t, a.problem(t).Errors, maxProblems)
}

func TestCampaignsArePagedAndFiltered(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	for i := range 9 {
		target := b.campaign(path, key)
		if i%3 == 0 {
			require.Equal(t, 200, b.call(key, "PATCH", target, `{"status": "active"}`).code)
		}
	}
	var p struct {
		Items []Campaign
		Next  string
	}
	b.call(key, "GET", path+"/campaigns?status=active&limit=2", "").into(t, &p)
	require.Len(t, p.Items, 2)
	b.call(key, "GET", path+"/campaigns?status=active&limit=2&cursor="+p.Next, "").into(t, &p)
	require.Len(t, p.Items, 1)
	require.Equal(t, uint32(7), p.Items[0].ID)
	b.call(key, "GET", path+"/campaigns?kind=interest", "").into(t, &p)
	require.Empty(t, p.Items)
	require.Equal(t, 422, b.call(key, "GET", path+"/campaigns?status=odd", "").code)
	require.Equal(t, 422, b.call(key, "GET", path+"/campaigns?cursor="+cursorOf("shop", "1"), "").code, "a cursor of another list")
}

func TestTargetingCheck(t *testing.T) {
	b := start(t, nil)
	_, key := b.shop()
	ask := func(key, body string) TargetingAnswer {
		a := b.call(key, "POST", "/api/v1/targeting/check", body)
		require.Equal(t, 200, a.code, a.body)
		var v TargetingAnswer
		a.into(t, &v)
		return v
	}
	require.True(t, ask(key, `{"expression": "visited within 3d"}`).OK)
	require.True(t, ask(b.admin, `{"expression": "", "shop": 1}`).OK)
	bad := ask(key, `{"expression": "in_cart and vistied"}`)
	require.False(t, bad.OK)
	require.Equal(t, &TargetingError{Message: `"vistied" is not a predicate`, Hint: `did you mean "visited"?`, Token: "vistied", Position: 12, Line: 1, Column: 13}, bad.Error)
	require.Contains(t, ask(key, `{"expression": "cart_value > 5 USD", "shop": 1}`).Error.Message, "PLN")
	require.Equal(t, []string{"body.shop"}, b.call(b.admin, "POST", "/api/v1/targeting/check", `{"expression": "x"}`).problem(t).fields())
	require.Contains(t, b.call(key, "GET", "/api/v1/targeting/predicates", "").body, "visited")
}
