package bidder

import "unsafe"

// view is b as a string that shares its memory, for writing it out at once.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
