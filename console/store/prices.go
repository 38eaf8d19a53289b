package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// Bounds of the price history: what Directive 98/6/EC asks for is 30 days
// before a reduction, which itself may be told for 30 days.
const (
	priceDays   = 30
	priceKept   = 2 * priceDays
	pricePoints = 64
	priceParts  = 1024 // of a shop's history; must never change
	daySeconds  = 24 * 60 * 60
)

// PricePoint is a price that began to hold at a time, s since the epoch.
type PricePoint struct {
	SinceS int64
	Price  money.Nano
}

// Lowest30 is the lowest price of the 30 days before the last point, if that
// is a reduction, is not older than 30 days, and all of the 30 days before it
// are known; else 0. Points are in order, the last one holds now.
func Lowest30(points []PricePoint, nowS int64) money.Nano {
	n := len(points)
	if n < 2 || points[n-1].Price >= points[n-2].Price {
		return 0
	}
	cut := points[n-1].SinceS
	from := cut - priceDays*daySeconds
	if nowS-cut > priceDays*daySeconds || points[0].SinceS > from {
		return 0
	}
	lowest := points[n-2].Price
	for i := n - 2; i >= 0 && points[i+1].SinceS > from; i-- {
		lowest = min(lowest, points[i].Price)
	}
	return lowest
}

// notePrice adds a price that was seen now, and drops what is too old.
func notePrice(points []PricePoint, price money.Nano, nowS int64) []PricePoint {
	if n := len(points); n == 0 || points[n-1].Price != price {
		points = append(points, PricePoint{nowS, price})
	}
	for len(points) > 1 && (points[1].SinceS <= nowS-priceKept*daySeconds || len(points) > pricePoints) {
		points = points[1:]
	}
	return points
}

// priceBook is a shop's history while a feed is written.
type priceBook struct {
	read func(part int) ([]byte, error) // what is stored; nil for none
	next map[int][]byte                 // parts as they will be
	nowS int64
}

// note keeps the prices of products in the history, and says against what a
// reduction may be told where the feed does not. With whole, the parts are
// built anew, so that what is in the feed no more is forgotten.
func (b *priceBook) note(items []*campaigns.Product, whole bool) error {
	byPart := map[int][]*campaigns.Product{}
	for _, p := range items {
		part := bucketOf(p.ID, priceParts)
		byPart[part] = append(byPart[part], p)
	}
	for part, list := range byPart {
		raw, ok := b.next[part]
		if !ok || whole {
			var err error
			if raw, err = b.read(part); err != nil {
				return err
			}
		}
		known, order, err := decodePrices(raw)
		if err != nil {
			return fmt.Errorf("price history, part %d: %w", part, err)
		}
		var out []byte
		if whole {
			out = b.next[part]
		}
		for _, p := range list {
			points := notePrice(known[p.ID], p.Price, b.nowS)
			if p.Lowest30 == 0 {
				p.Lowest30 = Lowest30(points, b.nowS)
			}
			if whole {
				out = appendPrices(out, p.ID, points)
				continue
			}
			if _, ok := known[p.ID]; !ok {
				order = append(order, p.ID)
			}
			known[p.ID] = points
		}
		if !whole {
			for _, id := range order {
				out = appendPrices(out, id, known[id])
			}
		}
		b.next[part] = out
	}
	return nil
}

var errPrices = errors.New("is damaged")

// appendPrices writes one product: its id, then its points.
func appendPrices(dst []byte, id string, points []PricePoint) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(id)))
	dst = append(dst, id...)
	dst = binary.AppendUvarint(dst, uint64(len(points)))
	for _, p := range points {
		dst = binary.AppendVarint(dst, p.SinceS)
		dst = binary.AppendVarint(dst, int64(p.Price))
	}
	return dst
}

func decodePrices(raw []byte) (known map[string][]PricePoint, order []string, err error) {
	known = map[string][]PricePoint{}
	number := func() int64 {
		v, n := binary.Varint(raw)
		if n <= 0 {
			err = errPrices
			return 0
		}
		raw = raw[n:]
		return v
	}
	count := func(most uint64) int {
		v, n := binary.Uvarint(raw)
		if n <= 0 || v > most {
			err = errPrices
			return 0
		}
		raw = raw[n:]
		return int(v)
	}
	for len(raw) > 0 {
		size := count(uint64(len(raw)))
		if err != nil || size > len(raw) {
			return nil, nil, errPrices
		}
		id := string(raw[:size])
		raw = raw[size:]
		points := make([]PricePoint, count(pricePoints+1))
		for i := range points {
			points[i] = PricePoint{number(), money.Nano(number())}
		}
		if err != nil {
			return nil, nil, err
		}
		known[id] = points
		order = append(order, id)
	}
	return known, order, nil
}

// priceParts reads a shop's history part by part.
func (r Reader) prices(ctx context.Context, shop uint32) (func(int) ([]byte, error), error) {
	rows, err := r.q.QueryContext(ctx, "SELECT part, data FROM feed_prices WHERE shop = ?", shop)
	if err != nil {
		return nil, fmt.Errorf("read the price history of shop %d: %w", shop, err)
	}
	defer rows.Close()
	all := map[int][]byte{}
	for rows.Next() {
		var part int
		var data []byte
		if err := rows.Scan(&part, &data); err != nil {
			return nil, fmt.Errorf("read the price history of shop %d: %w", shop, err)
		}
		all[part] = data
	}
	return func(part int) ([]byte, error) { return all[part], nil }, rows.Err()
}

// putPrices writes the parts that changed; with whole, those that are not
// there any more go.
func (t *Tx) putPrices(ctx context.Context, shop uint32, b *priceBook, whole bool) error {
	for part := range priceParts {
		data, ok := b.next[part]
		old, err := b.read(part)
		switch {
		case err != nil:
			return err
		case !ok && whole && old != nil:
			err = t.exec(ctx, "DELETE FROM feed_prices WHERE shop = ? AND part = ?", shop, part)
		case ok && !bytes.Equal(data, old):
			err = t.exec(ctx, "INSERT OR REPLACE INTO feed_prices (shop, part, data) VALUES (?, ?, ?)", shop, part, data)
		}
		if err != nil {
			return fmt.Errorf("write the price history of shop %d: %w", shop, err)
		}
	}
	return nil
}
