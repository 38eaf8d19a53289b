// Package loader carries Kafka's log into ClickHouse: one consumer group per
// topic, messages decoded into rows, rows inserted in batches, offsets
// committed only after the insert. So every event arrives at least once; the
// tables keep the first delivery of each (see reporting/schema).
//
// It holds at most one batch per topic and what Kafka's reader fetched ahead,
// so that ClickHouse or Kafka may be away for hours: it stops fetching and
// tries again. A line that is not an event goes to grosz.poison and holds
// nothing up.
//
// Slow, never on the bid path. A Loader is run once; several loaders may share
// a group and divide the partitions. Imports events, campaigns and
// reporting/schema.
package loader
