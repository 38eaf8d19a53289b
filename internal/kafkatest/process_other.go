//go:build !linux

package kafkatest

import "syscall"

// childAttr keeps a terminal's Ctrl-C from reaching the child before we stop
// it in order.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
