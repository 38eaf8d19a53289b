package report

import (
	"context"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
)

// testErasures asks through the real engine; TestCostPerOrder has it open.
func testErasures(ctx context.Context, t *testing.T, conn driver.Conn, r *Reader) {
	require.NoError(t, conn.Exec(ctx, `INSERT INTO grosz.erasures (erase_id, type, time, node, shop_id, opt_out, reason, profiles, events) VALUES
		('00112233-4455-6677-8899-aabbccddeeff', 'erase', '2026-11-20 10:00:00', 'n1', 1, false, 'shop', 0, 0),
		('00112233-4455-6677-8899-aabbccddeeff', 'erase', '2026-11-20 10:00:00', 'n1', 1, false, 'shop', 0, 0),
		('00112233-4455-6677-8899-aabbccddeeff', 'erased', '2026-11-20 10:00:05', 'clickhouse', 1, false, '', 0, 4),
		('00112233-4455-6677-8899-aabbccddeeff', 'erased', '2026-11-20 10:00:01', 'n1', 1, false, '', 1, 0),
		('11112233-4455-6677-8899-aabbccddeeff', 'erase', '2026-11-21 10:00:00', 'n1', 1, false, 'shop', 0, 0),
		('22112233-4455-6677-8899-aabbccddeeff', 'erase', '2026-11-20 11:00:00', 'n1', 2, false, 'shop', 0, 0),
		('33112233-4455-6677-8899-aabbccddeeff', 'erase', '2026-11-20 12:00:00', 'n1', 0, true, 'optout_page', 0, 0)`))
	const first, newer = "00112233445566778899aabbccddeeff", "11112233445566778899aabbccddeeff"
	rows, err := r.Erasures(ctx, 1, "", 10)
	require.NoError(t, err)
	const at = 1_795_168_800_000 // 2026-11-20 10:00 UTC
	require.Equal(t, []ErasureRow{
		{ID: newer, Type: "erase", TimeMS: at + 24*3600*1000, Node: "n1", Shop: 1, Reason: "shop"},
		{ID: first, Type: "erase", TimeMS: at, Node: "n1", Shop: 1, Reason: "shop"},
		{ID: first, Type: "erased", TimeMS: at + 1000, Node: "n1", Shop: 1, Profiles: 1},
		{ID: first, Type: "erased", TimeMS: at + 5000, Node: "clickhouse", Shop: 1, Events: 4},
	}, rows)
	rows, err = r.Erasures(ctx, 1, "", 1)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	rows, err = r.Erasures(ctx, 1, "00112233-4455-6677-8899-AABBCCDDEEFF", 10)
	require.NoError(t, err)
	require.Len(t, rows, 3)
	rows, err = r.Erasures(ctx, 2, first, 10)
	require.NoError(t, err)
	require.Empty(t, rows, "another shop's")
	rows, err = r.Erasures(ctx, 0, "", 10)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.True(t, rows[0].OptOut)
}
