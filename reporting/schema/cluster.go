package schema

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// On a cluster every statement that makes or changes something is made one of
// all its servers, and every table a replicated one. A cluster is of one shard:
// each replica has every row, so that the reports, which join bids, settlements
// and orders, read on any of them what is true, and no Distributed table is
// needed.

// clusterName is what may stand in SQL without quotes, or as a macro.
var clusterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// heads are the beginnings of statements that a cluster must hear of; the
// name, in the first group, is followed by ON CLUSTER.
var heads = []*regexp.Regexp{
	regexp.MustCompile(`^CREATE DATABASE IF NOT EXISTS ([\w.]+)`),
	regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS ([\w.]+)`),
	regexp.MustCompile(`^CREATE OR REPLACE VIEW ([\w.]+)`),
	regexp.MustCompile(`^CREATE MATERIALIZED VIEW IF NOT EXISTS ([\w.]+)`),
	regexp.MustCompile(`^ALTER TABLE ([\w.]+)`),
	regexp.MustCompile(`^DROP (?:TABLE|VIEW) IF EXISTS ([\w.]+)`),
}

var (
	engine      = regexp.MustCompile(`(?m)^ENGINE = (\w*MergeTree)(?:\(([^)]*)\))?`)
	dedupWindow = regexp.MustCompile(`non_replicated_deduplication_window = (\d+)`)
)

// OnCluster rewrites a migration's statement for a cluster. What only writes
// rows is left as it is: a replica hands rows on. A kind of statement that it
// does not know is an error, so that none is made on one server alone.
func OnCluster(cluster, sql string) (string, error) {
	if !clusterName.MatchString(cluster) {
		return "", fmt.Errorf("clickhouse: %q is no name of a cluster", cluster)
	}
	if strings.HasPrefix(sql, "INSERT INTO ") {
		return sql, nil
	}
	for _, head := range heads {
		at := head.FindStringSubmatchIndex(sql)
		if at == nil {
			continue
		}
		name := sql[at[2]:at[3]]
		out := sql[:at[3]] + " ON CLUSTER `" + cluster + "`" + sql[at[3]:]
		if !strings.HasPrefix(sql, "CREATE TABLE ") {
			return out, nil
		}
		return replicated(name, out)
	}
	return "", fmt.Errorf("clickhouse: a statement cannot be made one of cluster %s: %.60q", cluster, sql)
}

// replicated gives a table the replicated engine of its kind. Its place in
// Keeper is by the macros that every replica defines.
func replicated(name, sql string) (string, error) {
	m := engine.FindStringSubmatch(sql)
	if m == nil || len(engine.FindAllString(sql, 2)) != 1 {
		return "", fmt.Errorf("clickhouse: table %s has no engine that can be replicated", name)
	}
	args := fmt.Sprintf("'/clickhouse/tables/{shard}/%s', '{replica}'", strings.ReplaceAll(name, ".", "/"))
	if m[2] != "" {
		args += ", " + m[2]
	}
	sql = strings.Replace(sql, m[0], "ENGINE = Replicated"+m[1]+"("+args+")", 1)
	// An insert's token is remembered as long as a loader may repeat it.
	return dedupWindow.ReplaceAllString(sql, "replicated_deduplication_window = $1, replicated_deduplication_window_seconds = 604800"), nil
}

// clusterSettings go with every statement: a row counts as inserted when most
// replicas have it, since the offset in Kafka is committed then; and roll-ups
// may be swept by what other tables say.
func clusterSettings() clickhouse.Settings {
	return clickhouse.Settings{"insert_quorum": "auto", "allow_nondeterministic_mutations": 1}
}

// migration is a statement as this server, or its cluster, is to run it.
func (s Server) migration(sql string) (string, error) {
	if s.Cluster == "" {
		return sql, nil
	}
	return OnCluster(s.Cluster, sql)
}

// checkCluster refuses a cluster that is not there, or of several shards.
func (s Server) checkCluster(ctx context.Context, conn driver.Conn) error {
	if s.Cluster == "" {
		return nil
	}
	var replicas uint64
	var shards uint32
	err := conn.QueryRow(ctx, "SELECT count(), max(shard_num) FROM system.clusters WHERE cluster = ?", s.Cluster).Scan(&replicas, &shards)
	if err != nil {
		return fmt.Errorf("asking for cluster %s: %w", s.Cluster, err)
	}
	return clusterFits(s.Cluster, replicas, shards)
}

var errCluster = errors.New("clickhouse: the cluster cannot be used")

func clusterFits(name string, replicas uint64, shards uint32) error {
	switch {
	case replicas == 0:
		return fmt.Errorf("%w: this server knows none that is called %s", errCluster, name)
	case shards > 1:
		return fmt.Errorf("%w: %s has %d shards; reports join what would lie on different ones: name a cluster of one shard", errCluster, name, shards)
	}
	return nil
}
