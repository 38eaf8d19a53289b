// Package suppress owns the suppression list: who asked to be forgotten, and
// until when. Everything that is folded from the log, restored from a
// checkpoint or a backup, or met in a bid request asks it, so that a person
// who is gone does not come back by a replay.
//
// Hot: OptedOut and Suppressed take one shard's read lock and allocate
// nothing. Add is the slow side: it is durable when it returns. Everything may
// be called from many goroutines. The list is itself a fold of
// events.TopicErasures, and a journal beside it, so that it holds before Kafka
// answers. Bounded: Max; when it is hit the oldest is forgotten, and counted.
// Imports events (types) and internal only.
package suppress
