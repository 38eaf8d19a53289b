package feed

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
	"github.com/stretchr/testify/require"
)

var pln = money.MustCurrency("PLN")

// sofa is what every format's sample says.
var sofa = campaigns.Product{ID: "s-1", Title: "Sofa Nordvik, szara", Category: "Meble > Sofy", Brand: "Nordvik", URL: "https://meble.example/p/s-1?a=1&b=2",
	ImageURL: "https://meble.example/i/s-1.jpg", Price: 1_299_990_000_000, Currency: pln, Available: true}

// lamp is the second row: out of stock and without a picture.
var lamp = campaigns.Product{ID: "l-2", Title: `Lampa "Arco"`, Category: "Meble > Lampy", Brand: "Świt", URL: "https://meble.example/p/l-2",
	Price: 89_000_000_000, Currency: pln}

var samples = map[Format]string{
	CSV: "id;title;link;image_link;price;availability;brand;product_type\n" +
		"s-1;Sofa Nordvik, szara;http://meble.example/p/s-1?a=1&b=2;http://meble.example/i/s-1.jpg;1299,99 PLN;in stock;Nordvik;Meble > Sofy\n" +
		"l-2;\"Lampa \"\"Arco\"\"\";https://meble.example/p/l-2;;89;out of stock;Świt;Meble>Lampy\n",
	TSV: "\xef\xbb\xbfid\ttitle\tlink\timage link\tprice\tavailability\tbrand\tgoogle_product_category\tproduct_type\r\n" +
		"s-1\tSofa Nordvik, szara\thttps://meble.example/p/s-1?a=1&b=2\thttps://meble.example/i/s-1.jpg\t1299.99 PLN\tin_stock\tNordvik\t460\tMeble > Sofy\r\n" +
		"l-2\t\"Lampa \"\"Arco\"\"\"\thttps://meble.example/p/l-2\t\t89 PLN\tout_of_stock\tŚwit\t\tMeble > Lampy\r\n",
	Google: `<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Meble</title><link>https://meble.example</link>
<item><g:id>s-1</g:id><title>Sofa Nordvik, szara</title><link>https://meble.example/p/s-1?a=1&amp;b=2</link><g:image_link>https://meble.example/i/s-1.jpg</g:image_link>
<g:price>1299.99 PLN</g:price><g:availability>in_stock</g:availability><g:brand>Nordvik</g:brand><g:product_type>Meble &gt; Sofy</g:product_type><g:shipping><g:price>19.99 PLN</g:price></g:shipping></item>
<item><g:id>l-2</g:id><g:title><![CDATA[Lampa "Arco"]]></g:title><g:link>https://meble.example/p/l-2</g:link><g:shipping><g:price>5 EUR</g:price></g:shipping><g:price>89.00 PLN</g:price><g:availability>preorder</g:availability><g:brand>Świt</g:brand><g:product_type>Meble &gt; Lampy</g:product_type></item>
</channel></rss>`,
	Ceneo: `<?xml version="1.0" encoding="utf-8"?><offers xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="1"><group name="other">
<o id="s-1" url="http://meble.example/p/s-1?a=1&amp;b=2" price="1299.99" avail="1" stock="4"><cat><![CDATA[Meble/Sofy]]></cat><name><![CDATA[Sofa Nordvik, szara]]></name>
<imgs><main url="http://meble.example/i/s-1.jpg"/><i url="http://meble.example/i/s-1b.jpg"/></imgs><desc><![CDATA[<b>x</b>]]></desc><attrs><a name="Producent"><![CDATA[Nordvik]]></a><a name="EAN">590</a></attrs></o>
<o id="l-2" url="https://meble.example/p/l-2" price="89" avail="99"><cat>Meble/Lampy</cat><name>Lampa &quot;Arco&quot;</name><attrs><a name="Producent">Świt</a></attrs></o></group></offers>`,
	JSON: `{"version":1,"products":[{"id":"s-1","title":"Sofa Nordvik, szara","link":"https://meble.example/p/s-1?a=1&b=2","image_link":"https://meble.example/i/s-1.jpg","price":{"value":"1299.99","currency":"PLN"},"availability":"in stock","brand":"Nordvik","product_type":["Meble > Sofy"]},
{"id":"l-2","title":"Lampa \"Arco\"","url":"https://meble.example/p/l-2","image_url":null,"price":89,"available":false,"brand":"Świt","category":"Meble > Lampy"}]}`,
	JSONL: `{"id":"s-1","title":"Sofa Nordvik, szara","url":"https://meble.example/p/s-1?a=1&b=2","image_url":"https://meble.example/i/s-1.jpg","price":"1299.99","currency":"PLN","available":true,"brand":"Nordvik","category":"Meble > Sofy"}

{"id":"l-2","title":"Lampa \"Arco\"","url":"https://meble.example/p/l-2","price":89.00,"available":"false","brand":"Świt","category":"Meble > Lampy"}`,
}

func read(t *testing.T, in string, o Options) ([]campaigns.Product, Report, error) {
	t.Helper()
	var out []campaigns.Product
	rep, err := Read(t.Context(), strings.NewReader(in), o, func(p campaigns.Product) error {
		out = append(out, p)
		return nil
	})
	require.Equal(t, rep.Rows, rep.Accepted+rep.Rejected)
	require.Equal(t, rep.Accepted, len(out))
	require.Equal(t, rep.Rejected, len(rep.Bad)+rep.MoreBad)
	return out, rep, err
}

func TestFormats(t *testing.T) {
	for f, in := range samples {
		for name, o := range map[string]Options{"explicit": {Format: f, Currency: pln}, "detected": {Currency: pln}} {
			t.Run(string(f)+"/"+name, func(t *testing.T) {
				got, rep, err := read(t, in, o)
				require.NoError(t, err)
				require.Empty(t, rep.Bad)
				require.Equal(t, []campaigns.Product{sofa, lamp}, got)
				require.Equal(t, Report{Format: f, Bytes: int64(len(in)), Rows: 2, Accepted: 2, Unavailable: 1, NoImage: 1}, rep)
			})
		}
		t.Run(string(f)+"/gzip", func(t *testing.T) {
			got, rep, err := read(t, string(zip(t, in)), Options{Currency: pln})
			require.NoError(t, err)
			require.True(t, rep.Gzip)
			require.Equal(t, []campaigns.Product{sofa, lamp}, got)
		})
	}
}

func zip(t testing.TB, s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, s)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

func TestAtom(t *testing.T) {
	in := `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>x</title><entry><g:id>s-1</g:id><title>Sofa</title>
<link rel="self" href="https://meble.example/self"/><link rel="alternate" href="https://meble.example/p/s-1"/><g:price>12.50 PLN</g:price></entry></feed>`
	got, rep, err := read(t, in, Options{})
	require.NoError(t, err)
	require.Empty(t, rep.Bad)
	require.Equal(t, "https://meble.example/p/s-1", got[0].URL)
	require.True(t, got[0].Available)
}

func TestOtherEncodings(t *testing.T) {
	in := "<?xml version=\"1.0\" encoding=\"iso-8859-2\"?><offers><o id=\"1\" url=\"https://a.example/1\" price=\"5\"><name>\xa3\xf3d\xbc</name></o></offers>"
	got, _, err := read(t, in, Options{})
	require.NoError(t, err)
	require.Equal(t, "Łódź", got[0].Title)
	_, _, err = read(t, strings.Replace(in, "iso-8859-2", "klingon", 1), Options{})
	require.ErrorIs(t, err, ErrSyntax)
	_, _, err = read(t, "\xff\xfei\x00d\x00", Options{})
	require.ErrorContains(t, err, "UTF-16")
}

// TestBadRows says for each fault which line, column and reason is reported;
// the good row after it is read all the same.
func TestBadRows(t *testing.T) {
	const head = "id,title,link,image_link,price,availability,sale_price,currency\n"
	const good = "ok,Dobry,https://a.example/ok,,5 PLN,,,\n"
	tests := map[string]struct {
		row, column, reason string
	}{
		"no id":                {`,T,https://a.example/,,5,,,`, "id", "is missing"},
		"control in id":        {"a\x01b,T,https://a.example/,,5,,,", "id", "control character"},
		"long id":              {strings.Repeat("x", 200) + `,T,https://a.example/,,5,,,`, "id", "longer than 128"},
		"no title":             {`1,"  ",https://a.example/,,5,,,`, "title", "is missing"},
		"title not UTF-8":      {"1,\xff,https://a.example/,,5,,,", "title", "is not UTF-8"},
		"no link":              {`1,T,,,5,,,`, "link", "is missing"},
		"javascript link":      {`1,T,javascript:alert(1),,5,,,`, "link", "is not an https URL"},
		"relative link":        {`1,T,/p/1,,5,,,`, "link", "is not an https URL"},
		"link without host":    {`1,T,https:///p,,5,,,`, "link", "without a host"},
		"link with user":       {`1,T,https://a@b.example/,,5,,,`, "link", "user name"},
		"image not a URL":      {`1,T,https://a.example/,ftp://x,5,,,`, "image_link", "is not an https URL"},
		"no price":             {`1,T,https://a.example/,,,,,`, "price", "is missing"},
		"zero price":           {`1,T,https://a.example/,,0.00,,,`, "price", "is not above zero"},
		"negative price":       {`1,T,https://a.example/,,-5,,,`, "price", "is not a price"},
		"words for a price":    {`1,T,https://a.example/,,ask us,,,`, "price", "unknown currency"},
		"ambiguous price":      {`1,T,https://a.example/,,"1,299",,,`, "price", "is ambiguous"},
		"other currency":       {`1,T,https://a.example/,,5 EUR,,,`, "price", "is in EUR, the shop's currency is PLN"},
		"bad currency":         {`1,T,https://a.example/,,5,,,zlote`, "currency", "not a three-letter currency code"},
		"bad sale price":       {`1,T,https://a.example/,,5,,x5x,`, "sale_price", "unknown currency"},
		"strange availability": {`1,T,https://a.example/,,5,maybe,,`, "availability", "is not known"},
		"too many columns":     {`1,T,https://a.example/,,5,,,,,,`, "", "11 columns, the header 8"},
		"twice":                {good[:len(good)-1], "id", "was there before"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			in := head + tc.row + "\n" + good
			if name == "twice" {
				in = head + good + tc.row + "\n"
			}
			got, rep, err := read(t, in, Options{Currency: pln})
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.Equal(t, "ok", got[0].ID)
			require.Len(t, rep.Bad, 1)
			want := 2
			if name == "twice" {
				want = 3
				require.Equal(t, 1, rep.Duplicates)
			}
			require.Equal(t, want, rep.Bad[0].Line)
			require.Equal(t, tc.column, rep.Bad[0].Column)
			require.Contains(t, rep.Bad[0].Reason, tc.reason)
		})
	}
}

func TestBadRowLinesInEveryFormat(t *testing.T) {
	tests := map[Format]struct {
		in   string
		line int
	}{
		CSV:    {"id,title,link,price\n1,\"two\nlines\",https://a.example/,5\n2,T,https://a.example/,0\n", 4},
		TSV:    {"id\ttitle\tlink\tprice\n\n1\tT\thttps://a.example/\t5\n2\tT\thttps://a.example/\t0\n", 4},
		Google: {"<rss><channel>\n<item>\n<id>1</id><title>T</title><link>https://a.example/</link><price>5</price></item>\n\n<item><id>2</id>\n<title>T</title><link>https://a.example/</link><price>0</price></item></channel></rss>", 5},
		Ceneo:  {"<offers>\n<o id=\"1\" url=\"https://a.example/\" price=\"5\"><name>T</name></o>\n<o id=\"2\" url=\"https://a.example/\" price=\"0\">\n<name>T</name></o></offers>", 3},
		JSON:   {"[\n{\"id\":1,\"title\":\"T\",\n\"link\":\"https://a.example/\",\"price\":5},\n{\"id\":2,\"title\":\"T\",\n\"link\":\"https://a.example/\",\"price\":0}\n]", 4},
		JSONL:  {"{\"id\":1,\"title\":\"T\",\"link\":\"https://a.example/\",\"price\":5}\n\n{\"id\":2,\"title\":\"T\",\"link\":\"https://a.example/\",\"price\":0}", 3},
	}
	for f, tc := range tests {
		t.Run(string(f), func(t *testing.T) {
			got, rep, err := read(t, tc.in, Options{Currency: pln})
			require.NoError(t, err)
			require.Equal(t, f, rep.Format)
			require.Len(t, got, 1)
			require.Equal(t, []BadRow{{Line: tc.line, Column: "price", ID: "2", Reason: "is not above zero"}}, rep.Bad)
		})
	}
}

func TestBrokenJSONLines(t *testing.T) {
	in := `{"id":1,"title":"T","link":"https://a.example/1","price":5}` + "\n{broken\n[1]\n" + `{"id":2,"title":{"a":1},"link":"https://a.example/2","price":5}` + "\n" + `{"id":3,"title":"T","link":"https://a.example/3","price":5}`
	got, rep, err := read(t, in, Options{Currency: pln})
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, []int{2, 3, 4}, []int{rep.Bad[0].Line, rep.Bad[1].Line, rep.Bad[2].Line})
	require.Equal(t, "title", rep.Bad[2].Column)
}

func TestPrices(t *testing.T) {
	tests := map[string]struct {
		in, want, cur, reason string
	}{
		"google":            {in: "129.99 PLN", want: "129.99", cur: "PLN"},
		"code first":        {in: "PLN 129.99", want: "129.99", cur: "PLN"},
		"polish":            {in: "1 299,99 zł", want: "1299.99", cur: "PLN"},
		"no-break space":    {in: "1\u00a0299,9\u00a0zł", want: "1299.90", cur: "PLN"},
		"american":          {in: "$1,299.99", want: "1299.99", cur: "USD"},
		"german":            {in: "1.299,99 €", want: "1299.99", cur: "EUR"},
		"whole":             {in: "89", want: "89.00"},
		"millions":          {in: "1.299.000 PLN", want: "1299000.00", cur: "PLN"},
		"three decimals":    {in: "0,125", want: "0.125"},
		"point, thousandth": {in: "1.299", want: "1.299"},
		"float":             {in: "12.5", want: "12.50"},
		"ambiguous":         {in: "1,299", reason: "ambiguous"},
		"strange order":     {in: "1,299.00,5", reason: "strange order"},
		"only a point":      {in: ".", reason: "is not a price"},
		"two currencies":    {in: "5 PLN EUR", reason: "unknown currency"},
		"exponent":          {in: "1e3", reason: "unknown currency"},
		"out of range":      {in: "99999999999", reason: "is not a price"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			v, cur, why := parsePrice(tc.in)
			if tc.reason != "" {
				require.Contains(t, why, tc.reason)
				return
			}
			require.Empty(t, why)
			require.Equal(t, tc.want, v.String())
			require.Equal(t, tc.cur, cur.String())
		})
	}
}

func TestSalePrice(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		sale, dates, want string
	}{
		"none":        {"", "", "100.00"},
		"always":      {"80 PLN", "", "80.00"},
		"now":         {"80 PLN", "2026-11-01T00:00:00+01:00/2026-12-01T00:00:00+01:00", "80.00"},
		"over":        {"80 PLN", "2026-10-01T00:00+0100/2026-11-01T00:00+0100", "100.00"},
		"bad dates":   {"80 PLN", "soon", "100.00"},
		"dearer":      {"180 PLN", "", "100.00"},
		"other money": {"8 EUR", "", "100.00"},
		"no currency": {"80", "", "80.00"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			in := "id\ttitle\tlink\tprice\tsale_price\tsale_price_effective_date\n1\tT\thttps://a.example/\t100 PLN\t" + tc.sale + "\t" + tc.dates + "\n"
			got, rep, err := read(t, in, Options{Currency: pln, Now: now})
			require.NoError(t, err)
			require.Empty(t, rep.Bad)
			require.Equal(t, tc.want, got[0].Price.String())
		})
	}
}

func TestURLs(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"https":         {"https://a.example/x", "https://a.example/x"},
		"upgraded":      {"http://a.example:80/x", "https://a.example/x"},
		"loopback":      {"http://127.0.0.1:8092/x", "http://127.0.0.1:8092/x"},
		"localhost":     {"http://localhost:8092/x", "http://localhost:8092/x"},
		"ipv6 loopback": {"http://[::1]:8092/x", "http://[::1]:8092/x"},
		"relative":      {"//a.example/x", "https://a.example/x"},
		"polish":        {"https://a.example/żółć ó", "https://a.example/%C5%BC%C3%B3%C5%82%C4%87%20%C3%B3"},
		"upper case":    {"HTTPS://a.example/x", "https://a.example/x"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, why := cleanURL(tc.in)
			require.Empty(t, why)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestFeedsThatCannotBeRead(t *testing.T) {
	bomb := `<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><rss><channel><item><title>&b;</title></item></channel></rss>`
	row := "1\tT\thttps://a.example/\t5\n"
	head := "id\ttitle\tlink\tprice\n"
	tests := map[string]struct {
		in   string
		o    Options
		want error
		text string
	}{
		"empty":                {"", Options{}, ErrFormat, "empty"},
		"not a feed":           {"hello", Options{}, ErrFormat, "neither XML"},
		"a web page":           {"<html><body>404</body></html>", Options{}, ErrFormat, "neither Google"},
		"entity bomb":          {bomb, Options{}, ErrSyntax, "document type"},
		"external entity":      {`<!DOCTYPE x SYSTEM "file:///etc/passwd"><offers></offers>`, Options{}, ErrSyntax, "document type"},
		"unknown entity":       {`<offers><o id="1"><name>&xxe;</name></o></offers>`, Options{}, ErrSyntax, "entity"},
		"nested too deep":      {"<rss>" + strings.Repeat("<a>", 40), Options{}, ErrSyntax, "deeper"},
		"cut xml":              {"<rss><channel><item><id>1</id>", Options{}, ErrSyntax, "line 1"},
		"cut json":             {`[{"id":1}`, Options{}, ErrSyntax, "json"},
		"json without a list":  {`{"products":5}`, Options{Format: JSON}, ErrSyntax, "not an array"},
		"header lacks columns": {"id,title\n1,2\n", Options{}, ErrSyntax, "no column link, price"},
		"cut gzip":             {string(zip(t, head+row)[:20]), Options{}, io.ErrUnexpectedEOF, ""},
		"too many bytes":       {head + strings.Repeat(row, 1000), Options{MaxBytes: 1000}, ErrTooLarge, "1000 bytes"},
		"gzip bomb":            {string(zip(t, head+strings.Repeat("x", 10<<20))), Options{MaxInflated: 1 << 20}, ErrTooLarge, "inflated"},
		"too many products":    {head + strings.ReplaceAll(row+row+row, "1\tT", "%d\tT"), Options{MaxProducts: 2, Currency: pln}, ErrTooMany, "more than 2"},
		"long xml row":         {`<offers><o id="1"><name>` + strings.Repeat("x", 1<<20), Options{MaxRow: 64 << 10}, ErrRowTooLarge, ""},
		"long csv row":         {"id,title,link,price\n1,\"" + strings.Repeat("x\n", 1<<20), Options{MaxRow: 64 << 10}, ErrRowTooLarge, "after line 1"},
		"long json row":        {`[{"id":"` + strings.Repeat("x", 1<<20), Options{MaxRow: 64 << 10}, ErrRowTooLarge, ""},
		"bad format":           {head, Options{Format: "xls"}, nil, `"xls" is none of`},
		"negative bounds":      {head, Options{MaxRow: -1, MaxBytes: -2}, nil, "MaxRow is negative"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			in := tc.in
			if strings.Contains(in, "%d") {
				in = fmt.Sprintf(in, 1, 2, 3)
			}
			_, _, err := read(t, in, tc.o)
			require.Error(t, err)
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
			}
			require.ErrorContains(t, err, tc.text)
		})
	}
}

func TestLongRowsOfLinesAreSkipped(t *testing.T) {
	for f, in := range map[Format]string{
		TSV:   "id\ttitle\tlink\tprice\n1\t" + strings.Repeat("x", 200<<10) + "\thttps://a.example/\t5\n2\tT\thttps://a.example/\t5\n",
		JSONL: `{"id":1,"title":"` + strings.Repeat("x", 200<<10) + "\"}\n" + `{"id":2,"title":"T","link":"https://a.example/","price":5}`,
	} {
		got, rep, err := read(t, in, Options{Format: f, Currency: pln, MaxRow: 100 << 10})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Contains(t, rep.Bad[0].Reason, "longer than")
	}
}

func TestReportIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,title,link,price\n")
	for i := range 500 {
		fmt.Fprintf(&b, "%d,T,https://a.example/,0\n", i)
	}
	_, rep, err := read(t, b.String(), Options{MaxBad: 7, Currency: pln})
	require.NoError(t, err)
	require.Len(t, rep.Bad, 7)
	require.Equal(t, 493, rep.MoreBad)
}

func TestReadStops(t *testing.T) {
	boom := errors.New("disk full")
	n := 0
	rep, err := Read(t.Context(), strings.NewReader(samples[CSV]), Options{Currency: pln}, func(campaigns.Product) error { n++; return boom })
	require.ErrorIs(t, err, boom)
	require.ErrorContains(t, err, `line 2, product "s-1"`)
	require.Equal(t, 1, n)
	require.Zero(t, rep.Accepted)

	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	_, err = Read(ctx, strings.NewReader(big(CSV, 5000)), Options{Currency: pln}, func(campaigns.Product) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, n, 1000)
}
