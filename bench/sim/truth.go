package sim

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/grosz/grosz/internal/money"
)

const truthName = "orders"

func truthPath(dir string) string { return filepath.Join(dir, truthName+".journal") }

// Order is one purchase that happened.
type Order struct {
	Shop     uint32         `json:"shop"`
	ID       string         `json:"id"`
	Value    money.Nano     `json:"value"`
	Currency money.Currency `json:"currency"`
	TimeMS   int64          `json:"time"`
	// The last click within 30 days and the last view within a day before it,
	// of that shop's ads by that shopper; empty if none.
	ClickBid      string `json:"click_bid,omitempty"`
	ClickCampaign string `json:"click_campaign,omitempty"`
	ViewBid       string `json:"view_bid,omitempty"`
	ViewCampaign  string `json:"view_campaign,omitempty"`
	// Body is the event as it goes to the bidder.
	Body json.RawMessage `json:"body"`
}

// Campaign is the campaign to which last click, else last view, leads.
func (o *Order) Campaign() string {
	if o.ClickCampaign != "" {
		return o.ClickCampaign
	}
	return o.ViewCampaign
}

// truthRecord is one line of the orders' journal.
type truthRecord struct {
	K      string `json:"k"` // run, order, done
	Run    int64  `json:"run,omitempty"`
	Order  *Order `json:"order,omitempty"`
	ID     string `json:"id,omitempty"`
	Refuse string `json:"refuse,omitempty"` // why the bidder refused it for good
}

// Truth is what the shoppers bought.
type Truth struct {
	Orders []Order
	// Shops sums the orders by shop id.
	Shops map[uint32]*ShopTruth
	// Pending orders the bidder has not accepted yet; Refused it never will.
	Pending int
	Refused map[string]string
}

// ShopTruth is one shop's sum, in the shop's currency.
type ShopTruth struct {
	Orders  int64
	Revenue money.Nano
	Clicked int64 // orders with a click before them
	Viewed  int64 // orders without a click, but with a view
}

// truthState folds the orders' journal.
type truthState struct {
	run     int64
	pending map[string]*Order
	refused map[string]string
	each    func(*Order)
}

func newTruthState(each func(*Order)) *truthState {
	return &truthState{pending: map[string]*Order{}, refused: map[string]string{}, each: each}
}

func (s *truthState) apply(raw []byte) error {
	var r truthRecord
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	switch {
	case r.K == "run":
		s.run = r.Run
	case r.K == "order" && r.Order != nil:
		s.pending[r.Order.ID] = r.Order
		s.each(r.Order)
	case r.K == "done":
		delete(s.pending, r.ID)
		if r.Refuse != "" {
			s.refused[r.ID] = r.Refuse
		}
	default:
		return fmt.Errorf("unknown record %q", r.K)
	}
	return nil
}

// ReadTruth reads what the shoppers of dir bought; the world may be running.
func ReadTruth(dir string) (Truth, error) {
	t := Truth{Shops: map[uint32]*ShopTruth{}}
	s := newTruthState(func(o *Order) {
		t.Orders = append(t.Orders, *o)
		shop := t.Shops[o.Shop]
		if shop == nil {
			shop = new(ShopTruth)
			t.Shops[o.Shop] = shop
		}
		shop.Orders++
		shop.Revenue = money.Add(shop.Revenue, o.Value)
		switch {
		case o.ClickBid != "":
			shop.Clicked++
		case o.ViewBid != "":
			shop.Viewed++
		}
	})
	if err := readJournal(truthPath(dir), s.apply); err != nil {
		return t, err
	}
	t.Pending, t.Refused = len(s.pending), s.refused
	return t, nil
}
