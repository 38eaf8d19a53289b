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
	text  []byte // the names, one after another
	kinds [numKinds]bool
	words []uint64
	size  int
}

// dictSlot is a name, at at in text, or a word, at that number in words.
type dictSlot struct {
	hash   uint32 // the upper half
	id     uint32
	at     uint32
	length uint16
	kind   predKind
}

func (v *vocab) image() *dict {
	n := 16
	for n < 2*v.size {
		n *= 2
	}
	d := &dict{slots: make([]dictSlot, n), mask: uint64(n - 1), words: v.list, size: v.size}
	for kind := range v.names {
		d.kinds[kind] = len(v.names[kind]) > 0
		for i, name := range v.names[kind] {
			d.put(hashValue(predKind(kind), name), dictSlot{id: uint32(i + 1), at: uint32(len(d.text)), length: uint16(min(len(name), 1<<16-1)), kind: predKind(kind)})
			d.text = append(d.text, name...)
		}
	}
	for i, w := range v.list {
		d.put(hashWord(w), dictSlot{id: uint32(i + 1), kind: kindWord})
	}
	return d
}

func (d *dict) put(hash uint64, s dictSlot) {
	i := hash & d.mask
	for d.slots[i].id != 0 {
		i = (i + 1) & d.mask
	}
	s.hash = uint32(hash >> 32)
	d.slots[i] = s
}

func hashValue(kind predKind, name string) uint64 {
	return xxhash.Sum64String(name) + uint64(kind)*0x9e3779b97f4a7c15
}

func hashWord(w uint64) uint64 { return w * 0x9e3779b97f4a7c15 }

// find returns the number of a normalised value; 0 if no expression names it.
func (d *dict) find(kind predKind, value []byte) uint32 {
	return d.findBy(hashBytes(kind, value), kind, value)
}

func hashBytes(kind predKind, value []byte) uint64 {
	return xxhash.Sum64(value) + uint64(kind)*0x9e3779b97f4a7c15
}

// findBy is find for a value whose hash is known.
func (d *dict) findBy(h uint64, kind predKind, value []byte) uint32 {
	for i := h & d.mask; ; i = (i + 1) & d.mask {
		s := &d.slots[i]
		if s.id == 0 {
			return 0
		}
		if s.hash == uint32(h>>32) && s.kind == kind && int(s.length) == len(value) && string(d.text[s.at:s.at+uint32(s.length)]) == string(value) {
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
		if s.hash == uint32(h>>32) && s.kind == kindWord && d.words[s.id-1] == w {
			return s.id
		}
	}
}

// has tells whether any expression names a value of the kind.
func (d *dict) has(kind predKind) bool {
	if kind == kindWord {
		return len(d.words) > 0
	}
	return d.kinds[kind]
}

// valueSet is a set of value numbers (from 1) with open addressing, at most
// half full; an empty slot is 0.
type valueSet []uint32

func newValueSet(values []uint32) valueSet {
	n := 4
	for n < 2*len(values) {
		n *= 2
	}
	s := make(valueSet, n)
	for _, v := range values {
		i := s.slot(v)
		for s[i] != 0 {
			i = (i + 1) & (n - 1)
		}
		s[i] = v
	}
	return s
}

func (s valueSet) slot(v uint32) int { return int(v*0x9e3779b1>>7) & (len(s) - 1) }

func (s valueSet) has(v uint32) bool {
	for i := s.slot(v); s[i] != 0; i = (i + 1) & (len(s) - 1) {
		if s[i] == v {
			return true
		}
	}
	return false
}
