package bidder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/grosz/grosz/bidder/openrtb"
)

// kept names what a sampled request keeps, by OpenRTB's names: what targeting,
// value, floors and the exchange's rules read. Everything else is left out, so
// every id of a person or device, address, exact place and consent string is.
// A nil node keeps the value whole.
type kept map[string]kept

func leaves(names ...string) kept {
	k := kept{}
	for _, n := range names {
		k[n] = nil
	}
	return k
}

func (k kept) with(name string, sub kept) kept { k[name] = sub; return k }

// keptFacts is what is kept of every request; keptPerson as well where there
// is a basis to know the person.
var (
	keptData    = leaves("name").with("ext", leaves("segtax")).with("segment", leaves("id", "name"))
	keptContent = leaves("title", "genre", "language", "langb", "cat", "cattax", "keywords", "kwarray", "livestream", "context").
			with("data", keptData)
	keptVideo = leaves("mimes", "protocols", "protocol", "w", "h", "minduration", "maxduration", "rqddurs", "startdelay", "skip", "skipmin",
		"skipafter", "boxingallowed", "plcmt", "placement", "linearity", "api", "battr", "pos", "playbackmethod", "delivery", "minbitrate",
		"maxbitrate", "maxextended", "companiontype", "podid", "podseq", "poddur", "maxseq", "slotinpod", "sequence", "mincpmpersec", "durfloors")
	keptImp = leaves("id", "tagid", "bidfloor", "bidfloorcur", "instl", "rwdd", "secure", "clickbrowser", "ssai", "exp", "qty").
		with("banner", leaves("w", "h", "format", "pos", "topframe", "btype", "battr", "expdir", "api", "mimes")).
		with("video", keptVideo).
		with("native", leaves("request", "ver", "api", "battr")).
		with("pmp", leaves("private_auction").with("deals", leaves("id", "bidfloor", "bidfloorcur", "at", "guar", "wseat", "wadomain", "mincpmpersec", "durfloors")))
	keptPlace  = leaves("name", "domain", "cat", "sectioncat", "pagecat", "cattax", "keywords", "kwarray", "bundle", "page", "mobile").with("content", keptContent)
	keptDevice = leaves("os", "devicetype", "language", "langb").with("geo", leaves("country", "region", "type")).
			with("sua", leaves("mobile").with("platform", nil))
	keptFacts = leaves("test", "at", "allimps", "cattax", "wseat", "bseat", "cur", "wlang", "wlangb", "acat", "bcat", "badv", "bapp").
			with("imp", keptImp).with("site", keptPlace).with("app", keptPlace).with("device", keptDevice).
			with("regs", leaves("dsa").with("ext", leaves("dsa")))
	keptPerson = leaves().with("user", leaves("keywords", "kwarray").with("data", keptData)).
			with("site", leaves("search")).with("device", leaves().with("geo", leaves("city")))
)

// strip returns the request with nothing in it but what forecasts read, under
// a name of its own. The person's own words and segments stay only where
// there is a basis to know them.
func strip(body []byte, person bool) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var all map[string]any
	if err := dec.Decode(&all); err != nil {
		return nil, fmt.Errorf("a request to sample: %w", err)
	}
	out, _ := keep(all, keptFacts).(map[string]any)
	if person {
		if more, ok := keep(all, keptPerson).(map[string]any); ok {
			merge(out, more)
		}
	}
	cutPage(out)
	out["id"] = "sample"
	text, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("a request to sample: %w", err)
	}
	return text, nil
}

// keep copies what k names.
func keep(v any, k kept) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(k))
		for name, sub := range k {
			switch x := v[name]; {
			case x == nil:
			case sub == nil:
				out[name] = x
			default:
				out[name] = keep(x, sub)
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for i := range v {
			out = append(out, keep(v[i], k))
		}
		return out
	}
	return nil // an object was to stand here
}

func merge(dst, src map[string]any) {
	for name, v := range src {
		into, ok := dst[name].(map[string]any)
		if more, ok2 := v.(map[string]any); ok && ok2 {
			merge(into, more)
		} else if dst[name] == nil {
			dst[name] = v
		}
	}
}

// cutPage leaves scheme, host and path of the page: what stands behind may
// name a person.
func cutPage(req map[string]any) {
	site, ok := req["site"].(map[string]any)
	if !ok {
		return
	}
	page, ok := site["page"].(string)
	if !ok {
		delete(site, "page")
		return
	}
	u, err := url.Parse(page)
	if err != nil || u.Host == "" {
		delete(site, "page")
		return
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	site["page"] = clip(strings.ToValidUTF8(u.String(), ""), 300)
}

// parsesAsRequest tells whether the stripped text is still a request.
func parsesAsRequest(text []byte) bool {
	var v openrtb.Request
	return v.Parse(text) == nil && len(v.Imps) > 0
}
