package erase

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Person is a person as one shop knows them.
type Person struct {
	Shop uint32
	User uint64 // the shop's pseudonym; never 0, which is nobody
}

// Receipt counts the rows that there were of the people.
type Receipt struct {
	Events     uint64 // grosz.events: made nobody's
	Bids       uint64 // grosz.bids: made nobody's
	Orders     uint64 // purchases in grosz.shop_events: made nobody's
	ShopEvents uint64 // the rest of grosz.shop_events: deleted
}

// chunk is how many people one statement names.
const chunk = 2000

// ErrLeft means that rows were there after the mutation: one was inserted
// meanwhile. Call again.
var ErrLeft = errors.New("rows of erased people are left")

// ErrNobody is returned for a person 0: it would be everybody who is unknown.
var ErrNobody = errors.New("user 0 is nobody")

// Statements returns what Erase runs for the people, in order, for the
// record: each waits until it is done on every replica.
func Statements(people []Person) ([]string, error) {
	in, err := inList(people)
	if err != nil {
		return nil, err
	}
	const done = " SETTINGS mutations_sync = 2"
	return []string{
		"ALTER TABLE grosz.shop_events DELETE WHERE type NOT IN ('purchase', 'order_status', 'opt_out') AND " + in + done,
		"ALTER TABLE grosz.shop_events UPDATE user = 0, query = '', url = '', order_id = '' WHERE " + in + done,
		"ALTER TABLE grosz.events UPDATE user = 0 WHERE " + in + done,
		"ALTER TABLE grosz.bids UPDATE user = 0 WHERE " + in + done,
	}, nil
}

// inList is the condition that a row is of one of the people. Numbers only:
// nothing in it can be anything but a number.
func inList(people []Person) (string, error) {
	var b strings.Builder
	b.WriteString("(shop_id, user) IN (")
	for i, p := range people {
		if p.User == 0 {
			return "", ErrNobody
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		b.WriteString(strconv.FormatUint(uint64(p.Shop), 10))
		b.WriteByte(',')
		b.WriteString(strconv.FormatUint(p.User, 10))
		b.WriteByte(')')
	}
	b.WriteByte(')')
	return b.String(), nil
}

// Erase takes the people out and returns how many rows there were. When it
// returns without an error none was left.
func Erase(ctx context.Context, conn driver.Conn, people []Person) (Receipt, error) {
	var sum Receipt
	for len(people) > 0 {
		n := min(len(people), chunk)
		r, err := eraseChunk(ctx, conn, people[:n])
		sum.Events += r.Events
		sum.Bids += r.Bids
		sum.Orders += r.Orders
		sum.ShopEvents += r.ShopEvents
		if err != nil {
			return sum, fmt.Errorf("erase %d people from ClickHouse: %w", len(people), err)
		}
		people = people[n:]
	}
	return sum, nil
}

func eraseChunk(ctx context.Context, conn driver.Conn, people []Person) (Receipt, error) {
	statements, err := Statements(people)
	if err != nil {
		return Receipt{}, err
	}
	r, err := count(ctx, conn, people)
	if err != nil || r == (Receipt{}) {
		return r, err
	}
	for _, sql := range statements {
		if err := conn.Exec(ctx, sql); err != nil {
			return Receipt{}, fmt.Errorf("%s …: %w", sql[:min(len(sql), 60)], err)
		}
	}
	left, err := count(ctx, conn, people)
	if err == nil && left != (Receipt{}) {
		err = fmt.Errorf("%w: %+v", ErrLeft, left)
	}
	return r, err
}

// count returns how many rows there are of the people, duplicates included.
func count(ctx context.Context, conn driver.Conn, people []Person) (r Receipt, err error) {
	in, err := inList(people)
	if err != nil {
		return r, err
	}
	row := conn.QueryRow(ctx, `SELECT
		(SELECT count() FROM grosz.events WHERE `+in+`),
		(SELECT count() FROM grosz.bids WHERE `+in+`),
		(SELECT count() FROM grosz.shop_events WHERE type IN ('purchase', 'order_status', 'opt_out') AND `+in+`),
		(SELECT count() FROM grosz.shop_events WHERE type NOT IN ('purchase', 'order_status', 'opt_out') AND `+in+`)`)
	if err := row.Scan(&r.Events, &r.Bids, &r.Orders, &r.ShopEvents); err != nil {
		return r, fmt.Errorf("counting their rows: %w", err)
	}
	return r, nil
}
