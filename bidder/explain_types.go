package bidder

import (
	"encoding/json"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// Explanation says what a request would be answered now, and why. Money is in
// the currency that stands beside it; times are UTC.
type Explanation struct {
	Exchange string `json:"exchange"`
	// Shop whose campaigns alone were looked at, as if there were no other
	// shop; 0 means everybody's.
	Shop   uint32        `json:"shop,omitempty"`
	Inputs ExplainInputs `json:"inputs"`
	// Reasons that concern the request as a whole. With any there is no bid.
	Reasons []Miss          `json:"reasons,omitempty"`
	Imps    []ExplainedImp  `json:"imps,omitempty"`
	Bids    []ExplainedBid  `json:"bids,omitempty"`
	NoBid   string          `json:"no_bid,omitempty"`   // the reason in metrics, if nothing was bid
	Answer  json.RawMessage `json:"response,omitempty"` // what would be sent, its tokens marked as test
}

// ExplainInputs is what the answer depended on beside the request.
type ExplainInputs struct {
	Time          string `json:"time"`
	TimeMS        int64  `json:"time_ms"`
	Node          string `json:"node,omitempty"`
	ConfigVersion int64  `json:"config_version,omitempty"`
	// Seed of ids, ties between equal prices and the choice of products, hex.
	Seed        string `json:"seed,omitempty"`
	Currency    string `json:"currency,omitempty"` // of the bid
	AuctionType int32  `json:"auction_type"`
	DeadlineMS  int64  `json:"deadline_ms"`
	Test        bool   `json:"test,omitempty"`
	// MayProfile tells whether the law and the exchange allow looking at what
	// is known of the person; Known, whether there is an id to do it by.
	MayProfile bool           `json:"may_profile"`
	Known      bool           `json:"known"`
	Profiles   []ProfileFacts `json:"profiles,omitempty"`
	Rates      []RateUsed     `json:"rates,omitempty"`
}

// ProfileFacts is what one shop knows of the person.
type ProfileFacts struct {
	Shop         uint32     `json:"shop"`
	First        string     `json:"first,omitempty"`
	Last         string     `json:"last,omitempty"`
	LastView     string     `json:"last_view,omitempty"`
	LastSearch   string     `json:"last_search,omitempty"`
	LastCart     string     `json:"last_cart,omitempty"`
	LastCheckout string     `json:"last_checkout,omitempty"`
	LastPurchase string     `json:"last_purchase,omitempty"`
	Visits       uint32     `json:"visits"`
	Views        uint32     `json:"views"`
	Orders       uint32     `json:"orders"`
	CartLines    int        `json:"cart_lines"`
	CartValue    money.Nano `json:"cart_value"`
}

// RateUsed is an exchange rate: units of To for one of From.
type RateUsed struct {
	From string     `json:"from"`
	To   string     `json:"to"`
	Rate money.Rate `json:"rate"`
}

// Miss is one thing that keeps a campaign, an imp or a request from a bid.
type Miss struct {
	// Rule is "targeting" or a NoBidReason's name.
	Rule string `json:"rule"`
	// Detail is the predicate as the marketer wrote it, or a sentence.
	Detail string `json:"detail,omitempty"`
	// Pos is a predicate's byte offset in the targeting.
	Pos int `json:"pos,omitempty"`
}

// ExplainedImp is one imp by one media type.
type ExplainedImp struct {
	Imp     string `json:"imp"`
	Index   int    `json:"index"`
	Media   string `json:"media,omitempty"`
	Reasons []Miss `json:"reasons,omitempty"` // against every campaign alike
	// Looked is how many campaigns there are, Matched how many of them the
	// targeting lets through; Failing counts them by what they fail: a
	// campaign counts once for each.
	Looked  int            `json:"looked"`
	Matched int            `json:"matched"`
	Failing map[string]int `json:"failing,omitempty"`
	// Nearest is the campaign that would bid if the fewest things changed.
	Nearest uint32 `json:"nearest,omitempty"`
	// Campaigns, those first that fail least, then the dearest.
	Campaigns []ExplainedCampaign `json:"campaigns,omitempty"`
	Cut       int                 `json:"cut,omitempty"` // campaigns left out of the list
}

// Outcomes of a campaign for an imp.
const (
	OutcomeWins      = "wins"
	OutcomeFails     = "fails"
	OutcomeOutranked = "outranked" // nothing is against it, another one is dearer
	OutcomeBlocked   = "blocked"   // nothing is against it but the request or imp as a whole
)

// ExplainedCampaign is one campaign's case for an imp and a media type.
type ExplainedCampaign struct {
	ID      uint32 `json:"id"`
	ShopID  uint32 `json:"shop"`
	Name    string `json:"name"`
	Version int64  `json:"version"`
	Outcome string `json:"outcome"`
	Failing []Miss `json:"failing,omitempty"`
	// Unexamined tells that rules behind the last one could not be asked.
	Unexamined bool `json:"unexamined,omitempty"`

	// Intent is what the shop has of what the person looks for, if anything.
	Intent *ExplainedIntent `json:"intent,omitempty"`

	Value     ExplainedValue   `json:"value"`
	Price     money.CPM        `json:"price"` // CPM in the bid's currency
	Floor     money.CPM        `json:"floor"` // CPM in the bid's currency
	Rate      money.Rate       `json:"rate"`  // from the shop's currency to the bid's
	Creative  uint32           `json:"creative,omitempty"`
	W         int              `json:"w,omitempty"`
	H         int              `json:"h,omitempty"`
	Deal      string           `json:"deal,omitempty"`
	Frequency *ExplainedCap    `json:"frequency,omitempty"`
	Budget    *ExplainedBudget `json:"budget,omitempty"`
	// Products are what caps of products leave; absent without such caps.
	Products *ExplainedProducts `json:"products,omitempty"`
}

// ExplainedValue is how the price came to be, CPM in the shop's currency.
type ExplainedValue struct {
	Currency string           `json:"currency"`
	Base     money.CPM        `json:"base"`
	Boosts   []ExplainedBoost `json:"boosts,omitempty"`
	Max      money.CPM        `json:"max,omitempty"`
	CPM      money.CPM        `json:"cpm"` // base × boosts that hold, at most max; with goals the least that they allow
	Goal     *ExplainedGoal   `json:"goal,omitempty"`
	// Pace is the factor by which the bid is lowered for the day's budget to
	// last; absent where the day is not paced.
	Pace float64 `json:"pace,omitempty"`
	// Plan is what the factor was planned from; absent before the first plan.
	Plan *plan.Report `json:"plan,omitempty"`
}

// ExplainedGoal is how a campaign's goals made its value. CPMs are in the
// shop's currency, without the fee.
type ExplainedGoal struct {
	PClick     float64              `json:"p_click"`
	POrder     float64              `json:"p_order,omitempty"` // after a click
	OrderValue money.Nano           `json:"order_value,omitempty"`
	Control    float64              `json:"control,omitempty"` // brings the average cost of an order to its target
	Allows     map[string]money.CPM `json:"allows"`            // CPM by limit
	Bound      string               `json:"bound"`             // the limit that is the least
	Model      int64                `json:"model,omitempty"`   // version, ms UTC; absent: what is usual is believed
	// State is how the campaign fared in the last minutes, and Detail says it.
	State  string `json:"state"`
	Detail string `json:"detail"`
}

// ExplainedBoost is a factor of the value in basis points.
type ExplainedBoost struct {
	When  string `json:"when"`
	BPS   int64  `json:"bps"`
	Holds bool   `json:"holds"`
}

// ExplainedCap is a frequency cap and how often the person saw the campaign.
type ExplainedCap struct {
	Seen  int `json:"seen"`
	Cap   int `json:"cap"`
	Hours int `json:"hours"`
}

// ExplainedBudget is what a bid would hold and what is free, in the shop's
// currency, fee included. Free is absent where the campaign has no limit.
type ExplainedBudget struct {
	Hold money.Nano  `json:"hold"`
	Free *money.Nano `json:"free,omitempty"`
}

// ExplainedBid is a bid of the answer.
type ExplainedBid struct {
	Imp      string    `json:"imp"`
	Index    int       `json:"index"` // of the imp in the request
	Media    string    `json:"media"`
	Campaign uint32    `json:"campaign"`
	Creative uint32    `json:"creative"`
	Price    money.CPM `json:"price"`
	Currency string    `json:"currency"`
	W        int       `json:"w,omitempty"`
	H        int       `json:"h,omitempty"`
	Deal     string    `json:"deal,omitempty"`
}
