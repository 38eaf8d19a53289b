package check

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/prebid/openrtb/v20/openrtb2"
)

// macros are what an exchange replaces (4.4).
func isMacro(name string) bool {
	switch name {
	case "AUCTION_ID", "AUCTION_BID_ID", "AUCTION_IMP_ID", "AUCTION_SEAT_ID", "AUCTION_AD_ID", "AUCTION_PRICE",
		"AUCTION_CURRENCY", "AUCTION_MBR", "AUCTION_LOSS", "AUCTION_MIN_TO_WIN", "AUCTION_MULTIPLIER", "AUCTION_IMP_TS":
		return true
	}
	return false
}

// urls judges the notice URLs and every macro. Markup may hold other things
// in ${}, such as a script's own, so there only AUCTION names are judged.
func (j *judge) urls(b openrtb2.Bid) {
	for _, u := range []struct{ name, value string }{{"nurl", b.NURL}, {"burl", b.BURL}, {"lurl", b.LURL}, {"iurl", b.IURL}} {
		if u.value == "" {
			continue
		}
		plain := j.macros(u.name, u.value, true)
		p, err := url.Parse(plain)
		if err != nil || p.Host == "" || (p.Scheme != "http" && p.Scheme != "https") || strings.ContainsAny(plain, " \t\r\n\"<>") {
			j.add(RuleURL, "%s %q is not an absolute http(s) URL", u.name, clip(u.value))
		}
	}
	j.macros("adm", b.AdM, false)
	if !strings.Contains(b.NURL+b.BURL+b.AdM, "${AUCTION_PRICE") {
		j.add(RuleMacro, "no ${AUCTION_PRICE} in nurl, burl or adm: nothing could settle")
	}
}

// macros reports bad macros in s and returns s with each replaced by "1".
func (j *judge) macros(field, s string, strict bool) string {
	if strings.Contains(strings.ToUpper(s), "%24%7BAUCTION") || strings.Contains(s, "&#36;{AUCTION") {
		j.add(RuleMacro, "%s has an escaped macro, which no exchange replaces", field)
	}
	var out strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:i])
		s = s[i+2:]
		end := strings.IndexByte(s, '}')
		ours := strict || strings.HasPrefix(s, "AUCTION")
		if end < 0 {
			if ours {
				j.add(RuleMacro, "%s has a macro without its closing brace", field)
			}
			return out.String()
		}
		name, _, _ := strings.Cut(s[:end], ":")
		if ours && !isMacro(name) {
			j.add(RuleMacro, "%s has the unknown macro ${%s}", field, clip(s[:end]))
		}
		out.WriteByte('1')
		s = s[end+1:]
	}
}

// insecure finds plain http, other than in the names of XML namespaces.
var insecure = regexp.MustCompile(`(?i)http:(\\?/){2}[^"'\s<>]*`)

// secure is about assets and markup (3.2.4). Notices go from server to server;
// an exchange that wants them secure too says so by an option.
func (j *judge) secure(b *Bid, imp obj) {
	if imp.intOr("secure", 0) != 1 {
		return
	}
	type field struct{ name, value string }
	fields := []field{{"adm", b.AdM}, {"iurl", b.IURL}}
	if j.opt.SecureNotices {
		fields = append(fields, field{"nurl", b.NURL}, field{"burl", b.BURL}, field{"lurl", b.LURL})
	}
	for _, f := range fields {
		for _, u := range insecure.FindAllString(f.value, -1) {
			if !strings.HasPrefix(u, "http://www.w3.org/") && !strings.HasPrefix(u, "http://www.iab.com/VAST") {
				j.add(RuleSecure, "%s has %q", f.name, clip(u))
				break
			}
		}
	}
}

// clip keeps a message readable.
func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
