package certify

import (
	"maps"

	"github.com/grosz/grosz/bench/check"
)

func bannerSamples() []sample {
	return []sample{
		{"a size that no ad has", rules(check.RuleSize), wantRight, one(banner(7, 3))},
		{"every banner type blocked", rules(check.RuleBType), wantNone, one(banner(300, 250, m{"btype": list{1, 2, 3, 4}}))},
		{"scripts and frames blocked", rules(check.RuleBType), wantRight, one(banner(300, 250, m{"btype": list{1, 3, 4}}))},
		{"MIME types that HTML is none of", rules(check.RuleMIME), wantNone, one(banner(300, 250, m{"mimes": list{"application/x-shockwave-flash"}}))},
		{"no API", rules(check.RuleAPI), wantBid, one(banner(300, 250, m{"api": list{}}))},
		{"no direction to expand to", rules(check.RuleExpand), wantBid, one(banner(300, 250))},
		{"interstitial", rules(check.RuleSize), wantRight, one(m{"banner": m{"format": list{m{"w": 320, "h": 480}, m{"w": 300, "h": 250}}}, "instl": 1})},
	}
}

func videoSamples() []sample {
	v := func(name string, rule check.Rule, w want, more m) sample {
		return sample{name, rules(rule), w, one(video(5, 30, more))}
	}
	return []sample{
		v("video: WebM only", check.RuleMIME, wantRight, m{"mimes": list{"video/webm"}}),
		v("video: VAST 1.0 only", check.RuleProtocol, wantRight, m{"protocols": list{1, 4}}),
		v("video: VAST 3.0 only", check.RuleProtocol, wantBid, m{"protocols": list{3}}),
		v("video: VAST 4.x only", check.RuleProtocol, wantRight, m{"protocols": list{7, 11, 13}}),
		v("video: 1 to 3 s", check.RuleDuration, wantRight, m{"minduration": 1, "maxduration": 3}),
		v("video: 7 s, no more and no less", check.RuleDuration, wantRight, m{"minduration": nil, "maxduration": nil, "rqddurs": list{7}}),
		v("video: non-linear only", check.RuleLinearity, wantRight, m{"linearity": 2}),
		v("video: not skippable", check.RuleSkip, wantRight, m{"skip": 0}),
		v("video: skippable from 60 s", check.RuleSkip, wantRight, m{"skip": 1, "skipmin": 60, "skipafter": 5}),
		v("video: 1 to 2 kbps", check.RuleBitrate, wantRight, m{"minbitrate": 1, "maxbitrate": 2}),
		v("video: streaming only", check.RuleDelivery, wantRight, m{"delivery": list{1}}),
		v("video: progressive only", check.RuleDelivery, wantBid, m{"delivery": list{2}}),
		v("video: no API", check.RuleAPI, wantBid, m{"api": list{}}),
	}
}

func nativeSamples() []sample {
	title := m{"id": 1, "required": 1, "title": m{"len": 90}}
	return []sample{
		{"native request that is no JSON", rules(check.RuleNative), wantNone, one(native("1.2", "assets: none"))},
		{"native request without assets", rules(check.RuleNative), wantNone, one(native("1.2", m{"ver": "1.2", "assets": list{}}))},
		{"native: short title", rules(check.RuleAsset), wantRight, one(native("1.2", nativeAsk("1.2", m{"id": 1, "required": 1, "title": m{"len": 25}})))},
		{"native: a required asset of an unknown kind", rules(check.RuleAsset), wantRight, one(native("1.2", nativeAsk("1.2", title, m{"id": 9, "required": 1, "data": m{"type": 999}})))},
		{"native: an image of an exact size", rules(check.RuleAsset), wantRight, one(native("1.2", nativeAsk("1.2", title, m{"id": 2, "required": 1, "img": m{"type": 3, "w": 1200, "h": 627}})))},
		{"native: every event tracker asked for", rules(check.RuleTracker), wantBid, one(native("1.2", nativeAsk("1.2")))},
	}
}

func contextSamples() []sample {
	dsa := func(in m) m {
		in["dsa"] = m{"dsarequired": 2, "pubrender": 0, "datatopub": 2}
		return in
	}
	out := []sample{
		{"DSA transparency in regs.dsa", rules(check.RuleDSA, rulePlacement), wantBid, with(m{"regs": dsa(m{})})},
		{"DSA transparency in regs.ext.dsa", rules(check.RuleDSA, rulePlacement), wantBid, with(m{"regs": m{"ext": dsa(m{})}})},
		{"audio only", rules(ruleAudio), wantRight, one(m{"audio": m{"mimes": list{"audio/mp4"}, "minduration": 5, "maxduration": 30, "protocols": list{9, 10}}})},
		{"digital out-of-home", rules(ruleDOOH), wantRight, request(list{imp("1", banner(1920, 1080), m{"qty": m{"multiplier": 3.5}})},
			m{"site": nil, "device": nil, "dooh": m{"id": "screen-5", "venuetype": list{"transit.airports"}, "publisher": m{"id": "p"}}})},
		{"rewarded, 2.6", rules(rulePlacement), wantRight, request(list{imp("1", video(5, 30), m{"rwdd": 1})}, m{"app": app(), "device": phone()})},
		{"rewarded, 2.5", rules(rulePlacement), wantRight, request(list{imp("1", video(5, 30), m{"ext": m{"rewarded": 1}})}, m{"app": app(), "device": phone()})},
	}
	eids := list{m{"source": "id.example", "uids": list{m{"id": "u-1", "atype": 1}}}}
	chain := m{"complete": 1, "ver": "1.0", "nodes": list{m{"asi": "ssp.example", "sid": "44", "hp": 1}}}
	for _, p := range []struct {
		name     string
		old, now m
	}{
		{"GDPR without consent", m{"regs": m{"ext": m{"gdpr": 1}}, "user": m{"ext": m{"consent": "", "eids": eids}}}, m{"regs": m{"gdpr": 1}, "user": m{"consent": "", "eids": eids}}},
		{"US privacy opt-out", m{"regs": m{"ext": m{"us_privacy": "1YYN"}}}, m{"regs": m{"us_privacy": "1YYN"}}},
		{"supply chain", m{"source": m{"ext": m{"schain": chain}}}, m{"source": m{"schain": chain}}},
		{"GPP", m{"regs": m{"ext": m{"gpp": "DBABLA~BVQqAAAAAgA.QA", "gpp_sid": list{7}}}}, m{"regs": m{"gpp": "DBABLA~BVQqAAAAAgA.QA", "gpp_sid": list{7}}}},
	} {
		out = append(out, sample{p.name + ", 2.5", rules(rulePlacement), wantRight, with(p.old)}, sample{p.name + ", 2.6", rules(rulePlacement), wantRight, with(p.now)})
	}
	return append(out,
		sample{"COPPA", rules(ruleLenient), wantRight, with(m{"regs": m{"coppa": 1}})},
		sample{"no device, no user", rules(ruleLenient), wantRight, with(m{"device": nil})},
	)
}

func oddSamples() []sample {
	strange := site()
	maps.Copy(strange, m{"unknown": m{"x": list{1, nil, "y"}}, "content": nil, "publisher": m{}})
	return []sample{
		{"numbers as text and text as numbers", rules(ruleLenient), wantRight, request(list{imp("1", m{"banner": m{"w": "300", "h": 250.0}, "bidfloor": "0.01", "secure": "0"})},
			m{"bcat": list{25, 26}, "tmax": "500", "device": m{"ua": desktopUA, "carrier": 26001}})},
		{"null, {} and text for objects", rules(ruleLenient), wantRight, with(m{"site": strange, "user": m{}, "regs": "", "source": m{"ext": nil}})},
		{"unknown fields everywhere", rules(ruleLenient), wantBid, with(m{"ext": m{"deep": m{"er": list{m{}, list{}}}}, "zzz": true})},
		{"site and app together", rules(ruleLenient), wantRight, m{"imp": list{imp("1", banner(300, 250))}, "site": site(), "app": app()}},
		{"eleven imps", rules(ruleMultiImp, check.RuleOneBid), wantBid, request(eleven(), nil)},
		{"id and texts with every kind of character", rules(check.RuleUTF8, check.RuleJSON), wantBid, with(m{"site": m{"domain": "news.example", "page": "https://news.example/?q=<script>&%zz\"\\\u2028ą", "name": "Ł\u0007 \"x\""}})},
	}
}

func eleven() list {
	out := make(list, 0, 11)
	for i := range 11 {
		out = append(out, imp(string(rune('a'+i)), banner(300, 250)))
	}
	return out
}
