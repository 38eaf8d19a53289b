// Package kafkatest runs a real Apache Kafka, one KRaft node on loopback, for
// tests and tools that must not be fooled by a stand-in. scripts/kafka.sh
// brings Java and Kafka's jars; without them Start skips a test, and fails it
// when CI=true.
//
// Slow: a start takes about four seconds and half a gigabyte of memory, so a
// package shares one broker among its tests where it can. A Broker's methods
// are for one goroutine. Imports nothing of Grosz.
package kafkatest
