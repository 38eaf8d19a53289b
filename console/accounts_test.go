package console

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

func (f *fakeReports) Statement(_ context.Context, shop uint32, month string) ([]report.StatementRow, error) {
	f.shop, f.from = shop, month
	return []report.StatementRow{{Currency: "PLN", Opening: "1", Deposits: "10", Media: "4.000000001", Fee: "0.4", Billed: "4.400000001", Closing: "6.599999999", House: "0.5", Wins: 9, HouseWins: 1, Clicks: 3, ClickCost: "3", HouseClicks: 2}}, f.err
}

func (f *fakeReports) Balance(context.Context, uint32) (report.Balance, error) {
	return report.Balance{Billed: 5, Balance: 7, House: 2}, f.err
}

// recorded are the account records that wait for Kafka.
func (b *bench) recorded() (out []events.Event) {
	b.t.Helper()
	recs, err := b.s.store.AccountRecords(b.t.Context(), 1000)
	require.NoError(b.t, err)
	var dec events.Decoder
	for _, r := range recs {
		require.NoError(b.t, dec.Events(r.Line, func(_ int, e *events.Event) error {
			require.Equal(b.t, r.Shop, e.ShopID)
			out = append(out, *e)
			return nil
		}))
	}
	return out
}

func TestDepositsAreBookedOnceAndRecorded(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	require.Empty(t, b.recorded(), "a shop that is billed afterwards needs no record")
	require.Equal(t, 404, b.call(key, "POST", path+"/deposits", `{"amount":"100"}`).code, "the administrator's only")
	for _, bad := range []string{`{}`, `{"amount":"0"}`, `{"amount":"1000000001"}`, `{"amount":"x"}`, `{"amount":"1","reference":"` + strings.Repeat("x", 65) + `"}`} {
		require.Equal(t, 422, b.call(b.admin, "POST", path+"/deposits", bad).code, bad)
	}
	for range 3 {
		a := b.call(b.admin, "POST", path+"/deposits", `{"amount":"100.000000001","reference":"bank 7"}`, "Idempotency-Key", "k1")
		require.Equal(t, 201, a.code, a.body)
		var d Deposit
		a.into(t, &d)
		require.Equal(t, Deposit{ID: 1, Created: testNow, Amount: 100_000_000_001, Currency: "PLN", Reference: "bank 7", By: "admin"}, d)
	}
	require.Equal(t, 201, b.call(b.admin, "POST", path+"/deposits", `{"amount":"-30"}`).code)
	got := b.recorded()
	require.Len(t, got, 2)
	assert.Equal(t, []int64{1, 2}, []int64{got[0].Version, got[1].Version})
	assert.Equal(t, events.TypeDeposit, got[0].Type)
	assert.Equal(t, money.Nano(100_000_000_001), got[0].ShopAmount)
	assert.Equal(t, "bank 7", got[0].Raw)
	assert.Equal(t, "2026-11-22", got[0].Day)
	assert.NotEqual(t, got[0].EventID, got[1].EventID)

	var list struct{ Items []Deposit }
	b.call(key, "GET", path+"/deposits?limit=1", "").into(t, &list)
	require.Len(t, list.Items, 1)
	assert.Equal(t, int64(2), list.Items[0].ID)
	var acc Account
	b.call(key, "GET", path+"/account", "").into(t, &acc)
	assert.Equal(t, Account{Service: "active", Currency: "PLN", FeeBPS: acc.FeeBPS, Deposited: 70_000_000_001, Booked: true, Billed: 5, Balance: 7, House: 2}, acc)
}

func TestTermsAreTheAdministratorsAndRecorded(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	for field, body := range map[string]string{
		"body.prepaid": `{"prepaid":true}`, "body.fee_cpm": `{"fee_bps":0,"fee_cpm":"2"}`,
	} {
		a := b.call(key, "PATCH", path, body)
		require.Equal(t, 422, a.code)
		require.Contains(t, a.problem(t).fields(), field)
	}
	for _, body := range []string{`{"credit":"5"}`, `{"fee_bps":100,"fee_cpm":"2"}`, `{"prepaid":true,"credit":"-1"}`, `{"fee_bps":0,"fee_cpm":"1001"}`} {
		require.Equal(t, 422, b.call(b.admin, "PATCH", path, body).code, body)
	}
	require.Empty(t, b.recorded())
	a := b.call(b.admin, "PATCH", path, `{"prepaid":true,"credit":"5","fee_bps":0,"fee_cpm":"2"}`)
	require.Equal(t, 200, a.code, a.body)
	require.Equal(t, 200, b.call(key, "PATCH", path, `{"name":"Other"}`).code, "what the shop may change goes on")
	got := b.recorded()
	require.Len(t, got, 1, "the name is none of the terms")
	assert.Equal(t, events.TermsPrepaid, got[0].Reason)
	assert.Equal(t, 5*money.NanoUnit, int(got[0].LimitTotal))
	require.Equal(t, 200, b.call(b.admin, "PATCH", path, `{"prepaid":false,"credit":"0","active":false}`).code)
	require.Equal(t, events.TermsInvoiced, b.recorded()[1].Reason)
	var acc Account
	b.call(key, "GET", path+"/account", "").into(t, &acc)
	assert.Equal(t, "paused", acc.Service)
}

func TestStatement(t *testing.T) {
	reports := &fakeReports{}
	b := start(t, func(_ *Config, d *Deps) { d.Reports = reports })
	path, key := b.shop()
	a := b.call(key, "GET", path+"/statement?month=2026-10", "")
	require.Equal(t, 200, a.code, a.body)
	var st Statement
	a.into(t, &st)
	require.Equal(t, "2026-10", st.Month)
	require.Equal(t, "4.000000001", st.Rows[0].Media)
	a = b.call(key, "GET", path+"/statement?format=csv", "")
	require.Equal(t, 200, a.code, a.body)
	require.Equal(t, "text/csv; charset=utf-8", a.header.Get("Content-Type"))
	require.Contains(t, a.header.Get("Content-Disposition"), "statement-1-2026-11.csv")
	require.Equal(t, "shop,month,currency,opening_balance,deposits,media_cost,fee,billed,closing_balance,house,wins,house_wins,clicks,click_cost,house_clicks\n"+
		"1,2026-11,PLN,1,10,4.000000001,0.4,4.400000001,6.599999999,0.5,9,1,3,3,2\n", a.body)
	require.Equal(t, 422, b.call(key, "GET", path+"/statement?month=2026-13", "").code)
	a = b.call(key, "GET", path+"/statements/2026-10", "")
	require.Equal(t, 200, a.code, a.body)
	a.into(t, &st)
	require.Equal(t, "2026-10", st.Month)
	a = b.call(key, "GET", path+"/statements/2026-10?format=csv", "")
	require.Contains(t, a.header.Get("Content-Disposition"), "statement-1-2026-10.csv")
	a = b.call(key, "GET", path+"/statements/2026-13", "")
	require.Equal(t, 422, a.code)
	require.Contains(t, a.problem(t).fields(), "path.month")
	reports.err = context.DeadlineExceeded
	require.Equal(t, 503, b.call(key, "GET", path+"/statement", "").code)
}
