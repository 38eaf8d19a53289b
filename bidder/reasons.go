package bidder

import (
	"sync/atomic"

	"github.com/grosz/grosz/bidder/privacy"
)

// NoBidReason says why a request, an imp or a campaign was not bid on. The
// bid path returns one of these, never an error.
type NoBidReason uint8

// The reasons. Where OpenRTB has a no-bid reason code (AdCOM list), NBR gives
// it.
const (
	ReasonNone NoBidReason = iota
	ReasonMalformed
	ReasonNoTime
	ReasonOverload
	ReasonNotReady
	ReasonNoImp
	ReasonSeat
	ReasonCurrency
	ReasonDOOH
	ReasonCrawler
	ReasonDataCentre
	ReasonBlockListCut
	ReasonMediaNotTaken
	ReasonNoCampaign
	ReasonFlight
	ReasonNoCreative
	ReasonSize
	ReasonBannerType
	ReasonMIME
	ReasonDuration
	ReasonProtocol
	ReasonLinearity
	ReasonBitrate
	ReasonPod
	ReasonDelivery
	ReasonAttr
	ReasonAdvertiser
	ReasonCategory
	ReasonLanguage
	ReasonNativeMalformed
	ReasonNativeAsset
	ReasonDealOnly
	ReasonDSA
	ReasonFloor
	ReasonNoPrice
	ReasonFrequency
	ReasonBudget
	ReasonLease
	ReasonOutranked
	ReasonMultiplier
	ReasonSelfCheck
	ReasonTaxonomy
	ReasonHidden
	ReasonNotApproved
	ReasonOffered   // another exchange offered the impression, and it was bid on there
	ReasonDearerWay // it comes through a cheaper exchange too
	ReasonHoldout   // the person is held out, to learn what the campaign changes
	ReasonBalance   // the shop's prepaid balance and credit are used up
	ReasonClickLoss // the platform lost on its billed clicks what it may lose
	numReasons
)

var reasonNames = [numReasons]string{
	"none", "malformed", "no_time", "overload", "not_ready", "no_imp", "seat", "currency", "dooh", "crawler", "data_centre", "block_list_cut", "media_not_taken",
	"no_campaign", "flight", "no_creative", "size", "banner_type", "mime", "duration", "protocol", "linearity", "bitrate",
	"pod", "delivery", "attr", "advertiser_blocked", "category_blocked", "language",
	"native_malformed", "native_asset", "deal_only", "dsa", "floor", "no_price", "frequency", "budget", "lease", "outranked", "multiplier", "self_check", "category_taxonomy", "hidden", "not_approved", "offered_twice", "dearer_way", "holdout", "balance", "click_loss",
}

// String is the reason's name in metrics, events and explanations.
func (r NoBidReason) String() string {
	if r < numReasons {
		return reasonNames[r]
	}
	return "unknown"
}

// exchangeCounters are an exchange's running totals.
type exchangeCounters struct {
	requests, bids, noBids atomic.Uint64
	reasons                [numReasons]atomic.Uint64 // of requests and imps
	// privacy counts requests by what was said about looking up a profile.
	privacy  [privacy.NumReasons]atomic.Uint64
	filtered [numReasons]atomic.Uint64 // of campaigns that matched and were refused
}
