package console

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/store"
)

// goodRequests holds a request that works for its own shop, by operation;
// {…} are filled in. A route that is not here fails the test.
var goodRequests = map[string]struct{ query, body string }{
	"get-shop":               {},
	"update-shop":            {body: `{"name": "taken over"}`},
	"list-keys":              {},
	"create-key":             {body: `{"scopes": ["write"]}`},
	"revoke-key":             {},
	"list-campaigns":         {},
	"create-campaign":        {body: campaignJSON},
	"get-campaign":           {},
	"update-campaign":        {body: `{"name": "taken over", "status": "active"}`},
	"delete-campaign":        {},
	"list-segments":          {},
	"create-segment":         {body: `{"template": "all_visitors"}`},
	"get-segment":            {},
	"update-segment":         {body: `{"description": "taken over"}`},
	"delete-segment":         {},
	"check-segment":          {body: `{"expression": "visited"}`},
	"list-segment-templates": {},
	"import-members":         {body: "uid\n0123456789abcdef0123456789abcdef\n"},
	"export-members":         {},
	"get-feed":               {},
	"upload-feed":            {body: feedLines(1, 7).String()},
	"list-products":          {},
	"list-changes":           {},
	"report-cost-per-order":  {query: "?from=2026-11-01&to=2026-11-20"},
	"report-breakdown":       {query: "?by=domain"},
	"report-funnel":          {},
	"report-before-after":    {query: "?at=1795341000000"},
	"forecast":               {body: `{"campaign": ` + campaignJSON + `, "budget_micros": 9000000, "figures": {"visits": 900, "conversion_rate": 0.02}}`},
	"read-lift":              {},
	"list-campaign-states":   {},
	"list-webhooks":          {},
	"create-webhook":         {body: webhookJSON},
	"test-webhook":           {body: "{}"},
	"delete-webhook":         {},
	"erase-person-at-shop":   {body: `{"user": {"id": "anna"}}`},
	"list-erasures-of-shop":  {},
	"list-lists":             {},
	"upload-list":            {body: "spam.example\n"},
	"delete-list":            {},
	"upload-asset":           {body: pngFile(20, 10)},
	"put-asset":              {body: pngFile(20, 10)},
	"list-assets":            {},
	"get-asset":              {},
	"delete-asset":           {},
	"get-creative-approvals": {query: "?exchange=demo"},
	"set-creative-approvals": {body: `{"exchange": "demo", "state": "pending"}`},
	"list-shop-approvals":    {query: "?exchange=demo"},
	"export-shop-approvals":  {query: "?exchange=demo"},
	"update-feed":            {body: `{"id": "p0", "price": "9.99"}`},
	"get-feed-source":        {},
	"get-list":               {},
	"get-list-entries":       {},
	"get-webhook":            {},
	"update-webhook":         {body: `{"kinds": ["no_bids"]}`},
	"put-feed-source":        {body: `{"url": "https://feeds.shop.example/all.xml"}`},
	"delete-feed-source":     {},
	"add-deposit":            {body: `{"amount": "5"}`},
	"list-deposits":          {},
	"get-account":            {},
	"get-statement":          {query: "?month=2026-11"},
	"get-statement-of-month": {},
}

// withoutShop are the routes whose path names no shop, and what another
// shop's key gets when it asks them about this one.
var withoutShop = map[string]struct {
	body string
	code int
}{
	"list-shops":       {"", 200}, // its own only, see below
	"create-shop":      {shopJSON, 404},
	"check-targeting":  {`{"expression": "visited", "shop": 2}`, 404},
	"list-predicates":  {"", 200},
	"list-approvals":   {"", 404},
	"export-approvals": {"", 404},
	"import-approvals": {`{"exchange": "demo", "items": []}`, 404},
	"erase-person":     {`{"user": {"ifa": "x"}}`, 404},
	"list-erasures":    {"", 404},
	"explain":          {"{}", 422}, // asked of this shop in explain_test.go
}

// eachOperation walks the OpenAPI document.
func eachOperation(doc *huma.OpenAPI, visit func(method, path string, op *huma.Operation)) {
	for path := range doc.Paths {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if op := operationOf(doc, method, path); op != nil {
				visit(method, path, op)
			}
		}
	}
}

// state is everything of a shop: its documents, keys, feed and audit log.
func state(t *testing.T, b *bench, shop uint32) string {
	ctx := context.Background()
	v := b.s.store.View()
	s, err := v.Shop(ctx, shop)
	require.NoError(t, err)
	keys, err := v.Keys(ctx, shop)
	require.NoError(t, err)
	found, err := v.Campaigns(ctx, shop, store.CampaignFilter{}, 0, 1000)
	require.NoError(t, err)
	feed, err := v.Feed(ctx, shop)
	require.NoError(t, err)
	segs, err := v.Segments(ctx, shop, 0, 1000)
	require.NoError(t, err)
	assets, err := v.Assets(ctx, shop)
	require.NoError(t, err)
	approvals, err := v.Approvals(ctx, shop, "")
	require.NoError(t, err)
	changes, err := v.Changes(ctx, shop, "", 0, 1000)
	require.NoError(t, err)
	hooks, err := v.Webhooks(ctx, shop)
	require.NoError(t, err)
	sent, err := v.LastDeliveries(ctx, shop)
	require.NoError(t, err)
	out, err := json.Marshal([]any{s, keys, found, feed, segs, assets, approvals, changes, hooks, sent})
	require.NoError(t, err)
	return string(out)
}

// TestKeysIsolation tries every route of the OpenAPI document with the key of
// another shop: nothing opens, nothing changes, and what exists is not told from
// what does not.
func TestKeysIsolation(t *testing.T) {
	reports := &fakeReports{}
	bidder := erasingBidder(t)
	b := start(t, func(c *Config, d *Deps) { c.Bidder, d.Reports, d.Segments = bidder.addr, reports, &fakeNode{} })
	mine, myKey := b.shop()
	theirs, theirKey := b.shop()
	for path, key := range map[string]string{mine: myKey, theirs: theirKey} {
		require.Equal(t, 200, b.stream(key, "PUT", path+"/feed", feedLines(3, 0)).code)
		require.Equal(t, 201, b.call(key, "POST", path+"/assets", pngFile(20, 10)).code)
	}
	myCampaign := b.campaign(mine, myKey)
	theirCampaign := b.campaign(theirs, theirKey)
	segments := map[string]string{mine: b.segment(mine, myKey), theirs: b.segment(theirs, theirKey)}
	// A campaign stands for its shop's segment, too.
	segmentOf := map[string]string{myCampaign: segments[mine], theirCampaign: segments[theirs]}
	webhookOf := map[string]string{myCampaign: b.webhook(mine, myKey), theirCampaign: b.webhook(theirs, theirKey)}
	fill := func(path, shop, campaign, key string) string {
		return strings.NewReplacer("{webhook}", webhookOf[campaign], "{segment}", segmentOf[campaign], "{shop}", shop[strings.LastIndex(shop, "/")+1:], "{campaign}", campaign[strings.LastIndex(campaign, "/")+1:],
			"{key}", keyID(key), "{name}", "blocked", "{month}", "2026-11",
			"{creative}", campaign[strings.LastIndex(campaign, "/")+1:], "{asset}", pngID(20, 10)).Replace(path)
	}
	before := state(t, b, 2)
	visited := 0
	eachOperation(b.s.OpenAPI(), func(method, path string, op *huma.Operation) {
		t.Run(op.OperationID, func(t *testing.T) {
			visited++
			b.clock.Advance(time.Minute) // wrong keys are counted by the minute
			full := fill(path, theirs, theirCampaign, theirKey)
			require.Equal(t, 401, b.call("", method, full, "").code, "without a key")
			require.Equal(t, 401, b.call("gz_admin_"+strings.Repeat("a", 52), method, full, "").code, "with a made-up key")
			if !strings.Contains(path, "{shop}") {
				want, known := withoutShop[op.OperationID]
				require.True(t, known, "a route without a shop in its path must say here what it gives to others")
				require.Equal(t, want.code, b.call(myKey, method, full, want.body).code)
				return
			}
			good, known := goodRequests[op.OperationID]
			require.True(t, known, "a new route must be tried here")
			a := b.call(myKey, method, full+good.query, good.body)
			require.Equal(t, 404, a.code, a.body)
			nosuch := b.call(myKey, method, fill(path, "/99", theirCampaign, theirKey)+good.query, good.body)
			require.Equal(t, a.body, nosuch.body, "what exists elsewhere is not told from what does not")
			if path != strings.NewReplacer("{campaign}", "", "{key}", "", "{segment}", "", "{webhook}", "").Replace(path) {
				a = b.call(myKey, method, fill(path, mine, theirCampaign, theirKey), good.body)
				require.Equal(t, 404, a.code, "another's part under one's own shop: %s", a.body)
			}
			for _, odd := range []string{"0", "1e0", "+2", "02", "2/", "-1", "4294967298", "%32"} {
				full := strings.Replace(fill(strings.Replace(path, "{shop}", "SHOP", 1), theirs, theirCampaign, theirKey), "SHOP", odd, 1)
				require.Contains(t, []int{404, 405}, b.call(myKey, method, full, good.body).code, full)
			}
		})
	})
	require.Equal(t, len(goodRequests)+len(withoutShop), visited)
	require.Equal(t, before, state(t, b, 2), "nothing of the other shop has changed")
	require.Zero(t, reports.shop, "no report was asked for")
	require.Zero(t, bidder.asked, "and no bidder")
	var shops struct{ Items []Shop }
	b.call(myKey, "GET", "/api/v1/shops", "").into(t, &shops)
	require.Len(t, shops.Items, 1)
	require.Equal(t, uint32(1), shops.Items[0].ID)

	// The same requests work for the shop itself, so that 404 above means what
	// it says. Those that end something come last.
	require.Equal(t, 200, b.call(myKey, "PUT", fill("/api/v1/shops/{shop}/lists/{name}", mine, myCampaign, myKey), "a.example").code)
	last := map[string]bool{"delete-campaign": true, "revoke-key": true, "delete-segment": true, "delete-feed-source": true, "delete-webhook": true, "delete-asset": true, "delete-list": true}
	for _, ending := range []bool{false, true} {
		eachOperation(b.s.OpenAPI(), func(method, path string, op *huma.Operation) {
			good, ok := goodRequests[op.OperationID]
			if !ok || last[op.OperationID] != ending {
				return
			}
			key := myKey
			if op.OperationID == "revoke-key" {
				key = b.key(mine, "write")
			}
			if op.Metadata[accessKey].(access) == accessAdmin {
				return // the administrator's, in the shop's path
			}
			a := b.call(key, method, fill(path, mine, myCampaign, key)+good.query, good.body)
			require.Less(t, a.code, 300, "%s: %s", op.OperationID, a.body)
		})
	}
}

func TestEveryRouteAsksForItsScope(t *testing.T) {
	b := start(t, nil)
	path, write := b.shop()
	require.Equal(t, 200, b.stream(write, "PUT", path+"/feed", feedLines(1, 0)).code)
	b.campaign(path, write)
	b.segment(path, write)
	b.webhook(path, write)
	read, events := b.key(path, "read"), b.key(path, "events")
	eachOperation(b.s.OpenAPI(), func(method, route string, op *huma.Operation) {
		full := strings.NewReplacer("{shop}", "1", "{campaign}", "1", "{segment}", "1", "{webhook}", "1", "{key}", "x").Replace(route)
		need := op.Metadata[accessKey].(access)
		a := b.call(events, method, full, goodRequests[op.OperationID].body)
		if need == accessAdmin {
			require.Equal(t, 404, a.code)
			require.Equal(t, 404, b.call(write, method, full, shopJSON).code)
			return
		}
		require.Equal(t, 403, a.code, op.OperationID)
		if a = b.call(read, method, full, goodRequests[op.OperationID].body); need == accessWrite {
			require.Equal(t, 403, a.code, op.OperationID)
		} else {
			require.NotContains(t, []int{401, 403, 404}, a.code, op.OperationID)
		}
		if method != http.MethodGet && op.OperationID != "check-targeting" && op.OperationID != "explain" && op.OperationID != "forecast" && op.OperationID != "check-segment" {
			require.Equal(t, accessWrite, need, "what changes something needs write")
		}
	})
}
