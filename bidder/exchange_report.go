package bidder

import (
	"unicode/utf8"

	"github.com/grosz/grosz/events"
)

// ReportConfig says how the exchange's report of what it bills is written: a
// CSV file with a head. Each name is the head's; empty is the setting's own.
type ReportConfig struct {
	// Delimiter between fields, one character. Default a comma.
	Delimiter string `yaml:"delimiter"`
	// DecimalComma reads 0,91 as 0.91; the delimiter is then another.
	DecimalComma bool `yaml:"decimal_comma"`
	// BidID is our bid's id; where it is absent RequestID and ImpID find the
	// bid, for as long as bids are kept.
	BidID     string `yaml:"bid_id"`
	RequestID string `yaml:"request_id"`
	ImpID     string `yaml:"imp_id"`
	// Price is a price in PriceUnits, Amount what the impression costs. One of
	// them; the amount counts if both are there.
	Price      string `yaml:"price"`
	PriceUnits string `yaml:"price_units"` // cpm (default) or micros: millionths of a CPM
	Amount     string `yaml:"amount"`
	Currency   string `yaml:"currency"`
	// Type says what a line is, such as impression; of BilledTypes the lines
	// are billed, others are passed over. Without BilledTypes all are.
	Type        string   `yaml:"type"`
	BilledTypes []string `yaml:"billed_types"`
}

// Report is how the exchange's report is written.
func (x *Exchange) Report() ReportConfig { return x.report }

// SettleType is the event that settles a bid of a media type (banner, video,
// native) here; empty for others.
func (x *Exchange) SettleType(media string) events.Type {
	if m := events.MediaCode(media); m != events.MediaNone {
		return events.SettleType(x.settle[m])
	}
	return ""
}

func (b *exchangeBuilder) reportFile() {
	r := b.c.Report
	if r.Delimiter != "" {
		if ch, n := utf8.DecodeRuneInString(r.Delimiter); n != len(r.Delimiter) || ch == '"' || ch == '\n' || ch == '\r' || ch == utf8.RuneError {
			b.bad("report.delimiter %q: one character", r.Delimiter)
		}
	}
	if r.DecimalComma && (r.Delimiter == "" || r.Delimiter == ",") {
		b.bad("report.decimal_comma needs another report.delimiter than a comma")
	}
	b.word("report.price_units", r.PriceUnits, "cpm", "micros")
	b.x.report = r
}
