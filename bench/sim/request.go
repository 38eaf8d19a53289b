package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/grosz/grosz/internal/money"
)

// m is a JSON object.
type m = map[string]any

// offered is one imp of a request as the exchange will sell it.
type offered struct {
	id     string
	slot   slot
	floor  money.CPM
	rivals []money.CPM
}

// page is one page view offered for sale.
type page struct {
	id   string
	body []byte
	imps []offered
}

// pageFor draws a page view of s. Regulation is not simulated: regs are left
// out, which reads as unknown.
func (x *exchange) pageFor(rng *rand.Rand, s *shopper, shops []Shop) (page, error) {
	pub := x.publisherFor(rng, s)
	x.seq++
	p := page{id: fmt.Sprintf("%s-%d-%d", x.cfg.Name, x.book.run, x.seq)}
	var imps []m
	for n, i := range rng.Perm(len(pub.slots))[:1+rng.IntN(min(3, len(pub.slots)))] {
		o := x.offer(rng, strconv.Itoa(n+1), pub.slots[i])
		p.imps = append(p.imps, o)
		imp := x.imp(o, pub)
		if rng.Float64() < x.secure {
			imp["secure"] = 1
		}
		imps = append(imps, imp)
	}
	req := m{
		"id": p.id, "imp": imps, "tmax": x.tmax, "cur": []string{x.cfg.Currency.String()},
		"device": device(s), "user": x.user(s), "source": m{"fd": 0, "tid": p.id + "-t"},
	}
	if x.cfg.StateAt {
		req["at"] = x.cfg.Kind
	}
	if len(pub.bcat) > 0 {
		req["bcat"] = pub.bcat
	}
	if len(shops) > 0 && rng.Float64() < 0.03 {
		req["badv"] = []string{shops[rng.IntN(len(shops))].Domain, "blocked.example"}
	}
	place(rng, req, pub, s, shops)
	var err error
	p.body, err = json.Marshal(req)
	return p, err
}

func (x *exchange) publisherFor(rng *rand.Rand, s *shopper) *publisher {
	for {
		if p := &x.pubs[rng.IntN(len(x.pubs))]; p.app == (s.ifa != "") {
			return p
		}
	}
}

// offer draws floor and rivals: log-normal prices around the slot's median.
func (x *exchange) offer(rng *rand.Rand, id string, sl slot) offered {
	cents := money.CPM(money.CPMUnit / 100)
	local := func(usd float64) money.CPM {
		p := money.CPM(usd * float64(cents)).Convert(x.cfg.PerUSD)
		return p - p%cents
	}
	o := offered{id: id, slot: sl, floor: local(float64(sl.floor) * (0.8 + 0.4*rng.Float64()))}
	for range rng.IntN(5) {
		if p := local(float64(sl.median) * math.Exp(0.6*rng.NormFloat64())); p >= o.floor {
			o.rivals = append(o.rivals, p)
		}
	}
	return o
}

func (x *exchange) imp(o offered, pub *publisher) m {
	floor, _ := strconv.ParseFloat(o.floor.String(), 64)
	imp := m{
		"id": o.id, "tagid": pub.domain + "/" + o.slot.tag, "bidfloor": floor, "bidfloorcur": x.cfg.Currency.String(),
		"exp": 3600, "ext": m{"gpid": "/" + pub.id + "/" + o.slot.tag},
	}
	switch o.slot.media {
	case "banner":
		var formats []m
		for _, s := range o.slot.sizes {
			formats = append(formats, m{"w": s[0], "h": s[1]})
		}
		imp["banner"] = m{"format": formats, "w": o.slot.sizes[0][0], "h": o.slot.sizes[0][1], "pos": o.slot.pos, "battr": []int{8, 17}}
	case "video":
		imp["video"] = m{
			"mimes": []string{"video/mp4"}, "minduration": o.slot.durations[0], "maxduration": o.slot.durations[1],
			"protocols": []int{2, 3, 7, 11}, "w": o.slot.sizes[0][0], "h": o.slot.sizes[0][1], "startdelay": 0,
			"plcmt": 1, "linearity": 1, "skip": 1, "pos": o.slot.pos,
		}
	case "native":
		ask, _ := json.Marshal(m{"ver": "1.2", "context": 1, "plcmttype": 1, "assets": []m{ // fixed types only: cannot fail
			{"id": 1, "required": 1, "title": m{"len": 90}},
			{"id": 2, "required": 1, "img": m{"type": 3, "wmin": 100, "hmin": 100}},
			{"id": 3, "data": m{"type": 1, "len": 40}}, {"id": 4, "data": m{"type": 2, "len": 140}}, {"id": 5, "data": m{"type": 12, "len": 20}},
		}, "eventtrackers": []m{{"event": 1, "methods": []int{1}}}})
		imp["native"] = m{"request": string(ask), "ver": "1.2"}
	}
	return imp
}

func device(s *shopper) m {
	cities := [...]string{"Warszawa", "Kraków", "Gdańsk", "Wrocław", "Poznań"}
	d := m{
		"ip": fmt.Sprintf("198.51.100.%d", s.index%250+1), "language": "pl", "js": 1, "dnt": 0, "lmt": 0,
		"geo": m{"country": "POL", "city": cities[s.city%len(cities)], "type": 2, "utcoffset": 60},
	}
	d["ua"], d["os"], d["devicetype"] = userAgent(s)
	if s.ifa != "" {
		d["ifa"] = s.ifa
	}
	return d
}

// userAgent is the shopper's browser, its system and OpenRTB's device type.
func userAgent(s *shopper) (ua, os string, kind int) {
	switch {
	case s.desktop:
		return "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "Linux", 2
	case s.index%2 == 0:
		return "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36", "Android", 4
	}
	return "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", "iOS", 4
}

// user: the exchange's own id for everyone, the DSP's where they are matched.
func (x *exchange) user(s *shopper) m {
	u := m{"id": fmt.Sprintf("%s-u%d", x.cfg.Name, s.index)}
	if s.uid != "" && s.matched[x.index] {
		u["buyeruid"] = s.uid
	}
	return u
}

// place writes site or app. On a search page the shopper looks for what they
// like.
func place(rng *rand.Rand, req m, pub *publisher, s *shopper, shops []Shop) {
	section := pub.sections[rng.IntN(len(pub.sections))]
	who := m{"id": "p" + pub.id, "name": pub.name, "domain": pub.domain}
	at := m{"id": pub.id, "name": pub.name, "cat": pub.cat, "publisher": who, "keywords": section + "," + pub.lang}
	if pub.app {
		at["bundle"], at["ver"] = pub.domain, "3.2.1"
		at["storeurl"] = "https://store.example/apps/" + pub.domain
		delete(who, "domain")
		req["app"] = at
		return
	}
	at["domain"] = pub.domain
	at["page"] = fmt.Sprintf("https://%s/%s/%d", pub.domain, section, 1000+rng.IntN(9000))
	at["content"] = m{"language": pub.lang}
	if pub.search && len(shops) > 0 {
		k := rng.IntN(len(shops))
		query := lastWord(s.shops[k].favourite)
		at["search"], at["keywords"] = query, query
		at["page"] = "https://" + pub.domain + "/szukaj?q=" + strings.ReplaceAll(query, " ", "+")
	}
	req["site"] = at
}

// lastWord is the leaf of a category path.
func lastWord(category string) string {
	parts := strings.Split(category, ">")
	return strings.ToLower(strings.TrimSpace(parts[len(parts)-1]))
}
