package world

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// m is a JSON object.
type m = map[string]any

// Request draws the i-th bid request, as JSON.
func (w *World) Request(i int) ([]byte, error) {
	req, _ := w.request(i)
	out, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("request %d: %w", i, err)
	}
	return out, nil
}

// request draws a request and whom it is for. Imps have floors of all
// heights, so that about a third of the requests are bid on.
func (w *World) request(i int) (m, *user) {
	d := w.draw(ofRequest, i)
	u := w.person(d.IntN(w.users))
	if w.cfg.Profiles == 0 || d.chance(0.35) { // of a stranger nothing is known
		u = w.person(-1 - i)
	}
	id := fmt.Sprintf("w%d-%d", w.cfg.Seed, i)
	req := m{
		"id": id, "at": 1 + d.IntN(2), "tmax": one(d, 120, 200, 300), "cur": []string{"USD"},
		"source": m{"fd": 1, "tid": id + "-t", "pchain": "f08c47fec0942fa0:12-34", "ext": m{"omidpn": "Grosz", "omidpv": "1.5"}},
	}
	w.page(d, req, &u)
	w.someone(d, req, &u)
	w.imps(d, req)
	w.blocks(d, req)
	return req, &u
}

// someone writes the device, the user and what the law says.
func (w *World) someone(d *drawer, req m, u *user) {
	kit := browsers
	if u.ifa != "" {
		kit = phones
	}
	k := kit[d.popular(len(kit), 1.3)]
	country, lang := "POL", "pl"
	if d.chance(0.2) {
		country, lang = foreign3[one(d, foreign...)], one(d, "en", "de", "fr")
	}
	device := m{
		"ua": fmt.Sprintf(k.ua, 1+d.IntN(140)), "ip": fmt.Sprintf("198.51.100.%d", 1+u.index&127), "language": lang, "os": k.os, "osv": k.osv,
		"devicetype": k.kind, "w": k.w, "h": k.h, "js": 1, "dnt": 0, "lmt": 0, "connectiontype": one(d, 2, 6),
		"geo": m{"country": country, "city": town(d.popular(w.towns, 1.5)), "region": fmt.Sprintf("%02d", d.IntN(16)), "type": 2, "utcoffset": 60, "lat": 52.2, "lon": 21.0},
	}
	if k.make != "" {
		device["make"], device["model"] = k.make, k.model
	}
	if d.chance(0.5) {
		device["sua"] = m{
			"browsers": []m{{"brand": "Chromium", "version": []string{"140", "0", "7339", "80"}}, {"brand": "Not=A?Brand", "version": []string{"24"}}},
			"platform": m{"brand": k.os, "version": []string{k.osv}}, "mobile": 0, "source": 2,
		}
	}
	if u.ifa != "" {
		device["ifa"] = u.ifa
	}
	req["device"] = device
	who := m{"id": fmt.Sprintf("demo-u%d", u.index)}
	if u.uid != "" {
		who["buyeruid"] = u.uid
	}
	if d.chance(0.4) {
		var segs []m
		for range 1 + d.IntN(8) {
			segs = append(segs, m{"id": strconv.Itoa(1000 + d.IntN(9000)), "name": w.word(d.popular(w.words, 2))})
		}
		who["data"] = []m{{"id": "data.example", "name": "Data", "segment": segs}}
	}
	if d.chance(0.4) {
		who["eids"] = []m{
			{"source": "id.example", "uids": []m{{"id": fmt.Sprintf("E%032d", u.index), "atype": 1}}},
			{"source": "other.example", "uids": []m{{"id": fmt.Sprintf("O%040d", u.index), "atype": 3}}},
		}
	}
	if d.chance(0.7) {
		req["regs"] = m{"gdpr": 1, "gpp": "", "gpp_sid": []int{}}
		who["consent"] = w.consent(u.index)
	} else {
		req["regs"] = m{"gdpr": 0}
	}
	req["user"] = who
}

// blocks writes what the publisher does not take.
func (w *World) blocks(d *drawer, req m) {
	if d.chance(0.5) {
		badv := make([]string, d.popular(80, 2))
		for i := range badv {
			badv[i] = fmt.Sprintf("blocked%d.example", d.IntN(5000))
		}
		if d.chance(0.2) {
			badv = append(badv, domainOfShop(1+d.popular(w.shops, 1.2)))
		}
		req["badv"] = badv
	}
	if d.chance(0.6) {
		bcat := []string{"IAB24", "IAB25", "IAB26"}
		for range d.popular(40, 2) {
			bcat = append(bcat, fmt.Sprintf("IAB%d-%d", 1+d.IntN(23), 1+d.IntN(30)))
		}
		req["bcat"] = bcat
	}
}

// imps draws one to four imps: three in five are banners.
func (w *World) imps(d *drawer, req m) {
	n := one(d, 1, 1, 1, 1, 2, 2, 3, 4)
	video := 0.15
	if _, app := req["app"]; app {
		video = 0.35
	}
	list := make([]m, n)
	for i := range list {
		id := strconv.Itoa(i + 1)
		imp := m{
			"id": id, "tagid": fmt.Sprintf("slot-%d-%d", d.IntN(9000), i), "bidfloor": w.floor(d, n), "bidfloorcur": "USD", "secure": 1,
			"displaymanager": "prebid", "displaymanagerver": "9.1", "ext": m{"gpid": fmt.Sprintf("/123456/place/slot%d", i), "tid": id + "-imp"},
		}
		switch k := d.Float64(); {
		case k < video:
			imp["video"] = videoSlot(d)
		case k < video+0.25:
			imp["native"] = nativeSlot(d)
		default:
			imp["banner"] = bannerSlot(d)
			if d.chance(0.1) {
				imp["video"] = videoSlot(d)
			}
		}
		if d.chance(0.15) {
			imp["pmp"] = m{"private_auction": 0, "deals": []m{{"id": fmt.Sprintf("D-%d", d.IntN(500)), "bidfloor": 9.5, "bidfloorcur": "USD", "at": 1, "wseat": []string{"other-seat"}}}}
		}
		list[i] = imp
	}
	req["imp"] = list
}

// floor draws an imp's floor in dollars; imps that come together are dearer,
// so that requests with many are not bid on more often.
func (w *World) floor(d *drawer, imps int) float64 {
	f := d.logNormal(floorMedian+0.9*float64(imps-1), 0.9)
	return float64(int(f*100)) / 100
}

// floorMedian is what makes about a third of the requests be bid on.
const floorMedian = 4.2

func bannerSlot(d *drawer) m {
	all := [][2]int{{300, 250}, {300, 600}, {160, 600}, {728, 90}, {970, 250}, {320, 50}, {320, 100}, {336, 280}}
	var formats []m
	sizes := some(d, all, 1, 3)
	for _, s := range sizes {
		formats = append(formats, m{"w": s[0], "h": s[1]})
	}
	return m{
		"format": formats, "w": sizes[0][0], "h": sizes[0][1], "pos": one(d, 0, 1, 3, 4), "topframe": 1, "battr": []int{1, 3, 8, 9},
		"mimes": []string{"image/jpeg", "image/png", "text/html"}, "api": []int{5, 7},
	}
}

func videoSlot(d *drawer) m {
	return m{
		"mimes": []string{"video/mp4", "video/webm", "application/javascript"}, "minduration": 5, "maxduration": one(d, 15, 30, 60),
		"protocols": []int{2, 3, 5, 6, 7, 8}, "w": 1280, "h": 720, "startdelay": 0, "plcmt": one(d, 1, 2), "linearity": 1, "skip": d.IntN(2),
		"playbackmethod": []int{1, 2}, "delivery": []int{1, 2}, "pos": one(d, 1, 7), "api": []int{7}, "battr": []int{13, 14},
	}
}

func nativeSlot(d *drawer) m {
	assets := []m{
		{"id": 1, "required": 1, "title": m{"len": one(d, 25, 90, 140)}},
		{"id": 2, "required": 1, "img": m{"type": 3, "wmin": 300, "hmin": 200, "mimes": []string{"image/jpeg", "image/png"}}},
		{"id": 3, "required": 0, "img": m{"type": 1, "wmin": 50, "hmin": 50}},
		{"id": 4, "data": m{"type": 1, "len": 25}}, {"id": 5, "data": m{"type": 2, "len": 140}}, {"id": 6, "data": m{"type": 12, "len": 15}},
	}
	ask, err := json.Marshal(m{
		"ver": "1.2", "context": 1, "contextsubtype": 11, "plcmttype": 1, "plcmtcnt": 1, "assets": assets[:3+d.IntN(4)],
		"eventtrackers": []m{{"event": 1, "methods": []int{1, 2}}}, "privacy": 1,
	})
	if err != nil {
		panic(err) // fixed types: cannot happen
	}
	return m{"request": string(ask), "ver": "1.2", "api": []int{7}, "battr": []int{1, 2}}
}
