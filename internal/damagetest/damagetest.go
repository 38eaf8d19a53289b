// Package damagetest damages files for tests: it cuts them at every byte and
// flips their bits. What reads them must refuse them, or come back to a state
// that was right once; it never panics.
//
// For tests only. Imports nothing of Grosz.
package damagetest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// Every calls try with the file cut at every byte, and with each single bit
// flipped; what says which. A panic of try fails the test and names the damage.
func Every(t testing.TB, whole []byte, try func(what string, damaged []byte)) {
	t.Helper()
	Some(t, whole, 1, try)
}

// Some is Every at every step-th byte and the first and last 64 of them, and
// there one bit per byte, for files that take long to read.
func Some(t testing.TB, whole []byte, step int, try func(what string, damaged []byte)) {
	t.Helper()
	near := func(i int) bool { return i%step == 0 || i < 64 || i >= len(whole)-64 }
	for i := range whole {
		if !near(i) {
			continue
		}
		one(t, fmt.Sprintf("cut to %d of %d bytes", i, len(whole)), bytes.Clone(whole[:i]), try)
		for bit := range 8 {
			if step > 1 && bit != i%8 {
				continue
			}
			bad := bytes.Clone(whole)
			bad[i] ^= 1 << bit
			one(t, fmt.Sprintf("byte %d of %d, bit %d", i, len(whole), bit), bad, try)
		}
	}
}

func one(t testing.TB, what string, damaged []byte, try func(string, []byte)) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: panic: %v\n%s", what, r, debug.Stack())
		}
	}()
	try(what, damaged)
}

// CopyDir copies the files of a folder and below it.
func CopyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// Overwrite puts b in place of a file.
func Overwrite(t testing.TB, b []byte, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), b, 0o600); err != nil {
		t.Fatal(err)
	}
}
