package campaigns

import "github.com/cespare/xxhash/v2"

// vocab numbers the values that expressions name, per kind, from 1. Numbers
// never change, so that snapshots made one after the other share what was
// compiled for them. Of kindWord the names are the hashes themselves.
type vocab struct {
	ids   [numKinds]map[string]uint32
	names [numKinds][]string
	words map[uint64]uint32
	list  []uint64 // words by number
	size  int
}

func newVocab() *vocab { return &vocab{words: map[uint64]uint32{}} }

func (v *vocab) id(kind predKind, name string) uint32 {
	if v.ids[kind] == nil {
		v.ids[kind] = map[string]uint32{}
	}
	id, ok := v.ids[kind][name]
	if !ok {
		v.names[kind] = append(v.names[kind], name)
		id = uint32(len(v.names[kind]))
		v.ids[kind][name] = id
		v.size++
	}
	return id
}

func (v *vocab) wordID(hash uint64) uint32 {
	id, ok := v.words[hash]
	if !ok {
		v.list = append(v.list, hash)
		id = uint32(len(v.list))
		v.words[hash] = id
		v.size++
	}
	return id
}

// dict finds the number of a value of a request: an immutable image of a
// vocab, with open addressing, at most half full.
type dict struct {
	slots []dictSlot
	mask  uint64
	names [numKinds][]string
	words []uint64
	size  int
}

type dictSlot struct {
	hash uint64
	id   uint32
	kind predKind
}

func (v *vocab) image() *dict {
	n := 16
	for n < 2*v.size {
		n *= 2
	}
	d := &dict{slots: make([]dictSlot, n), mask: uint64(n - 1), names: v.names, words: v.list, size: v.size}
	for kind := range v.names {
		for i, name := range v.names[kind] {
			d.put(dictSlot{hashValue(predKind(kind), name), uint32(i + 1), predKind(kind)})
		}
	}
	for i, w := range v.list {
		d.put(dictSlot{hashWord(w), uint32(i + 1), kindWord})
	}
	return d
}

func (d *dict) put(s dictSlot) {
	i := s.hash & d.mask
	for d.slots[i].id != 0 {
		i = (i + 1) & d.mask
	}
	d.slots[i] = s
}

func hashValue(kind predKind, name string) uint64 {
	return xxhash.Sum64String(name) + uint64(kind)*0x9e3779b97f4a7c15
}

func hashWord(w uint64) uint64 { return w * 0x9e3779b97f4a7c15 }

// find returns the number of a normalised value; 0 if no expression names it.
func (d *dict) find(kind predKind, value []byte) uint32 {
	h := xxhash.Sum64(value) + uint64(kind)*0x9e3779b97f4a7c15
	for i := h & d.mask; ; i = (i + 1) & d.mask {
		s := &d.slots[i]
		if s.id == 0 {
			return 0
		}
		if s.hash == h && s.kind == kind && d.names[kind][s.id-1] == string(value) {
			return s.id
		}
	}
}

// findWord returns the number of a word by its hash.
func (d *dict) findWord(w uint64) uint32 {
	h := hashWord(w)
	for i := h & d.mask; ; i = (i + 1) & d.mask {
		s := &d.slots[i]
		if s.id == 0 {
			return 0
		}
		if s.hash == h && s.kind == kindWord && d.words[s.id-1] == w {
			return s.id
		}
	}
}

// has tells whether any expression names a value of the kind.
func (d *dict) has(kind predKind) bool {
	if kind == kindWord {
		return len(d.words) > 0
	}
	return len(d.names[kind]) > 0
}

// valueSet is a set of value numbers: sorted and scanned while short, hashed
// when long.
type valueSet struct {
	sorted []uint32
	slots  []uint32
}

const shortSet = 12

func newValueSet(sorted []uint32) valueSet {
	s := valueSet{sorted: sorted}
	if len(sorted) <= shortSet {
		return s
	}
	n := 32
	for n < 2*len(sorted) {
		n *= 2
	}
	s.slots = make([]uint32, n)
	for _, v := range sorted {
		i := v * 0x9e3779b1 & uint32(n-1)
		for s.slots[i] != 0 {
			i = (i + 1) & uint32(n-1)
		}
		s.slots[i] = v
	}
	return s
}

func (s *valueSet) has(v uint32) bool {
	if s.slots == nil {
		for _, w := range s.sorted {
			if w == v {
				return true
			}
		}
		return false
	}
	mask := uint32(len(s.slots) - 1)
	for i := v * 0x9e3779b1 & mask; s.slots[i] != 0; i = (i + 1) & mask {
		if s.slots[i] == v {
			return true
		}
	}
	return false
}
