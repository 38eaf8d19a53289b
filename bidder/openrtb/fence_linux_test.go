package openrtb

import (
	"syscall"
	"testing"
)

// fence returns a function that copies bytes to the end of a page, with a page behind it that cannot be read: one byte
// read past the end ends the test process. Each call overwrites the bytes of the one before.
func fence(t testing.TB) func(body []byte) []byte {
	t.Helper()
	const size = 1 << 20
	page := syscall.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return func(body []byte) []byte {
		if len(body) > size {
			return body
		}
		at := memory[size-len(body) : size : size]
		copy(at, body)
		return at
	}
}
