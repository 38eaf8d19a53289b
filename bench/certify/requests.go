package certify

import (
	"encoding/json"
	"fmt"
	"maps"
)

// m is a JSON object, list an array of anything.
type (
	m    = map[string]any
	list = []any
)

const (
	desktopUA = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
	phoneUA   = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
)

func site() m {
	return m{
		"id": "certify-site", "domain": "news.example", "page": "https://news.example/read/42", "cat": list{"IAB12"},
		"publisher": m{"id": "certify-pub", "name": "News", "domain": "news.example"},
	}
}

func app() m {
	return m{
		"id": "certify-app", "name": "Timetable", "bundle": "com.example.timetable", "ver": "4.1", "cat": list{"IAB20"},
		"storeurl": "https://store.example/com.example.timetable", "publisher": m{"id": "certify-pub"},
	}
}

func desktop() m {
	return m{"ua": desktopUA, "ip": "198.51.100.7", "language": "pl", "os": "Linux", "devicetype": 2, "geo": m{"country": "POL"}}
}

func phone() m {
	return m{"ua": phoneUA, "ip": "198.51.100.8", "language": "pl", "os": "Android", "devicetype": 4, "geo": m{"country": "POL"}}
}

// request is a site's request for imps, with more fields over it; a nil one
// is left out.
func request(imps list, more m) m {
	r := m{"imp": imps, "at": 1, "tmax": 1000, "site": site(), "device": desktop()}
	maps.Copy(r, more)
	if r["app"] != nil {
		delete(r, "site")
	}
	maps.DeleteFunc(r, func(_ string, v any) bool { return v == nil })
	return r
}

// imp is one impression with fields over the usual ones.
func imp(id string, fields ...m) m {
	out := m{"id": id, "bidfloor": 0.01}
	for _, f := range fields {
		maps.Copy(out, f)
	}
	return out
}

func banner(w, h int, more ...m) m {
	b := m{"format": list{m{"w": w, "h": h}}}
	for _, f := range more {
		maps.Copy(b, f)
	}
	return m{"banner": b}
}

func video(lo, hi int, more ...m) m {
	v := m{
		"mimes": list{"video/mp4"}, "minduration": lo, "maxduration": hi, "protocols": list{2, 3, 5, 6, 7, 8},
		"w": 640, "h": 360, "linearity": 1, "startdelay": 0, "plcmt": 1,
	}
	for _, f := range more {
		maps.Copy(v, f)
	}
	maps.DeleteFunc(v, func(_ string, x any) bool { return x == nil })
	return m{"video": v}
}

// nativeAsk is an ordinary native request.
func nativeAsk(ver string, assets ...m) m {
	if len(assets) == 0 {
		assets = []m{
			{"id": 1, "required": 1, "title": m{"len": 90}},
			{"id": 2, "required": 1, "img": m{"type": 3, "wmin": 100, "hmin": 100}},
			{"id": 3, "required": 0, "data": m{"type": 2, "len": 100}},
		}
	}
	return m{"ver": ver, "assets": assets, "context": 1, "plcmttype": 1, "eventtrackers": list{m{"event": 1, "methods": list{1}}}}
}

func native(ver string, ask any) m {
	text, ok := ask.(string)
	if !ok {
		b, _ := json.Marshal(ask) // of maps, strings and numbers: cannot fail
		text = string(b)
	}
	return m{"native": m{"request": text, "ver": ver}}
}

// body writes a request with an id of its own, in the run's currency.
func (r *run) body(req m) []byte {
	r.sent++
	out := maps.Clone(req)
	out["id"] = fmt.Sprintf("certify-%s-%d", r.id, r.sent)
	cur, stated := out["cur"]
	if stated && cur == "" { // asked to be left out
		delete(out, "cur")
	}
	if !stated {
		out["cur"] = list{r.cfg.Currency}
		out["imp"] = withFloorCurrency(out["imp"], r.cfg.Currency)
	}
	if r.cfg.Test {
		out["test"] = 1
	}
	b, _ := json.Marshal(out) // of maps, strings and numbers: cannot fail
	return b
}

// withFloorCurrency says of every floor that it is in the run's currency.
func withFloorCurrency(imps any, cur string) any {
	in, ok := imps.(list)
	if !ok || cur == "USD" {
		return imps
	}
	out := make(list, 0, len(in))
	for _, e := range in {
		i, ok := e.(m)
		if !ok {
			out = append(out, e)
			continue
		}
		i = maps.Clone(i)
		if _, has := i["bidfloorcur"]; !has {
			i["bidfloorcur"] = cur
		}
		if pmp, ok := i["pmp"].(m); ok {
			i["pmp"] = withDealCurrency(pmp, cur)
		}
		out = append(out, i)
	}
	return out
}

func withDealCurrency(pmp m, cur string) m {
	deals, _ := pmp["deals"].(list)
	out := make(list, 0, len(deals))
	for _, e := range deals {
		if d, ok := e.(m); ok {
			d = maps.Clone(d)
			d["bidfloorcur"] = cur
			e = d
		}
		out = append(out, e)
	}
	pmp = maps.Clone(pmp)
	pmp["deals"] = out
	return pmp
}

// number is a decimal as it stands, without the detour of a float.
func number(s string) json.Number { return json.Number(s) }
