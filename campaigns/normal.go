package campaigns

import (
	"slices"
	"strings"

	"github.com/grosz/grosz/segments"
)

// maxValue is where values of a request are cut: longer ones match nothing.
const maxValue = 192

// appendNormal appends the form in which a value of a kind is compared, of an
// expression and of a request alike. Nothing is appended for a value that can
// match nothing.
func appendNormal(dst []byte, kind predKind, s string) []byte {
	switch kind {
	case kindKeyword, kindSearch, kindCity, kindRegion:
		return segments.AppendFolded(dst, s, maxValue)
	case kindCountry:
		return appendCountry(dst, s)
	case kindLanguage:
		if i := strings.IndexAny(s, "-_"); i >= 0 {
			s = s[:i]
		}
	case kindOS:
		return appendOS(dst, s)
	case kindDeal:
		if len(s) > maxValue {
			return dst
		}
		return append(dst, s...)
	case kindDomain, kindHost:
		s = hostOnly(s)
	}
	return appendLower(dst, s)
}

// appendLower appends s with its ASCII capitals lowered, unless it is too long.
func appendLower(dst []byte, s string) []byte {
	if len(s) > maxValue {
		return dst
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

func appendCountry(dst []byte, s string) []byte {
	switch len(s) {
	case 2:
		return append(dst, alpha3(s[0]&^0x20, s[1]&^0x20)...)
	case 3:
		return append(dst, s[0]&^0x20, s[1]&^0x20, s[2]&^0x20)
	}
	return dst
}

// operatingSystems are the names that an expression may use.
func operatingSystems() []string {
	return []string{
		"android", "ios", "windows", "macos", "linux", "chromeos", "tizen", "webos", "roku", "fireos",
		"tvos", "playstation", "xbox", "kaios", "other",
	}
}

// appendOS appends the language's name of an operating system. Requests spell
// them freely: iPhone, OS X, Mac OS, Windows 10.
func appendOS(dst []byte, s string) []byte {
	if s == "" || len(s) > maxValue {
		return dst
	}
	start := len(dst)
	for i := range len(s) {
		c := s[i] | 0x20
		if c >= 'a' && c <= 'z' && len(dst)-start < 24 {
			dst = append(dst, c)
		}
	}
	var name string
	switch w := string(dst[start:]); { // short and local: on the stack
	case strings.HasPrefix(w, "android"):
		name = "android"
	case w == "ios", strings.HasPrefix(w, "iphone"), strings.HasPrefix(w, "ipad"), strings.HasPrefix(w, "ipod"):
		name = "ios"
	case strings.HasPrefix(w, "macos"), strings.HasPrefix(w, "osx"), strings.HasPrefix(w, "mac"):
		name = "macos"
	case strings.HasPrefix(w, "win"):
		name = "windows"
	case strings.HasPrefix(w, "chrom"), w == "cros":
		name = "chromeos"
	case strings.HasPrefix(w, "fire"):
		name = "fireos"
	case strings.HasPrefix(w, "tizen"):
		name = "tizen"
	case strings.HasPrefix(w, "webos"):
		name = "webos"
	case strings.HasPrefix(w, "roku"):
		name = "roku"
	case strings.HasPrefix(w, "tvos"), strings.HasPrefix(w, "appletv"):
		name = "tvos"
	case strings.HasPrefix(w, "playstation"):
		name = "playstation"
	case strings.HasPrefix(w, "xbox"):
		name = "xbox"
	case strings.HasPrefix(w, "kaios"):
		name = "kaios"
	case strings.Contains(w, "linux"), w == "ubuntu":
		name = "linux"
	default:
		name = "other"
	}
	return append(dst[:start], name...)
}

// hostOnly cuts what may stand around a host: scheme, user, port, path, a
// trailing dot.
func hostOnly(s string) string {
	host, _ := splitURL(s)
	return strings.TrimSuffix(host, ".")
}

// splitURL returns the host of an address, without user and port, and
// everything behind it: path, query and fragment.
func splitURL(s string) (host, rest string) {
	if i := strings.Index(s, "://"); i >= 0 && i < 16 {
		s = s[i+3:]
	} else {
		s = strings.TrimPrefix(s, "//")
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s, rest = s[:i], s[i:]
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		s = s[:i]
	}
	return s, rest
}

// pathOf cuts query and fragment off what splitURL left.
func pathOf(rest string) string {
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	if rest == "" {
		return "/"
	}
	return rest
}

// bareHost is a host without "www.".
func bareHost(host string) string {
	if len(host) > 4 && strings.EqualFold(host[:4], "www.") {
		return host[4:]
	}
	return host
}

// normalValue checks and normalises a value that stands in an expression; the
// hint says what to write instead of a bad one.
func normalValue(kind predKind, s string) (v, hint string, ok bool) {
	s = strings.TrimSpace(s)
	switch kind {
	case kindURLContains, kindPathContains, kindSearchContains:
		return normalText(kind, s)
	case kindURLPrefix:
		host, rest := splitURL(s)
		if !validHost(host) {
			return "", `write the address from its start, as in "https://news.example/sport/"`, false
		}
		return strings.ToLower(bareHost(host)) + rest, "", true
	case kindPathPrefix:
		return s, `a path begins with "/"`, strings.HasPrefix(s, "/") && len(s) <= 1024
	}
	if len(s) > maxValue {
		return "", "it is too long", false
	}
	v = string(appendNormal(nil, kind, s))
	if names := vocabulary(kind); names != nil {
		if slices.Contains(names, v) && (v != "other" || strings.EqualFold(s, v)) {
			return v, "", true
		}
		return "", suggest(s, names), false
	}
	switch kind {
	case kindDomain:
		v = bareHost(v)
		return v, `a domain is written as in "news.example"`, validHost(v) && !strings.ContainsAny(s, "/:@")
	case kindCountry:
		return v, `ISO 3166-1 with two or three letters, as in "PL" or "POL"`, isAlpha3(v)
	case kindLanguage:
		return v, `ISO 639-1, as in "pl"`, (len(v) == 2 || len(v) == 3) && isLetters(v)
	}
	return v, "it names nothing", v != ""
}

// normalText normalises the text of a contains.
func normalText(kind predKind, s string) (v, hint string, ok bool) {
	if kind == kindSearchContains {
		v = string(segments.AppendFolded(nil, s, 1024))
	} else {
		v = string(appendLower(nil, s))
	}
	return v, "write what must be in it, at most 192 bytes", v != "" && len(v) <= maxValue
}

// vocabulary lists the values of kinds that have a fixed list, or nil.
func vocabulary(kind predKind) []string {
	switch kind {
	case kindMedia:
		return []string{MediaBanner, MediaVideo, MediaNative, MediaAudio}
	case kindInventory:
		return []string{"site", "app", "dooh"}
	case kindDevice:
		return []string{"mobile", "desktop", "tablet", "tv", "connected", "ooh"}
	case kindPosition:
		return []string{"above_fold", "below_fold", "header", "footer", "sidebar", "full_screen", "locked"}
	case kindOS:
		return operatingSystems()
	}
	return nil
}

func suggest(s string, names []string) string {
	if near := nearest(strings.ToLower(s), names); near != "" {
		return didYouMean(near)
	}
	return "one of " + strings.Join(names, ", ")
}

func validHost(s string) bool {
	if s == "" || len(s) > maxValue || s[0] == '.' || strings.Contains(s, "..") {
		return false
	}
	return !strings.ContainsAny(s, " \t\r\n/\\\"'<>,;*")
}

func isLetters(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// hasURLPrefix tells whether an address starts with prefix as normalValue
// made it: the whole host, then the start of what follows.
func hasURLPrefix(url, prefix string) bool {
	host, rest := splitURL(url)
	host = bareHost(strings.TrimSuffix(host, "."))
	n := len(host)
	if n == 0 || len(prefix) < n || !strings.EqualFold(host, prefix[:n]) {
		return false
	}
	if len(prefix) > n && prefix[n] != '/' && prefix[n] != '?' && prefix[n] != '#' {
		return false
	}
	return strings.HasPrefix(rest, prefix[n:])
}

// SameCountry tells whether two ISO 3166-1 codes, of two or three letters, are
// of one country.
func SameCountry(a, b string) bool {
	var x, y [4]byte
	p, q := appendCountry(x[:0], a), appendCountry(y[:0], b)
	return len(p) > 0 && string(p) == string(q)
}
