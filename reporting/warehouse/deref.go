package warehouse

import "unsafe"

// deref reads the pointer at a C address: a connection is a pointer to what
// queries take.
func deref(address uintptr) uintptr {
	return **(**uintptr)(unsafe.Pointer(&address))
}
