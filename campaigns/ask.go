package campaigns

import (
	"bytes"
	"math/bits"
	"strings"
	"time"
	"unsafe"

	"github.com/grosz/grosz/segments"
)

// ask answers a predicate from the facts.
func (m *Matcher) ask(p *pred) bool {
	switch {
	case p.kind == kindUser:
		return m.s.index.asked[p.user].HoldsWith(m.profile(p.shop), m.s.margins[p.shop], m.f.NowMS)
	case p.kind == kindSegment:
		return m.inSegment(p.shop, int(p.user), p.more.rule)
	case p.kind == kindIntent:
		return m.askIntent(p)
	case p.kind == kindDomainList || p.kind == kindBundleList:
		return m.askList(p)
	case p.kind.isDense():
		v := m.attr(p.attr)
		if v < 64 {
			return p.low>>v&1 != 0
		}
		return p.more.bits.has(v)
	case p.kind.isList():
		for _, v := range m.values[p.kind] {
			if p.set.has(v) {
				return true
			}
		}
		return false
	}
	return m.askText(p)
}

func (m *Matcher) askText(p *pred) bool {
	f, text := m.f, p.more.text
	switch p.kind {
	case kindURLContains:
		return strings.Contains(m.lowerURL(), text)
	case kindURLPrefix:
		return hasURLPrefix(f.URL, text)
	case kindSearchContains:
		if len(m.search) == 0 {
			m.search = segments.AppendFolded(m.search, f.Search, 1024)
		}
		return strings.Contains(view(m.search), text)
	}
	if f.URL == "" {
		return false
	}
	if p.kind == kindPathPrefix {
		_, rest := splitURL(f.URL)
		return strings.HasPrefix(pathOf(rest), text)
	}
	_, rest := splitURL(m.lowerURL())
	return strings.Contains(pathOf(rest), text)
}

// lowerURL is the URL with its ASCII capitals lowered, made when first asked
// for.
func (m *Matcher) lowerURL() string {
	if len(m.url) == 0 {
		m.url = append(m.url, m.f.URL...)
		for i, c := range m.url {
			if c >= 'A' && c <= 'Z' {
				m.url[i] = c | 0x20
			}
		}
	}
	return view(m.url)
}

// view is b as a string that shares its bytes: for comparisons only.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// profile returns who the user is to a shop, or nil.
func (m *Matcher) profile(shop uint32) *segments.Profile {
	for i, id := range m.shops {
		if id == shop {
			return &m.f.Profiles[i].Profile
		}
	}
	return nil
}

// attr returns the request's value of an attribute; 0 is one that no
// expression names.
func (m *Matcher) attr(a attrID) uint32 {
	if int(a) < fixedAttrs {
		return m.attrs[a]
	}
	i := int(a-attrZoneOff) / 2
	z := &m.zones[i]
	if now := m.f.NowMS; z.zone != m.s.index.zones[i] || now < z.fromMS || now >= z.toMS {
		z.set(m.s.index.zones[i], now)
	}
	if (a-attrZoneOff)%2 == 1 {
		return z.weekday
	}
	return z.hour
}

func (z *zoneTime) set(zone *time.Location, nowMS int64) {
	t := time.UnixMilli(nowMS).In(zone)
	z.zone = zone
	z.fromMS = nowMS - int64(t.Minute()*60+t.Second())*1000 - int64(t.Nanosecond())/1e6
	z.toMS = z.fromMS + 3600_000
	z.hour = uint32(t.Hour()) + 1
	z.weekday = (uint32(t.Weekday())+6)%7 + 1
}

// readAttrs numbers the request's attributes.
func (m *Matcher) readAttrs(d *dict) {
	f := m.f
	m.sig = m.readAttr(d, kindExchange, f.Exchange) | m.readAttr(d, kindInventory, f.Inventory) | m.readAttr(d, kindDevice, f.Device) |
		m.readAttr(d, kindOS, f.OS) | m.readAttr(d, kindCountry, f.Country) | m.readAttr(d, kindLanguage, f.Language)
}

// readAttr numbers one attribute and returns its bit of the signature.
func (m *Matcher) readAttr(d *dict, kind predKind, s string) uint64 {
	a := fixedAttr(kind)
	m.attrs[a] = 0
	if s != "" && d.has(kind) {
		m.buf = appendNormal(m.buf[:0], kind, s)
		m.attrs[a] = d.find(kind, m.buf)
	}
	return sigBit(a, m.attrs[a])
}

// readValues numbers the request's values of the list kinds; those that no
// expression names are left out.
func (m *Matcher) readValues(d *dict) {
	for kind := range m.values {
		m.values[kind] = m.values[kind][:0]
	}
	m.ofText, m.toFind = m.ofText[:0], m.toFind[:0]
	m.gatherValues(d)
	m.findValues(d)
}

// toFind is a value to be numbered: text[from:to] of m.ofText, or a word.
type toFind struct {
	hash     uint64
	word     uint64
	from, to uint32
	kind     predKind
}

// findValues numbers what was gathered. First it passes over all without a
// branch, so that their places in a large dictionary come from memory together
// rather than one by one.
func (m *Matcher) findValues(d *dict) {
	any := uint32(0)
	for i := range m.toFind {
		any |= d.slots[m.toFind[i].hash&d.mask].id
	}
	if any == 0 {
		return // all of their places are empty
	}
	for i := range m.toFind {
		v := &m.toFind[i]
		if v.kind != kindWord {
			m.addValue(v.kind, d.findBy(v.hash, v.kind, m.ofText[v.from:v.to]))
		} else if id := d.findWord(v.word); id != 0 {
			m.values[kindWord] = append(m.values[kindWord], id)
		}
	}
}

// gatherValues lists the request's values in the form in which they are
// compared.
func (m *Matcher) gatherValues(d *dict) {
	f := m.f
	for kind, s := range [kindHost + 1]string{
		kindBundle: f.Bundle, kindSearch: f.Search, kindCity: f.City, kindRegion: f.Region,
	} {
		if s != "" {
			m.gather(d, predKind(kind), s)
		}
	}
	if d.has(kindHost) && f.URL != "" {
		host, _ := splitURL(f.URL)
		m.gather(d, kindHost, bareHost(strings.TrimSuffix(host, ".")))
	}
	if d.has(kindHost) && f.Search != "" {
		m.gathered(kindHost, append(m.ofText, hasSearch...))
	}
	if d.has(kindDomain) {
		m.gatherDomain()
	}
	for _, c := range f.Categories {
		m.gather(d, kindCategory, c)
		if i := strings.IndexByte(c, '-'); i > 0 {
			m.gather(d, kindCategory, c[:i])
		}
	}
	for _, k := range f.Keywords {
		m.gather(d, kindKeyword, k)
	}
	if d.has(kindWord) {
		for _, w := range f.Words {
			m.toFind = append(m.toFind, toFind{hash: hashWord(w), word: w, kind: kindWord})
		}
	}
}

func (m *Matcher) gather(d *dict, kind predKind, s string) {
	if d.has(kind) {
		m.gathered(kind, appendNormal(m.ofText, kind, s))
	}
}

// gathered takes over text, which is m.ofText with a value behind it.
func (m *Matcher) gathered(kind predKind, text []byte) {
	from := len(m.ofText)
	if m.ofText = text; len(text) > from {
		m.toFind = append(m.toFind, toFind{hash: hashBytes(kind, text[from:]), from: uint32(from), to: uint32(len(text)), kind: kind})
	}
}

func (m *Matcher) add(d *dict, kind predKind, s string) {
	if !d.has(kind) {
		return
	}
	m.buf = appendNormal(m.buf[:0], kind, s)
	if len(m.buf) > 0 {
		m.addValue(kind, d.find(kind, m.buf))
	}
}

func (m *Matcher) addValue(kind predKind, id uint32) {
	if id == 0 {
		return
	}
	for _, v := range m.values[kind] {
		if v == id {
			return
		}
	}
	m.values[kind] = append(m.values[kind], id)
}

// gatherDomain lists the domain and those above it.
func (m *Matcher) gatherDomain() {
	domain := m.f.Domain
	if domain == "" {
		domain = m.f.URL
	}
	at := len(m.ofText)
	m.ofText = appendNormal(m.ofText, kindDomain, domain)
	const most = 12 // labels; no real name has more
	for n := 0; at < len(m.ofText) && n < most; n++ {
		m.toFind = append(m.toFind, toFind{hash: hashBytes(kindDomain, m.ofText[at:]), from: uint32(at), to: uint32(len(m.ofText)), kind: kindDomain})
		i := bytes.IndexByte(m.ofText[at:], '.')
		if i < 0 {
			return
		}
		at += i + 1
	}
}

func ones(words []uint64) int {
	n := 0
	for _, w := range words {
		n += bits.OnesCount64(w)
	}
	return n
}
