package segments

import "encoding/binary"

// userIndex finds a person's first record. Open addressing with linear
// probing; a slot holds 32 bits of the key's hash and the record's number, so
// that somebody who is not there, as most are, costs one line of memory.
type userIndex struct {
	slots []uint64 // hash<<32 | record; 0 is free
	n     int
}

const minSlots = 64

func keyHash(u UserKey) uint32 {
	h := binary.LittleEndian.Uint64(u[:8])*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(u[8:])
	h *= 0xff51afd7ed558ccd
	return uint32(h >> 32)
}

// find returns the slot of a key, and the record; 0 when there is none, and
// the slot is then where it belongs. key gives a record's.
func (x *userIndex) find(u UserKey, key func(uint32) *UserKey) (slot int, record uint32) {
	if len(x.slots) == 0 {
		return 0, 0
	}
	h, mask := keyHash(u), len(x.slots)-1
	for i := int(h) & mask; ; i = (i + 1) & mask {
		s := x.slots[i]
		if s == 0 {
			return i, 0
		}
		if uint32(s>>32) == h && *key(uint32(s)) == u {
			return i, uint32(s)
		}
	}
}

// set makes record the first of a key.
func (x *userIndex) set(u UserKey, record uint32, key func(uint32) *UserKey) {
	if (x.n+1)*8 > len(x.slots)*7 {
		x.grow()
	}
	i, old := x.find(u, key)
	if old == 0 {
		x.n++
	}
	x.slots[i] = uint64(keyHash(u))<<32 | uint64(record)
}

func (x *userIndex) grow() {
	old := x.slots
	x.slots = make([]uint64, max(2*len(old), minSlots))
	mask := len(x.slots) - 1
	for _, s := range old {
		if s == 0 {
			continue
		}
		i := int(uint32(s>>32)) & mask
		for x.slots[i] != 0 {
			i = (i + 1) & mask
		}
		x.slots[i] = s
	}
}

// remove takes a key out and closes the gap.
func (x *userIndex) remove(u UserKey, key func(uint32) *UserKey) {
	i, record := x.find(u, key)
	if record == 0 {
		return
	}
	x.n--
	mask := len(x.slots) - 1
	for j := i; ; {
		x.slots[i] = 0
		for {
			j = (j + 1) & mask
			if x.slots[j] == 0 {
				return
			}
			home := int(uint32(x.slots[j]>>32)) & mask
			if (j-home)&mask >= (j-i)&mask {
				break // it may move into the gap
			}
		}
		x.slots[i] = x.slots[j]
		i = j
	}
}

func (x *userIndex) bytes() int64 { return int64(len(x.slots)) * 8 }
