package feed

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

func knownSofa() *campaigns.Product {
	const zl = money.Nano(money.NanoUnit)
	return &campaigns.Product{ID: "s1", Title: "Sofa", Category: "Meble > Sofy", Brand: "Lipa", URL: "https://x.example/s1", ImageURL: "https://x.example/s1.jpg",
		Price: 899 * zl, ListPrice: 999 * zl, Lowest30: 949 * zl, Currency: money.MustCurrency("PLN"), Available: true, GTIN: "5901234123457", Group: "g", MarginBPS: 3500, MarginClass: "A",
		Labels: []string{"", "lato"}}
}

// deltaOf reads one row and applies it.
func deltaOf(t *testing.T, text string, old *campaigns.Product) (Delta, campaigns.Product, string) {
	t.Helper()
	var got []Delta
	_, err := ReadDelta(t.Context(), strings.NewReader(text), Options{Currency: money.MustCurrency("PLN")}, func(d Delta) error { got = append(got, d); return nil })
	require.NoError(t, err)
	require.Len(t, got, 1)
	p, column, reason := got[0].Apply(old)
	return got[0], p, strings.TrimSpace(column + " " + reason)
}

func TestDeltaChangesWhatItNames(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want func(p *campaigns.Product)
	}{
		"nothing":        {`{"id":"s1"}`, func(*campaigns.Product) {}},
		"stock":          {"id,availability\ns1,out of stock\n", func(p *campaigns.Product) { p.Available = false }},
		"price, no sale": {"id;price\ns1;1 049,00 zł\n", func(p *campaigns.Product) { p.Price, p.ListPrice, p.Lowest30 = 1049*money.NanoUnit, 0, 0 }},
		"price and sale": {`{"id":"s1","price":"999","sale_price":"799","lowest_price_30d":"899"}`, func(p *campaigns.Product) {
			p.Price, p.ListPrice, p.Lowest30 = 799*money.NanoUnit, 999*money.NanoUnit, 899*money.NanoUnit
		}},
		"title":           {"id\ttitle\ns1\tKanapa\n", func(p *campaigns.Product) { p.Title = "Kanapa" }},
		"margin as share": {`{"id":"s1","margin":0.2}`, func(p *campaigns.Product) { p.MarginBPS = 2000 }},
		"a label":         {`{"id":"s1","custom_label_0":"hit"}`, func(p *campaigns.Product) { p.Labels = []string{"hit", "lato"} }},
	} {
		t.Run(name, func(t *testing.T) {
			_, got, problem := deltaOf(t, c.text, knownSofa())
			require.Empty(t, problem)
			want := *knownSofa()
			c.want(&want)
			require.Equal(t, want, got)
		})
	}
}

func TestDeltaRefusals(t *testing.T) {
	d, _, _ := deltaOf(t, `{"id":"s1","deleted":true}`, knownSofa())
	require.True(t, d.Deleted)
	_, _, problem := deltaOf(t, `{"id":"new","price":"10"}`, nil)
	require.Contains(t, problem, "the row must be whole")
	_, _, problem = deltaOf(t, `{"id":"s1","price":"ten"}`, knownSofa())
	require.Contains(t, problem, "price")
	report, err := ReadDelta(t.Context(), strings.NewReader("id,deleted\n,true\ns1,perhaps\n"), Options{}, func(Delta) error { t.Error("taken"); return nil })
	require.NoError(t, err)
	require.Equal(t, 2, report.Rejected)
	require.Equal(t, 3, report.Bad[1].Line)
}

func TestExtras(t *testing.T) {
	var got campaigns.Product
	text := "id,title,link,price,sale_price,omnibus_price,ean,item_group_id,margin,margin_class,custom_label_2\n" +
		"a,T,https://x.example/a,100.00,80.00,90.00,5901234123457,g1,35%,B,zima\n"
	_, err := Read(t.Context(), strings.NewReader(text), Options{Currency: money.MustCurrency("PLN")}, func(p campaigns.Product) error { got = p; return nil })
	require.NoError(t, err)
	require.Equal(t, 80*money.Nano(money.NanoUnit), got.Price)
	require.Equal(t, 100*money.Nano(money.NanoUnit), got.ListPrice)
	require.Equal(t, 90*money.Nano(money.NanoUnit), got.Lowest30)
	require.Equal(t, 11, got.Discount())
	require.Equal(t, []any{"5901234123457", "g1", int64(3500), "B"}, []any{got.GTIN, got.Group, got.MarginBPS, got.MarginClass})
	require.Equal(t, []string{"", "", "zima"}, got.Labels)
	report, err := Read(t.Context(), strings.NewReader(strings.Replace(text, "35%", "much", 1)), Options{Currency: money.MustCurrency("PLN")}, func(campaigns.Product) error { return nil })
	require.NoError(t, err)
	require.Equal(t, "margin", report.Bad[0].Column)
}

func FuzzDelta(f *testing.F) {
	f.Add(`{"id":"s1","price":"9","deleted":false}`)
	f.Add("id,availability\ns1,out of stock\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = ReadDelta(t.Context(), strings.NewReader(text), Options{Currency: money.MustCurrency("PLN"), MaxRow: 4096}, func(d Delta) error {
			if p, _, reason := d.Apply(knownSofa()); reason == "" && (p.ID != d.ID || p.Price < 0 || p.Title == "") {
				t.Fatalf("%q made %+v", text, p)
			}
			return nil
		})
	})
}
