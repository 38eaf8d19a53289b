package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/rules"
)

// fakeNode answers as a bidder does.
type fakeNode struct {
	sizes map[uint32]SegmentSize
	err   error
}

func (f *fakeNode) Sizes(context.Context, uint32) (map[uint32]SegmentSize, error) {
	return f.sizes, f.err
}

func (f *fakeNode) Members(_ context.Context, shop, segment uint32, w io.Writer) error {
	if f.err != nil {
		return f.err
	}
	_, err := fmt.Fprintf(w, "user\n%d%d\n#end\n", shop, segment)
	return err
}

// segment makes an imported segment and returns its id.
func (b *bench) segment(shopPath, key string) string {
	b.t.Helper()
	a := b.call(key, "POST", shopPath+"/segments", `{"name": "CRM", "source": "import"}`)
	require.Equal(b.t, 201, a.code, a.body)
	var v SegmentView
	a.into(b.t, &v)
	return fmt.Sprint(v.ID)
}

func TestSegmentsAreKept(t *testing.T) {
	node := &fakeNode{sizes: map[uint32]SegmentSize{1: {Members: 42, Ready: true, At: testNow}}}
	b := start(t, func(_ *Config, d *Deps) { d.Segments = node })
	path, key := b.shop()
	make := func(body string, headers ...string) (v SegmentView, a answer) {
		a = b.call(key, "POST", path+"/segments", body, headers...)
		if a.code == 201 {
			a.into(t, &v)
		}
		return v, a
	}
	v, a := make(`{"name": "Big carts", "expression": "cart_value >= 500 PLN and abandoned within 7d", "value_bps": 15000}`, "Idempotency-Key", "one")
	require.Equal(t, 201, a.code, a.body)
	require.Equal(t, campaigns.SegmentRule, v.Source)
	again, a := make(`{"name": "Big carts", "expression": "cart_value >= 500 PLN and abandoned within 7d", "value_bps": 15000}`, "Idempotency-Key", "one")
	require.Equal(t, "true", a.header.Get("Idempotency-Replayed"))
	require.Equal(t, v, again)
	_, a = make(`{"name": "BIG  CARTS", "expression": "known"}`)
	require.Equal(t, []string{"body.name"}, a.problem(t).fields())
	_, a = make(`{"name": "", "source": "magic", "value_bps": -1, "max_bps": 7, "ttl_days": 9999}`)
	require.Equal(t, []string{"body.max_bps", "body.name", "body.source", "body.ttl_days", "body.value_bps"}, a.problem(t).fields())
	_, a = make(`{"name": "x", "expression": "known and domain = \"a.pl\""}`)
	require.Contains(t, a.problem(t).Errors[0].Message, "column 11: this is about the page")
	_, a = make(`{"name": "x", "expression": "cart_value > 5 EUR"}`)
	require.Contains(t, a.problem(t).Errors[0].Message, "currency is PLN")
	_, a = make(`{"template": "nonsense"}`)
	require.Equal(t, []string{"body.template"}, a.problem(t).fields(), "what it would have filled in is not missing")
	ready, a := make(`{"template": "high_value", "value_bps": 20000, "max_bps": 15000}`)
	require.Equal(t, 201, a.code, a.body)
	require.Equal(t, "orders >= 3 or revenue >= 1000 PLN", ready.Expression)

	var list struct{ Items []SegmentView }
	b.call(key, "GET", path+"/segments", "").into(t, &list)
	require.Len(t, list.Items, 2)
	require.Equal(t, &SegmentSize{Members: 42, Ready: true, At: testNow}, list.Items[0].Size)
	require.Nil(t, list.Items[1].Size)
	node.err = errors.New("away")
	b.call(key, "GET", path+"/segments/1", "").into(t, &v)
	require.Nil(t, v.Size, "no bidder answers")

	var check TargetingAnswer
	b.call(key, "POST", path+"/segments/check", `{"expression": "vistied within 3d"}`).into(t, &check)
	require.False(t, check.OK)
	require.Equal(t, "vistied", check.Error.Token)
	b.call(key, "POST", path+"/segments/check", `{"expression": "visited within 3d"}`).into(t, &check)
	var templates struct{ Items []campaigns.SegmentTemplate }
	b.call(key, "GET", path+"/segment-templates", "").into(t, &templates)
	require.Len(t, templates.Items, 7)
}

func TestSegmentsInUseStay(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	a := b.call(key, "POST", path+"/segments", `{"name": "Viewers", "expression": "viewed"}`)
	require.Equal(t, 201, a.code, a.body)
	campaign := strings.Replace(campaignJSON, "visited within 30d", `not segment \"nobody\"`, 1)
	a = b.call(key, "POST", path+"/campaigns", campaign)
	require.Contains(t, a.problem(t).Errors[0].Message, `column 13: the shop has no segment "nobody"`)
	a = b.call(key, "POST", path+"/campaigns", strings.Replace(campaign, "nobody", "viewers", 1))
	require.Equal(t, 201, a.code, a.body)
	var check TargetingAnswer
	b.call(key, "POST", "/api/v1/targeting/check", `{"expression": "segment \"vievers\""}`).into(t, &check)
	require.Contains(t, check.Error.Message, "no segment")

	require.Equal(t, 409, b.call(key, "DELETE", path+"/segments/1", "").code)
	a = b.call(key, "PATCH", path+"/segments/1", `{"name": "Lookers"}`)
	require.Equal(t, 409, a.code)
	require.Contains(t, a.body, "Come back")
	a = b.call(key, "PATCH", path+"/segments/1", `{"name": "VIEWERS", "expression": "viewed within 7d"}`, "If-Match", `"2"`)
	require.Equal(t, 412, a.code, "of an older version")
	a = b.call(key, "PATCH", path+"/segments/1", `{"name": "VIEWERS", "expression": "viewed within 7d"}`)
	require.Equal(t, 200, a.code, "the same name by another spelling: %s", a.body)
	a = b.call(key, "PATCH", path+"/segments/1", `{"source": "import", "template": "high_value"}`)
	require.Subset(t, a.problem(t).fields(), []string{"body.source", "body.template"})
	a = b.call(b.admin, "PATCH", path, `{"currency": "EUR"}`)
	require.Equal(t, []string{"body.currency"}, a.problem(t).fields())

	require.Equal(t, 204, b.call(key, "DELETE", path+"/campaigns/1", "").code)
	require.Equal(t, 204, b.call(key, "DELETE", path+"/segments/1", "").code)
	require.Equal(t, 404, b.call(key, "GET", path+"/segments/1", "").code)
	rec, err := b.s.store.Record(context.Background(), "segment/1")
	require.NoError(t, err)
	require.True(t, rec.Deleted)
	require.Equal(t, 201, b.call(key, "POST", path+"/segments", `{"name": "Viewers", "expression": "viewed"}`).code, "the name is free again")
}

func TestMembersAreImported(t *testing.T) {
	b := start(t, func(_ *Config, d *Deps) { d.Segments = &fakeNode{} })
	path, key := b.shop()
	id := b.segment(path, key)
	at := path + "/segments/" + id + "/members"
	put := func(query, body string) (r ImportReport) {
		t.Helper()
		a := b.call(key, "PUT", at+query, body, "Content-Type", "text/csv")
		require.Equal(t, 200, a.code, a.body)
		a.into(t, &r)
		return r
	}
	const one, two = "0123456789abcdef0123456789abcdef", "6D92078A-8246-4BA4-AE5B-76104861E7DC"
	report := put("", "\xef\xbb\xbfnote,UID,ifa,id\nx,"+one+",,\n,,"+two+",\n,,,c-17\n,,,c-17\n,zz,,\n,,00000000-0000-0000-0000-000000000000,\n,,,\n,,,a@b.pl\n\"x\"y,,\n")
	require.Equal(t, 9, report.Rows)
	require.Equal(t, 4, report.Accepted)
	require.Equal(t, 1, report.Repeated)
	require.EqualValues(t, 3, report.Members)
	require.EqualValues(t, 3, report.Added)
	lines := map[int]string{}
	for _, p := range report.Problems {
		lines[p.Line] = p.Column
	}
	require.Equal(t, map[int]string{6: "uid", 7: "ifa", 8: "", 9: "id", 10: ""}, lines)

	uid, _ := segments.UserFromUID(one)
	audience := func() *rules.Audience {
		docs := campaigns.NewDocs()
		require.NoError(t, b.s.store.EnqueueAll(context.Background()))
		pending, err := b.s.store.Pending(context.Background(), 1000)
		require.NoError(t, err)
		for _, p := range pending {
			rec, err := b.s.store.Record(context.Background(), p.Key)
			require.NoError(t, err)
			_, err = docs.Apply(&rec)
			require.NoError(t, err, p.Key)
		}
		snap, problems := campaigns.Compile(docs.Input())
		require.Empty(t, problems)
		return snap.Shop(1).Segments.Set.Rule(0).Audience()
	}
	has := func(a *rules.Audience, u segments.UserKey) bool {
		at, ok := a.Has(u)
		return ok && at == testNow/1000
	}
	a := audience()
	require.Equal(t, 3, a.Len())
	require.True(t, has(a, uid) && has(a, segments.UserFromIFA(two)) && has(a, own(t, b, 1, "c-17")))
	require.False(t, has(a, segments.UserFromShop(segments.Salt{1}, events.AliasCustomer, "c-17")), "another shop's visitor of that id is another person")

	report = put("?mode=remove", "uid\n"+one+"\n")
	require.EqualValues(t, 1, report.Removed)
	require.EqualValues(t, 2, report.Members)
	report = put("?mode=add", "id\nc-18\nc-17\n")
	require.EqualValues(t, 1, report.Added)
	require.EqualValues(t, 3, report.Members)
	report = put("?dry_run=true", "id\nc-99\n")
	require.Equal(t, 1, report.Accepted)
	require.Equal(t, 3, audience().Len())
	report = put("", "id\nc-20\n")
	require.EqualValues(t, 3, report.Removed)
	require.Equal(t, 1, audience().Len())

	for name, body := range map[string]string{
		"empty": "", "addresses": "email\na@b.pl\n", "no column of ours": "note\nx\n", "a column twice": "uid,uid\n" + one + "\n",
	} {
		require.Equal(t, 422, b.call(key, "PUT", at, body).code, name)
	}
	require.Equal(t, 201, b.call(key, "POST", path+"/segments", `{"name": "Rule", "expression": "known"}`).code)
	require.Equal(t, 409, b.call(key, "PUT", path+"/segments/2/members", "uid\n").code)
	require.Equal(t, 404, b.call(key, "PUT", path+"/segments/9/members", "uid\n").code)
	require.NotContains(t, b.call(key, "GET", path+"/changes", "").body, one, "the audit log has nobody's id")
	var v SegmentView
	b.call(key, "GET", path+"/segments/1", "").into(t, &v)
	require.Equal(t, &ImportState{Members: 1, At: testNow}, v.Imported)

	out := b.call(key, "GET", at, "")
	require.Equal(t, "user\n11\n#end\n", out.body)
	require.Contains(t, out.header.Get("Content-Type"), "text/csv")
	require.Equal(t, 204, b.call(key, "DELETE", path+"/segments/1", "").code)
	rec, err := b.s.store.Record(context.Background(), fmt.Sprintf("audience/1/%d", rules.AudienceBucket(own(t, b, 1, "c-20"))))
	require.NoError(t, err)
	require.True(t, rec.Deleted)
}

func TestMembersCannotBeListedWithoutABidder(t *testing.T) {
	node := &fakeNode{err: errors.New("away")}
	b := start(t, func(_ *Config, d *Deps) { d.Segments = node })
	path, key := b.shop()
	at := path + "/segments/" + b.segment(path, key) + "/members"
	require.Equal(t, 503, b.call(key, "GET", at, "").problem(t).Status)
}

// Whatever is uploaded, every row is either somebody's or reported, and what
// is kept is as bidders want it.
func FuzzImport(f *testing.F) {
	for _, s := range []string{"uid\n0123456789abcdef0123456789abcdef\n", "id\nx\n\"y\n", "email\n", "", "ifa,id\n,,,\n\xff,\"a\"\"\"\n", "\xef\xbb\xbfid\r\nx\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := importReader{salt: segments.Salt{1}, atS: 1}
		members, err := r.all(strings.NewReader(body))
		if err != nil {
			return
		}
		n := 0
		for b, m := range members {
			if err := rules.CheckMembers(b, m); err != nil {
				t.Fatal(err)
			}
			n += len(m) / rules.MemberSize
		}
		if r.report.Accepted+r.report.Rejected != r.report.Rows || n+r.report.Repeated != r.report.Accepted {
			t.Fatalf("%d members: %+v", n, r.report)
		}
	})
}

// own is the key of a shop's own id of a person.
func own(t *testing.T, b *bench, shop uint32, id string) segments.UserKey {
	t.Helper()
	salt, err := b.s.store.View().Salt(context.Background(), shop)
	require.NoError(t, err)
	return segments.UserFromShop(segments.SaltOf(salt), events.AliasCustomer, id)
}
