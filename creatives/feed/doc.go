// Package feed reads a shop's product feed into campaigns.Product values: CSV,
// TSV, Google Merchant XML (RSS and Atom), Ceneo XML, JSON arrays and JSON
// lines, each also gzipped.
//
// It is the slow edge of creatives: it streams, so that memory does not grow
// with the feed but by eight bytes an id, to find repeated ones. A row that
// cannot be used is reported with line, column and reason, and the rest is
// read on; a file that cannot be understood is an error. Everything has a
// bound: bytes in, bytes inflated, bytes of one row, products. A reader is
// used by one goroutine. The package imports campaigns and internal/money
// only.
package feed
