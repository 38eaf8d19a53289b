package erase

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Person is a person as one shop knows them.
type Person struct {
	Shop uint32
	User uint64 // the shop's pseudonym; never 0, which is nobody
	// UntilMS is up to when what happened goes; 0 means all of it.
	UntilMS int64
}

// Receipt counts the rows that there were of a person, or of all.
type Receipt struct {
	Events     uint64 // grosz.events: made nobody's
	Bids       uint64 // grosz.bids: made nobody's
	Orders     uint64 // purchases in grosz.shop_events: made nobody's
	ShopEvents uint64 // the rest of grosz.shop_events: deleted
}

// Add adds another's counts.
func (r *Receipt) Add(o Receipt) {
	r.Events += o.Events
	r.Bids += o.Bids
	r.Orders += o.Orders
	r.ShopEvents += o.ShopEvents
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
	received, err := condition(people, "received")
	if err != nil {
		return nil, err
	}
	bid, _ := condition(people, "least(bid_time, time)")
	made, _ := condition(people, "time")
	known, _ := condition(people, "known_from")
	const done = " SETTINGS mutations_sync = 2"
	return []string{
		"ALTER TABLE grosz.shop_events DELETE WHERE type NOT IN ('purchase', 'order_status', 'opt_out') AND " + received + done,
		"ALTER TABLE grosz.shop_events UPDATE user = 0, query = '', url = '', order_id = '' WHERE " + received + done,
		"ALTER TABLE grosz.events UPDATE user = 0 WHERE " + bid + done,
		"ALTER TABLE grosz.bids UPDATE user = 0 WHERE " + made + done,
		// What was worked out of theirs is worked out again. All of an order's rows
		// go with the one that is of them: an older one would count again.
		"ALTER TABLE grosz.goal_touches DELETE WHERE (shop_id, goal, id) IN (SELECT shop_id, goal, id FROM grosz.goal_touches WHERE " + known + ")" + done,
	}, nil
}

// condition is that a row is of one of the people, and by the time column not
// after their erasure. Numbers only: nothing in it can be anything else.
func condition(people []Person, column string) (string, error) {
	groups := make(map[int64][]Person)
	for _, p := range people {
		if p.User == 0 {
			return "", ErrNobody
		}
		groups[p.UntilMS] = append(groups[p.UntilMS], p)
	}
	var b strings.Builder
	b.WriteByte('(')
	for i, until := range slices.Sorted(maps.Keys(groups)) {
		if i > 0 {
			b.WriteString(" OR ")
		}
		if until != 0 {
			fmt.Fprintf(&b, "%s <= fromUnixTimestamp64Milli(toInt64(%d)) AND ", column, until)
		}
		b.WriteString("(shop_id, user) IN (")
		for k, p := range groups[until] {
			if k > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "(%d,%d)", p.Shop, p.User)
		}
		b.WriteByte(')')
	}
	b.WriteByte(')')
	return b.String(), nil
}

// Erase takes the people out and returns how many rows there were of each.
// When it returns without an error none was left. Of a person who is named
// twice the later time counts, and the first has the rows.
func Erase(ctx context.Context, conn driver.Conn, people []Person) ([]Receipt, error) {
	out := make([]Receipt, len(people))
	for from := 0; from < len(people); from += chunk {
		to := min(from+chunk, len(people))
		if err := eraseChunk(ctx, conn, people[from:to], out[from:to]); err != nil {
			return out, fmt.Errorf("erase %d people from ClickHouse: %w", len(people), err)
		}
	}
	return out, nil
}

func eraseChunk(ctx context.Context, conn driver.Conn, people []Person, out []Receipt) error {
	before, err := count(ctx, conn, people)
	if err != nil || len(before) == 0 {
		return err
	}
	var there []Person
	for i, p := range people {
		k := key{p.Shop, p.User}
		if r, ok := before[k]; ok {
			out[i], before[k] = r, Receipt{}
			there = append(there, p)
		}
	}
	statements, err := Statements(there)
	if err != nil {
		return err
	}
	for _, sql := range statements {
		if err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s …: %w", sql[:min(len(sql), 60)], err)
		}
	}
	left, err := count(ctx, conn, there)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%w: of %d people", ErrLeft, len(left))
	}
	return err
}

// key is a person in a table.
type key struct {
	shop uint32
	user uint64
}

// count returns how many rows there are of the people, duplicates included;
// who has none is not in it.
func count(ctx context.Context, conn driver.Conn, people []Person) (map[key]Receipt, error) {
	received, err := condition(people, "received")
	if err != nil {
		return nil, err
	}
	bid, _ := condition(people, "least(bid_time, time)")
	made, _ := condition(people, "time")
	known, _ := condition(people, "known_from")
	rows, err := conn.Query(ctx, `SELECT shop_id, user, sum(e), sum(b), sum(o), sum(s) FROM (
		SELECT shop_id, user, 1 AS e, 0 AS b, 0 AS o, 0 AS s FROM grosz.events WHERE `+bid+`
		UNION ALL SELECT shop_id, user, 0, 1, 0, 0 FROM grosz.bids WHERE `+made+`
		UNION ALL SELECT shop_id, user, 0, 0, type IN ('purchase', 'order_status', 'opt_out'), type NOT IN ('purchase', 'order_status', 'opt_out') FROM grosz.shop_events WHERE `+received+`
		UNION ALL SELECT shop_id, user, 0, 0, 0, 0 FROM grosz.goal_touches WHERE `+known+`
		) GROUP BY shop_id, user`)
	if err != nil {
		return nil, fmt.Errorf("counting their rows: %w", err)
	}
	defer rows.Close()
	out := make(map[key]Receipt)
	for rows.Next() {
		var k key
		var r Receipt
		if err := rows.Scan(&k.shop, &k.user, &r.Events, &r.Bids, &r.Orders, &r.ShopEvents); err != nil {
			return nil, fmt.Errorf("counting their rows: %w", err)
		}
		out[k] = r
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("counting their rows: %w", err)
	}
	return out, nil
}
