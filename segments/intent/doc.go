// Package intent tells how well what a person is looking for now matches one
// shop's catalogue, and which products: the inverted index behind the
// targeting predicate `intent` and behind the products that an ad shows.
//
// What is looked for comes as phrases (a search, a keyword, the name of a data
// segment, the words of an address), each with a source and a weight; and from
// the shop's own profile of the person. Never from another shop.
//
// A phrase matches a product only where its head noun, that which the words in
// front of and behind it describe, names the product's type. So "buty na
// obcasie" (shoes on a heel) is not "wkładki do obcasów" (insoles for heels),
// though they share a word. The other words count by how rare they are.
//
// Hot: Query.Add, Index.Match and Table.Shops allocate nothing at steady state
// and take microseconds (see the benchmarks). New and NewTable are slow and run
// off the hot path. An Index and a Table are immutable and safe for many
// goroutines; a Query belongs to one. Imports segments only.
package intent
