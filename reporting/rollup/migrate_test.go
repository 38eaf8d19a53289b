package rollup

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/reporting/schema"
)

// What an earlier version wrote is in the new views: in a database of the
// first five migrations, filled, then migrated, twice.
func TestOldDataIsKept(t *testing.T) {
	conn := open(t)
	ctx := t.Context()
	require.NoError(t, conn.Exec(ctx, "DROP DATABASE grosz"))
	all, err := schema.Migrations()
	require.NoError(t, err)
	for _, m := range all[:5] {
		for _, sql := range m.Statements {
			require.NoError(t, conn.Exec(ctx, sql), m.Name)
		}
	}
	const shop = 13
	log := history(rand.New(rand.NewPCG(3, 4)), shop, 20)
	insert(t, conn, log[:len(log)/2])
	want := truth(log[:len(log)/2])
	for range 2 {
		require.NoError(t, schema.Migrate(ctx, conn, quiet))
	}
	require.Equal(t, want, read(t, conn, "cost_per_order", shop))
	rollAll(t, newRoller(t), conn)
	require.Equal(t, want, read(t, conn, "daily", shop))
	insert(t, conn, log[len(log)/2:])
	require.Equal(t, truth(log), read(t, conn, "cost_per_order", shop))
	// All of it run again, as by a program whose migrations changed, does no harm.
	require.NoError(t, conn.Exec(ctx, "TRUNCATE TABLE grosz.schema_migrations"))
	require.NoError(t, schema.Migrate(ctx, conn, quiet))
	require.Equal(t, truth(log), read(t, conn, "cost_per_order", shop))
}
