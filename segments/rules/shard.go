package rules

import (
	"sync"

	"github.com/grosz/grosz/segments"
)

// entry is what is worked out for one (shop, user).
type entry struct {
	key  segments.UserKey
	shop uint32
	next uint32 // the user's next entry
	due  uint32 // second at which to work it out again
	heap uint32 // place in shard.heap + 1; 0: none
	gen  uint32 // of the shop's set, when it was worked out
	// more is where bits 64 and up are, 0 for none: a number in the slab of
	// blocks of more&15 + 1 words.
	more uint32
	low  uint64 // the first 64 bits
}

const chunkSize = 256

// shard is a part of the engine under one lock. Only the writer changes it,
// and it may read without the lock.
type shard struct {
	mu      sync.RWMutex
	users   map[segments.UserKey]uint32 // the user's first entry
	chunks  [][]entry                   // numbers start at 1
	n       uint32                      // places ever used
	free    []uint32
	count   int
	heap    []uint32 // entries by due
	blocks  [maxWords]blockSlab
	shops   map[uint32]*shopCount
	dropped int64
	hand    uint32   // where makeRoom looks next
	_       [64]byte // shards do not share a cache line
}

// shopCount is what a shop has in a shard, and what it had no room for.
type shopCount struct {
	n       int
	dropped int64
}

func (sh *shard) shop(id uint32) *shopCount {
	c := sh.shops[id]
	if c == nil {
		c = &shopCount{}
		sh.shops[id] = c
	}
	return c
}

// blockSlab holds blocks of some words; numbers start at 1.
type blockSlab struct {
	words []uint64
	free  []uint32
}

func (sh *shard) at(i uint32) *entry { return &sh.chunks[i/chunkSize][i%chunkSize] }

func (sh *shard) find(u segments.UserKey, shop uint32) uint32 {
	i := sh.users[u]
	for i != 0 && sh.at(i).shop != shop {
		i = sh.at(i).next
	}
	return i
}

func (sh *shard) insert(u segments.UserKey, shop uint32) uint32 {
	var i uint32
	if n := len(sh.free); n > 0 {
		i, sh.free = sh.free[n-1], sh.free[:n-1]
	} else {
		sh.n++
		i = sh.n
		if int(i/chunkSize) >= len(sh.chunks) {
			sh.chunks = append(sh.chunks, make([]entry, chunkSize))
		}
	}
	*sh.at(i) = entry{key: u, shop: shop, next: sh.users[u], due: segments.Never}
	sh.users[u] = i
	sh.count++
	sh.shop(shop).n++
	return i
}

func (sh *shard) remove(i uint32) {
	e := sh.at(i)
	if first := sh.users[e.key]; first != i {
		for sh.at(first).next != i {
			first = sh.at(first).next
		}
		sh.at(first).next = e.next
	} else if e.next == 0 {
		delete(sh.users, e.key)
	} else {
		sh.users[e.key] = e.next
	}
	sh.setMore(e, &bits{})
	sh.unschedule(e)
	sh.shop(e.shop).n--
	*e = entry{}
	sh.free = append(sh.free, i)
	sh.count--
}

// read copies an entry's bits.
func (sh *shard) read(e *entry, out *bits) {
	*out = bits{e.low}
	if e.more != 0 {
		n, w := int(e.more>>4), int(e.more&15)+1
		copy(out[1:], sh.blocks[w-1].words[(n-1)*w:n*w])
	}
}

// write replaces an entry's bits.
func (sh *shard) write(e *entry, b *bits) {
	e.low = b[0]
	sh.setMore(e, b)
}

// setMore keeps as many further words as there are bits for.
func (sh *shard) setMore(e *entry, b *bits) {
	w := maxWords - 1
	for w > 0 && b[w] == 0 {
		w--
	}
	if e.more != 0 {
		n, had := e.more>>4, int(e.more&15)+1
		if had == w {
			copy(sh.blocks[w-1].words[(int(n)-1)*w:], b[1:1+w])
			return
		}
		sh.blocks[had-1].free = append(sh.blocks[had-1].free, n)
		e.more = 0
	}
	if w == 0 {
		return
	}
	s := &sh.blocks[w-1]
	var n uint32
	if k := len(s.free); k > 0 {
		n, s.free = s.free[k-1], s.free[:k-1]
	} else {
		n = uint32(len(s.words)/w) + 1
		s.words = append(s.words, make([]uint64, w)...)
	}
	copy(s.words[(int(n)-1)*w:], b[1:1+w])
	e.more = n<<4 | uint32(w-1)
}

// bytes is what the shard takes, estimated.
func (sh *shard) bytes() int64 {
	const entryBytes, userEntry = 48, 28
	n := int64(len(sh.chunks))*chunkSize*entryBytes + int64(len(sh.users))*userEntry + 4*int64(cap(sh.heap)+cap(sh.free))
	for i := range sh.blocks {
		n += 8*int64(cap(sh.blocks[i].words)) + 4*int64(cap(sh.blocks[i].free))
	}
	return n
}

// schedule puts an entry where its due belongs; Never takes it out.
func (sh *shard) schedule(i uint32, due uint32) {
	e := sh.at(i)
	e.due = due
	switch {
	case due == segments.Never:
		sh.unschedule(e)
		return
	case e.heap == 0:
		sh.heap = append(sh.heap, i)
		e.heap = uint32(len(sh.heap))
	}
	sh.up(int(e.heap - 1))
	sh.down(int(e.heap - 1))
}

func (sh *shard) unschedule(e *entry) {
	if e.heap == 0 {
		return
	}
	at, last := int(e.heap-1), len(sh.heap)-1
	sh.swap(at, last)
	sh.heap = sh.heap[:last]
	e.heap = 0
	if at < last {
		sh.up(at)
		sh.down(at)
	}
}

func (sh *shard) swap(a, b int) {
	sh.heap[a], sh.heap[b] = sh.heap[b], sh.heap[a]
	sh.at(sh.heap[a]).heap, sh.at(sh.heap[b]).heap = uint32(a+1), uint32(b+1)
}

func (sh *shard) sooner(a, b int) bool { return sh.at(sh.heap[a]).due < sh.at(sh.heap[b]).due }

func (sh *shard) up(i int) {
	for i > 0 && sh.sooner(i, (i-1)/2) {
		sh.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (sh *shard) down(i int) {
	for {
		least := i
		for k := 2*i + 1; k <= 2*i+2 && k < len(sh.heap); k++ {
			if sh.sooner(k, least) {
				least = k
			}
		}
		if least == i {
			return
		}
		sh.swap(i, least)
		i = least
	}
}
