// Package world draws a market to measure against: shops with products,
// campaigns with targeting of up to twenty clauses, people with profiles, and
// bid requests of 1 to 6 KB for banners, video and native ads, of which some
// are for those people. The same Config gives the same world, item by item:
// every part is drawn from a seed of its own, so none need be kept.
//
// Sites, shops and cities grow with the number of campaigns, so that a
// request concerns as many of them (a median of about 20, one in a hundred
// about 200) in a small world as in a large one. Names and ids are invented,
// domains are reserved ones.
//
// Slow side. A World is immutable and safe for many goroutines. Imports
// campaigns and segments, and nothing of the bidder; who writes the world to
// files is in cmd/grosz.
package world
