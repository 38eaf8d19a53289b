package bidder

import (
	"bytes"
	"errors"
	"maps"

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

// and joins two trees; where one keeps a value whole, so does the joint one.
func (k kept) and(more kept) kept {
	out := maps.Clone(k)
	for name, sub := range more {
		switch own, both := out[name]; {
		case !both:
			out[name] = sub
		case own != nil && sub != nil:
			out[name] = own.and(sub)
		default:
			out[name] = nil
		}
	}
	return out
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
	keptPlace  = leaves("name", "domain", "cat", "sectioncat", "pagecat", "cattax", "keywords", "kwarray", "bundle", "mobile").with("content", keptContent)
	keptSite   = keptPlace.and(leaves(keptPage))
	keptDevice = leaves("os", "devicetype", "language", "langb").with("geo", leaves("country", "region", "type")).
			with("sua", leaves("mobile").with("platform", nil))
	keptFacts = leaves("test", "at", "allimps", "cattax", "wseat", "bseat", "cur", "wlang", "wlangb", "acat", "bcat", "badv", "bapp").
			with("imp", keptImp).with("site", keptSite).with("app", keptPlace).with("device", keptDevice).
			with("regs", leaves("dsa").with("ext", leaves("dsa")))
	keptPerson = leaves().with("user", leaves("keywords", "kwarray").with("data", keptData)).
			with("site", leaves("search")).with("device", leaves().with("geo", leaves("city")))
	keptOfKnown = keptFacts.and(keptPerson)
)

// keptPage is kept as scheme, host and path: what stands behind may name a
// person.
const (
	keptPage     = "page"
	keptPageSize = 300
)

var errStrip = errors.New("a request to sample: not the JSON that could be kept")

// appendStripped appends the request with nothing in it but what forecasts
// read, under a name of its own. The person's own words and segments stay only
// where there is a basis to know them. It is one pass over the bytes, which
// copies what is kept and allocates only to grow dst. What it appends is
// strict JSON in one line, whatever body is: otherwise it fails.
func appendStripped(dst, body []byte, person bool) ([]byte, error) {
	s := stripper{b: bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), out: append(dst, `{"id":"sample"`...)}
	tree := keptFacts
	if person {
		tree = keptOfKnown
	}
	if s.space(); s.at >= len(s.b) || s.b[s.at] != '{' {
		return dst, errStrip
	}
	s.members(tree, len(`{"id":"sample"`))
	if s.bad {
		return dst, errStrip
	}
	return s.out, nil
}

// stripper walks JSON bytes. Once bad is set nothing that it wrote counts.
type stripper struct {
	b     []byte
	at    int
	out   []byte
	depth int
	bad   bool
}

// peek steps over white space and returns the next byte, 0 at the end.
func (s *stripper) peek() byte {
	s.space()
	if s.at >= len(s.b) {
		return 0
	}
	return s.b[s.at]
}

func (s *stripper) space() {
	for s.at < len(s.b) && (s.b[s.at] == ' ' || s.b[s.at] == '\n' || s.b[s.at] == '\r' || s.b[s.at] == '\t') {
		s.at++
	}
}

// value writes what k names of the value that comes next; all of it where
// whole is set. What is neither an object nor a list where an object was to
// stand becomes null.
func (s *stripper) value(k kept, whole bool) {
	if s.depth++; s.depth > openrtb.MaxDepth {
		s.bad = true
	}
	switch c := s.peek(); {
	case s.bad:
	case c == '{':
		s.out = append(s.out, '{')
		if whole {
			k = nil
		}
		s.members(k, 0)
	case c == '[':
		s.list(k, whole)
	default:
		v := s.scalar()
		if !whole {
			v = null
		}
		s.out = append(s.out, v...)
	}
	s.depth--
}

var null = []byte("null")

// members writes the members of the object that comes next that k names, all
// if it is nil. Its brace, and written bytes of members, are there already.
func (s *stripper) members(k kept, written int) {
	s.at++ // {
	if s.peek() == '}' {
		s.at++
		s.out = append(s.out, '}')
		return
	}
	for !s.bad {
		if s.peek() != '"' {
			break
		}
		key := s.text()
		if s.bad || s.peek() != ':' {
			break
		}
		s.at++
		sub, named := k[string(key[1:len(key)-1])]
		if !named && k != nil {
			s.skip()
		} else {
			if written > 0 {
				s.out = append(s.out, ',')
			}
			written++
			s.out = append(append(s.out, key...), ':')
			switch {
			case k != nil && sub == nil && string(key) == `"`+keptPage+`"`:
				s.page()
			default:
				s.value(sub, sub == nil)
			}
		}
		switch c := s.peek(); c {
		case ',':
			s.at++
			continue
		case '}':
			s.at++
			s.out = append(s.out, '}')
			return
		}
		break
	}
	s.bad = true
}

func (s *stripper) list(k kept, whole bool) {
	s.at++ // [
	s.out = append(s.out, '[')
	if s.peek() == ']' {
		s.at++
		s.out = append(s.out, ']')
		return
	}
	for !s.bad {
		s.value(k, whole)
		c := s.peek()
		s.at++
		s.out = append(s.out, c)
		switch c {
		case ',':
			continue
		case ']':
			return
		}
		s.bad = true
	}
}

// scalar returns the text of the string, number or word that comes next.
func (s *stripper) scalar() []byte {
	if s.at < len(s.b) && s.b[s.at] == '"' {
		return s.text()
	}
	from := s.at
	for s.at < len(s.b) && !ends(s.b[s.at]) {
		s.at++
	}
	v := s.b[from:s.at]
	if string(v) != "null" && string(v) != "true" && string(v) != "false" && !isNumber(v) {
		s.bad = true
	}
	return v
}

// ends tells what comes behind a number or a word.
func ends(c byte) bool {
	return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t'
}

// isNumber tells whether v is a number by RFC 8259 § 6.
func isNumber(v []byte) bool {
	digits := func() (n int) {
		for len(v) > 0 && v[0]-'0' <= 9 {
			v, n = v[1:], n+1
		}
		return n
	}
	if len(v) > 0 && v[0] == '-' {
		v = v[1:]
	}
	zero := len(v) > 0 && v[0] == '0'
	if n := digits(); n == 0 || (zero && n > 1) {
		return false
	}
	if len(v) > 0 && v[0] == '.' {
		if v = v[1:]; digits() == 0 {
			return false
		}
	}
	if len(v) > 0 && v[0]|0x20 == 'e' {
		if v = v[1:]; len(v) > 0 && (v[0] == '+' || v[0] == '-') {
			v = v[1:]
		}
		if digits() == 0 {
			return false
		}
	}
	return len(v) == 0
}

// text returns the string that comes next with its quotes: a valid one, as it
// stands.
func (s *stripper) text() []byte {
	from := s.at
	for i := from + 1; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.at = i + 1
			return s.b[from:s.at]
		case c < ' ':
			s.bad = true
			return null
		case c == '\\':
			n := escape(s.b[i+1:])
			if n == 0 {
				s.bad = true
				return null
			}
			i += n
		}
	}
	s.bad = true
	return null
}

// escape is how long the escape is whose backslash came before v; 0 if it is
// none.
func escape(v []byte) int {
	if len(v) == 0 {
		return 0
	}
	switch v[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		for i := 1; i <= 4; i++ {
			if i >= len(v) || !(v[i]-'0' <= 9 || v[i]|0x20-'a' <= 5) {
				return 0
			}
		}
		return 5
	}
	return 0
}

// skip steps over the value that comes next, of which nothing is kept.
func (s *stripper) skip() {
	s.space()
	for open := 0; s.at < len(s.b) && !s.bad; {
		switch c := s.b[s.at]; {
		case c == '"':
			s.text()
		case c == '{' || c == '[':
			open++
			s.at++
		case (c == '}' || c == ']') && open > 0:
			open--
			s.at++
		case ends(c) && open == 0:
			s.bad = true // no value
		default:
			s.at++
			for open == 0 && s.at < len(s.b) && !ends(s.b[s.at]) {
				s.at++
			}
		}
		if open == 0 {
			return
		}
	}
	s.bad = true
}

// parsesAsRequest tells whether the stripped text is still a request.
func parsesAsRequest(text []byte) bool {
	var v openrtb.Request
	return v.Parse(text) == nil && len(v.Imps) > 0
}
