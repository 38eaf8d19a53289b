package warehouse

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

const eventColumns = `(
	shop LowCardinality(String), at DateTime64(3, 'UTC'), day Date, id UUID, bid FixedString(16),
	kind UInt8, width UInt16, height UInt32, price UInt64, delta Int64, spend Decimal(38, 9),
	segments Array(UInt32), deal Nullable(String), extra Map(String, String), score Float64, ok Bool)`

type event struct {
	Shop     string            `ch:"shop"`
	At       time.Time         `ch:"at"`
	Day      time.Time         `ch:"day"`
	ID       uuid.UUID         `ch:"id"`
	Bid      string            `ch:"bid"`
	Kind     uint8             `ch:"kind"`
	Width    uint16            `ch:"width"`
	Height   uint32            `ch:"height"`
	Price    uint64            `ch:"price"`
	Delta    int64             `ch:"delta"`
	Spend    decimal.Decimal   `ch:"spend"`
	Segments []uint32          `ch:"segments"`
	Deal     *string           `ch:"deal"`
	Extra    map[string]string `ch:"extra"`
	Score    float64           `ch:"score"`
	OK       bool              `ch:"ok"`
}

func makeEvent(i int) event {
	at := time.UnixMilli(1_760_000_000_000 + int64(i)).UTC()
	e := event{
		Shop: fmt.Sprint("shop", i%7), At: at, Day: at.Truncate(24 * time.Hour), ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)),
		Bid: fmt.Sprintf("%016d", i), Kind: uint8(i), Width: uint16(i), Height: uint32(i), Price: ^uint64(0) - uint64(i), Delta: -int64(i),
		Spend: decimal.New(int64(i)*1_000_000_001, -9), Segments: []uint32{uint32(i), 10}, // 10 is a line end in Native
		Extra: map[string]string{"k": "a'\n\\" + fmt.Sprint(i)}, Score: float64(i) / 3, OK: i%2 == 0,
	}
	if i%3 == 0 {
		e.Deal = &e.Shop
	}
	return e
}

func TestEventsThroughClickHouseGo(t *testing.T) {
	const rows = 100_000
	for _, c := range []struct {
		name   string
		change func(*clickhouse.Options)
	}{
		{"plain", func(*clickhouse.Options) {}},
		{"lz4", func(o *clickhouse.Options) {
			o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
		}},
		{"zstd", func(o *clickhouse.Options) {
			o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionZSTD, Level: 1}
		}},
		{"gzip", func(o *clickhouse.Options) {
			o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionGZIP, Level: 1}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			conn := dialShared(t, c.change)
			table := "events_" + c.name
			require.NoError(t, conn.Exec(ctx, "CREATE TABLE "+table+eventColumns+" ENGINE = MergeTree ORDER BY (shop, at)"))
			batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+table)
			require.NoError(t, err)
			for i := range rows {
				e := makeEvent(i)
				require.NoError(t, batch.AppendStruct(&e))
			}
			require.NoError(t, batch.Send())

			var n uint64
			var spend decimal.Decimal
			require.NoError(t, conn.QueryRow(ctx, "SELECT count(), sum(spend) FROM "+table).Scan(&n, &spend))
			require.EqualValues(t, rows, n)
			require.True(t, decimal.New(1_000_000_001, -9).Mul(decimal.NewFromInt(rows*(rows-1)/2)).Equal(spend), spend)

			result, err := conn.Query(ctx, "SELECT * FROM "+table+" ORDER BY at")
			require.NoError(t, err)
			defer result.Close()
			i := 0
			for ; result.Next(); i++ {
				var got event
				require.NoError(t, result.ScanStruct(&got))
				want := makeEvent(i)
				require.True(t, want.Spend.Equal(got.Spend))
				got.Spend, got.At, got.Day = want.Spend, got.At.UTC(), got.Day.UTC()
				if !reflect.DeepEqual(want, got) {
					require.Equal(t, want, got)
				}
			}
			require.NoError(t, result.Err())
			require.Equal(t, rows, i)
		})
	}
}

func TestQueriesThroughClickHouseGo(t *testing.T) {
	ctx := t.Context()
	conn := dialShared(t)
	require.NoError(t, conn.Ping(ctx))
	version, err := conn.ServerVersion()
	require.NoError(t, err)
	require.EqualValues(t, 26, version.Version.Major)

	var sum uint64
	var name string
	require.NoError(t, conn.QueryRow(ctx, "SELECT {n:UInt64} + 1, {s:String}",
		clickhouse.Named("n", "41"), clickhouse.Named("s", "it's; a \"name\"")).Scan(&sum, &name))
	require.EqualValues(t, 42, sum)
	require.Equal(t, "it's; a \"name\"", name)
	require.NoError(t, conn.QueryRow(ctx, "SELECT ?", "it's").Scan(&name))
	require.Equal(t, "it's", name)

	withSettings := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1, "log_comment": "it's \\ mine"}))
	var threads, comment string
	require.NoError(t, conn.QueryRow(withSettings, "SELECT toString(getSetting('max_threads')), getSetting('log_comment')").Scan(&threads, &comment))
	require.Equal(t, "1", threads)
	require.Equal(t, "it's \\ mine", comment)

	empty, err := conn.Query(ctx, "SELECT number FROM numbers(10) WHERE number > 100")
	require.NoError(t, err)
	require.False(t, empty.Next())
	require.NoError(t, empty.Err())

	var exception *clickhouse.Exception
	err = conn.Exec(ctx, "SELECT * FROM no_such_table")
	require.ErrorAs(t, err, &exception)
	require.EqualValues(t, 60, exception.Code)
	err = conn.Exec(ctx, "SELECT 1 SETTINGS no_such_setting = 1")
	require.ErrorAs(t, err, &exception)
	require.EqualValues(t, 115, exception.Code)
}

func TestEngines(t *testing.T) {
	ctx := t.Context()
	conn := dialShared(t)
	for _, sql := range []string{
		"CREATE TABLE raw (k UInt32, v UInt64) ENGINE = MergeTree ORDER BY k SETTINGS non_replicated_deduplication_window = 100",
		"CREATE TABLE total (k UInt32, s SimpleAggregateFunction(sum, UInt64), u AggregateFunction(uniq, UInt64)) ENGINE = AggregatingMergeTree ORDER BY k SETTINGS non_replicated_deduplication_window = 100",
		"CREATE MATERIALIZED VIEW to_total TO total AS SELECT k, sum(v) AS s, uniqState(v) AS u FROM raw GROUP BY k",
		"CREATE TABLE latest (k UInt32, v String, version UInt64) ENGINE = ReplacingMergeTree(version) ORDER BY k",
		"INSERT INTO latest VALUES (1, 'old', 1), (2, 'only', 1)",
		"INSERT INTO latest VALUES (1, 'new', 2)",
	} {
		require.NoError(t, conn.Exec(ctx, sql), sql)
	}
	once := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplication_token": "offsets 1-3", "deduplicate_blocks_in_dependent_materialized_views": 1,
	}))
	for range 2 { // the same block twice counts once
		batch, err := conn.PrepareBatch(once, "INSERT INTO raw")
		require.NoError(t, err)
		for i := range 10_000 {
			require.NoError(t, batch.Append(uint32(i%10), uint64(i)))
		}
		require.NoError(t, batch.Send())
	}
	require.Equal(t, "10000\n", must(t, "SELECT count() FROM raw"))
	// A batch is one part, so that it is there whole or not at all.
	require.Equal(t, "1\n", must(t, "SELECT count() FROM system.parts WHERE table = 'raw' AND database = 'default'"))
	must(t, strings.Repeat("7\t7\n", 500_000), "query", "INSERT INTO raw FORMAT TSV")
	require.Equal(t, "1\n", must(t, "SELECT count() FROM system.parts WHERE table = 'raw' AND database = 'default' AND rows >= 500000"))
	require.Equal(t, "44993000\t9000\n", must(t, "SELECT sum(s), uniqMerge(u) FROM total WHERE k != 7"))
	require.Equal(t, "1\tnew\n2\tonly\n", must(t, "SELECT k, v FROM latest FINAL ORDER BY k"))
}
