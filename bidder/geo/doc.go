// Package geo finds the country, region and city of an address in a database
// file of MaxMind's format (GeoLite2, GeoIP2 and others), for requests that do
// not say where they come from.
//
// Hot: DB.Lookup takes well under a microsecond and allocates nothing for
// places that were asked for lately; safe for many goroutines. The file is read
// into memory whole and looked at again every minute; one that cannot be read
// is reported and the last good one stays. Imports internal only.
package geo
