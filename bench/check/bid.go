package check

import (
	"strings"

	"github.com/prebid/openrtb/v20/openrtb2"
)

// Markup types (bid.mtype).
const (
	mtypeBanner = 1
	mtypeVideo  = 2
	mtypeAudio  = 3
	mtypeNative = 4
)

// bid judges one bid by all but its imp, then by its imp.
func (j *judge) bid(seat string, b openrtb2.Bid, raw obj) {
	j.bidID, j.impID = b.ID, b.ImpID
	price, ok := micros(raw.text("price"), false)
	if !ok || price <= 0 {
		j.add(RulePrice, "price %s", raw.text("price"))
	}
	j.res.Bids = append(j.res.Bids, Bid{Bid: b, Seat: seat, Price: price})
	if b.ID == "" {
		j.add(RuleBidID, "a bid without id")
	}
	if b.CrID == "" {
		j.add(RuleCrid, "no crid")
	}
	if b.CID == "" {
		j.add(RuleCID, "no cid")
	}
	if b.AdM == "" {
		j.add(RuleMarkup, "no adm")
	}
	if raw.has("exp") && b.Exp <= 0 {
		j.add(RuleExp, "exp %d", b.Exp)
	}
	j.domains(b)
	j.categories(b)
	j.language(b)
	j.urls(b)
	j.dsa(b)
	j.imp(seat, &j.res.Bids[len(j.res.Bids)-1])
}

func (j *judge) domains(b openrtb2.Bid) {
	if len(b.ADomain) == 0 {
		j.add(RuleADomain, "no adomain")
	}
	for _, d := range b.ADomain {
		if !strings.Contains(d, ".") || strings.ContainsAny(d, "/: ") {
			j.add(RuleADomain, "adomain %q is not a domain", d)
		}
		for _, blocked := range j.req.strs("badv") {
			if underDomain(d, blocked) {
				j.add(RuleBAdv, "adomain %q is blocked by %q", d, blocked)
			}
		}
	}
	if b.Bundle != "" && containsFold(j.req.strs("bapp"), b.Bundle) {
		j.add(RuleBApp, "bundle %q is blocked", b.Bundle)
	}
}

// underDomain tells whether d is domain or below it; lists come with schemes,
// www and capitals.
func underDomain(d, domain string) bool {
	d, domain = bareDomain(d), bareDomain(domain)
	return domain != "" && (d == domain || strings.HasSuffix(d, "."+domain))
}

func bareDomain(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	s, _, _ = strings.Cut(s, "/")
	return strings.TrimPrefix(s, "www.")
}

// categories compares only within one taxonomy: codes of two mean nothing to
// each other.
func (j *judge) categories(b openrtb2.Bid) {
	tax := int64(b.CatTax)
	if tax == 0 {
		tax = 1
	}
	if tax != j.req.intOr("cattax", 1) {
		return
	}
	bcat, acat := j.req.strs("bcat"), j.req.strs("acat")
	for _, c := range b.Cat {
		for _, blocked := range bcat {
			if underCategory(c, blocked) {
				j.add(RuleBCat, "cat %q is blocked by %q", c, blocked)
			}
		}
		if len(acat) > 0 && !anyCategory(c, acat) {
			j.add(RuleACat, "cat %q is not in acat %v", c, acat)
		}
	}
	if len(acat) > 0 && len(b.Cat) == 0 {
		j.add(RuleACat, "no cat, and acat allows only %v", acat)
	}
}

func anyCategory(c string, list []string) bool {
	for _, a := range list {
		if underCategory(c, a) {
			return true
		}
	}
	return false
}

// underCategory: in the first taxonomy IAB7 contains IAB7-39.
func underCategory(c, parent string) bool {
	c, parent = strings.ToUpper(strings.TrimSpace(c)), strings.ToUpper(strings.TrimSpace(parent))
	return parent != "" && (c == parent || strings.HasPrefix(c, parent+"-"))
}

func (j *judge) language(b openrtb2.Bid) {
	if w := j.req.strs("wlang"); len(w) > 0 && b.Language != "" && b.Language != "xx" && !containsFold(w, b.Language) {
		j.add(RuleLanguage, "language %q is not in wlang %v", b.Language, w)
	}
	if w := j.req.strs("wlangb"); len(w) > 0 && b.LangB != "" && !containsFold(w, b.LangB) {
		j.add(RuleLanguage, "langb %q is not in wlangb %v", b.LangB, w)
	}
}

// dsa: the EU's transparency object, asked for in regs.dsa or regs.ext.dsa.
func (j *judge) dsa(b openrtb2.Bid) {
	regs := j.req.obj("regs")
	ask := regs.obj("dsa")
	if ask == nil {
		ask = regs.obj("ext").obj("dsa")
	}
	if ask.intOr("dsarequired", 0) < 2 {
		return
	}
	ext, _ := parseObject(b.Ext) // not an object: the same as none
	dsa := ext.obj("dsa")
	switch {
	case dsa == nil:
		j.add(RuleDSA, "dsarequired, and the bid has no ext.dsa")
	case dsa.text("behalf") == "" || dsa.text("paid") == "":
		j.add(RuleDSA, "ext.dsa lacks behalf or paid")
	case ask.intOr("pubrender", 1) == 0 && dsa.intOr("adrender", 0) != 1:
		j.add(RuleDSA, "the publisher cannot render, and adrender is not 1")
	case ask.intOr("datatopub", 0) == 2 && len(dsa.objs("transparency")) == 0:
		j.add(RuleDSA, "datatopub is 2, and ext.dsa has no transparency")
	}
}

// imp judges the bid by the imp it names. Real requests name one id twice:
// then the imp that it suits best counts.
func (j *judge) imp(seat string, b *Bid) {
	start := len(j.res.Violations)
	var best []Violation
	found := false
	for _, imp := range j.req.objs("imp") {
		if imp.text("id") != b.ImpID {
			continue
		}
		j.res.Violations = j.res.Violations[:start:start]
		j.oneImp(seat, b, imp)
		if got := j.res.Violations[start:]; !found || len(got) < len(best) {
			best = got
		}
		found = true
	}
	j.res.Violations = append(j.res.Violations[:start:start], best...)
	if !found {
		j.add(RuleImpID, "no imp of that id")
	}
}

func (j *judge) oneImp(seat string, b *Bid, imp obj) {
	var media obj
	var name string
	switch b.MType {
	case mtypeBanner:
		media, name = imp.obj("banner"), "banner"
	case mtypeVideo:
		media, name = imp.obj("video"), "video"
	case mtypeAudio:
		media, name = imp.obj("audio"), "audio"
	case mtypeNative:
		media, name = imp.obj("native"), "native"
	default:
		j.add(RuleMType, "mtype %d", b.MType)
		return
	}
	if media == nil {
		j.add(RuleMType, "mtype %d, and the imp offers no %s", b.MType, name)
		return
	}
	j.price(seat, b, imp, media)
	j.secure(b, imp)
	j.attributes(b, media)
	j.apis(b, media)
	if b.AdM == "" {
		return
	}
	switch b.MType {
	case mtypeBanner:
		j.banner(b, imp, media)
	case mtypeVideo, mtypeAudio:
		j.vast(b, media)
	case mtypeNative:
		j.native(b, media)
	}
}

func (j *judge) attributes(b *Bid, media obj) {
	blocked := media.ints("battr")
	for _, a := range b.Attr {
		if contains(blocked, int64(a)) {
			j.add(RuleBAttr, "attr %d is blocked", a)
		}
	}
}

func (j *judge) apis(b *Bid, media obj) {
	allowed := media.ints("api")
	needs := append([]int64(nil), int64(b.API))
	for _, a := range b.APIs {
		needs = append(needs, int64(a))
	}
	for _, a := range needs {
		if a != 0 && !contains(allowed, a) {
			j.add(RuleAPI, "api %d is not supported by the imp %v", a, allowed)
		}
	}
}
