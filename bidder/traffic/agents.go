package traffic

import (
	"fmt"
	"strings"
)

// pattern is one entry of a crawler list.
type pattern struct {
	text       string // lower case
	atStart    bool   // must stand at the start of the user agent
	exceptions []string
}

// Bounds of a compiled list. The tables take 4 bytes per state and class of
// byte: at most 64 MB, for the published list about 2 MB.
const (
	maxPatternBytes = 192 << 10
	maxAgent        = 1024 // bytes of a user agent that are looked at

	ends = 1 << 31 // a pattern ends at this state
)

// agents finds any of many patterns in one pass: an Aho-Corasick automaton
// with every transition worked out, over classes of bytes.
type agents struct {
	class    [256]uint8 // of a byte in either case; 0: in no pattern
	classes  int
	next     []uint32 // state × class → state, as where its row begins, and ends
	out      []int32  // by state: first of the patterns that end here; -1: none
	link     []int32  // by pattern: next one that ends at the same place
	patterns []pattern
}

// compileAgents builds the automaton. Patterns must not be empty.
func compileAgents(patterns []pattern) (*agents, error) {
	total := 1
	for i := range patterns {
		total += len(patterns[i].text)
	}
	if total > maxPatternBytes {
		return nil, fmt.Errorf("the crawler patterns have %d bytes together; at most %d", total, maxPatternBytes)
	}
	a := &agents{patterns: patterns, classes: 1}
	for i := range patterns {
		for _, c := range []byte(patterns[i].text) {
			if a.class[c] == 0 {
				if a.classes == 256 {
					return nil, fmt.Errorf("the crawler patterns use every byte there is")
				}
				a.class[c] = uint8(a.classes)
				a.classes++
			}
		}
	}
	for c := byte('a'); c <= 'z'; c++ {
		a.class[c-'a'+'A'] = a.class[c]
	}
	a.build(total)
	return a, nil
}

// build makes the trie, then adds the transitions of failure, breadth first.
func (a *agents) build(most int) {
	k := a.classes
	a.next = make([]uint32, k, most*k)
	a.out = append(make([]int32, 0, most), -1)
	a.link = make([]int32, len(a.patterns))
	for i := range a.patterns {
		state := 0
		for _, c := range []byte(a.patterns[i].text) {
			at := state*k + int(a.class[c])
			if a.next[at] == 0 {
				a.next[at] = uint32(len(a.out))
				a.out = append(a.out, -1)
				a.next = append(a.next, make([]uint32, k)...)
			}
			state = int(a.next[at])
		}
		a.link[i], a.out[state] = a.out[state], int32(i)
	}
	fail := make([]uint32, len(a.out))
	queue := make([]uint32, 0, len(a.out))
	for c := range k {
		if s := a.next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for n := 0; n < len(queue); n++ {
		s := queue[n]
		f := fail[s]
		a.inherit(s, f)
		for c := range k {
			at := int(s)*k + c
			if t := a.next[at]; t != 0 {
				fail[t] = a.next[int(f)*k+c]
				queue = append(queue, t)
			} else {
				a.next[at] = a.next[int(f)*k+c]
			}
		}
	}
	for i, s := range a.next {
		a.next[i] = s * uint32(k) // a state is where its row begins
		if a.out[s] >= 0 {
			a.next[i] |= ends
		}
	}
}

// inherit appends the patterns that end at f to those that end at s: they are
// suffixes of them.
func (a *agents) inherit(s, f uint32) {
	if a.out[f] < 0 {
		return
	}
	if a.out[s] < 0 {
		a.out[s] = a.out[f]
		return
	}
	last := a.out[s]
	for a.link[last] >= 0 {
		last = a.link[last]
	}
	a.link[last] = a.out[f]
}

// match tells whether ua is a crawler's by any pattern that none of its own
// exceptions takes back.
func (a *agents) match(ua string) bool {
	if len(ua) > maxAgent {
		ua = ua[:maxAgent]
	}
	state := uint32(0)
	for i := range len(ua) {
		state = a.next[state+uint32(a.class[ua[i]])]
		if state&ends != 0 {
			state &^= ends
			if a.accepted(a.out[state/uint32(a.classes)], ua, i+1) {
				return true
			}
		}
	}
	return false
}

// accepted looks at the patterns that end before end.
func (a *agents) accepted(first int32, ua string, end int) bool {
	for o := first; o >= 0; o = a.link[o] {
		p := &a.patterns[o]
		if p.atStart && end != len(p.text) {
			continue
		}
		if !excepted(p, ua) {
			return true
		}
	}
	return false
}

func excepted(p *pattern, ua string) bool {
	for _, e := range p.exceptions {
		if containsFold(ua, e) {
			return true
		}
	}
	return false
}

// containsFold is strings.Contains with ASCII letters of either case; sub is
// in lower case.
func containsFold(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		j := 0
		for j < len(sub) && lower(s[i+j]) == sub[j] {
			j++
		}
		if j == len(sub) {
			return true
		}
	}
	return false
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r | 0x20
		}
		return r
	}, s)
}

// builtin are names that crawlers, site checkers and HTTP libraries publish as
// the token by which their user agent is known. They hold beside any list.
func builtin() []pattern {
	names := []string{
		// Search engines.
		"googlebot", "adsbot-google", "mediapartners-google", "google-inspectiontool", "apis-google", "feedfetcher-google",
		"googleother", "storebot-google", "bingbot", "adidxbot", "bingpreview", "msnbot", "yandexbot", "yandeximages", "yandexmobilebot",
		"baiduspider", "duckduckbot", "applebot", "yahoo! slurp", "sogou web spider", "seznambot", "petalbot", "mojeekbot", "coccocbot",
		// Models and archives.
		"gptbot", "oai-searchbot", "chatgpt-user", "claudebot", "ccbot", "bytespider", "amazonbot", "perplexitybot", "meta-externalagent",
		"ia_archiver", "archive.org_bot",
		// Links in messages and networks.
		"facebookexternalhit", "facebot", "twitterbot", "linkedinbot", "pinterestbot", "slackbot", "telegrambot", "discordbot", "redditbot",
		// Marketing and measurement.
		"ahrefsbot", "semrushbot", "mj12bot", "dotbot", "rogerbot", "screaming frog", "dataforseobot", "blexbot", "serpstatbot",
		"chrome-lighthouse", "pingdom", "uptimerobot", "statuscake", "gtmetrix", "site24x7", "adsafe", "iastestbot", "admantx", "grapeshot", "proximic",
		// Browsers without a person.
		"headlesschrome", "phantomjs", "slimerjs", "electron-crawler", "puppeteer", "selenium",
	}
	out := make([]pattern, 0, len(names)+len(libraries))
	for _, n := range names {
		out = append(out, pattern{text: n})
	}
	for _, n := range libraries {
		out = append(out, pattern{text: n, atStart: true})
	}
	return out
}

// libraries are HTTP clients, as they begin a user agent.
var libraries = [...]string{
	"curl/", "wget/", "python-requests/", "python-urllib/", "python-httpx/", "aiohttp/", "scrapy/", "go-http-client/", "java/",
	"apache-httpclient/", "libwww-perl/", "lwp::simple/", "php/", "guzzlehttp/", "node-fetch/", "axios/", "undici", "ruby", "httpie/",
	"postmanruntime/", "insomnia/", "mechanize/",
}

// Library tells whether the user agent is an HTTP client's own. No person
// sends a bid request's device.ua like that; but players and exchanges that
// insert ads on their servers call click trackers by it, for a person.
func Library(ua string) bool {
	for _, l := range libraries {
		if len(ua) >= len(l) && strings.EqualFold(ua[:len(l)], l) {
			return true
		}
	}
	return false
}
