package certify

import (
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strings"
)

// respond is the fake's auction: nil for no bid.
func (f *fakeBidder) respond(req m) m {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken == "everything: it never bids" {
		return nil
	}
	on := func(rule string) bool { return f.broken != rule } // the rule is held
	cur := "USD"
	if c := texts(req, "cur"); len(c) > 0 && !has(c, "USD") && on("currency") {
		return nil
	}
	if w := texts(req, "wseat"); on("seat") && (len(w) > 0 && !has(w, fakeSeat) || has(texts(req, "bseat"), fakeSeat)) {
		return nil
	}
	if req["dooh"] != nil {
		return nil
	}
	var bids list
	seen := map[string]bool{}
	imps, _ := req["imp"].([]any)
	for _, e := range imps {
		imp, _ := e.(m)
		if id := text(imp, "id"); seen[id] {
			continue
		} else {
			seen[id] = true
		}
		if b := f.bid(req, imp); b != nil {
			bids = append(bids, b)
			if f.broken == "one_bid" || f.broken == ruleMultiImp && len(imps) > 1 {
				bids = append(bids, f.bid(req, imp))
			}
		}
	}
	if len(bids) == 0 {
		return nil
	}
	id := text(req, "id")
	if f.broken == "response_id" {
		id += "x"
	}
	return m{"id": id, "cur": cur, "seatbid": list{m{"seat": fakeSeat, "bid": bids}}}
}

// choose picks an advertiser that the request takes.
func (f *fakeBidder) choose(req, imp, media m) *advertiser {
	on := func(rule string) bool { return f.broken != rule }
	under := func(list []string, cat string) bool {
		return slices.ContainsFunc(list, func(c string) bool { return c != "" && (c == cat || strings.HasPrefix(cat, c+"-")) })
	}
	for _, a := range advertisers() {
		acat := texts(req, "acat")
		switch {
		case on("badv") && has(texts(req, "badv"), a.domain),
			on("bcat") && under(texts(req, "bcat"), a.cat),
			on("acat") && len(acat) > 0 && !under(acat, a.cat),
			on("bapp") && has(texts(req, "bapp"), a.bundle),
			on("battr") && has(texts(media, "battr"), fmt.Sprint(a.attr)):
			continue
		}
		if w := texts(req, "wlang"); on("wlang") && len(w) > 0 && !has(w, "pl") {
			continue
		}
		return &a
	}
	return nil
}

// deal is the id of a deal to bid on; ok is false where nothing may be bid.
func (f *fakeBidder) deal(imp m, a *advertiser) (string, float64, bool) {
	on := func(rule string) bool { return f.broken != rule }
	pmp := sub(imp, "pmp")
	floor := num(imp, "bidfloor")
	if d, _ := sub(imp, "video")["durfloors"].([]any); len(d) > 0 {
		floor = num(d[0].(m), "bidfloor")
	}
	if num(pmp, "private_auction") != 1 || !on("private_auction") {
		return "", floor, !on("floor") || floor <= fakePrice/1e6
	}
	deals, _ := pmp["deals"].([]any)
	for _, e := range deals {
		d, _ := e.(m)
		w, wa := texts(d, "wseat"), texts(d, "wadomain")
		if on("deal_seat") && (len(w) > 0 && !has(w, fakeSeat) || len(wa) > 0 && !has(wa, a.domain)) {
			continue
		}
		if on("deal_floor") && num(d, "bidfloor") > fakePrice/1e6 {
			continue
		}
		return text(d, "id"), num(d, "bidfloor"), true
	}
	return "", 0, false
}

func (f *fakeBidder) bid(req, imp m) m {
	media, kind := f.media(imp)
	if media == nil {
		return nil
	}
	a := f.choose(req, imp, media)
	if a == nil {
		return nil
	}
	dealID, _, ok := f.deal(imp, a)
	if !ok {
		return nil
	}
	f.n++
	id := fmt.Sprintf("%032x", f.n)
	f.test[id] = num(req, "test") == 1
	scheme := f.srv.URL
	t := sign(id)
	notice := func(kind string) string { return f.srv.URL + "/n/" + kind + "?t=" + t + "&p=${AUCTION_PRICE}" }
	b := m{
		"id": id, "impid": text(imp, "id"), "price": json.Number("3.25"), "nurl": notice(kindWin), "burl": notice(kindBilling), "lurl": notice(kindLoss),
		"adomain": list{a.domain}, "cid": "1", "crid": "cr-" + a.domain, "cat": list{a.cat}, "attr": list{a.attr}, "bundle": a.bundle,
		"language": "pl", "mtype": kind, "exp": 300,
	}
	if dealID != "" {
		b["dealid"] = dealID
	}
	if num(imp, "secure") == 1 && f.broken != "secure" {
		scheme = strings.Replace(scheme, "http:", "https:", 1)
	}
	pixel, click := scheme+"/n/impression?t="+t+"&p=${AUCTION_PRICE}", scheme+"/c?t="+t+"&d="+a.domain
	if kind == 1 {
		f.fillBanner(b, media, pixel, click)
	} else if kind == 2 {
		b["adm"], b["dur"] = f.vast(media, pixel, click), 15
	} else {
		b["adm"] = f.native(media, pixel, click)
		if b["adm"] == "" {
			return nil
		}
	}
	f.dsa(req, b)
	f.breakBid(req, imp, b)
	return b
}

func (f *fakeBidder) dsa(req, b m) {
	regs := sub(req, "regs")
	d := sub(regs, "dsa")
	if d == nil && f.broken != rulePlacement {
		d = sub(sub(regs, "ext"), "dsa")
	}
	if d != nil && f.broken != "dsa" {
		b["ext"] = m{"dsa": m{"behalf": "x", "paid": "x", "adrender": 1, "transparency": list{m{"domain": "dsp.example", "dsaparams": list{1}}}}}
	}
}

// media picks the imp's media type that can be bid on.
func (f *fakeBidder) media(imp m) (media m, kind int) {
	on := func(rule string) bool { return f.broken != rule }
	if b := sub(imp, "banner"); b != nil {
		mimes, size := texts(b, "mimes"), num(b, "w")
		if fs, _ := b["format"].([]any); len(fs) > 0 {
			size = num(fs[0].(m), "w")
		}
		if on("btype") && has(texts(b, "btype"), "2") || on("mimes") && len(mimes) > 0 && !has(mimes, "text/html") || on("size") && size == 7 {
			return nil, 0
		}
		return b, 1
	}
	if v := sub(imp, "video"); v != nil {
		return f.video(v)
	}
	if n := sub(imp, "native"); n != nil {
		return n, 4
	}
	if a := sub(imp, "audio"); a != nil && !on(ruleAudio) {
		return a, 1
	}
	if !on("mtype") {
		return m{}, 1
	}
	return nil, 0
}

func (f *fakeBidder) video(v m) (m, int) {
	on := func(rule string) bool { return f.broken != rule }
	p, d, rq := texts(v, "protocols"), texts(v, "delivery"), texts(v, "rqddurs")
	switch {
	case on("mimes") && !has(texts(v, "mimes"), "video/mp4"), on("protocol") && len(p) > 0 && !has(p, "3"),
		on("duration") && (v["maxduration"] != nil && num(v, "maxduration") < 15 || len(rq) > 0 && !has(rq, "15")),
		on("linearity") && num(v, "linearity") == 2, on("bitrate") && v["maxbitrate"] != nil && num(v, "maxbitrate") < 800,
		on("delivery") && len(d) > 0 && !has(d, "2"):
		return nil, 0
	}
	return v, 2
}

func (f *fakeBidder) fillBanner(b, media m, pixel, click string) {
	w, h := num(media, "w"), num(media, "h")
	if fs, _ := media["format"].([]any); len(fs) > 0 {
		x := fs[0].(m)
		if w, h = num(x, "w"), num(x, "h"); w == 0 {
			w, h = 300, 250
		}
	}
	b["w"], b["h"] = int(w), int(h)
	b["adm"] = `<div><a href="` + html.EscapeString(click) + `">one-shop ad</a><img width="1" height="1" src="` + html.EscapeString(pixel) + `"></div>`
}

func (f *fakeBidder) vast(v m, pixel, click string) string {
	skip := ""
	if f.broken == "skip" {
		skip = ` skipoffset="00:00:05"`
	}
	return `<VAST version="3.0"><Ad id="1"><InLine><AdSystem>F</AdSystem><AdTitle>F</AdTitle><Impression><![CDATA[` + pixel + `]]></Impression><Creatives><Creative><Linear` + skip +
		`><Duration>00:00:15</Duration><VideoClicks><ClickThrough><![CDATA[` + click + `]]></ClickThrough></VideoClicks><MediaFiles><MediaFile type="video/mp4" delivery="progressive" bitrate="800"><![CDATA[https://cdn.example/a.mp4]]></MediaFile></MediaFiles></Linear></Creative></Creatives></InLine></Ad></VAST>`
}

// native answers titles, images and descriptions; "" if more is required.
func (f *fakeBidder) native(media m, pixel, click string) string {
	dec := json.NewDecoder(strings.NewReader(text(media, "request")))
	dec.UseNumber()
	var ask m
	if err := dec.Decode(&ask); err != nil && f.broken != "native" {
		return ""
	}
	if w := sub(ask, "native"); w != nil {
		ask = w
	}
	asked, _ := ask["assets"].([]any)
	var assets list
	for _, e := range asked {
		a, _ := e.(m)
		switch {
		case sub(a, "title") != nil:
			assets = append(assets, m{"id": a["id"], "title": m{"text": "Title"}})
		case sub(a, "img") != nil:
			assets = append(assets, m{"id": a["id"], "img": m{"url": "https://cdn.example/i.png"}})
		case num(sub(a, "data"), "type") < 3:
			assets = append(assets, m{"id": a["id"], "data": m{"value": "Text"}})
		case num(a, "required") == 1 && f.broken != "native_asset":
			return ""
		}
	}
	if len(assets) == 0 && f.broken != "native" {
		return ""
	}
	b, err := json.Marshal(m{"link": m{"url": click}, "imptrackers": list{pixel}, "assets": assets})
	if err != nil {
		f.t.Error(err)
	}
	return string(b)
}

// breakBid spoils what is not a matter of choosing.
func (f *fakeBidder) breakBid(req, imp, b m) {
	adm, _ := b["adm"].(string)
	kind := b["mtype"].(int)
	switch f.broken {
	case "bid_id":
		b["id"] = "same"
	case "impid":
		b["impid"] = "zzz"
	case "price":
		b["price"] = 0
	case "crid", "cid", "adomain", "mtype":
		delete(b, f.broken)
	case "markup":
		delete(b, "adm")
	case "notice_url":
		b["nurl"] = "nowhere"
	case "macro":
		b["burl"] = b["burl"].(string) + "&x=${AUCTION_NONSENSE}"
	case "tracker":
		b["adm"] = strings.ReplaceAll(strings.ReplaceAll(adm, "<img", "<b"), "imptrackers", "x")
	case "exp":
		b["exp"] = -5
	case "vast":
		b["adm"] = strings.Replace(adm, "</Ad>", "", 1)
	case "expdir":
		b["attr"] = list{3}
	case "api":
		b["api"] = 7
	case "deal":
		if b["dealid"] != nil {
			b["dealid"] = "unknown"
		}
	case "size":
		b["w"] = 1
	case ruleCridSame:
		b["crid"] = b["id"]
	case ruleBanner, ruleVideo, ruleNative:
		if kind == map[string]int{ruleBanner: 1, ruleVideo: 2, ruleNative: 4}[f.broken] {
			delete(b, "crid")
		}
	case ruleSite, ruleApp:
		if req[strings.TrimPrefix(f.broken, "context.")] != nil {
			delete(b, "crid")
		}
	case ruleMultiType:
		if imp["banner"] != nil && imp["video"] != nil {
			b["mtype"] = 2
		}
	case ruleTest:
		if num(req, "test") == 1 {
			delete(b, "cid")
		}
	}
}
