package schema

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

//go:embed migrations/*.sql migrations/*.inc
var files embed.FS

// Facts is the part of SQL that works facts out of events, for the units of an
// array `dirty_hours`: views and reporting/rollup share it.
//
//go:embed migrations/facts_lean.inc
var Facts string

// PriceFacts is likewise what became of bids by price, for a table `units`.
//
//go:embed migrations/price_facts.inc
var PriceFacts string

// SeenFacts is likewise how many impressions were seen, for a table of days.
//
//go:embed migrations/seen_facts.inc
var SeenFacts string

// FoundTouches is likewise the last touches of goals, for an array `stale`.
//
//go:embed migrations/found_touches_lean.inc
var FoundTouches string

// Migration is one file of SQL. Its statements must be safe to run twice (IF
// NOT EXISTS, OR REPLACE): ClickHouse has no lock or transaction around them,
// so that two loaders that start together both run them. What several views
// have in common stands in a file beside them: {{name}} stands for name.inc.
type Migration struct {
	Version    uint32
	Name       string // file name
	SHA256     string // of the text, what it includes in place, hex
	Statements []string
}

// Migrations returns all in order.
func Migrations() ([]Migration, error) { return readMigrations(files) }

func readMigrations(from fs.FS) ([]Migration, error) {
	names, err := fs.Glob(from, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("listing migrations: %w", err)
	}
	slices.Sort(names)
	common, err := readCommon(from)
	if err != nil {
		return nil, err
	}
	var all []Migration
	for i, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, fmt.Errorf("reading migration: %w", err)
		}
		base := path.Base(name)
		number, _, _ := strings.Cut(base, "_")
		v, err := strconv.ParseUint(number, 10, 32)
		if err != nil || int(v) != i+1 {
			return nil, fmt.Errorf("migration %s: its number must be %04d", base, i+1)
		}
		whole := common.Replace(string(text))
		if i := strings.Index(whole, "{{"); i >= 0 {
			return nil, fmt.Errorf("migration %s: nothing stands for %.40q", base, whole[i:])
		}
		sum := sha256.Sum256([]byte(whole))
		all = append(all, Migration{uint32(v), base, hex.EncodeToString(sum[:]), split(whole)})
	}
	return all, nil
}

// readCommon reads what migrations include.
func readCommon(from fs.FS) (*strings.Replacer, error) {
	names, err := fs.Glob(from, "migrations/*.inc")
	if err != nil {
		return nil, fmt.Errorf("listing what migrations include: %w", err)
	}
	var pairs []string
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, fmt.Errorf("reading what migrations include: %w", err)
		}
		pairs = append(pairs, "{{"+strings.TrimSuffix(path.Base(name), ".inc")+"}}", strings.TrimRight(string(text), "\n"))
	}
	return strings.NewReplacer(pairs...), nil
}

// split cuts SQL at semicolons that end a line, and drops comments that
// begin one.
func split(text string) []string {
	var out []string
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "--") {
			continue
		}
		trimmed := strings.TrimRight(line, " \t\r\n")
		rest, ends := strings.CutSuffix(trimmed, ";")
		b.WriteString(rest)
		b.WriteByte('\n')
		if ends {
			out = appendStatement(out, &b)
		}
	}
	return appendStatement(out, &b)
}

func appendStatement(out []string, b *strings.Builder) []string {
	if s := strings.TrimSpace(b.String()); s != "" {
		out = append(out, s)
	}
	b.Reset()
	return out
}

const ledger = `CREATE TABLE IF NOT EXISTS grosz.schema_migrations
(
    version    UInt32                COMMENT 'number of the migration',
    name       String                COMMENT 'its file',
    sha256     String                COMMENT 'of the file, hex',
    applied_at DateTime64(3, 'UTC')  COMMENT 'when it was last applied'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY version
COMMENT 'Migrations that were applied.'`

// Migrate brings the database to this program's schema: migrations that are
// not recorded, or whose text has changed since, are run in order. A schema
// newer than the program is left as it is, so that an older program may still
// run beside a newer one. Two callers at once do no harm.
func Migrate(ctx context.Context, conn driver.Conn, log *slog.Logger) error {
	return Server{}.Migrate(ctx, conn, log)
}

// Migrate is Migrate for s, on its cluster where it is of one.
func (s Server) Migrate(ctx context.Context, conn driver.Conn, log *slog.Logger) error {
	all, err := Migrations()
	if err != nil {
		return err
	}
	if err := s.checkCluster(ctx, conn); err != nil {
		return err
	}
	for _, sql := range []string{"CREATE DATABASE IF NOT EXISTS grosz", ledger} {
		if sql, err = s.migration(sql); err == nil {
			err = conn.Exec(ctx, sql)
		}
		if err != nil {
			return fmt.Errorf("preparing migrations: %w", err)
		}
	}
	done, err := applied(ctx, conn)
	if err != nil {
		return err
	}
	for v := range done {
		if int(v) > len(all) {
			log.Info("the schema is newer than this program", "schema", v, "program", len(all))
			return nil
		}
	}
	for _, m := range all {
		if done[m.Version] == m.SHA256 {
			continue
		}
		for i, sql := range m.Statements {
			if sql, err = s.migration(sql); err == nil {
				err = exec(ctx, conn, sql)
			}
			if err != nil {
				return fmt.Errorf("migration %s, statement %d: %w", m.Name, i+1, err)
			}
		}
		err := conn.Exec(ctx, "INSERT INTO grosz.schema_migrations (version, name, sha256, applied_at) SELECT ?, ?, ?, now64(3)", m.Version, m.Name, m.SHA256)
		if err != nil {
			return fmt.Errorf("recording migration %s: %w", m.Name, err)
		}
		log.Info("schema migrated", "migration", m.Name)
	}
	return nil
}

// exec tries a few times: two that replace a view at the same moment may
// get in each other's way.
func exec(ctx context.Context, conn driver.Conn, sql string) error {
	var err error
	for try := range 4 {
		if err = conn.Exec(ctx, sql); err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(50<<try) * time.Millisecond):
		}
	}
	return err
}

// applied returns the recorded migrations' hashes by version.
func applied(ctx context.Context, conn driver.Conn) (map[uint32]string, error) {
	rows, err := conn.Query(ctx, "SELECT version, sha256 FROM grosz.schema_migrations FINAL")
	if err != nil {
		return nil, fmt.Errorf("reading applied migrations: %w", err)
	}
	defer rows.Close()
	done := make(map[uint32]string)
	for rows.Next() {
		var v uint32
		var sum string
		if err := rows.Scan(&v, &sum); err != nil {
			return nil, fmt.Errorf("reading applied migrations: %w", err)
		}
		done[v] = sum
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading applied migrations: %w", err)
	}
	return done, nil
}
