//go:build !linux

package warehouse

import "errors"

// install needs Linux. Elsewhere writes of the engine that fail are not seen.
func (w *writeWatch) install(uintptr, string) error { return errors.ErrUnsupported }

func inodeOf(int) (inode, bool) { return inode{}, false }
