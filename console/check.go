package console

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones are checked alike on every machine
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"

	"github.com/grosz/grosz/internal/money"
)

// checkText bounds a line of text in characters and refuses control
// characters.
func checkText(p *problems, at, s string, least, most int) {
	n := utf8.RuneCountInString(s)
	switch {
	case strings.TrimSpace(s) == "" && least > 0:
		p.add(at, "is missing")
	case n < least:
		p.add(at, "must have at least %d characters", least)
	case n > most:
		p.add(at, "has %d characters, at most %d are allowed", n, most)
	case strings.ContainsFunc(s, unicode.IsControl):
		p.add(at, "holds a control character")
	}
}

// checkOneOf wants s among the allowed.
func checkOneOf(p *problems, at, s string, allowed ...string) {
	switch {
	case slices.Contains(allowed, s):
	case s == "":
		p.add(at, "is missing; must be one of %s", strings.Join(allowed, ", "))
	default:
		p.add(at, "%q must be one of %s", clip(s), strings.Join(allowed, ", "))
	}
}

// maxURL is the longest URL that is taken, in bytes.
const maxURL = 2048

// checkURL wants an absolute https URL; http is allowed to loopback.
func checkURL(p *problems, at, s string, required bool) {
	if s == "" {
		if required {
			p.add(at, "is missing")
		}
		return
	}
	if len(s) > maxURL {
		p.add(at, "is longer than %d bytes", maxURL)
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		p.add(at, "%q is not a URL", clip(s))
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		p.add(at, "%q must begin with https://", clip(s))
	case u.Scheme != "https" && u.Scheme != "http":
		p.add(at, "%q must begin with https://", clip(s))
	case u.User != nil:
		p.add(at, "must not hold a user name or password")
	case u.Hostname() == "" || u.Opaque != "":
		p.add(at, "%q names no host", clip(s))
	}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

var domainLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// checkDomain wants a host name of at least two labels, in lower case ASCII,
// as bid.adomain carries it.
func checkDomain(p *problems, at, s string) {
	if s == "" {
		p.add(at, "is missing")
		return
	}
	labels := strings.Split(s, ".")
	bad := len(s) > 253 || len(labels) < 2 || !strings.ContainsFunc(labels[len(labels)-1], unicode.IsLetter)
	for _, l := range labels {
		bad = bad || !domainLabel.MatchString(l)
	}
	if bad {
		p.add(at, "%q is not a domain such as shoes.example (international names in punycode)", clip(s))
	}
}

// checkCurrency wants a code of ISO 4217.
func checkCurrency(p *problems, at, s string) money.Currency {
	if s == "" {
		p.add(at, "is missing")
		return money.Currency{}
	}
	unit, err := currency.ParseISO(s)
	if err != nil || unit == currency.XXX || unit == currency.XTS {
		p.add(at, "%q is not a currency code of ISO 4217, such as EUR", clip(s))
		return money.Currency{}
	}
	c, _ := money.ParseCurrency(unit.String())
	return c
}

// checkTimeZone wants an IANA name.
func checkTimeZone(p *problems, at, s string) {
	if s == "" {
		p.add(at, "is missing")
		return
	}
	if _, err := time.LoadLocation(s); err != nil || s == "Local" {
		p.add(at, "%q is not a time zone of the IANA list, such as Europe/Warsaw", clip(s))
	}
}

// checkLanguage wants two letters of ISO 639-1, lower case, or nothing.
func checkLanguage(p *problems, at, s string) {
	if s == "" {
		return
	}
	if base, err := language.ParseBase(s); err != nil || len(s) != 2 || base.String() != s {
		p.add(at, "%q is not a language of ISO 639-1, such as pl", clip(s))
	}
}

// checkRange wants low ≤ v ≤ high.
func checkRange[T int | int64](p *problems, at string, v, low, high T) {
	if v < low || v > high {
		p.add(at, "%d must be from %d to %d", v, low, high)
	}
}

// Times are told from seconds by being after 2001 in milliseconds, and
// bounded where dates stop having four digits.
const (
	minTimeMS = 1_000_000_000_000
	maxTimeMS = 253_402_300_799_999
)

// checkTime wants 0 or a time in ms UTC.
func checkTime(p *problems, at string, ms int64) {
	if ms != 0 && (ms < minTimeMS || ms > maxTimeMS) {
		p.add(at, "%d is not a time in milliseconds since 1970", ms)
	}
}

var categoryID = regexp.MustCompile(`^(IAB[0-9]{1,2}(-[0-9]{1,2})?|[0-9]{1,5})$`)

// checkCategories wants ids of IAB content categories.
func checkCategories(p *problems, at string, list []string) {
	if len(list) > 20 {
		p.add(at, "has %d categories, at most 20 are allowed", len(list))
		return
	}
	for i, c := range list {
		if !categoryID.MatchString(c) {
			p.add(indexed(at, i), "%q is not an IAB category such as IAB18-4", clip(c))
		}
	}
}
