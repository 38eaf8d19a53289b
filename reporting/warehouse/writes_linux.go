package warehouse

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// install makes the engine notice writes that fail. libchdb, unlike the
// server that it is made from, goes on after a write(2) that failed: an insert
// was acknowledged, or a merged part put in the place of its sources, with a
// file that a full disk had cut. So its calls of write and fdatasync come
// through here. A file that lost a byte is remembered, and fdatasync of it
// fails; that error the engine minds: the insert or merge is undone. All that
// is put in place is synced (settings.go), merged parts too.
//
// Not synced are files that the engine reads back itself, of a sort or a GROUP
// BY that does not fit into memory: a statement under which one of these lost
// bytes is answered with an error.
func (w *writeWatch) install(handle uintptr, path string) error {
	slots, err := importSlots(handle, path, "write", "fdatasync")
	if err != nil {
		return fmt.Errorf("warehouse: find the engine's calls of write in %s: %w", path, err)
	}
	symbol, err := purego.Dlsym(purego.RTLD_DEFAULT, "__errno_location")
	if err != nil {
		return fmt.Errorf("warehouse: find errno: %w", err)
	}
	purego.RegisterFunc(&w.errno, symbol)
	atomic.StoreUintptr(slots["fdatasync"], purego.NewCallback(w.sync))
	atomic.StoreUintptr(slots["write"], purego.NewCallback(w.write))
	return nil
}

// importSlots finds where the library at path, loaded as handle, keeps the
// addresses of functions that it imports: slots that the dynamic linker fills,
// and that stay writable.
func importSlots(handle uintptr, path string, names ...string) (map[string]*uintptr, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	const known = "chdb_connect"
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return nil, err
	}
	base, err := purego.Dlsym(handle, known)
	if err != nil {
		return nil, err
	}
	number := map[uint32]string{}
	loaded := false
	for i, s := range symbols { // the null symbol before them is left out
		if s.Name == known {
			base, loaded = base-uintptr(s.Value), true
		}
		for _, n := range names {
			if s.Name == n && s.Section == elf.SHN_UNDEF {
				number[uint32(i+1)] = n
			}
		}
	}
	table := f.Section(".rela.plt")
	if !loaded || table == nil {
		return nil, errors.New("it has no table of imported functions")
	}
	text, err := table.Data()
	if err != nil {
		return nil, err
	}
	jump := map[elf.Machine]uint32{elf.EM_X86_64: uint32(elf.R_X86_64_JMP_SLOT), elf.EM_AARCH64: uint32(elf.R_AARCH64_JUMP_SLOT)}[f.Machine]
	slots := map[string]*uintptr{}
	for ; len(text) >= 24; text = text[24:] {
		at, info := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[8:])
		name := number[uint32(info>>32)]
		if name == "" || uint32(info) != jump || !writable(f, at) {
			continue
		}
		slots[name] = pointer(base + uintptr(at))
	}
	if len(slots) != len(names) {
		return nil, fmt.Errorf("of %s only %d can be replaced", strings.Join(names, ", "), len(slots))
	}
	return slots, nil
}

// writable tells whether an address stays writable once the library is loaded.
func writable(f *elf.File, at uint64) bool {
	ok := false
	for _, p := range f.Progs {
		if at < p.Vaddr || at+8 > p.Vaddr+p.Memsz {
			continue
		}
		switch {
		case p.Type == elf.PT_GNU_RELRO:
			return false
		case p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0:
			ok = true
		}
	}
	return ok
}

// pointer is a C address as a pointer.
func pointer(address uintptr) *uintptr { return *(**uintptr)(unsafe.Pointer(&address)) }

// write is write(2) of the engine, on any of its threads.
func (w *writeWatch) write(fd, from, n uintptr) uintptr {
	done, _, e := syscall.Syscall(syscall.SYS_WRITE, fd, from, n)
	if e == 0 {
		return done
	}
	if e != syscall.EINTR && e != syscall.EAGAIN {
		w.note(int(int32(fd)), e)
	}
	return w.fail(e)
}

// sync is fdatasync(2) of the engine.
func (w *writeWatch) sync(fd uintptr) uintptr {
	if w.forget(int(int32(fd))) {
		return w.fail(syscall.EIO)
	}
	if _, _, e := syscall.Syscall(syscall.SYS_FDATASYNC, fd, 0, 0); e != 0 {
		return w.fail(e)
	}
	return 0
}

// fail returns -1 to C, with its errno.
func (w *writeWatch) fail(e syscall.Errno) uintptr {
	at := w.errno()
	**(**int32)(unsafe.Pointer(&at)) = int32(e)
	return ^uintptr(0)
}

// inodeOf names what is open as fd; file tells whether it is an ordinary file.
func inodeOf(fd int) (k inode, file bool) {
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_TYPE|unix.STATX_INO|unix.STATX_BTIME, &st) != nil {
		return k, false
	}
	k = inode{device: uint64(st.Dev_major)<<32 | uint64(st.Dev_minor), number: st.Ino}
	if st.Mask&unix.STATX_BTIME != 0 {
		k.born = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	return k, st.Mode&unix.S_IFMT == unix.S_IFREG
}
