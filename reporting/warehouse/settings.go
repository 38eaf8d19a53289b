package warehouse

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// keepFreeBytes of the disk the engine leaves free: with less neither an insert
// nor a merge begins, so that a disk seldom fills in the middle of one, and
// there is room to delete and to mend.
const keepFreeBytes = 128 << 20

// tableEngines are those that keep data in the engine's own folder or in memory.
// All others (File, URL, S3, Kafka, MySQL, Distributed, …) are not granted.
func tableEngines() []string {
	engines := []string{"Memory", "Log", "TinyLog", "StripeLog", "Null", "Join", "Set", "Buffer", "Merge", "GenerateRandom"}
	for _, kind := range []string{"", "Replacing", "Summing", "Aggregating", "Collapsing", "VersionedCollapsing", "Coalescing"} {
		engines = append(engines, kind+"MergeTree")
	}
	return engines
}

// grants are all the rights that statements have. What is not here the engine
// refuses with ACCESS_DENIED: SOURCES above all, then dictionaries, functions,
// named collections, BACKUP, users, SYSTEM SHUTDOWN.
func grants() []string {
	list := []string{"GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, " +
		"CREATE TEMPORARY TABLE, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, CHECK, KILL QUERY, " +
		"SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM FLUSH, SYSTEM DROP CACHE, SYSTEM VIEWS ON *.*"}
	for _, e := range tableEngines() {
		list = append(list, "GRANT TABLE ENGINE ON "+e)
	}
	// Without its system tables the engine does not work; they come back with a restart.
	return append(list, "REVOKE DROP, TRUNCATE, ALTER, CREATE TABLE ON system.*",
		"REVOKE DROP ON information_schema.*", "REVOKE DROP ON INFORMATION_SCHEMA.*")
}

// fixedSettings cannot be changed by a statement: they name files to read, or
// another parser, for which statement.go would not hold.
func fixedSettings() []string {
	return []string{
		"dialect", "format_schema", "format_template_resultset", "format_template_row",
		"allow_introspection_functions", "implicit_select", "send_logs_level",
	}
}

// writeSettings writes the engine's two configuration files into dir and returns
// the first one's path. They are written anew at every start. Without an explicit
// file the engine would take a config.xml from the working folder or the home.
func writeSettings(dir string, cfg Config) (string, error) {
	var users strings.Builder
	fmt.Fprintf(&users, `<clickhouse>
 <profiles><default>
  <max_memory_usage>%d</max_memory_usage>
  <max_execution_time>%d</max_execution_time>
  <implicit_select>0</implicit_select>
  <allow_introspection_functions>0</allow_introspection_functions>
  <max_query_size>%d</max_query_size>
  <constraints>
   <max_memory_usage><min>1</min><max>%d</max></max_memory_usage>
`, cfg.MemoryBytes/2, int64(cfg.QueryTimeout/time.Second), maxQueryBytes, cfg.MemoryBytes/2)
	for _, s := range fixedSettings() {
		fmt.Fprintf(&users, "   <%s><readonly/></%s>\n", s, s)
	}
	users.WriteString(`  </constraints>
 </default></profiles>
 <quotas><default></default></quotas>
 <users><default>
  <password></password>
  <networks><ip>::/0</ip></networks>
  <profile>default</profile>
  <quota>default</quota>
  <grants>
`)
	for _, g := range grants() {
		fmt.Fprintf(&users, "   <query>%s</query>\n", g)
	}
	users.WriteString("  </grants>\n </default></users>\n</clickhouse>\n")

	usersPath := filepath.Join(dir, "users.xml")
	// The pools and caches are sized for a machine that does other work too; the
	// numbers in merge_tree only follow the smaller pool.
	server := fmt.Sprintf(`<clickhouse>
 <users_config>%s</users_config>
 <max_server_memory_usage>%d</max_server_memory_usage>
 <mark_cache_size>67108864</mark_cache_size>
 <background_pool_size>4</background_pool_size>
 <background_schedule_pool_size>8</background_schedule_pool_size>
 <storage_configuration><disks><default>
  <keep_free_space_bytes>%d</keep_free_space_bytes>
 </default></disks></storage_configuration>
 <merge_tree>
  <fsync_after_insert>1</fsync_after_insert>
  <fsync_part_directory>1</fsync_part_directory>
  <min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>
  <min_compressed_bytes_to_fsync_after_merge>1</min_compressed_bytes_to_fsync_after_merge>
  <number_of_free_entries_in_pool_to_execute_mutation>2</number_of_free_entries_in_pool_to_execute_mutation>
  <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
  <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>2</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
 </merge_tree>
</clickhouse>
`, xmlText(usersPath), cfg.MemoryBytes, keepFreeBytes)

	serverPath := filepath.Join(dir, "config.xml")
	for path, text := range map[string]string{usersPath: users.String(), serverPath: server} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("warehouse: write the engine's configuration: %w", err)
		}
	}
	return serverPath, nil
}

func xmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
