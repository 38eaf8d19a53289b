package bidder

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
)

const ifa = "6D92078A-8246-4BA4-AE5B-76104861E7DC"

// wish posts to PathErasures of w's people.
func (w *peopleWorld) wish(method, key, body string) (int, erasureOut) {
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod(method)
	ctx.Request.SetRequestURI(PathErasures)
	ctx.Request.Header.Set("Authorization", "Bearer "+key)
	ctx.Request.SetBodyString(body)
	w.b.people = w.p
	(&ExplainAPI{Bidder: w.b, AdminKey: func() string { return hashOf("gz_admin_1") }}).erasures(&ctx)
	var out erasureOut
	if ctx.Response.StatusCode() == 202 {
		require.NoError(w.t, json.Unmarshal(ctx.Response.Body(), &out))
	}
	return ctx.Response.StatusCode(), out
}

func TestAShopErasesWhatItKnowsOfAPerson(t *testing.T) {
	w := newPeopleWorld(t, openCampaign(1))
	shop, other := *w.in.Shops[0], testShop()
	shop.Keys = append(shop.Keys, campaigns.Key{ID: "w", SHA256: hashOf("gz_w_1"), Scopes: []string{"write"}},
		campaigns.Key{ID: "r", SHA256: hashOf("gz_r_1"), Scopes: []string{"read", "events"}})
	other.ID, other.Name, other.Keys = 8, "Rival", shop.Keys[:0]
	other.Salt = "ff" + other.Salt[2:]
	w.in.Shops = []*campaigns.Shop{&shop, other}
	require.Empty(t, w.b.Publish(w.in))

	user := `{"ifa":"` + ifa + `"}`
	w.send(7, shopKey, `{"events":[{"id":"1","type":"visit","user":`+user+`},{"id":"2","type":"visit","user":{"id":"anna"}}]}`)
	mine := w.shopSpooled()
	require.Len(t, mine, 2)
	theirs := mine[0]
	theirs.ShopID = 8
	w.b.Profiles().Apply(&theirs)
	require.Equal(t, 3, w.b.Profiles().Stats().Profiles)

	for name, c := range map[string]struct {
		method, key, body string
		want              int
	}{
		"no key":                     {"POST", "", `{"shop":7,"user":` + user + `}`, 401},
		"a wrong key":                {"POST", "gz_w_2", `{"shop":7,"user":` + user + `}`, 401},
		"a key that may only read":   {"POST", "gz_r_1", `{"shop":7,"user":` + user + `}`, 401},
		"another shop":               {"POST", "gz_w_1", `{"shop":8,"user":` + user + `}`, 403},
		"everywhere, by a shop":      {"POST", "gz_w_1", `{"user":` + user + `}`, 403},
		"GET":                        {"GET", "gz_w_1", ``, 405},
		"no JSON":                    {"POST", "gz_w_1", `{`, 400},
		"nobody":                     {"POST", "gz_w_1", `{"shop":7,"user":{}}`, 400},
		"no advertising id":          {"POST", "gz_w_1", `{"shop":7,"user":{"ifa":"00000000-0000-0000-0000-000000000000"}}`, 400},
		"opt-out, by a shop":         {"POST", "gz_w_1", `{"shop":7,"opt_out":true,"user":` + user + `}`, 400},
		"a shop's id without a shop": {"POST", "gz_admin_1", `{"user":{"id":"anna"}}`, 400},
		"no such shop":               {"POST", "gz_admin_1", `{"shop":9,"user":` + user + `}`, 404},
	} {
		status, _ := w.wish(c.method, c.key, c.body)
		require.Equal(t, c.want, status, name)
	}
	require.Empty(t, w.out)
	w.full = true
	status, _ := w.wish("POST", "gz_w_1", `{"shop":7,"user":`+user+`}`)
	require.Equal(t, 503, status)
	w.full = false
	require.Equal(t, 3, w.b.Profiles().Stats().Profiles, "not before it is durable")

	status, got := w.wish("POST", "gz_w_1", `{"shop":7,"user":`+user+`}`)
	require.Equal(t, 202, status)
	require.Len(t, w.out, 2, "the wish and this node's receipt")
	require.Equal(t, got.ID, w.out[0].EventID.String())
	require.Equal(t, uint32(7), w.out[0].ShopID)
	require.Equal(t, uint32(7), w.out[1].ShopID)
	require.Equal(t, w.out[0].EventID, w.out[1].EraseID)
	require.EqualValues(t, 1, w.out[1].Profiles)
	require.Equal(t, 2, w.b.Profiles().Stats().Profiles, "the rival knows the person still, and the other visitor is not concerned")
	require.True(t, w.p.suppressed(&mine[0]), "a replay brings nobody back")
	require.False(t, w.p.suppressed(&mine[1]))
	require.False(t, w.p.suppressed(&theirs))

	// A start from an older checkpoint: the log's erasures are read again.
	w.b.Profiles().Apply(&mine[0])
	require.Equal(t, 3, w.b.Profiles().Stats().Profiles)
	w.p.ready.Store(false)
	require.NoError(t, w.p.apply(&w.out[0]))
	require.NoError(t, w.p.settled())
	require.Equal(t, 2, w.b.Profiles().Stats().Profiles)

	status, _ = w.wish("POST", "gz_w_1", `{"shop":7,"user":{"id":"anna"}}`)
	require.Equal(t, 202, status)
	require.Equal(t, 1, w.b.Profiles().Stats().Profiles)
	status, _ = w.wish("POST", "gz_admin_1", `{"opt_out":true,"user":`+user+`}`)
	require.Equal(t, 202, status)
	require.Zero(t, w.b.Profiles().Stats().Profiles)
	last := w.out[len(w.out)-2]
	require.True(t, last.OptOut)
	require.Zero(t, last.ShopID)
	require.Equal(t, "console", last.Reason)
	require.True(t, w.p.optedOut(last.UID))
}

func TestErasedAtAShopIsSomebodyElse(t *testing.T) {
	require.Equal(t, events.ID{9}, events.ErasedAt(events.ID{9}, 0))
	require.Zero(t, events.ErasedAt(events.ID{}, 7), "nobody stays nobody")
	require.NotEqual(t, events.ErasedAt(events.ID{9}, 7), events.ErasedAt(events.ID{9}, 8))
}
