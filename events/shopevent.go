package events

import "github.com/grosz/grosz/internal/money"

// ShopType is the type of a shop event.
type ShopType string

// The shop event types.
const (
	ShopVisit        ShopType = "visit"
	ShopCategoryView ShopType = "category_view"
	ShopProductView  ShopType = "product_view"
	ShopSearch       ShopType = "search"
	ShopCartAdd      ShopType = "cart_add"
	ShopCartRemove   ShopType = "cart_remove"
	ShopCheckout     ShopType = "checkout"
	ShopPurchase     ShopType = "purchase"
	ShopOptOut       ShopType = "opt_out"
	// ShopOrderStatus says what became of an order: see the Order constants.
	ShopOrderStatus ShopType = "order_status"
	// ShopConversion is a goal that the shop names itself: a lead, a sign-up.
	ShopConversion ShopType = "conversion"
	// ShopIdentify joins UID with Alias, another key of the same person.
	ShopIdentify ShopType = "identify"
)

// What becomes of an order: the Status of a ShopOrderStatus. A return with a
// Value gives back that much of the order, one without all of it.
const (
	OrderPaid      = "paid"
	OrderCancelled = "cancelled"
	OrderReturned  = "returned"
)

// OrderStatuses lists them.
var OrderStatuses = []string{OrderPaid, OrderCancelled, OrderReturned}

// The kinds of Alias that an identify event may name.
const (
	AliasVisitor  = "visitor"  // the pixel's first-party id in the shop's own cookie
	AliasCustomer = "customer" // the shop's own id of a person
)

// ShopTypes lists the types a shop may send.
var ShopTypes = []ShopType{ShopVisit, ShopCategoryView, ShopProductView, ShopSearch, ShopCartAdd, ShopCartRemove, ShopCheckout,
	ShopPurchase, ShopOrderStatus, ShopConversion, ShopIdentify, ShopOptOut}

// ShopEvent is something a visitor did in a shop: one message of
// grosz.shop-events and, without UID, one row of grosz.shop_events.
type ShopEvent struct {
	// EventID is NamedID of the shop and the client's own event id, so that a
	// batch sent twice counts once; a purchase's is of its order id.
	EventID    ID       `json:"event_id"`
	Type       ShopType `json:"type"`
	TimeMS     int64    `json:"time"`     // when it happened, by the shop
	ReceivedMS int64    `json:"received"` // when a node took it, ms UTC
	Day        string   `json:"day"`      // TimeMS's date in the shop's time zone
	ShopID     uint32   `json:"shop_id"`
	// UID is the DSP-wide user id (see segments.UserKey): it finds the
	// profile, and never leaves for ClickHouse.
	UID ID `json:"uid"`
	// User is the shop's own pseudonym of UID.
	User uint64 `json:"user"`
	// ClickBid is the bid whose click brought the visitor, verified from the
	// signed click id in the landing URL; zero if none.
	ClickBid ID `json:"click_bid"`

	Product  string     `json:"product,omitempty"`
	Category string     `json:"category,omitempty"`
	Query    string     `json:"query,omitempty"`
	Quantity int64      `json:"quantity,omitempty"`
	Price    money.Nano `json:"price"` // of one piece
	OrderID  string     `json:"order_id,omitempty"`
	Value    money.Nano `json:"value"` // of the whole order
	// Margin of a purchase is what it leaves the shop, by the margins of its
	// feed when the event was taken; 0 where the feed gave none.
	Margin   money.Nano     `json:"margin,omitempty"`
	Currency money.Currency `json:"currency"`
	Items    []Item         `json:"items,omitempty"`
	URL      string         `json:"url,omitempty"`
	// Offline marks a purchase that was not made on the site.
	Offline bool   `json:"offline,omitempty"`
	Status  string `json:"status,omitempty"` // of a ShopOrderStatus
	// Name of a conversion; of an identify event the kind of Alias.
	Name string `json:"name,omitempty"`
	// Browser is the family of the visitor's browser; Page tells that the pixel
	// sent the event, which asks for consent first.
	Browser string `json:"browser,omitempty"`
	Page    bool   `json:"page,omitempty"`
	// Alias is the key that an identify event joins with UID. Like UID it
	// never leaves for ClickHouse.
	Alias ID `json:"alias,omitempty"`
	// AliasUser is the shop's pseudonym of Alias.
	AliasUser uint64 `json:"alias_user,omitempty"`
	Node      string `json:"node,omitempty"`
}

// Item is a line of an order or of a cart.
type Item struct {
	Product  string     `json:"product"`
	Quantity int64      `json:"quantity"`
	Price    money.Nano `json:"price"`
}
