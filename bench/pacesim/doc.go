// Package pacesim is a small world around one paced campaign: days of bid
// requests with values and prices, notices that come late, out of order or
// never, and the best that could have been done, found afterwards by replay.
// It judges a pacer through the same five calls that `grosz pace --stdio` has
// as lines, and shares no code with what it judges.
//
//	scenario.go   what a day is like, from YAML; scenarios/ has the built-in ones
//	world.go      draws the people, placements and days of one seed
//	run.go        plays a pacer through its days on a virtual clock
//	hindsight.go  the best constant multiplier, or shading, known afterwards
//	table.go      many seeds; the worst one counts
//	plot.go       one day as SVG
//	nodes.go      scenarios with several nodes, and orders with a known truth
//
// Everything is drawn from a seed. Amounts are floats here: this is a
// measuring device, not a ledger. Slow; a day of 300,000 requests takes about
// a tenth of a second beside the pacer's own time. Imports nothing of Grosz
// but internal.
package pacesim
