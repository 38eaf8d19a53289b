package bookkeeper

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

var columns = []string{
	"event_id", "leg", "kind", "time", "day", "bid_day", "bid_id", "shop_id", "campaign_id", "exchange",
	"from_account", "to_account", "amount", "currency", "late", "reference", "kafka_partition", "kafka_offset", "seq",
}

// insert writes rows to grosz.ledger. On an error some may be in: they are
// written again, and keep one row.
func insert(ctx context.Context, conn driver.Conn, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"async_insert": 0, "throw_on_max_partitions_per_insert_block": 0}))
	b, err := conn.PrepareBatch(ctx, "INSERT INTO grosz.ledger ("+strings.Join(columns, ", ")+")")
	if err != nil {
		return fmt.Errorf("prepare an insert into the ledger: %w", err)
	}
	defer func() {
		if !b.IsSent() {
			_ = b.Abort()
		}
	}()
	for i := range rows {
		r := &rows[i]
		err := b.Append(
			uuid.UUID(r.ID), r.leg, kindNames[r.kind], time.UnixMilli(r.AtMS).UTC(), r.date(), time.Unix(int64(r.Day)*24*60*60, 0).UTC(), uuid.UUID(r.bid),
			r.Shop, r.Campaign, r.Exchange, r.From.String(), r.To.String(), decimal.New(int64(r.Amount), -9), r.Currency.String(), r.late, r.reference,
			uint32(r.partition), uint64(r.offset), uint32(r.seq))
		if err != nil {
			return fmt.Errorf("entry of event %s: %w", r.ID, err)
		}
	}
	if err := b.Send(); err != nil {
		return fmt.Errorf("insert %d entries into the ledger: %w", len(rows), err)
	}
	return nil
}
