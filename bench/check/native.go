package check

import (
	"strings"
	"unicode/utf8"
)

// nativeRequest finds the request's native object: a string, a string with
// the 1.0 wrapper, or an object in place of the string.
func nativeRequest(media obj) (obj, bool) {
	var n obj
	if s, ok := media["request"].(string); ok {
		var err error
		if n, err = parseObject([]byte(s)); err != nil {
			return nil, false
		}
	} else {
		n = media.obj("request")
	}
	if w := n.obj("native"); w != nil {
		n = w
	}
	return n, len(n.objs("assets")) > 0
}

func (j *judge) native(b *Bid, media obj) {
	ask, ok := nativeRequest(media)
	if !ok {
		j.add(RuleNative, "a bid on a native request that cannot be read")
		return
	}
	ans, err := parseObject([]byte(b.AdM))
	if err != nil {
		j.add(RuleNative, "adm: %v", err)
		return
	}
	if w := ans.obj("native"); w != nil {
		ans = w
	}
	if !strings.HasPrefix(ans.obj("link").text("url"), "http") {
		j.add(RuleNative, "no link.url")
	}
	j.nativeTracker(ans)
	j.assets(ask.objs("assets"), ans.objs("assets"))
}

// assetKinds are what an asset can be.
func assetKinds() []string { return []string{"title", "img", "video", "data"} }

func kindOf(asset obj) string {
	for _, k := range assetKinds() {
		if asset.obj(k) != nil {
			return k
		}
	}
	return ""
}

// assets pairs answers with what was asked. Real requests give one id to
// several assets: then the kind tells them apart.
func (j *judge) assets(asked, given []obj) {
	answered := make([]bool, len(asked))
	for _, a := range given {
		id, hasID := a.int("id")
		at, known := -1, false
		for i, want := range asked {
			if !hasID || want.intOr("id", 0) != id {
				continue
			}
			known = true
			if !answered[i] && (at < 0 || kindOf(asked[at]) != kindOf(a)) {
				at = i
			}
		}
		switch {
		case !known:
			j.add(RuleAsset, "asset %d was not asked for", id)
		case at < 0:
			j.add(RuleAsset, "asset %d is answered twice", id)
		default:
			answered[at] = true
			j.asset(id, asked[at], a)
		}
	}
	for i, want := range asked {
		if want.intOr("required", 0) == 1 && !answered[i] {
			j.add(RuleAsset, "required asset %d is not answered", want.intOr("id", 0))
		}
	}
}

func (j *judge) nativeTracker(ans obj) {
	for _, u := range ans.strs("imptrackers") {
		if strings.HasPrefix(u, "http") {
			return
		}
	}
	for _, e := range ans.objs("eventtrackers") {
		if e.intOr("event", 0) == 1 && strings.HasPrefix(e.text("url"), "http") {
			return
		}
	}
	j.add(RuleTracker, "neither imptrackers nor an impression eventtracker")
}

func (j *judge) asset(id int64, want, got obj) {
	for _, kind := range assetKinds() {
		ask, have := want.obj(kind), got.obj(kind)
		if ask == nil {
			continue
		}
		if have == nil {
			j.add(RuleAsset, "asset %d is not the %s that was asked for", id, kind)
			return
		}
		switch kind {
		case "title":
			j.assetText(id, have.text("text"), ask.intOr("len", 0))
		case "data":
			j.assetText(id, have.text("value"), ask.intOr("len", 0))
		case "img":
			j.assetImage(id, ask, have)
		case "video":
			if _, err := parseVAST(strings.TrimSpace(have.text("vasttag"))); err != nil {
				j.add(RuleAsset, "asset %d: %v", id, err)
			}
		}
	}
}

func (j *judge) assetText(id int64, s string, limit int64) {
	if n := int64(utf8.RuneCountInString(s)); n == 0 {
		j.add(RuleAsset, "asset %d is empty", id)
	} else if limit > 0 && n > limit {
		j.add(RuleAsset, "asset %d has %d characters of at most %d", id, n, limit)
	}
}

// assetImage: a size without a least one is exact (Native 1.2, 4.4); an image
// that states no size cannot be judged.
func (j *judge) assetImage(id int64, ask, have obj) {
	if !strings.HasPrefix(have.text("url"), "http") {
		j.add(RuleAsset, "asset %d has no image URL", id)
	}
	for _, d := range []string{"w", "h"} {
		got, ok := have.int(d)
		if !ok || got <= 0 {
			continue
		}
		exact, least := ask.intOr(d, 0), ask.intOr(d+"min", 0)
		switch {
		case least > 0 && got < least:
			j.add(RuleAsset, "asset %d: %s %d is below %d", id, d, got, least)
		case least <= 0 && exact > 0 && got != exact:
			j.add(RuleAsset, "asset %d: %s %d, asked for %d", id, d, got, exact)
		}
	}
}
