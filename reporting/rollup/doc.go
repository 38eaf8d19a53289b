// Package rollup works out the roll-ups of reporting/schema: what shops'
// campaigns did, by hour and day. A unit is an hour (or day) of bids of a
// shop. ClickHouse notes when rows are inserted into a unit; a Roller works a
// unit out anew from its events once nothing was inserted into it for a while,
// and notes until when its figures are complete. The views take a unit from
// the roll-up only if nothing was inserted since, else from the events. So
// duplicates, replays, late events and crashes cannot make a figure wrong, and
// a Roller that is away only makes reading slower. Attribution is kept likewise,
// a row a goal: goals.go.
//
// Slow, never on the bid path; it runs beside the loader. A Roller is run
// once; several at once do no harm, for each working out has a version of its
// own, drawn before it reads, and the highest one counts. Imports
// reporting/schema.
package rollup
