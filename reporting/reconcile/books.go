package reconcile

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Books reads what was booked from ClickHouse. Safe for one goroutine.
type Books struct {
	Conn driver.Conn
	// shops are read once.
	shops map[uint32]shop
}

type shop struct {
	zone *time.Location
	fee  money.Fee
}

// LoadShops reads time zones and fees, before Day and Fee are asked.
func (b *Books) LoadShops(ctx context.Context) error {
	rows, err := b.Conn.Query(ctx, "SELECT shop_id, time_zone, fee_bps, toString(fee_cpm) FROM grosz.shops FINAL")
	if err != nil {
		return fmt.Errorf("read the shops: %w", err)
	}
	defer rows.Close()
	b.shops = make(map[uint32]shop)
	for rows.Next() {
		var id uint32
		var zone, fee string
		var s shop
		err := rows.Scan(&id, &zone, &s.fee.BPS, &fee)
		if err == nil {
			err = set(&s.fee.CPM, fee, money.ParseCPM)
		}
		if err != nil {
			return fmt.Errorf("read the shops: %w", err)
		}
		if s.zone, err = time.LoadLocation(zone); err != nil {
			s.zone = time.UTC
		}
		b.shops[id] = s
	}
	return rows.Err()
}

// Day is a moment's date in the shop's time zone; UTC for one that is gone.
func (b *Books) Day(id uint32, ms int64) string {
	zone := time.UTC
	if s, ok := b.shops[id]; ok {
		zone = s.zone
	}
	return time.UnixMilli(ms).In(zone).Format(time.DateOnly)
}

// Fee is what the platform takes of the shop today.
func (b *Books) Fee(id uint32) (fee money.Fee, ok bool) {
	s, ok := b.shops[id]
	return s.fee, ok
}

// maxAsk bounds the bids that one question names: a query has a bounded
// length.
const maxAsk = 4000

// Entries returns what is known of bids, by id. Bids of which nothing is
// known are not in it.
func (b *Books) Entries(ctx context.Context, ids []events.ID) (map[events.ID]*Entry, error) {
	out := make(map[events.ID]*Entry, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), maxAsk)
		if err := b.booked(ctx, ids[:n], out); err != nil {
			return nil, err
		}
		if err := b.bid(ctx, ids[:n], out); err != nil {
			return nil, err
		}
		ids = ids[n:]
	}
	return out, nil
}

const eventFields = `lower(hex(bid_id)), toString(type), toUnixTimestamp64Milli(bid_time), shop_id, campaign_id, creative_id,
	toString(exchange), toString(media), toString(bid_price), toString(currency), toString(shop_currency), toString(rate), test,
	settles, toString(price_status), toString(amount), toString(shop_amount), toString(shop_fee), toString(fee_cpm), toString(reason), raw, toString(click_price)`

// booked folds the events of bids. Each event counts once, as its first
// delivery, and in the log's order: of one bid all are in one partition.
func (b *Books) booked(ctx context.Context, ids []events.ID, into map[events.ID]*Entry) error {
	rows, err := b.Conn.Query(ctx, `SELECT `+eventFields+` FROM grosz.events WHERE bid_id IN (`+uuids(ids)+`)
		ORDER BY version DESC LIMIT 1 BY event_id`)
	if err != nil {
		return fmt.Errorf("read what was booked: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e row
		if err := e.scan(rows); err != nil {
			return fmt.Errorf("read what was booked: %w", err)
		}
		if into[e.entry.BidID] == nil {
			into[e.entry.BidID] = &e.entry
		}
		into[e.entry.BidID].add(&e)
	}
	return rows.Err()
}

// bid fills in bids that no event is of, from the recorded bids.
func (b *Books) bid(ctx context.Context, ids []events.ID, into map[events.ID]*Entry) error {
	var open []events.ID
	for _, id := range ids {
		if b := into[id]; b == nil || b.BidPrice == 0 {
			open = append(open, id)
		}
	}
	if len(open) == 0 {
		return nil
	}
	rows, err := b.Conn.Query(ctx, `SELECT lower(hex(bid_id)), 'bid', toUnixTimestamp64Milli(time), shop_id, campaign_id, creative_id,
		toString(exchange), toString(media), toString(bid_price), toString(currency), toString(shop_currency), toString(rate), test,
		false, '', '0', '0', '0', '0', '', '', toString(click_price) FROM grosz.bids WHERE type = 'bid' AND bid_id IN (`+uuids(open)+`) LIMIT 1 BY bid_id`)
	if err != nil {
		return fmt.Errorf("read the bids: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e row
		if err := e.scan(rows); err != nil {
			return fmt.Errorf("read the bids: %w", err)
		}
		if b := into[e.entry.BidID]; b != nil {
			b.describe(&e.entry)
		} else {
			into[e.entry.BidID] = &e.entry
		}
	}
	return rows.Err()
}

// row is an event as ClickHouse has it.
type row struct {
	entry            Entry
	typ, reason, raw string
	status           string
	settles          bool
	sum              Sum
	feeCPM           money.CPM
}

func (e *row) scan(rows driver.Rows) error {
	var id, price, cur, shopCur, rate, amount, cost, fee, feeCPM, click string
	b := &e.entry
	if err := rows.Scan(&id, &e.typ, &b.BidMS, &b.Shop, &b.Campaign, &b.Creative, &b.Exchange, &b.Media, &price, &cur, &shopCur, &rate, &b.Test,
		&e.settles, &e.status, &amount, &cost, &fee, &feeCPM, &e.reason, &e.raw, &click); err != nil {
		return err
	}
	var err error
	keep := func(err2 error) {
		if err == nil {
			err = err2
		}
	}
	keep(b.BidID.UnmarshalText([]byte(id)))
	keep(set(&b.BidPrice, price, money.ParseCPM))
	keep(set(&b.Rate, rate, money.ParseRate))
	keep(set(&e.sum.Amount, amount, money.ParseNano))
	keep(set(&e.sum.Shop, cost, money.ParseNano))
	keep(set(&e.sum.Fee, fee, money.ParseNano))
	keep(set(&e.feeCPM, feeCPM, money.ParseCPM))
	keep(set(&b.ClickPrice, click, money.ParseNano))
	if cur != "" { // a rejection's may be empty
		keep(set(&b.Currency, cur, money.ParseCurrency))
	}
	if shopCur != "" {
		keep(set(&b.ShopCurrency, shopCur, money.ParseCurrency))
	}
	return err
}

func set[T any](to *T, text string, parse func(string) (T, error)) (err error) {
	*to, err = parse(text)
	return err
}

// describe takes the bid's terms from a row that has them: a click's token
// carries no prices.
func (b *Entry) describe(from *Entry) {
	b.ClickPrice = max(b.ClickPrice, from.ClickPrice)
	if b.BidPrice == 0 && from.BidPrice != 0 {
		b.BidPrice, b.Currency, b.ShopCurrency, b.Rate = from.BidPrice, from.Currency, from.ShopCurrency, from.Rate
		b.BidMS, b.Exchange, b.Media = from.BidMS, from.Exchange, from.Media
	}
}

// add folds an event of the bid.
func (b *Entry) add(e *row) {
	b.describe(&e.entry)
	switch {
	case e.typ == string(events.TypeRejection):
		b.Rejected = e.reason
	case e.entry.Test && e.status != events.PriceAudit:
		b.Test = true
	case e.entry.Test: // AUDIT: says nothing of the bid
	case e.settles && !b.Settled:
		b.Settled, b.Status, b.Sum, b.FeeCPM, b.Test = true, e.status, e.sum, e.feeCPM, false
	case e.typ != string(events.TypeAdjustment):
	case e.reason == events.ReasonClick:
		b.Clicks = b.Clicks.plus(e.sum)
	case events.IsClawback(e.reason):
		b.Credit = b.Credit.plus(e.sum)
		b.CreditedRefs = append(b.CreditedRefs, e.raw)
	default:
		b.Correction = b.Correction.plus(e.sum)
		b.Corrections++
	}
}

// ByRequest finds bids by request and imp id, among the bids that are kept. A
// request without an imp id names all of its bids.
func (b *Books) ByRequest(ctx context.Context, exchange string, requests []string) (map[[2]string][]events.ID, error) {
	out := make(map[[2]string][]events.ID)
	for len(requests) > 0 {
		n := min(len(requests), 1000)
		rows, err := b.Conn.Query(ctx, `SELECT request_id, imp_id, lower(hex(bid_id)) FROM grosz.bids
			WHERE type = 'bid' AND exchange = ? AND request_id IN (?) LIMIT 1 BY bid_id`, exchange, requests[:n])
		if err != nil {
			return nil, fmt.Errorf("find bids by request: %w", err)
		}
		for rows.Next() {
			var request, imp, text string
			var id events.ID
			if err := rows.Scan(&request, &imp, &text); err != nil {
				return nil, fmt.Errorf("find bids by request: %w", err)
			}
			if err := id.UnmarshalText([]byte(text)); err != nil {
				return nil, fmt.Errorf("find bids by request: %w", err)
			}
			out[[2]string{request, imp}] = append(out[[2]string{request, imp}], id)
			if imp != "" {
				out[[2]string{request, ""}] = append(out[[2]string{request, ""}], id)
			}
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("find bids by request: %w", err)
		}
		_ = rows.Close()
		requests = requests[n:]
	}
	return out, nil
}

// EachSettled calls fn for the settled bids that were made in [fromMS, toMS),
// with what they cost by now.
func (b *Books) EachSettled(ctx context.Context, exchange string, fromMS, toMS int64, fn func(id events.ID, amount money.Nano, currency money.Currency) error) error {
	rows, err := b.Conn.Query(ctx, `SELECT lower(hex(s.bid)), toString(s.amount), toString(s.currency) FROM grosz.settlements AS s
		WHERE s.exchange = ? AND s.bid_time >= fromUnixTimestamp64Milli(toInt64(?)) AND s.bid_time < fromUnixTimestamp64Milli(toInt64(?))`, exchange, fromMS, toMS)
	if err != nil {
		return fmt.Errorf("read the settlements: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id events.ID
		var text, amount, cur string
		var n money.Nano
		var currency money.Currency
		err := rows.Scan(&text, &amount, &cur)
		if err == nil {
			err = id.UnmarshalText([]byte(text))
		}
		if err == nil {
			err = set(&n, amount, money.ParseNano)
		}
		if err == nil {
			err = set(&currency, cur, money.ParseCurrency)
		}
		if err == nil {
			err = fn(id, n, currency)
		}
		if err != nil {
			return fmt.Errorf("read the settlements: %w", err)
		}
	}
	return rows.Err()
}

// uuids writes ids as a list of SQL.
func uuids(ids []events.ID) string {
	var s strings.Builder
	for i, id := range ids {
		if i > 0 {
			s.WriteByte(',')
		}
		h := hex.EncodeToString(id[:])
		s.WriteString("'" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:] + "'")
	}
	return s.String()
}
