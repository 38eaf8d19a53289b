package loader

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/grosz/grosz/events"
)

var poisonTable = &table{name: "grosz.poison", columns: []string{
	"topic", "kafka_partition", "kafka_offset", "seq", "error", "message", "loaded_at",
}}

// maxPoison is how much of a poison line is kept, bytes.
const maxPoison = 4 << 10

func (t *table) insertSQL() string {
	return "INSERT INTO " + t.name + " (`" + strings.Join(t.columns, "`, `") + "`)"
}

// inserter makes one attempt to insert a batch.
type inserter struct {
	conn   driver.Conn
	target *target
	dec    events.Decoder
}

// result of an attempt that went through.
type result struct {
	rows   map[string]int // by table
	poison int
	oldest time.Time // loadedAt of the batch
}

// insert decodes the batch and inserts all of its tables. On an error nothing
// may be committed; tables that were inserted already are inserted again by
// the next attempt, and keep one row.
func (in *inserter) insert(ctx context.Context, b *batch, now time.Time) (result, error) {
	res := result{rows: make(map[string]int), oldest: now}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplication_token": b.token(in.target.topic),
		// What an insert notes of itself is deduplicated like it: if only that
		// failed, the next attempt makes it.
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		"async_insert": 0,
		"throw_on_max_partitions_per_insert_block": 0, // old events after a long outage
	}))
	open := make(map[*table]driver.Batch)
	defer func() {
		for _, ob := range open {
			if !ob.IsSent() {
				_ = ob.Abort()
			}
		}
	}()
	out := func(t *table, values ...any) error {
		ob := open[t]
		if ob == nil {
			var err error
			if ob, err = in.conn.PrepareBatch(ctx, t.insertSQL()); err != nil {
				return fmt.Errorf("preparing an insert into %s: %w", t.name, err)
			}
			open[t] = ob
		}
		if err := ob.Append(values...); err != nil {
			return appendError{err}
		}
		res.rows[t.name]++
		return nil
	}
	if err := in.decode(b, now, out, &res); err != nil {
		return res, err
	}
	for _, t := range append([]*table{poisonTable}, in.target.tables...) {
		if ob := open[t]; ob != nil {
			if err := ob.Send(); err != nil {
				return res, fmt.Errorf("inserting %d rows into %s: %w", res.rows[t.name], t.name, err)
			}
		}
	}
	return res, nil
}

// appendError says that the client refused a row: it is the row's fault, so
// no further attempt would help.
type appendError struct{ err error }

func (e appendError) Error() string { return e.err.Error() }
func (e appendError) Unwrap() error { return e.err }

func (in *inserter) decode(b *batch, now time.Time, out emit, res *result) error {
	for i := range b.msgs {
		m := &b.msgs[i]
		err := lines(m.Value, func(seq int, line []byte) error {
			at := place{uint32(m.Partition), uint64(m.Offset), uint32(seq), now}
			err := b.bad[badLine{i, seq}]
			if err == nil {
				err = in.target.rows(&in.dec, line, at, out)
			}
			var refused appendError
			var failed emitError
			switch {
			case err == nil:
				return nil
			case errors.As(err, &refused) && b.bad[badLine{i, seq}] == nil:
				if b.bad == nil {
					b.bad = make(map[badLine]error)
				}
				b.bad[badLine{i, seq}] = refused
				return refused
			case errors.As(err, &failed):
				return failed.err
			}
			res.poison++
			return out(poisonTable, in.target.topic, at.partition, at.offset, at.seq, err.Error(), string(line[:min(len(line), maxPoison)]), now)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
