package reconcile

import (
	"fmt"
	"math/bits"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Kind of a finding.
type Kind string

// The kinds. Of Corrected and Booked an event is written.
const (
	Matched       Kind = "matched"
	Corrected     Kind = "corrected"      // booked provisionally, now as the report has it
	Drift         Kind = "drift"          // the notice said one price, the report says another
	AboveBid      Kind = "above_bid"      // the report says more than was bid: the bid stays booked
	ClawedBack    Kind = "clawed_back"    // differs by what the exchange had credited
	Booked        Kind = "booked"         // no notice came: settled by the report
	Unbilled      Kind = "unbilled"       // no notice came: our bid, and nothing is booked
	Unknown       Kind = "unknown"        // no bid of ours
	Missing       Kind = "missing"        // settled here, and not in the report
	OtherExchange Kind = "other_exchange" // our bid, at another exchange
	OtherCurrency Kind = "other_currency" // not the bid's
	Test          Kind = "test"           // a test bid, which is never billed
	Twice         Kind = "twice"          // the bid was on an earlier line
	Ambiguous     Kind = "ambiguous"      // request and imp name several bids
	Bad           Kind = "bad"            // the line cannot be read
)

// Kinds lists them in the order of a summary.
func Kinds() []Kind {
	return []Kind{Matched, Corrected, Booked, Drift, AboveBid, ClawedBack, Unbilled, Unknown, Missing, OtherExchange, OtherCurrency, Test, Twice, Ambiguous, Bad}
}

// Entry is what the books know of a bid.
type Entry struct {
	BidID                  events.ID
	BidMS                  int64 // when it was made
	Shop, Campaign         uint32
	Creative               uint32
	Exchange, Media        string
	BidPrice               money.CPM
	Currency, ShopCurrency money.Currency
	Rate                   money.Rate
	Test                   bool
	Rejected               string // reason of a refused notice, such as expired_billing

	Settled      bool
	Status       string     // how the settling notice's price was read
	Sum          Sum        // as it settled
	FeeCPM       money.CPM  // the fee of a thousand impressions, where it is no share of the cost
	Corrections  int        // by reports
	Correction   Sum        // their sum
	Credit       Sum        // clawbacks: zero or below
	ClickPrice   money.Nano // what a click is billed at; 0: the impression is
	Clicks       Sum        // what was billed for a click
	CreditedRefs []string
}

// Sum is an amount in both currencies, and the fee.
type Sum struct{ Amount, Shop, Fee money.Nano }

func (s Sum) plus(o Sum) Sum {
	return Sum{money.Add(s.Amount, o.Amount), money.Add(s.Shop, o.Shop), money.Add(s.Fee, o.Fee)}
}

func (s Sum) minus(o Sum) Sum { return s.plus(Sum{-o.Amount, -o.Shop, -o.Fee}) }

// Now is what the bid costs by now.
func (b *Entry) Now() Sum { return b.Sum.plus(b.Correction).plus(b.Credit).plus(b.Clicks) }

// Finding is what became of a line, or of a bid that no line has.
type Finding struct {
	Kind     Kind
	Line     int // 0: no line has it
	BidID    events.ID
	Currency money.Currency
	// BookedAmount is what stood before, Reported what the report says,
	// Change what was written now.
	BookedAmount, Reported, Change money.Nano
	Note                           string
}

// Rules are what Run may book.
type Rules struct {
	Drift   bool // also correct what a readable price settled
	Missing bool // also settle what no notice settled
}

// judge compares a line with what is booked and returns the event that makes
// them equal, nil where none is due.
func (c *Config) judge(l *Line, b *Entry) (Finding, *events.Event) {
	f := Finding{Line: l.N, BidID: b.BidID, Currency: b.Currency, Reported: l.Amount}
	say := func(k Kind, format string, args ...any) (Finding, *events.Event) {
		f.Kind, f.Note = k, fmt.Sprintf(format, args...)
		return f, nil
	}
	switch {
	case b.Exchange != c.Exchange:
		return say(OtherExchange, "bid at %s", b.Exchange)
	case b.Test:
		return say(Test, "a test bid")
	case l.Currency != (money.Currency{}) && l.Currency != b.Currency:
		return say(OtherCurrency, "reported in %s, bid in %s", l.Currency, b.Currency)
	case !b.Settled:
		return c.unsettled(l, b, f)
	}
	now := b.Sum.plus(b.Correction)
	f.BookedAmount = now.Amount
	target := min(l.Amount, b.BidPrice.PerImpression())
	if above := l.Amount - target; above > 0 {
		f.Note = fmt.Sprintf("%s above the bid is the exchange's to explain", above)
	}
	switch {
	case target == now.Amount && f.Note != "":
		return say(AboveBid, "%s", f.Note)
	case target == now.Amount:
		return say(Matched, "")
	case b.Status == events.PriceOK && b.Corrections == 0 && !c.Rules.Drift:
		return say(Drift, "the notice's price was readable")
	}
	to := c.total(b, target)
	// Never below what was credited, in no part.
	if b.Credit.Amount < 0 && to.Amount+b.Credit.Amount <= 0 {
		to = Sum{-b.Credit.Amount, -b.Credit.Shop, -b.Credit.Fee}
	}
	if b.ClickPrice > 0 {
		to.Shop, to.Fee = 0, 0 // a report is of impressions, and those the platform pays
	} else {
		to.Shop, to.Fee = max(to.Shop, -b.Credit.Shop), max(to.Fee, -b.Credit.Fee)
	}
	change := to.minus(now)
	if change.Amount == 0 {
		return say(ClawedBack, "the exchange had credited %s", -b.Credit.Amount)
	}
	e := c.event(b, events.TypeAdjustment, events.CorrectionID(b.BidID, b.Corrections))
	e.Price, e.PriceStatus = cpm(l.Amount), events.PriceReport
	e.Amount, e.ShopAmount, e.ShopFee = change.Amount, change.Shop, change.Fee
	f.Kind, f.Change = Corrected, change.Amount
	return f, &e
}

// total is what a bid costs at an amount: converted by the bid's rate, and the
// fee in the share that it was booked in. A fee of so much an impression is
// for the impression, whatever that costs. What settled for nothing tells no
// share: the shop's of today it is.
func (c *Config) total(b *Entry, amount money.Nano) Sum {
	if b.ClickPrice > 0 {
		return Sum{Amount: amount}
	}
	to := Sum{Amount: amount, Shop: amount.Convert(b.Rate)}
	switch {
	case b.FeeCPM != 0:
		to.Fee = b.Sum.Fee
	case b.Sum.Amount == 0:
		fee, _ := c.Fee(b.Shop)
		to.Fee = to.Shop.Fee(fee.BPS)
	default:
		to.Fee = portion(b.Sum.Fee, amount, b.Sum.Amount)
	}
	return to
}

// unsettled is a line of a bid that no notice settled.
func (c *Config) unsettled(l *Line, b *Entry, f Finding) (Finding, *events.Event) {
	f.Kind, f.Note = Unbilled, "no notice came"
	if b.Rejected != "" {
		f.Note = "a notice was refused: " + b.Rejected
	}
	settle := events.Type("")
	if c.SettleType != nil {
		settle = c.SettleType(b.Media)
	}
	fee, known := c.Fee(b.Shop)
	if !c.Rules.Missing || settle == "" || !known || l.Amount == 0 {
		return f, nil
	}
	e := c.event(b, settle, events.EventID(b.BidID, settle, 0))
	amount := min(l.Amount, b.BidPrice.PerImpression())
	e.Settles, e.Late = true, true
	e.Price, e.PriceStatus, e.Disputed = cpm(l.Amount), events.PriceReport, l.Amount-amount
	if e.Amount = amount; b.ClickPrice == 0 {
		e.ShopAmount = amount.Convert(b.Rate)
		e.ShopFee, e.FeeCPM = fee.Of(e.ShopAmount), fee.CPM
	}
	f.Kind, f.Change = Booked, amount
	return f, &e
}

// event starts an event about a bid.
func (c *Config) event(b *Entry, typ events.Type, id events.ID) events.Event {
	return events.Event{
		EventID: id, Type: typ, TimeMS: c.NowMS, BidMS: b.BidMS, Day: c.Day(b.Shop), BidID: b.BidID,
		ShopID: b.Shop, CampaignID: b.Campaign, CreativeID: b.Creative, Exchange: b.Exchange, Media: b.Media,
		BidPrice: b.BidPrice, Currency: b.Currency, ShopCurrency: b.ShopCurrency, Rate: b.Rate, ClickPrice: b.ClickPrice,
		Reason: events.ReasonReport, Raw: clip(c.Reference), Node: c.Node,
	}
}

// cpm is the price that one impression's amount is.
func cpm(n money.Nano) money.CPM { return money.CPM(n) }

// portion is whole × part / of rounded half to even; none is below zero, and
// it saturates at whole where it does not fit.
func portion(whole, part, of money.Nano) money.Nano {
	if whole <= 0 || part <= 0 || of <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(whole), uint64(part))
	if hi >= uint64(of) {
		return whole
	}
	q, rem := bits.Div64(hi, lo, uint64(of))
	if half := uint64(of) - rem; rem > half || rem == half && q&1 == 1 {
		q++
	}
	if q > 1<<63-1 {
		return whole
	}
	return money.Nano(q)
}
