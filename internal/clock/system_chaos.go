//go:build chaos && unix

package clock

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// CanStep tells that this program was built, with the tag chaos, to have its
// clock set from outside. It must not serve anybody: who may write its StepFile
// makes old tokens valid.
const CanStep = true

// stepped is how far the clock is from the machine's, ms: in the memory of the
// file that StepFile names, so that a write to it takes effect at once.
var stepped = sync.OnceValue(func() *atomic.Int64 {
	path := os.Getenv(StepFile)
	if path == "" {
		return new(atomic.Int64)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		defer f.Close()
		var b []byte
		if b, err = syscall.Mmap(int(f.Fd()), 0, stepBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED); err == nil {
			return (*atomic.Int64)(unsafe.Pointer(&b[0]))
		}
	}
	panic(fmt.Errorf("%s=%s: %w", StepFile, path, err)) // a fault that is not played must not look survived
})

// NowMS returns the machine's time, moved by what StepFile says, ms UTC.
func (System) NowMS() int64 { return time.Now().UnixMilli() + stepped().Load() }
