// Package match owns the user match table: whose browser an exchange means by
// its own user id, as cookie sync learnt it. It serves the candidates stage
// of a bid (exchange and their id to the DSP-wide id) and the sync handlers,
// which fill it.
//
// Hot: Lookup takes one shard's read lock, 200 ns at most with millions of
// entries, and allocates nothing. Put, Forget and Run are the slow side: they
// write to a journal. Everything may be called from many goroutines.
//
// The exchange's id is kept only as a 128-bit SipHash under a key of this
// file, so that nobody can choose ids that meet, and the file does not tell
// them. Bounded: MaxEntries, of which the one unseen for longest of a few
// gives way. Imports events (types) and internal only.
package match
