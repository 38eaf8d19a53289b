package rollup

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/grosz/grosz/reporting/schema"
)

// Attribution is worked out by shop. A goal's row says what it was worked out
// from, so a view and a Roller see alike which rows stand, by
// grosz.attribution_goals. A row counts as soon as it is written: it has read
// whatever the last note of its shop says is complete. The note says until when
// the shop's goals have all that was inserted.

// pickGoals chooses shops that got events or bids, or goals that were never
// worked out, and notes them as work.
const pickGoals = `INSERT INTO grosz.rollup_work (version, level, part, shop_id, unit)
SELECT DISTINCT %[1]d, 'goals', 0, shop_id, toDateTime(0, 'UTC') FROM (
	SELECT shop_id FROM grosz.attribution_dirty WHERE at <= fromUnixTimestamp64Milli(%[2]d)
	UNION ALL
	SELECT shop FROM grosz.attribution_goals WHERE NOT known
)`

const ofWork = "IN (SELECT shop_id FROM grosz.rollup_work WHERE version = %[1]d AND level = 'goals')"

const countGoals = "SELECT count() FROM grosz.attribution_goals WHERE NOT clean AND shop " + ofWork

// fillGoals works one share of the goals out; shares bound its memory.
const fillGoals = `INSERT INTO grosz.goal_touches (shop_id, goal, id, version, time, user, click_bid, click_window, view_window, known_from, touches)
WITH
	(SELECT groupArray((shop, goal, id, time, user, click_bid, click_window, view_window)) FROM grosz.attribution_goals
		WHERE NOT clean AND shop ` + ofWork + ` AND cityHash64(shop, goal, id) %% %[2]d = %[3]d) AS stale,
%[4]s
SELECT w.shop, w.goal, w.id, %[1]d, w.time, w.user, w.click_bid, w.click_window, w.view_window, arrayMin(arrayPushBack(arrayMap(t -> least(t.3, toDateTime64(t.4, 3, 'UTC')), f.touches), w.time)), f.touches
FROM wanted AS w
LEFT ANY JOIN found AS f ON f.shop = w.shop AND f.goal = w.goal AND f.id = w.id
SETTINGS join_use_nulls = 0`

// fillPlaces looks where the touches were that were just worked out, and those
// whose hours got bids since.
const fillPlaces = `INSERT INTO grosz.touch_places (shop_id, bid, version, device, domain, country)
WITH
	(SELECT groupUniqArray((shop_id, bid, hour)) FROM (
		SELECT shop_id, t.bid AS bid, t.hour AS hour, version FROM grosz.goal_touches ARRAY JOIN touches AS t WHERE shop_id ` + ofWork + `
	) WHERE version = %[1]d OR (shop_id, hour) IN (SELECT shop_id, hour FROM grosz.attribution_dirty WHERE part = 2)) AS sought,
	seek AS (SELECT u.1 AS shop_id, u.2 AS bid, u.3 AS hour FROM (SELECT arrayJoin(sought) AS u))
SELECT shop_id, bid_id, %[1]d, any(device), any(domain), any(country) FROM grosz.bids
WHERE type = 'bid' AND bid_id IN (SELECT bid FROM seek) AND (shop_id, bid_id) IN (SELECT shop_id, bid FROM seek)
	AND time >= (SELECT if(count() = 0, toDateTime('2100-01-01 00:00:00', 'UTC'), min(hour)) FROM seek) AND time < (SELECT max(hour) + INTERVAL 1 HOUR FROM seek)
GROUP BY shop_id, bid_id`

// goals works out the touches of the goals of all shops that need it, and
// returns how many shops those were.
func (r *Roller) goals(ctx context.Context, conn driver.Conn) (int, error) {
	ctx = workContext(ctx)
	version, clean, err := r.draw(ctx, conn)
	if err != nil {
		return 0, err
	}
	if err := conn.Exec(ctx, fmt.Sprintf(pickGoals, version, clean)); err != nil {
		return 0, fmt.Errorf("choosing shops: %w", err)
	}
	n, err := countWork(ctx, conn, version)
	if err != nil || n == 0 {
		return 0, err
	}
	var stale uint64
	if err := conn.QueryRow(ctx, fmt.Sprintf(countGoals, version)).Scan(&stale); err != nil {
		return 0, fmt.Errorf("counting goals: %w", err)
	}
	shares := stale/uint64(r.cfg.Goals) + 1
	for share := range shares {
		if err := conn.Exec(ctx, fmt.Sprintf(fillGoals, version, shares, share, schema.FoundTouches)); err != nil {
			return 0, fmt.Errorf("working out the touches of %d goals: %w", stale, err)
		}
	}
	if err := conn.Exec(ctx, fmt.Sprintf(fillPlaces, version)); err != nil {
		return 0, fmt.Errorf("looking where touches of %d goals were: %w", stale, err)
	}
	if r.afterFill != nil {
		if err := r.afterFill(); err != nil {
			return 0, err
		}
	}
	if err := conn.Exec(ctx, sql(done, version, clean, "goals")); err != nil {
		return 0, fmt.Errorf("noting the goals of %d shops: %w", n, err)
	}
	return int(n), nil
}

// Goals works out the touches of goals, as Round does the roll-ups.
func (r *Roller) Goals(ctx context.Context, conn driver.Conn) (int, error) {
	began := time.Now()
	n, err := r.goals(ctx, conn)
	r.goalsTook, r.goalsDone = time.Since(began), time.Now()
	if err != nil {
		return 0, fmt.Errorf("attribution: %w", err)
	}
	if n > 0 {
		r.goalShops.Add(n)
		r.seconds.Update(r.goalsTook.Seconds())
	}
	return n, nil
}

// goalsShare bounds the part of the time that goes into attribution: which
// goals must be worked out is asked of all of them.
const goalsShare = 20

// goalsDue tells whether attribution may be worked out again.
func (r *Roller) goalsDue() bool {
	return time.Since(r.goalsDone) >= max(r.cfg.Every, goalsShare*r.goalsTook)
}
