package creatives

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	nethtml "golang.org/x/net/html"
)

// hostile are texts that a shop's feed might hold, each with a trick.
var hostile = map[string]string{
	"script":          `</script><script>alert(1)</script>`,
	"style end":       `</style><img src=x onerror=alert(1)>`,
	"double quote":    `" onmouseover="alert(1)`,
	"single quote":    `' onmouseover='alert(1)`,
	"cdata end":       `]]><script>alert(1)</script>`,
	"comment":         `--><script>alert(1)</script><!--`,
	"entity":          `&lt;script&gt; &#60;b&#62; &amp;`,
	"price macro":     `${AUCTION_PRICE} %%WINNING_PRICE%%`,
	"control":         "a\x00b\x01c\x1bd\x7fe\nf\tg",
	"c1 control":      "a\u0085b\u009bc",
	"direction":       "abc\u202Edcba\u2066x\u2069\u202C",
	"hebrew":          "כיסא נוח",
	"invalid utf-8":   "ab\xff\xc3(\xed\xa0\x80\xf0\x9f",
	"line separators": "a\u2028b\u2029c",
	"noncharacter":    "a\uFFFEb\uFFFFc",
	"json":            `\"},"x":{"y":"\u0000`,
	"javascript":      `javascript:alert(1)`,
	"polish":          `Żółć, łoś & „cudzysłów”`,
	"emoji":           "🛋️ sofa 👨‍👩‍👧",
	"template":        "{{.Secret}} `${x}`",
}

func TestAppendTextHTML(t *testing.T) {
	for name, in := range hostile {
		t.Run(name, func(t *testing.T) {
			out := string(appendText(nil, in, 0, html))
			require.True(t, utf8.ValidString(out))
			require.NotContains(t, out, "<")
			require.NotContains(t, out, ">")
			require.NotContains(t, out, `"`)
			require.NotContains(t, out, "'")
			require.NotContains(t, out, "${")
			require.NotContains(t, out, "%%")
			// A browser reads it back as the same text, but for what was removed.
			doc, err := nethtml.Parse(strings.NewReader(`<p title="` + out + `">` + out + `</p>`))
			require.NoError(t, err)
			require.Equal(t, 1, countTags(doc, "p"))
			require.Zero(t, countTags(doc, "script")+countTags(doc, "img")+countTags(doc, "b"))
		})
	}
}

func TestAppendTextKeepsGoodText(t *testing.T) {
	tests := map[string]struct {
		in, html, quoted string
		max              int
	}{
		"plain":            {in: "Sofa 3-osobowa", html: "Sofa 3-osobowa", quoted: "Sofa 3-osobowa"},
		"polish":           {in: "Żółta łódź", html: "Żółta łódź", quoted: "Żółta łódź"},
		"markup":           {in: `<b>"A" & 'B'</b>`, html: "&lt;b&gt;&#34;A&#34; &amp; &#39;B&#39;&lt;/b&gt;", quoted: `\u003cb\u003e\"A\" \u0026 'B'\u003c/b\u003e`},
		"percent":          {in: "50% taniej", html: "50% taniej", quoted: "50% taniej"},
		"dollar":           {in: "$5", html: "$5", quoted: "$5"},
		"macro":            {in: "${X}", html: "&#36;{X}", quoted: `\u0024{X}`},
		"hebrew":           {in: "כיסא", html: "כיסא", quoted: "כיסא"},
		"override dropped": {in: "a\u202Eb", html: "ab", quoted: "ab"},
		"newline":          {in: "a\nb", html: "a b", quoted: "a b"},
		"invalid":          {in: "a\xffb", html: "a\uFFFDb", quoted: "a\uFFFDb"},
		"cut on a rune":    {in: "żółty fotel", max: 4, html: "żół…", quoted: "żół…"},
		"cut drops space":  {in: "żółty fotel", max: 7, html: "żółty…", quoted: "żółty…"},
		"exactly fits":     {in: "żółty", max: 5, html: "żółty", quoted: "żółty"},
		"cut to one":       {in: "żółty", max: 1, html: "…", quoted: "…"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.html, string(appendText(nil, tc.in, tc.max, html)))
			require.Equal(t, tc.quoted, string(appendText(nil, tc.in, tc.max, quoted)))
		})
	}
}

func FuzzAppendText(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 0)
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = limit & 255
		out := string(appendText(nil, s, limit, html))
		require.True(t, utf8.ValidString(out))
		require.False(t, strings.ContainsAny(out, "<>\"'\x00\n"), out)
		var back string
		require.NoError(t, json.Unmarshal([]byte(`"`+string(appendText(nil, s, limit, quoted))+`"`), &back))
		if limit > 0 {
			require.LessOrEqual(t, utf8.RuneCountInString(back), limit)
		}
	})
}

func TestAssets(t *testing.T) {
	open, secure := &Links{AssetBase: "http://127.0.0.1:8080/assets"}, &Links{AssetBase: "http://127.0.0.1:8080/assets", Secure: true}
	tests := map[string]struct {
		in, open, secure string
	}{
		"https":            {"https://a.example/x.jpg", "https://a.example/x.jpg", "https://a.example/x.jpg"},
		"http upgraded":    {"http://a.example/x.jpg?a=1&b=2", "https://a.example/x.jpg?a=1&amp;b=2", "https://a.example/x.jpg?a=1&amp;b=2"},
		"upper case":       {"HTTP://a.example/x", "https://a.example/x", "https://a.example/x"},
		"scheme-relative":  {"//a.example/x", "https://a.example/x", "https://a.example/x"},
		"loopback":         {"http://127.0.0.1:8092/i.svg", "http://127.0.0.1:8092/i.svg", "https://127.0.0.1:8092/i.svg"},
		"localhost":        {"http://localhost/i", "http://localhost/i", "https://localhost/i"},
		"ipv6 loopback":    {"http://[::1]:80/i", "http://[::1]:80/i", "https://[::1]:80/i"},
		"not loopback":     {"http://localhost.evil.example/i", "https://localhost.evil.example/i", "https://localhost.evil.example/i"},
		"under the base":   {"/spot.mp4", "http://127.0.0.1:8080/assets/spot.mp4", "https://127.0.0.1:8080/assets/spot.mp4"},
		"spaces, polish":   {"https://a.example/ł ó.jpg", "https://a.example/%C5%82%20%C3%B3.jpg", "https://a.example/%C5%82%20%C3%B3.jpg"},
		"quotes, brackets": {`https://a.example/"'<>[]{}` + "`", "https://a.example/%22%27%3C%3E%5B%5D%7B%7D%60", "https://a.example/%22%27%3C%3E%5B%5D%7B%7D%60"},
		"macro":            {"https://a.example/?p=${AUCTION_PRICE}", "https://a.example/?p=$%7BAUCTION_PRICE%7D", "https://a.example/?p=$%7BAUCTION_PRICE%7D"},
		"percent macro":    {"https://a.example/%%PRICE%%/%20", "https://a.example/%25%25PRICE%25%25/%20", "https://a.example/%25%25PRICE%25%25/%20"},
		"javascript":       {in: "javascript:alert(1)"},
		"javascript tab":   {in: "java\tscript:alert(1)"},
		"data":             {in: "data:text/html,<script>alert(1)</script>"},
		"ftp":              {in: "ftp://a.example/x"},
		"credentials":      {in: "https://a.example@evil.example/x"},
		"no host":          {in: "https:///x"},
		"host with space":  {in: "https://a b/x"},
		"brackets in host": {in: "https://a]]/x"},
		"open bracket":     {in: "https://[::1/x"},
		"control":          {in: "https://a.example/\x00x"},
		"newline in path":  {in: "/a\nb"},
		"empty":            {},
		"relative":         {in: "x.jpg"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				l    *Links
				want string
			}{{open, tc.open}, {secure, tc.secure}} {
				got, ok := c.l.appendAsset([]byte("x"), tc.in, true)
				require.Equal(t, c.want != "", ok)
				require.Equal(t, "x"+c.want, string(got))
			}
		})
	}
}

func TestClickURL(t *testing.T) {
	l := testLinks()
	require.Equal(t, string(l.ClickURL)+"&p=fotel%202%2F%C5%BC%C3%B3%C5%82ty", string(l.appendClick(nil, "fotel 2/żółty", false)))
	require.Equal(t, string(l.ClickURL), string(l.appendClick(nil, "", false)))
	l.ClickMacro = "${CLICK_URL}"
	require.Equal(t, "${CLICK_URL}"+string(l.ClickURL)+"&amp;p=a%22b", string(l.appendClick(nil, `a"b`, true)))
	l.ClickMacro, l.ClickEncode, l.ClickURL = "%%CLICK_URL_UNESC%%", true, []byte("https://d.example/c?t=1")
	require.Equal(t, "%%CLICK_URL_UNESC%%https%3A%2F%2Fd.example%2Fc%3Ft%3D1%26p%3Da%2520b", string(l.appendClick(nil, "a b", true)))
}

func TestAppendCDATA(t *testing.T) {
	for _, in := range []string{"", "a", "]]>", "a]]>b", "]]]>", "]]>]]>", "]]", "]>"} {
		var got struct {
			V string `xml:",chardata"`
		}
		decodeXML(t, append(append([]byte("<a>"), appendCDATA(nil, in)...), "</a>"...), &got)
		require.Equal(t, in, got.V)
	}
}

func TestPrices(t *testing.T) {
	const sp = "\u00a0"
	tests := map[string]struct {
		nano int64
		cur  string
		want string
	}{
		"zloty":           {1_299_990_000_000, "PLN", "1" + sp + "299,99" + sp + "zł"},
		"whole zloty":     {749_000_000_000, "PLN", "749" + sp + "zł"},
		"million":         {1_234_567_000_000_000, "PLN", "1" + sp + "234" + sp + "567" + sp + "zł"},
		"dollar":          {1_299_900_000_000, "USD", "$1,299.90"},
		"euro":            {5_050_000_000, "EUR", "5,05" + sp + "€"},
		"yen":             {1_234_500_000_000, "JPY", "¥1,235"},
		"half rounds up":  {1_005_000_000, "USD", "$1.01"},
		"other currency":  {2_500_000_000, "CHF", "2.50" + sp + "CHF"},
		"negative is nil": {-1, "PLN", "0" + sp + "zł"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := mustCurrency(tc.cur)
			require.Equal(t, tc.want, string(AppendPrice(nil, nano(tc.nano), c)))
		})
	}
}
