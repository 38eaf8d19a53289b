package world

import (
	"cmp"
	"slices"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/segments"
)

// Matches counts how many of a snapshot's campaigns concern each imp and
// media type of the first n requests, sorted. The snapshot is of this world's
// campaigns; a person's profiles are drawn as Profiles does.
func (w *World) Matches(s *campaigns.Snapshot, n int) []int {
	matcher := campaigns.NewMatcher()
	var out []int
	for i := range n {
		req, u := w.request(i)
		f := w.facts(req, u)
		for _, imp := range req["imp"].([]m) {
			for _, media := range []string{campaigns.MediaBanner, campaigns.MediaVideo, campaigns.MediaNative} {
				if slot, ok := imp[media].(m); ok {
					pos, _ := slot["pos"].(int)
					f.Media, f.Position = media, campaigns.PositionName(int32(pos))
					out = append(out, len(s.Match(&f, matcher)))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// facts are what targeting may ask of a request.
func (w *World) facts(req m, u *user) campaigns.Facts {
	text := func(o m, key string) string { s, _ := o[key].(string); return s }
	device := req["device"].(m)
	geo := device["geo"].(m)
	f := campaigns.Facts{
		NowMS: w.cfg.NowMS, Exchange: "demo", Country: text(geo, "country"), Region: text(geo, "region"), City: text(geo, "city"),
		Device: campaigns.DeviceClass(int32(device["devicetype"].(int))), OS: text(device, "os"), Language: text(device, "language"),
	}
	at, app := req["app"].(m)
	f.Inventory = "app"
	if !app {
		at, f.Inventory = req["site"].(m), "site"
	}
	f.Bundle, f.Domain, f.URL, f.Search = text(at, "bundle"), text(at, "domain"), text(at, "page"), text(at, "search")
	for _, c := range at["cat"].([]string) {
		f.AddCategory(c)
	}
	f.AddKeywords(text(at, "keywords"))
	f.AddText(text(at["content"].(m), "title"))
	f.AddText(f.Search)
	if u.index < 0 {
		return f
	}
	d := w.draw(ofUser, -1-u.index)
	for _, shop := range u.shops {
		f.Profiles = append(f.Profiles, segments.ShopProfile{Shop: uint32(shop), Profile: w.profile(d, shop)})
	}
	slices.SortFunc(f.Profiles, func(a, b segments.ShopProfile) int { return cmp.Compare(a.Shop, b.Shop) })
	return f
}
