// Package stream measures the way of events: made durable in a spool, an
// fsync before each acknowledgement, and shipped to Kafka, which acknowledges
// them by all in-sync replicas; the log is read back and counted. It uses the
// spool, the sink and the topics that a bidder uses, and real billing events.
//
// Slow: a tool. One Run at a time on a directory. It imports the events' room
// only.
package stream
