package console

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
)

// approvedBy is what a bidder gets of a shop's approvals.
func approvedBy(t *testing.T, b *bench, shop uint32) map[string][]string {
	t.Helper()
	ctx := context.Background()
	require.NoError(t, b.s.store.EnqueueAll(ctx))
	docs := campaigns.NewDocs()
	for _, key := range b.pending() {
		rec, err := b.s.store.Record(ctx, key)
		require.NoError(t, err)
		_, err = docs.Apply(&rec)
		require.NoError(t, err)
	}
	for _, a := range docs.Input().Approvals {
		if a.ShopID == shop {
			return a.Approved
		}
	}
	return nil
}

func approvalsOf(t *testing.T, a answer) []Approval {
	t.Helper()
	require.Equal(t, 200, a.code, a.body)
	var out struct{ Items []Approval }
	a.into(t, &out)
	return out.Items
}

func TestApprovalLife(t *testing.T) {
	b := start(t, func(c *Config, _ *Deps) { c.PublicURL = "https://bid.example" })
	path, key := b.shop()
	a := b.call(key, "POST", path+"/campaigns", `{"name": "a", "kind": "interest", "status": "active", "bid": {"cpm": "1"}, "creatives": [
		{"media": "banner", "sizes": [{"w": 300, "h": 250}]}, {"media": "native", "title": "T"}]}`)
	require.Equal(t, 201, a.code, a.body)
	one := path + "/creatives/1/approvals"

	pending := approvalsOf(t, b.call(key, "GET", path+"/approvals?exchange=strict&state=pending", ""))
	var forms []string
	for _, p := range pending {
		forms = append(forms, fmt.Sprintf("%s %s %dx%d", p.Media, p.Template, p.W, p.H))
		require.Equal(t, "buty.example", p.ADomain)
		require.True(t, strings.HasPrefix(p.PreviewURL, "https://bid.example/creative?campaign=1&crid="+p.CRID+"&key="), p.PreviewURL)
	}
	require.Equal(t, []string{"banner grid 300x250", "banner single 300x250", "banner logo 300x250", "native auto 0x0"}, forms)
	require.Nil(t, approvedBy(t, b, 1))

	set := `{"exchange": "strict", "state": "%s", "reason": "%s"}`
	require.Equal(t, 403, b.call(key, "PUT", one, fmt.Sprintf(set, "approved", "")).code, "a shop does not approve for an exchange")
	require.Len(t, approvalsOf(t, b.call(b.admin, "PUT", one, fmt.Sprintf(set, "approved", ""))), 3)
	require.ElementsMatch(t, []string{pending[0].CRID, pending[1].CRID, pending[2].CRID}, approvedBy(t, b, 1)["strict"])
	a = b.call(b.admin, "PUT", one, `{"exchange": "strict", "state": "rejected", "reason": "too loud", "crids": ["`+pending[2].CRID+`"]}`)
	require.Equal(t, "too loud", approvalsOf(t, a)[2].Reason)
	require.ElementsMatch(t, []string{pending[0].CRID, pending[1].CRID}, approvedBy(t, b, 1)["strict"])
	require.Len(t, approvalsOf(t, b.call(key, "GET", one, "")), 3, "of all exchanges that said anything")
	require.Len(t, approvalsOf(t, b.call(key, "GET", path+"/approvals?exchange=strict&state=pending", "")), 1)
	require.Contains(t, b.call(key, "GET", path+"/changes?limit=1", "").body, "too loud", "who said what is in the audit log")

	// What the creative says changes: it is another crid, and pending.
	require.Equal(t, 200, b.call(key, "PATCH", path+"/campaigns/1", `{"creatives": [{"id": 1, "media": "banner", "title": "New", "sizes": [{"w": 300, "h": 250}]}]}`).code)
	require.Len(t, approvalsOf(t, b.call(key, "GET", path+"/approvals?exchange=strict&state=pending", "")), 3)

	rows, err := csv.NewReader(strings.NewReader(b.call(b.admin, "GET", "/api/v1/approvals.csv?exchange=strict", "").body)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	require.Equal(t, approvalColumns, rows[0])
	require.Equal(t, []string{"pending", "", "1", "1", "1", "banner", "grid", "300", "250", "buty.example", "https://buty.example/"}, rows[1][1:12])

	decided := fmt.Sprintf(`{"exchange": "strict", "items": [{"crid": "%s", "state": "approved"}, {"crid": "%s", "state": "rejected", "reason": "=cmd()"}]}`, rows[1][0], rows[2][0])
	require.Contains(t, b.call(b.admin, "PUT", "/api/v1/approvals", decided).body, `"noted":2`)
	require.Contains(t, b.call(key, "GET", path+"/approvals.csv?exchange=strict&state=rejected", "").body, ",'=cmd(),")
	require.Contains(t, approvedBy(t, b, 1)["strict"], rows[1][0])
	require.Equal(t, 422, b.call(b.admin, "PUT", "/api/v1/approvals", strings.ReplaceAll(decided, rows[1][0], "s1-c1-grid-9x9-v1.2")).code, "nobody has it")
	for _, bad := range []string{`{}`, `{"exchange": "strict", "items": []}`, `{"exchange": "a/b", "items": [{"crid": "x", "state": "fine"}]}`} {
		require.Equal(t, 422, b.call(b.admin, "PUT", "/api/v1/approvals", bad).code, bad)
	}
	require.Equal(t, 422, b.call(b.admin, "PUT", one, `{"exchange": "strict", "state": "approved", "crids": ["s1-c9"]}`).code)
	require.Equal(t, 404, b.call(b.admin, "PUT", path+"/creatives/99/approvals", fmt.Sprintf(set, "approved", "")).code)
	require.Equal(t, 200, b.call(key, "PUT", one, fmt.Sprintf(set, "pending", "")).code, "asked for again")
	require.NotContains(t, approvedBy(t, b, 1)["strict"], rows[1][0])
}

func TestApprovalsAreBounded(t *testing.T) {
	b := start(t, nil)
	b.shop()
	ctx := context.Background()
	actor := store.Actor{Name: "admin"}
	put := func(from, n int, live func(string) bool) error {
		rows := make([]store.Approval, n)
		for i := range rows {
			rows[i] = store.Approval{CRID: fmt.Sprintf("s1-c%d", from+i), State: store.ApprovalApproved}
		}
		return b.s.store.Write(ctx, actor, func(tx *store.Tx) error { return tx.SetApprovals(ctx, 1, "strict", rows, live) })
	}
	all := func(string) bool { return true }
	require.NoError(t, put(0, store.MaxApprovals, all))
	require.ErrorIs(t, put(store.MaxApprovals, 1, all), store.ErrLimit)
	require.NoError(t, put(store.MaxApprovals, 1, func(crid string) bool { return crid != "s1-c5" }), "what no creative has any more goes first")
	left, err := b.s.store.View().Approvals(ctx, 1, "strict")
	require.NoError(t, err)
	require.Len(t, left, store.MaxApprovals)
}
