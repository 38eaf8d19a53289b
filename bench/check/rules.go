package check

import "fmt"

// Rule names one thing that an answer must honour.
type Rule string

// The rules. Section gives where each comes from.
const (
	RuleStatus      Rule = "status"       // 200, 204, or 400 for what is malformed
	RuleEmpty204    Rule = "empty_204"    // a 204 has no body
	RuleContentType Rule = "content_type" // application/json
	RuleUTF8        Rule = "utf8"         // valid UTF-8
	RuleJSON        Rule = "json"         // one JSON value of the standard's types
	RuleResponseID  Rule = "response_id"  // the request's id
	RuleNoBid       Rule = "no_bid"       // a 200 carries a bid
	RuleCurrency    Rule = "currency"     // among the request's
	RuleSeat        Rule = "seat"         // wseat, bseat
	RuleBidID       Rule = "bid_id"       // present and unique
	RuleImpID       Rule = "impid"        // an imp of the request
	RulePrice       Rule = "price"        // above zero
	RuleFloor       Rule = "floor"        // at or above the floor that applies
	RuleCrid        Rule = "crid"
	RuleCID         Rule = "cid"
	RuleADomain     Rule = "adomain"
	RuleMType       Rule = "mtype"  // stated, offered by the imp, true of adm
	RuleMarkup      Rule = "markup" // adm is there and of its kind
	RuleSize        Rule = "size"
	RuleBCat        Rule = "bcat"
	RuleACat        Rule = "acat"
	RuleBAdv        Rule = "badv"
	RuleBApp        Rule = "bapp"
	RuleBAttr       Rule = "battr"
	RuleBType       Rule = "btype"
	RuleMIME        Rule = "mimes"
	RuleAPI         Rule = "api"
	RuleExpand      Rule = "expdir"
	RuleLanguage    Rule = "wlang"
	RuleSecure      Rule = "secure"
	RuleDeal        Rule = "deal"
	RuleDealFloor   Rule = "deal_floor"
	RuleDealSeat    Rule = "deal_seat"
	RulePrivate     Rule = "private_auction"
	RuleOneBid      Rule = "one_bid" // one open bid per imp, one per deal
	RuleURL         Rule = "notice_url"
	RuleMacro       Rule = "macro"
	RuleTracker     Rule = "tracker" // the markup reports its impression
	RuleExp         Rule = "exp"
	RuleVAST        Rule = "vast"
	RuleProtocol    Rule = "protocol"
	RuleDuration    Rule = "duration"
	RuleLinearity   Rule = "linearity"
	RuleSkip        Rule = "skip"
	RuleBitrate     Rule = "bitrate"
	RuleDelivery    Rule = "delivery"
	RuleNative      Rule = "native"
	RuleAsset       Rule = "native_asset"
	RuleDSA         Rule = "dsa"
)

// Section says where a rule is written.
func (r Rule) Section() string { return sections()[r] }

// Rules lists every rule with its section.
func Rules() map[Rule]string { return sections() }

func sections() map[Rule]string {
	return map[Rule]string{
		RuleStatus: "4.2.1", RuleEmpty204: "4.2.1", RuleContentType: "2.3", RuleUTF8: "2.3", RuleJSON: "4.2",
		RuleResponseID: "4.2.1", RuleNoBid: "4.2.1", RuleCurrency: "3.2.1", RuleSeat: "3.2.1",
		RuleBidID: "4.2.3", RuleImpID: "4.2.3", RulePrice: "4.2.3", RuleFloor: "3.2.4",
		RuleCrid: "4.2.3", RuleCID: "4.2.3", RuleADomain: "4.2.3", RuleMType: "4.2.3", RuleMarkup: "4.3.2",
		RuleSize: "3.2.6", RuleBCat: "3.2.1", RuleACat: "3.2.1", RuleBAdv: "3.2.1", RuleBApp: "3.2.1",
		RuleBAttr: "3.2.6", RuleBType: "3.2.6", RuleMIME: "3.2.6", RuleAPI: "3.2.6", RuleExpand: "3.2.6",
		RuleLanguage: "3.2.1", RuleSecure: "3.2.4", RuleDeal: "3.2.12", RuleDealFloor: "3.2.12",
		RuleDealSeat: "3.2.12", RulePrivate: "3.2.11", RuleOneBid: "4.2.2", RuleURL: "4.2.3", RuleMacro: "4.4",
		RuleTracker: "I 7.8", RuleExp: "4.2.3", RuleVAST: "3.2.7", RuleProtocol: "3.2.7", RuleDuration: "3.2.7",
		RuleLinearity: "3.2.7", RuleSkip: "I 7.4", RuleBitrate: "3.2.7", RuleDelivery: "3.2.7",
		RuleNative: "3.2.9", RuleAsset: "Native 1.2 5.1", RuleDSA: "3.2.3",
	}
}

// Violation is one breach.
type Violation struct {
	Rule    Rule
	Section string // of OpenRTB 2.6 unless it names another standard
	BidID   string // empty: the whole answer is concerned
	ImpID   string
	Msg     string
}

// String is the breach in one line.
func (v Violation) String() string {
	where := ""
	if v.BidID != "" {
		where = fmt.Sprintf(" bid %q imp %q", v.BidID, v.ImpID)
	}
	return fmt.Sprintf("§%s %s%s: %s", v.Section, v.Rule, where, v.Msg)
}
