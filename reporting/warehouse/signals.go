package warehouse

import (
	"fmt"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// signalKeeper keeps Go's own signal handlers alive beside libchdb. Left alone,
// the library installs handlers that turn a recoverable Go panic into a crash;
// told not to, it sets those signals to their default, at once and again at
// every connect, which does the same. So the handlers are saved before the first
// call and put back after each.
type signalKeeper struct {
	sigaction func(sig int32, act, old unsafe.Pointer) int32
	saved     []savedSignal
}

// savedSignal holds a struct sigaction as bytes; no system's is larger.
type savedSignal struct {
	signal int32
	action [256]byte
}

func keptSignals() []syscall.Signal {
	return []syscall.Signal{
		syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGILL, syscall.SIGBUS, syscall.SIGSYS,
		syscall.SIGFPE, syscall.SIGTSTP, syscall.SIGTRAP, syscall.SIGURG, syscall.SIGPIPE,
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
	}
}

func (k *signalKeeper) save() error {
	symbol, err := purego.Dlsym(purego.RTLD_DEFAULT, "sigaction")
	if err != nil {
		return fmt.Errorf("warehouse: find sigaction: %w", err)
	}
	purego.RegisterFunc(&k.sigaction, symbol)
	k.saved = make([]savedSignal, 0, len(keptSignals()))
	for _, s := range keptSignals() {
		k.saved = append(k.saved, savedSignal{signal: int32(s)})
		at := &k.saved[len(k.saved)-1]
		if rc := k.sigaction(at.signal, nil, unsafe.Pointer(&at.action[0])); rc != 0 {
			return fmt.Errorf("warehouse: read the handler of signal %d: sigaction gave %d", at.signal, rc)
		}
	}
	return nil
}

func (k *signalKeeper) restore() {
	for i := range k.saved {
		k.sigaction(k.saved[i].signal, unsafe.Pointer(&k.saved[i].action[0]), nil)
	}
}
