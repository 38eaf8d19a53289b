package bidder

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/grosz/grosz/internal/jsontext"
)

// page writes scheme, host and path of the page that comes next.
func (s *stripper) page() {
	if s.peek() != '"' {
		s.skip()
		s.out = append(s.out, null...)
		return
	}
	v := s.text()
	if s.bad {
		return
	}
	if n := plainPage(v[1 : len(v)-1]); n > 0 {
		s.out = append(append(s.out, v[:1+min(n, keptPageSize)]...), '"')
		return
	}
	var page string
	if json.Unmarshal(v, &page) != nil {
		s.bad = true
		return
	}
	if page = cutPage(page); page == "" {
		s.out = append(s.out, null...)
		return
	}
	s.out = jsontext.AppendString(s.out, page)
}

// plainPage is the length of scheme, host and path of a web page's URL that
// has nothing odd in it, so that it needs no parser; else 0.
func plainPage(v []byte) int {
	i := len("http://")
	if bytes.HasPrefix(v, []byte("https://")) {
		i++
	} else if !bytes.HasPrefix(v, []byte("http://")) {
		return 0
	}
	host := i
	for i < len(v) && (plainLetter(v[i]) || v[i] == '.' || v[i] == '-') {
		i++
	}
	if i == host || i < len(v) && v[i] != '/' && v[i] != '?' && v[i] != '#' {
		return 0
	}
	for i < len(v) && (plainLetter(v[i]) || bytes.IndexByte([]byte("/.-_~,;=+"), v[i]) >= 0) {
		i++
	}
	behind := v[i:]
	if len(behind) > 0 && behind[0] != '?' && behind[0] != '#' {
		return 0
	}
	if bytes.IndexByte(behind, '\\') >= 0 || bytes.IndexByte(behind, 0x7f) >= 0 || bytes.IndexByte(behind, '#') >= 0 && bytes.IndexByte(behind, '%') >= 0 {
		return 0 // perhaps no URL at all
	}
	return i
}

func plainLetter(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 25 }

// cutPage is scheme, host and path of a URL; empty where it is none.
func cutPage(page string) string {
	u, err := url.Parse(page)
	if err != nil || u.Host == "" {
		return ""
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment = nil, "", false, ""
	return clip(strings.ToValidUTF8(u.String(), ""), keptPageSize)
}
