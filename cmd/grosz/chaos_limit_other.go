//go:build !linux

package main

import "errors"

// limitFiles needs Linux: elsewhere the disk is not made full.
func limitFiles(int, int64) error { return errors.ErrUnsupported }

const canLimitFiles = false

// residentBytes needs Linux.
func residentBytes(int) int64 { return 0 }
