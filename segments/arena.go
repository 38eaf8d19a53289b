package segments

// arena keeps the packed profiles of a shard in segments of 64 KiB without
// pointers. What is changed in place stays; what grows moves to the end and
// leaves a gap, and segments with many gaps are emptied into the last one, so
// that gaps are at most a quarter of the whole, two segments aside.
type arena struct {
	segs  [][]byte
	used  []uint32 // bytes written, by segment
	live  []uint32 // of them still needed
	free  []uint32 // segments that are empty
	cur   uint32   // the one that is written to
	total int64    // of used
	needs int64    // of live
}

const (
	segmentSize  = 1 << 16
	blobUnit     = 8 // sizes and places are multiples of it
	blobHeader   = 8 // owner, 4 bytes; capacity in units, 2; length, 2
	unitsPerSeg  = segmentSize / blobUnit
	maxBlobBytes = (maxPacked + blobHeader + blobUnit - 1) / blobUnit * blobUnit
)

// A place is where a blob begins: segment × unitsPerSeg + unit, plus 1; 0 is
// nowhere.
func (a *arena) at(place uint32) []byte {
	place--
	return a.segs[place/unitsPerSeg][place%unitsPerSeg*blobUnit:]
}

// get returns the bytes at a place.
func (a *arena) get(place uint32) []byte {
	b := a.at(place)
	n := int(b[6]) | int(b[7])<<8
	return b[blobHeader : blobHeader+n]
}

func capacityOf(b []byte) uint32 { return (uint32(b[4]) | uint32(b[5])<<8) * blobUnit }

func blobSize(n int) uint32 {
	return uint32(n+blobHeader+blobUnit-1) / blobUnit * blobUnit
}

// size is what a place takes, gaps not counted.
func (a *arena) size(place uint32) uint32 {
	if place == 0 {
		return 0
	}
	return capacityOf(a.at(place))
}

// put writes data for a record, in place if it fits there well, and returns
// where it is now.
func (a *arena) put(owner, place uint32, data []byte) uint32 {
	need := blobSize(len(data))
	if place != 0 {
		b := a.at(place)
		if c := capacityOf(b); need <= c && c-need <= 4*blobUnit {
			b[6], b[7] = byte(len(data)), byte(len(data)>>8)
			copy(b[blobHeader:], data)
			return place
		}
		a.drop(place)
	}
	place = a.reserve(need)
	b := a.at(place)
	b[0], b[1], b[2], b[3] = byte(owner), byte(owner>>8), byte(owner>>16), byte(owner>>24)
	units := need / blobUnit
	b[4], b[5], b[6], b[7] = byte(units), byte(units>>8), byte(len(data)), byte(len(data)>>8)
	copy(b[blobHeader:], data)
	return place
}

// reserve finds room at the end.
func (a *arena) reserve(n uint32) uint32 {
	if len(a.segs) == 0 || a.used[a.cur]+n > segmentSize {
		a.next()
	}
	at := a.used[a.cur]
	a.used[a.cur] += n
	a.live[a.cur] += n
	a.total += int64(n)
	a.needs += int64(n)
	return a.cur*unitsPerSeg + at/blobUnit + 1
}

func (a *arena) next() {
	if n := len(a.free); n > 0 {
		a.cur = a.free[n-1]
		a.free = a.free[:n-1]
		return
	}
	a.cur = uint32(len(a.segs))
	a.segs = append(a.segs, make([]byte, segmentSize))
	a.used, a.live = append(a.used, 0), append(a.live, 0)
}

// drop makes a place a gap.
func (a *arena) drop(place uint32) {
	n, seg := a.size(place), (place-1)/unitsPerSeg
	a.live[seg] -= n
	a.needs -= int64(n)
	if a.live[seg] == 0 && seg != a.cur {
		a.empty(seg)
	}
}

func (a *arena) empty(seg uint32) {
	a.total -= int64(a.used[seg])
	a.used[seg] = 0
	a.free = append(a.free, seg)
}

// tidy empties the segment with the most gaps, if there are too many, and
// tells of each blob that moves.
func (a *arena) tidy(owns func(owner, place uint32) bool, moved func(owner, place uint32)) {
	if a.total-a.needs <= a.total/4+2*segmentSize {
		return
	}
	worst, gaps := uint32(0), uint32(0)
	for i := range a.segs {
		if g := a.used[i] - a.live[i]; g > gaps && uint32(i) != a.cur {
			worst, gaps = uint32(i), g
		}
	}
	if gaps == 0 {
		return
	}
	seg, end := a.segs[worst], a.used[worst]
	for at := uint32(0); at < end; {
		b := seg[at:]
		owner := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		n, place := capacityOf(b), worst*unitsPerSeg+at/blobUnit+1
		if owns(owner, place) {
			to := a.reserve(n)
			copy(a.at(to)[:n], b[:n])
			a.live[worst] -= n
			a.needs -= int64(n)
			moved(owner, to)
		}
		at += n
	}
	a.empty(worst)
}

// bytes is the memory taken.
func (a *arena) bytes() int64 { return int64(len(a.segs)) * (segmentSize + 32) }
