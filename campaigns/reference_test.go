package campaigns

import (
	"slices"
	"strings"
	"time"

	"github.com/grosz/grosz/segments"
)

// reference evaluates an expression's tree directly, as simply as it can be
// written; the index is compared with it.
func reference(n *node, shop *Shop, f *Facts) bool {
	switch n.op {
	case opTrue:
		return true
	case opNot:
		return !reference(n.kids[0], shop, f)
	case opAnd:
		for _, k := range n.kids {
			if !reference(k, shop, f) {
				return false
			}
		}
		return true
	case opOr:
		for _, k := range n.kids {
			if reference(k, shop, f) {
				return true
			}
		}
		return false
	}
	return referenceLeaf(n.pred, shop, f)
}

func referenceLeaf(p *predicate, shop *Shop, f *Facts) bool {
	lower := strings.ToLower
	folded := func(s string) string { return string(segments.AppendFolded(nil, s, 1000)) }
	is := func(s string) bool { return s != "" && slices.Contains(p.values, s) }
	any := func(list []string, norm func(string) string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return is(norm(s)) })
	}
	zone, _ := time.LoadLocation(shop.TimeZone)
	now := time.UnixMilli(f.NowMS).In(zone)
	scheme, host, rest := "", f.URL, ""
	if s, h, ok := strings.Cut(f.URL, "://"); ok {
		scheme, host = s, h
	}
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host, rest = host[:i], host[i:]
	}
	path, _, _ := strings.Cut(rest, "?")
	path, _, _ = strings.Cut(path, "#")
	if path == "" {
		path = "/"
	}
	_ = scheme
	switch p.kind {
	case kindUser:
		for i := range f.Profiles {
			if f.Profiles[i].Shop == shop.ID {
				return p.user.Holds(&f.Profiles[i].Profile, f.NowMS)
			}
		}
		return false
	case kindDomain:
		d := lower(f.Domain)
		if d == "" {
			d = lower(host)
		}
		for _, v := range p.values {
			if d == v || strings.HasSuffix(d, "."+v) {
				return true
			}
		}
		return false
	case kindBundle:
		return is(lower(f.Bundle))
	case kindCategory:
		return slices.ContainsFunc(f.Categories, func(c string) bool {
			c = lower(c)
			parent, _, _ := strings.Cut(c, "-")
			return is(c) || is(parent)
		})
	case kindKeyword:
		return any(f.Keywords, folded)
	case kindWord:
		return slices.ContainsFunc(f.Words, func(w uint64) bool { return slices.Contains(p.words, w) })
	case kindDeal:
		return any(f.Deals, func(s string) string { return s })
	case kindSearch:
		return is(folded(f.Search))
	case kindCity:
		return is(folded(f.City))
	case kindRegion:
		return is(folded(f.Region))
	case kindCountry:
		return is(map[string]string{"PL": "POL", "pl": "POL", "POL": "POL", "DE": "DEU", "DEU": "DEU", "FRA": "FRA"}[f.Country])
	case kindExchange:
		return is(lower(f.Exchange))
	case kindMedia:
		return is(f.Media)
	case kindInventory:
		return is(f.Inventory)
	case kindDevice:
		return is(f.Device)
	case kindOS:
		return is(map[string]string{"Android": "android", "iPhone OS": "ios", "iOS": "ios", "OS X": "macos", "BeOS": "other"}[f.OS])
	case kindLanguage:
		l, _, _ := strings.Cut(lower(f.Language), "-")
		return is(l)
	case kindPosition:
		return is(f.Position)
	case kindHour:
		return p.mask>>now.Hour()&1 == 1
	case kindWeekday:
		return p.mask>>((int(now.Weekday())+6)%7)&1 == 1
	case kindURLContains:
		return strings.Contains(lower(f.URL), p.values[0])
	case kindURLPrefix:
		h := strings.TrimPrefix(lower(host), "www.")
		wantHost, wantRest := p.values[0], ""
		if i := strings.IndexAny(wantHost, "/?#"); i >= 0 {
			wantHost, wantRest = wantHost[:i], wantHost[i:]
		}
		return f.URL != "" && h == wantHost && strings.HasPrefix(rest, wantRest)
	case kindPathPrefix:
		return f.URL != "" && strings.HasPrefix(path, p.values[0])
	case kindPathContains:
		return f.URL != "" && strings.Contains(lower(path), p.values[0])
	case kindSearchContains:
		return strings.Contains(folded(f.Search), p.values[0])
	}
	panic("unknown kind")
}
