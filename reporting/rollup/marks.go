package rollup

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Which units got rows since they were worked out is asked by every view. So
// that it does not take longer with each year of units, a Roller notes of a
// level until when all of them have been worked out: what was touched before
// then need not be looked at. A note is markBehind margins older than what was
// seen clean, for an insert that takes long is noted when it begins.

const (
	markBehind = 10
	// markEvery is how many pauses lie between two notes of a level.
	markEvery = 30
)

// mark notes it. rollup_done knows it as a unit of no shop.
const mark = `INSERT INTO grosz.rollup_done (level, part, shop_id, unit, version, clean_until)
SELECT 'all %[3]s', 0, 0, toDateTime(0, 'UTC'), %[1]d, fromUnixTimestamp64Milli(%[2]d)`

// noteAll notes that nothing that was inserted until clean is left of a level.
func (r *Roller) noteAll(ctx context.Context, conn driver.Conn, l level, version uint64, clean int64) error {
	if l.all == "" || time.Since(r.marked[l.all]) < markEvery*r.cfg.Every {
		return nil
	}
	r.marked[l.all] = time.Now()
	if err := conn.Exec(ctx, fmt.Sprintf(mark, version, clean-(markBehind-1)*r.cfg.Margin.Milliseconds(), l.all)); err != nil {
		return fmt.Errorf("noting that all %s are worked out: %w", l.all, err)
	}
	return nil
}

// retouch finds units that a note hides although they got rows since they were
// worked out, and touches them anew. There are none, unless the server's clock
// was ahead when the note was made, or an insert took longer than the note allows.
const retouch = `INSERT INTO grosz.rollup_touched (part, shop_id, hour, at)
SELECT t.part, t.shop_id, t.unit, now64(3, 'UTC')
FROM (SELECT part, shop_id, %[1]s AS unit, max(at) AS last FROM grosz.rollup_touched%[2]s GROUP BY part, shop_id, unit) AS t
LEFT JOIN (SELECT part, shop_id, unit, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = '%[3]s' GROUP BY part, shop_id, unit) AS d
	ON d.part = t.part AND d.shop_id = t.shop_id AND d.unit = t.unit
WHERE d.clean < t.last AND t.last <= (SELECT max(clean_until) FROM grosz.rollup_done WHERE level = 'all %[4]s')
SETTINGS join_use_nulls = 0`

// retouches are retouch for each level.
func retouches() (out []string) {
	for _, l := range []level{hourLevel(), dayLevel(), seenLevel(), settledLevel()} {
		unit, of := "toDateTime(toDate(hour), 'UTC')", " WHERE part = 0"
		switch l.name {
		case "hour":
			unit, of = "hour", ""
		case "day":
			of = ""
		}
		out = append(out, fmt.Sprintf(retouch, unit, of, l.name, l.all))
	}
	return out
}
