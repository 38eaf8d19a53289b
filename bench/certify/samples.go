package certify

import (
	"github.com/grosz/grosz/bench/check"
)

// want is the answer that shows a sample's rules.
type want int

const (
	wantBid   want = iota // a valid bid; without one nothing is seen
	wantRight             // a valid bid or none
	wantNone              // 204: any bid is wrong
)

// sample is one request and the rules that a right answer shows. What is
// wrong with a bid is found by bench/check, whatever the sample is about.
type sample struct {
	name  string
	shows []string
	want  want
	req   m
}

func rules(list ...any) []string {
	out := make([]string, 0, len(list))
	for _, e := range list {
		switch r := e.(type) {
		case check.Rule:
			out = append(out, string(r))
		case string:
			out = append(out, r)
		}
	}
	return out
}

// one is a request for one imp on a site.
func one(fields ...m) m { return request(list{imp("1", fields...)}, nil) }

// with is the usual banner with request fields over it.
func with(more m) m { return request(list{imp("1", banner(300, 250))}, more) }

func allSamples() []sample {
	var out []sample
	for _, part := range [][]sample{
		formatSamples(), exampleSamples(), auctionSamples(), dealSamples(), blockSamples(), bannerSamples(),
		videoSamples(), nativeSamples(), contextSamples(), oddSamples(),
	} {
		out = append(out, part...)
	}
	return out
}

func formatSamples() []sample {
	shows := func(format string) []string { return rules(format, ruleSite) }
	return []sample{
		{"banner 300x250", append(shows(ruleBanner), "size"), wantBid, one(banner(300, 250))},
		{"banner 728x90", shows(ruleBanner), wantBid, one(banner(728, 90))},
		{"banner 160x600", shows(ruleBanner), wantBid, one(banner(160, 600))},
		{"banner 300x600", shows(ruleBanner), wantBid, one(banner(300, 600))},
		{"banner 970x250", shows(ruleBanner), wantBid, one(banner(970, 250))},
		{"banner 320x50 in an app", rules(ruleBanner, ruleApp), wantBid, request(list{imp("1", banner(320, 50))}, m{"app": app(), "device": phone()})},
		{"banner by w and h alone", shows(ruleBanner), wantBid, one(m{"banner": m{"w": 300, "h": 250}})},
		{"banner with w and h beside other formats", shows(ruleBanner), wantBid, one(m{"banner": m{"w": 640, "h": 480, "format": list{m{"w": 300, "h": 250}, m{"w": 728, "h": 90}}}})},
		{"banner by ratio", rules(check.RuleSize), wantRight, one(m{"banner": m{"format": list{m{"wratio": 6, "hratio": 5, "wmin": 300}}}})},
		{"video up to 15 s", shows(ruleVideo), wantBid, one(video(5, 15))},
		{"video up to 30 s", shows(ruleVideo), wantBid, one(video(5, 30))},
		{"video in an app", rules(ruleVideo, ruleApp), wantBid, request(list{imp("1", video(5, 30))}, m{"app": app(), "device": phone()})},
		{"native 1.2", shows(ruleNative), wantBid, one(native("1.2", nativeAsk("1.2")))},
		{"native 1.1", shows(ruleNative), wantBid, one(native("1.1", nativeAsk("1.1")))},
		{"native in its wrapper", shows(ruleNative), wantBid, one(native("1.2", m{"native": nativeAsk("1.2")}))},
		{"native in an app", rules(ruleNative, ruleApp), wantBid, request(list{imp("1", native("1.2", nativeAsk("1.2")))}, m{"app": app(), "device": phone()})},
		{"three imps", rules(ruleMultiImp, check.RuleOneBid, check.RuleImpID), wantBid,
			request(list{imp("a", banner(300, 250)), imp("b", banner(728, 90)), imp("c", banner(160, 600))}, nil)},
		{"three imps of three media types", rules(ruleMultiImp, check.RuleMType), wantBid,
			request(list{imp("b", banner(300, 250)), imp("v", video(5, 30)), imp("n", native("1.2", nativeAsk("1.2")))}, nil)},
		{"banner, video and native in one imp", rules(ruleMultiType, check.RuleMType, check.RuleOneBid), wantBid,
			one(banner(300, 250), video(5, 30), native("1.2", nativeAsk("1.2")))},
		{"two imps of one id", rules(check.RuleImpID), wantRight, request(list{imp("1", banner(300, 250)), imp("1", banner(728, 90))}, nil)},
		{"imp without a media type", rules(check.RuleMType), wantNone, one()},
	}
}

// exampleSamples are the situations of § 6.2, of the pods of I § 7.6 and, by
// the answers to them, of § 6.3.
func exampleSamples() []sample {
	page := m{"id": "88", "domain": "shares.example", "cat": list{"IAB3-1"}, "page": "https://shares.example/today", "publisher": m{"id": "9"}}
	expand := banner(300, 250, m{"pos": 0, "battr": list{13}, "expdir": list{2, 4}})
	user := m{"id": "u-88", "buyeruid": "b-88", "data": list{m{"id": "6", "name": "Provider", "segment": list{m{"id": "12341318394918", "name": "cars"}}}}}
	mobile := banner(320, 50, m{"pos": 1, "btype": list{4}, "battr": list{14}, "api": list{3}})
	clip := video(5, 30, m{"pos": 1, "maxextended": 30, "minbitrate": 100, "maxbitrate": 3000, "delivery": list{2}, "battr": list{13, 14},
		"companionad": list{m{"id": "c1", "w": 300, "h": 250, "pos": 1, "battr": list{13, 14}}}, "companiontype": list{1, 2}})
	foreign := m{"pmp": m{"private_auction": 1, "deals": list{
		m{"id": "certify-A", "at": 1, "bidfloor": 0.5, "wseat": list{"certify-agency-1"}},
		m{"id": "certify-B", "at": 2, "bidfloor": 0.6, "wseat": list{"certify-agency-2"}},
	}}}
	ask := nativeAsk("1.2",
		m{"id": 11, "required": 1, "title": m{"len": 140}}, m{"id": 12, "required": 0, "img": m{"type": 3, "wmin": 836, "hmin": 627}},
		m{"id": 13, "required": 0, "img": m{"type": 1, "wmin": 50, "hmin": 50}}, m{"id": 14, "required": 1, "data": m{"type": 1, "len": 25}},
		m{"id": 15, "required": 0, "data": m{"type": 2, "len": 140}})
	return []sample{
		{"§ 6.2.1 simple banner", rules(ruleExample + "1"), wantBid, request(list{imp("1", m{"banner": m{"w": 300, "h": 250, "pos": 0}})}, m{"site": page})},
		{"§ 6.2.2 expandable creative", rules(ruleExample + "2"), wantBid, request(list{imp("1", expand, m{"iframebuster": list{"a.example"}})}, m{"site": page, "user": user, "at": 2})},
		{"§ 6.2.3 mobile", rules(ruleExample + "3"), wantBid, request(list{imp("1", mobile, m{"instl": 0, "tagid": "agl-1"})}, m{"app": app(), "device": phone(), "at": 2, "bcat": list{"IAB25", "IAB7-39"}, "badv": list{"one.example", "two.example"}})},
		{"§ 6.2.4 video", rules(ruleExample+"4", ruleResponse+"2"), wantBid, request(list{imp("1", clip)}, m{"at": 2, "tmax": 300})},
		{"§ 6.2.5 direct deals of other seats", rules(ruleExample + "5"), wantRight, request(list{imp("1", banner(300, 250), foreign)}, m{"site": page})},
		{"§ 6.2.6 native ad", rules(ruleExample+"6", ruleResponse+"4"), wantBid, request(list{imp("1", native("1.2", ask))}, m{"at": 2})},
		{"structured pod", rules(rulePod), wantBid, request(list{
			imp("1", video(5, 30, m{"podid": "p1", "slotinpod": 1, "podseq": 1})), imp("2", video(5, 15, m{"podid": "p1", "slotinpod": 0}))}, m{"app": app(), "device": phone()})},
		{"structured pod with required durations", rules(rulePod, check.RuleDuration), wantRight, one(video(0, 0, m{"minduration": nil, "maxduration": nil, "rqddurs": list{15, 30}, "podid": "p2"}))},
		{"dynamic pod", rules(rulePod), wantBid, one(video(5, 30, m{"podid": "p3", "poddur": 60, "maxseq": 3, "mincpmpersec": 0.0001}))},
	}
}

func auctionSamples() []sample {
	floor := func(p float64) m { return request(list{imp("1", banner(300, 250), m{"bidfloor": p})}, nil) }
	return []sample{
		{"low floor", rules(check.RuleFloor), wantBid, floor(0.01)},
		{"floor that nobody pays", rules(check.RuleFloor), wantNone, floor(1_000_000)},
		{"video floor by duration that nobody pays", rules(check.RuleFloor), wantNone, one(video(5, 30, m{"durfloors": list{m{"mindur": 1, "maxdur": 600, "bidfloor": 1_000_000}}}))},
		{"negative floor", rules(check.RulePrice), wantRight, floor(-1)},
		{"no currency named", rules(check.RuleCurrency), wantRight, with(m{"cur": ""})},
		{"a currency that does not exist", rules(check.RuleCurrency), wantNone, with(m{"cur": list{"ZZZ"}})},
		{"euros only", rules(check.RuleCurrency), wantRight, with(m{"cur": list{"EUR"}})},
		{"other seats only", rules(check.RuleSeat), wantNone, with(m{"wseat": list{"certify-nobody"}})},
		{"test traffic", rules(ruleTest), wantBid, with(m{"test": 1})},
		{"second price", rules(check.RuleFloor), wantBid, with(m{"at": 2})},
		{"no auction type", rules(check.RuleFloor), wantBid, with(m{"at": nil})},
		{"secure banner", rules(check.RuleSecure), wantBid, one(banner(300, 250), m{"secure": 1})},
		{"secure video", rules(check.RuleSecure), wantBid, one(video(5, 30), m{"secure": 1})},
		{"secure native", rules(check.RuleSecure), wantBid, one(native("1.2", nativeAsk("1.2")), m{"secure": 1})},
		{"impression expires after 600 s", rules(check.RuleExp), wantBid, one(banner(300, 250), m{"exp": 600})},
	}
}

func dealSamples() []sample {
	pmp := func(deals ...any) m {
		return one(banner(300, 250), m{"pmp": m{"private_auction": 1, "deals": deals}})
	}
	deal := func(more m) m {
		d := m{"id": "certify-deal", "at": 1, "bidfloor": 0.02}
		for k, v := range more {
			d[k] = v
		}
		return d
	}
	return []sample{
		{"private auction without deals", rules(check.RulePrivate), wantNone, one(banner(300, 250), m{"pmp": m{"private_auction": 1}})},
		{"private auction with an empty list of deals", rules(check.RulePrivate), wantNone, pmp()},
		{"private auction with an open deal", rules(check.RuleDeal, check.RulePrivate, ruleResponse+"3"), wantBid, pmp(deal(nil))},
		{"deal above an imp floor that nobody pays", rules(check.RuleDealFloor), wantRight,
			one(banner(300, 250), m{"bidfloor": 1_000_000, "pmp": m{"private_auction": 1, "deals": list{deal(nil)}}})},
		{"deal with a floor that nobody pays", rules(check.RuleDealFloor), wantNone, pmp(deal(m{"bidfloor": 1_000_000}))},
		{"deal for other seats", rules(check.RuleDealSeat), wantNone, pmp(deal(m{"wseat": list{"certify-nobody"}}))},
		{"deal for other advertisers", rules(check.RuleDealSeat), wantNone, pmp(deal(m{"wadomain": list{"certify-nobody.example"}}))},
		{"fixed-price deal", rules(check.RuleDeal, check.RuleDealFloor), wantBid, pmp(deal(m{"at": 3}))},
		{"open auction with a deal beside", rules(check.RuleOneBid), wantBid, one(banner(300, 250), m{"pmp": m{"private_auction": 0, "deals": list{deal(nil)}}})},
	}
}

func blockSamples() []sample {
	many := make(list, 0, 17)
	for a := range 17 {
		many = append(many, a+1)
	}
	return []sample{
		{"only a category that is nobody's", rules(check.RuleACat), wantRight, with(m{"acat": list{"IAB23-9"}})},
		{"only a language that is nobody's", rules(check.RuleLanguage), wantRight, with(m{"wlang": list{"zu"}})},
		{"every creative attribute blocked", rules(check.RuleBAttr), wantRight, one(banner(300, 250, m{"battr": many}))},
		{"video with every creative attribute blocked", rules(check.RuleBAttr), wantRight, one(video(5, 30, m{"battr": many}))},
		{"categories of another taxonomy blocked", rules(ruleLenient), wantRight, with(m{"bcat": list{"1", "53"}, "cattax": 6})},
		{"block list with an empty entry", rules(ruleLenient), wantBid, with(m{"badv": list{"one.example", "", "two.example"}})},
	}
}
