// Package results reads what benchmarks printed, in Go's benchmark format,
// and compares it with what was kept of the last release: medians, whether
// they differ by more than noise (Mann and Whitney, 1947, two-sided, exact),
// and by how much. Its table names every figure with its goal, and at its end
// the regressions.
//
// Machines differ. So times are also read as multiples of a reference that
// was measured in the same run: the SHA-256 of 1 KB, whose last line above a
// benchmark's is taken. On another kind of machine only such ratios are
// judged, and allocations, which are the same everywhere.
//
// kept.txt is the result of the last release, with the machine's description
// at its head. Slow side, in memory. Imports nothing of Grosz.
package results
