package kafkatest

import "syscall"

// childAttr makes the child end with us, however we end, and keeps a
// terminal's Ctrl-C from reaching it before we stop it in order.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
