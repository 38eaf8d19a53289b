//go:build !linux

package load

import "errors"

// Pin keeps a process on CPUs; only Linux can.
func Pin(int, ...int) error { return errors.New("pin process: only on Linux") }
