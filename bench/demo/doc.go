// Package demo furnishes an empty Grosz with something to look at: three
// invented shops with seeded product feeds and campaigns of every kind, made
// through the console's API as any client would make them, and a small server
// that plays the shops' own sites. Doing it again changes nothing.
//
// Slow. Seed is for one goroutine; Sites is an http.Handler for many. Imports
// campaigns (documents), bench/sim (what shoppers browse) and internal.
package demo
