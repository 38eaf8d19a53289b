package loader

import (
	"errors"
	"strconv"
	"strings"

	"github.com/grosz/grosz/events"
)

var errNoID = errors.New("event_id is missing")

var eventsTable = &table{name: "grosz.events", columns: []string{
	"event_id", "type", "time", "bid_time", "day", "bid_id", "shop_id", "campaign_id", "creative_id",
	"exchange", "media", "browser", "user", "settles", "price", "price_status", "bid_price", "currency", "amount",
	"shop_currency", "rate", "shop_amount", "shop_fee", "fee_cpm", "click_price", "disputed", "test", "late", "loss_reason", "min_to_win",
	"product", "reason", "raw", "count", "node", "kafka_partition", "kafka_offset", "seq", "loaded_at",
}}

func eventsTarget() *target {
	return &target{topic: events.TopicEvents, tables: []*table{eventsTable},
		rows: func(d *events.Decoder, line []byte, p place, out emit) error {
			return d.Events(line, func(_ int, e *events.Event) error { return eventRow(e, p, out) })
		}}
}

func eventRow(e *events.Event, p place, out emit) error {
	switch e.Type {
	case events.TypeBudget, events.TypeLease, events.TypeReturn, events.TypeDeposit, events.TypeTerms, events.TypeTraffic, events.TypeNotices:
		return nil // what nodes tell each other of budgets: no row
	}
	if e.EventID.IsZero() {
		return errNoID
	}
	t, err := at("time", e.TimeMS)
	if err != nil {
		return err
	}
	bid := t // of a rejection whose token was not readable
	if e.BidMS != 0 {
		if bid, err = at("bid_time", e.BidMS); err != nil {
			return err
		}
	}
	day, err := date(e.Day, t)
	if err != nil {
		return err
	}
	loss, err := fit("loss_reason", int64(e.LossReason), 16)
	if err != nil {
		return err
	}
	count, err := fit("count", e.Count, 64)
	if err != nil {
		return err
	}
	return put(out, eventsTable,
		id(e.EventID), string(e.Type), t, bid, day, id(e.BidID), e.ShopID, e.CampaignID, e.CreativeID,
		e.Exchange, e.Media, e.Browser, e.User, e.Settles, cpm(e.Price), e.PriceStatus, cpm(e.BidPrice), e.Currency.String(), nano(e.Amount),
		e.ShopCurrency.String(), rate(e.Rate), nano(e.ShopAmount), nano(e.ShopFee), cpm(e.FeeCPM), nano(e.ClickPrice), nano(e.Disputed), e.Test, e.Late, uint16(loss), cpm(e.MinToWin),
		e.Product, e.Reason, e.Raw, count, e.Node, p.partition, p.offset, p.seq, p.loadedAt)
}

var bidsTable = &table{name: "grosz.bids", columns: []string{
	"event_id", "type", "time", "day", "bid_id", "shop_id", "campaign_id", "creative_id", "exchange", "media", "user",
	"price", "bid_price", "currency", "shop_currency", "rate", "click_price", "test", "product", "reason", "count", "node",
	"request_id", "imp_id", "domain", "device", "browser", "country", "w", "h", "click_ppb", "order_ppb", "win_ppb", "segments", "kafka_partition", "kafka_offset", "seq", "loaded_at",
}}

func bidsTarget() *target {
	return &target{topic: events.TopicBids, tables: []*table{bidsTable, talliesTable},
		rows: func(d *events.Decoder, line []byte, p place, out emit) error {
			return d.Events(line, func(_ int, e *events.Event) error { return bidRow(e, p, out) })
		}}
}

func bidRow(e *events.Event, p place, out emit) error {
	if e.Type == events.TypeTally {
		return tallyRow(e, p, out)
	}
	if e.EventID.IsZero() {
		return errNoID
	}
	t, err := at("time", e.TimeMS)
	if err != nil {
		return err
	}
	day, err := date(e.Day, t)
	if err != nil {
		return err
	}
	count, err := fit("count", e.Count, 64)
	if err != nil {
		return err
	}
	w, err := fit("w", int64(e.W), 32)
	if err != nil {
		return err
	}
	h, err := fit("h", int64(e.H), 32)
	if err != nil {
		return err
	}
	return put(out, bidsTable,
		id(e.EventID), string(e.Type), t, day, id(e.BidID), e.ShopID, e.CampaignID, e.CreativeID, e.Exchange, e.Media, e.User,
		cpm(e.Price), cpm(e.BidPrice), e.Currency.String(), e.ShopCurrency.String(), rate(e.Rate), nano(e.ClickPrice), e.Test, e.Product, e.Reason, count, e.Node,
		e.RequestID, e.ImpID, e.Domain, e.Device, e.Browser, e.Country, uint32(w), uint32(h), ppb(e.ClickPPB), ppb(e.OrderPPB), ppb(e.WinPPB), numbers(e.Segments), p.partition, p.offset, p.seq, p.loadedAt)
}

// numbers reads a list with commas; what is no number is left out.
func numbers(text string) []uint32 {
	out := []uint32{}
	for part := range strings.SplitSeq(text, ",") {
		if n, err := strconv.ParseUint(part, 10, 32); err == nil {
			out = append(out, uint32(n))
		}
	}
	return out
}

// ppb is a probability in 10⁻⁹; what cannot be one is bounded.
func ppb(v int64) uint32 { return uint32(min(max(v, 0), 1_000_000_000)) }
