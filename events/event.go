// Package events owns what happened: the event types with one versioned
// schema, their ids, and the signed tokens that notices carry. Its slow edges
// are sub-packages: events/spool (durable log on the node's disk) and
// events/kafka (Kafka in and out). Field names are ClickHouse's columns.
//
// Hot: making an event, appending its JSON, signing and verifying a token do
// not allocate. Safe for many goroutines where noted. Imports internal only.
package events

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/grosz/grosz/internal/money"
)

// SchemaVersion is written into every event; readers ignore fields they do
// not know.
const SchemaVersion = 1

// Topics. Retention and partitions are set where they are created
// (events/kafka).
const (
	TopicEvents     = "grosz.events"      // keyed by shop: all that touches money or a person's report
	TopicBids       = "grosz.bids"        // bids and refusal counts; may drop, counted
	TopicShopEvents = "grosz.shop-events" // keyed by shop and user: behaviour and orders
	TopicCampaigns  = "grosz.campaigns"   // compacted: shops, campaigns, products
	TopicRequests   = "grosz.requests"    // a user-hashed sample of requests, as compact facts; may drop, counted
	TopicModels     = "grosz.models"      // compacted: what the learner has learned, in chunks
)

// Type of an event on TopicEvents and TopicBids.
type Type string

// The event types.
const (
	TypeBid        Type = "bid"
	TypeGhostBid   Type = "ghost_bid"  // a bid for a held-out person, which is not sent
	TypeWin        Type = "win"        // nurl: the auction is won
	TypeBilling    Type = "billing"    // burl: the exchange will bill
	TypeLoss       Type = "loss"       // lurl
	TypeImpression Type = "impression" // rendered: pixel in the markup, or VAST Impression
	TypeClick      Type = "click"
	TypeVideo      Type = "video"     // how far a video was played, or that it failed: Reason says; moves no money
	TypeViewable   Type = "viewable"  // half of a display ad was on screen for a second
	TypeHide       Type = "hide"      // the person wants no more of Product, or of the campaign
	TypeRejection  Type = "rejection" // forged, expired or otherwise refused notice: moves no money
	TypeDropped    Type = "dropped"   // count of bids dropped from the bounded queue, per campaign
	// TypeTally is Count of what a node counted since its last one: Raw says of
	// what (a Tally… name), Reason, Exchange, Browser, ShopID and CampaignID
	// which; W is the upper bound, µs, of a TallyLatency.
	TypeTally Type = "tally"
	// TypeSeen is written once a day when a visitor of a shop is met in an
	// exchange's traffic, TypeMatched when an exchange's id of one is learned.
	TypeSeen    Type = "seen"
	TypeMatched Type = "matched"

	// Records of budgets; see pacing/ledger. They are not rows of the warehouse.
	TypeBudget Type = "budget" // limits of a campaign, as a node saw them
	TypeLease  Type = "lease"  // a node asks for money to bid with
	TypeReturn Type = "return" // a node gives a part of a lease back
	// TypeDeposit is ShopAmount that a shop paid in (negative: was paid back);
	// Version numbers a shop's from 1, Raw is the bank's reference.
	TypeDeposit Type = "deposit"
	// TypeTerms is how a shop pays: Reason is TermsPrepaid or TermsInvoiced,
	// LimitTotal the credit. An older Version is ignored.
	TypeTerms Type = "terms"
	// TypeTraffic is the Count of bid requests that a node had of Exchange in
	// the hour from TimeMS on.
	TypeTraffic Type = "traffic"
	// TypeNotices is what a report of Exchange says of its notices: Count bids
	// of ours are billed in it, made from BidMS on, and no notice had told of W
	// of them. The same report again has the same id and replaces it.
	TypeNotices Type = "notices"
)

// What tallies count.
const (
	TallyRequests = "requests" // bid requests, by Browser; Reason: how well the person is known
	TallyNoBids   = "no_bids"  // requests and imps that were not bid on, by Reason
	TallyRefused  = "refused"  // a campaign that matched and did not bid, by Reason
	TallyLatency  = "latency"  // answers that took at most W µs, and more than the next lower bound
)

// How well the person of a request is known, from the least.
const (
	KnownNobody    = "no_consent" // nothing may be done with the person
	KnownConsented = "consented"  // it may, and the request names nobody
	KnownMatched   = "matched"    // the person has a key here
	KnownVisitor   = "visitor"    // and was at a shop
)

// Reasons of a TypeTerms record.
const (
	TermsPrepaid  = "prepaid"
	TermsInvoiced = "invoiced"
)

// ID is 128 bits. Bid ids are random; event ids follow from them, so that a
// retried or doubled notice has the same event id on every node.
type ID [16]byte

// String is the ID in 32 hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes 32 hex digits.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads 32 hex digits; an empty text is the zero ID.
func (id *ID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*id = ID{}
		return nil
	}
	if len(b) != 32 {
		return fmt.Errorf("id %q is not 32 hex digits", b)
	}
	if _, err := hex.Decode(id[:], b); err != nil {
		return fmt.Errorf("id %q: %w", b, err)
	}
	return nil
}

// IsZero tells whether the ID is absent.
func (id ID) IsZero() bool { return id == ID{} }

// EventID is the id of the one event of type t that bid may have. A click is
// counted each time, so it adds a nonce; others pass 0.
func EventID(bid ID, t Type, nonce uint64) ID {
	var buf [48]byte
	n := copy(buf[:], bid[:])
	n += copy(buf[n:], t)
	binary.LittleEndian.PutUint64(buf[n:], nonce)
	sum := sha256.Sum256(buf[:n+8])
	return ID(sum[:16])
}

// NamedID is the id of something a client names: the same parts give the
// same id everywhere, different shops never share one.
func NamedID(shop uint32, kind, name string) ID {
	h := sha256.New()
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], shop)
	h.Write(b[:])
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(name))
	var sum [32]byte
	return ID(h.Sum(sum[:0])[:16])
}

// How a notice's price macro was read (openrtb 4.4). Only PriceOK carries a
// price the exchange stated.
const (
	PriceOK         = "ok"
	PriceNone       = ""           // the event carries no price by nature
	PriceEmpty      = "empty"      // macro replaced by nothing
	PriceAudit      = "audit"      // "AUDIT": a test of the exchange, not an auction
	PriceMacro      = "macro"      // the literal macro: not replaced
	PriceUnreadable = "unreadable" // anything else
	PriceAboveBid   = "above_bid"  // a number, but more than we bid
)

// Reasons of a rejection.
const (
	RejectForged    = "forged"
	RejectExpired   = "expired"
	RejectMalformed = "malformed"
)

// Event is one row of grosz.events (and of grosz.bids for TypeBid). Amounts
// are nano-units, prices micro-CPM; times are ms since the epoch, UTC.
type Event struct {
	EventID ID     `json:"event_id"`
	Type    Type   `json:"type"`
	TimeMS  int64  `json:"time"`     // when it happened, by the node that saw it
	BidMS   int64  `json:"bid_time"` // when the bid was made, from the token
	Day     string `json:"day"`      // TimeMS's date in the shop's time zone, YYYY-MM-DD
	BidID   ID     `json:"bid_id"`

	ShopID     uint32 `json:"shop_id"`
	CampaignID uint32 `json:"campaign_id"`
	CreativeID uint32 `json:"creative_id"`
	Exchange   string `json:"exchange"`
	Media      string `json:"media"`
	// User is the shop's own pseudonym of the person; 0 is nobody.
	User uint64 `json:"user"`

	// Settles is true on the one event per bid that moves money. The first in
	// the log by bid wins; any further one is a duplicate.
	Settles     bool           `json:"settles"`
	Price       money.CPM      `json:"price"` // as reported, in Currency
	PriceStatus string         `json:"price_status"`
	BidPrice    money.CPM      `json:"bid_price"` // what we bid, in Currency
	Currency    money.Currency `json:"currency"`
	Amount      money.Nano     `json:"amount"` // media cost in Currency; set where Settles
	// ShopAmount is Amount in ShopCurrency by Rate, ShopFee the platform's
	// share of it, or so much an impression (then FeeCPM is set). What leaves
	// the shop's budget is their sum.
	ShopCurrency money.Currency `json:"shop_currency"`
	Rate         money.Rate     `json:"rate"`
	ShopAmount   money.Nano     `json:"shop_amount"`
	ShopFee      money.Nano     `json:"shop_fee"`
	FeeCPM       money.CPM      `json:"fee_cpm"` // the fee of a thousand impressions in ShopCurrency where it is no share; set where Settles
	// ClickPrice is what a click costs in ShopCurrency, of the bids of campaigns
	// that are billed by it: their impressions cost the shop nothing, and Amount
	// is the platform's.
	ClickPrice money.Nano `json:"click_price"`
	Disputed   money.Nano `json:"disputed"` // part of the report above the bid, in Currency: never the shop's
	Test       bool       `json:"test"`     // BidRequest.test: counted nowhere
	Late       bool       `json:"late"`     // after the node had let the hold go

	LossReason int       `json:"loss_reason"`
	MinToWin   money.CPM `json:"min_to_win"`
	Product    string    `json:"product"` // clicked product
	Reason     string    `json:"reason"`  // of a rejection; of a drop
	Raw        string    `json:"raw"`     // the price macro as it came, at most 64 bytes
	Count      int64     `json:"count"`   // of a TypeDropped record
	// Lease is what the bid was held out of, or what is asked for or given
	// back; 0: none. BidDay is the shop's day of the bid or of the lease, in
	// days since 1970-01-01: its budget pays. TTLMS is how long a lease counts
	// as spent.
	Lease  uint64 `json:"lease"`
	BidDay int32  `json:"bid_day"`
	TTLMS  int64  `json:"ttl"`
	// Limits of a TypeBudget record, in ShopCurrency, and its version: an older
	// one is ignored.
	LimitTotal money.Nano `json:"limit_total"`
	LimitWeek  money.Nano `json:"limit_week"`
	LimitDay   money.Nano `json:"limit_day"`
	Version    int64      `json:"version"`
	// Shows are the short hashes of the products that the ad shows, where its
	// shop caps them: eight hexadecimal digits each.
	Shows string `json:"shows"`
	Node  string `json:"node"`

	// Of bids only.
	RequestID string `json:"request_id"`
	ImpID     string `json:"imp_id"`
	Domain    string `json:"domain"`
	Device    string `json:"device"`
	Browser   string `json:"browser"` // family, as BrowserName has it; of notices too
	Country   string `json:"country"`
	W         int    `json:"w"`
	H         int    `json:"h"`
	// Features is what the bid's value was predicted from, as bidder/value
	// writes it; ClickPPB and OrderPPB are the predictions themselves, of a
	// click and of an order after one, in 10⁻⁹.
	Features string `json:"features"`
	ClickPPB int64  `json:"click_ppb"`
	OrderPPB int64  `json:"order_ppb"`
	// WinPPB is the predicted probability of winning, in 10⁻⁹, of campaigns with
	// a holdout; 0: none was made.
	WinPPB int64 `json:"win_ppb"`
	// Segments are the shop's segments that the person was in, by number, in
	// order, with commas.
	Segments string `json:"segments"`
}

// ErrSchema is what Unmarshal wraps for a message that is not an event.
var ErrSchema = errors.New("not an event of a known schema")

var errMissing = errors.New("missing")
