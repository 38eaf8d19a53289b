package ledger

import (
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Kind of a Record.
type Kind uint8

// The kinds.
const (
	Settlement Kind = iota + 1 // a bid's first settling event; others of it must not be folded
	Adjustment                 // of a settlement, by an exchange's report
	Deposit                    // by a shop; negative: paid back
	Terms                      // of a shop's account
	Budget                     // limits of a campaign
	Lease                      // a node asks for money to bid with
	Return                     // a node gives a part of a lease back
)

// Record is what the fold reads: one money record of a shop, in log order.
type Record struct {
	Kind     Kind
	ID       events.ID // of the event: an entry names it
	AtMS     int64     // by the node that wrote it, ms UTC
	Shop     uint32
	Campaign uint32
	Exchange string

	// Day is the shop's day that a settlement, adjustment or lease is of: the
	// bid's; days since 1970-01-01.
	Day int32
	// Media cost in the exchange's currency, and what it is in the shop's.
	Amount   money.Nano
	Currency money.Currency
	// ShopAmount and ShopFee leave the shop's budget; of a deposit, lease or
	// return ShopAmount is the whole.
	ShopAmount   money.Nano
	ShopFee      money.Nano
	ShopCurrency money.Currency
	Disputed     money.Nano // asked above the bid, in Currency
	// Provisional: booked at the bid, for the price could not be read. Owed is
	// what an exchange's report then says, in Currency; its Amount is the
	// difference.
	Provisional bool
	Owed        money.Nano

	// PerClick: the shop pays the bid's click and not its impression. Then
	// ShopMedia is Amount in the shop's currency, which the platform pays, and
	// ShopAmount and ShopFee are of a click, in an adjustment of their own.
	PerClick  bool
	ShopMedia money.Nano

	// LeaseID is what a bid was held out of (0: of none), what is asked for,
	// or given back to. It is random, or a node's counter under its own number.
	LeaseID uint64
	TTLMS   int64 // of a lease: how long it counts as spent

	// Limits and Version of a budget; a version that is not newer is ignored.
	Limits  Limits
	Version int64
	Terms   Account
}

// Limits of a campaign in the shop's currency, fee included; 0 means none.
// Weeks begin on Monday.
type Limits struct{ Total, Week, Day money.Nano }

// Account is how a shop pays.
type Account struct {
	// Prepaid shops spend what they deposited, and Credit beyond it. Others
	// are billed afterwards, without a bound but their campaigns'.
	Prepaid bool
	Credit  money.Nano
}

// Place is a kind of account in the ledger.
type Place uint8

// The places.
const (
	Bank      Place = iota + 1 // what came in from outside
	Balance                    // of a shop: what it has paid and not used
	Media                      // owed to an exchange
	Unread                     // owed to an exchange at a price that could not be read
	Fee                        // the platform's share
	House                      // won for a shop, beyond its budget: the platform's loss
	Dispute                    // asked by an exchange above the bid
	Exchanged                  // between two currencies
	Margin                     // the platform's where clicks are billed: what they brought, less what impressions cost
)

// String is the place's name as reports have it.
func (p Place) String() string {
	return [...]string{"", "bank", "balance", "media", "unread", "fee", "house", "dispute", "exchanged", "margin"}[p]
}

// Entry moves an amount from one account to another. Shop, Campaign and
// Exchange say whose they are.
type Entry struct {
	ID       events.ID
	AtMS     int64
	Day      int32
	Shop     uint32
	Campaign uint32
	Exchange string
	From, To Place
	Amount   money.Nano // negative where something is taken back
	Currency money.Currency
}
