package value

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
)

// A stored model: magic, format, the body, CRC-32C of all before it. Only
// weights that are not zero are written, as (gap, weight): most of a sparse
// table is zero.
const (
	modelMagic  = "GRZM"
	modelFormat = 2
	// maxShops bounds what a reader makes room for.
	maxShops = 100_000
	// maxCalibrations bounds the campaigns of one shop.
	maxCalibrations = 100_000
)

// ErrSnapshot marks bytes that are no stored model: cut, damaged or of
// another format.
var ErrSnapshot = errors.New("stored model")

// Append writes the model behind dst: the same model always as the same bytes.
func (m *Model) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, modelMagic...)
	dst = append(dst, modelFormat)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Version))
	for t := range m.Global {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(m.Global[t].Prior))
		dst = m.Global[t].Table.append(dst)
	}
	ids := make([]uint32, 0, len(m.Shops))
	for id := range m.Shops {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	dst = binary.AppendUvarint(dst, uint64(len(ids)))
	for _, id := range ids {
		dst = binary.AppendUvarint(dst, uint64(id))
		dst = m.Shops[id].append(dst)
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s *Shop) append(dst []byte) []byte {
	for t := range s.Table {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(s.Bias[t]))
		dst = s.Table[t].append(dst)
		dst = appendByCampaign(dst, s.Calibration[t])
	}
	dst = binary.AppendUvarint(dst, uint64(s.OrderValue))
	return appendByCampaign(dst, s.Control)
}

func appendByCampaign(dst []byte, m map[uint32]float32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(m)))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		dst = binary.AppendUvarint(dst, uint64(id))
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(m[id]))
	}
	return dst
}

func (t Table) append(dst []byte) []byte {
	n := 0
	for _, w := range t {
		if w != 0 {
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(t)))
	dst = binary.AppendUvarint(dst, uint64(n))
	last := 0
	for i, w := range t {
		if w == 0 {
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(i-last))
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(w))
		last = i
	}
	return dst
}

// Decode reads what Append wrote, and validates it.
func Decode(b []byte) (*Model, error) {
	if len(b) < len(modelMagic)+1+4 || !bytes.HasPrefix(b, []byte(modelMagic)) {
		return nil, fmt.Errorf("%w: does not begin with %s", ErrSnapshot, modelMagic)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: checksum of %d bytes is wrong", ErrSnapshot, len(b))
	}
	if f := body[len(modelMagic)]; f != modelFormat {
		return nil, fmt.Errorf("%w: format %d, want %d", ErrSnapshot, f, modelFormat)
	}
	r := reader{rest: body[len(modelMagic)+1:]}
	m := &Model{Version: int64(r.uint64())}
	for t := range m.Global {
		m.Global[t].Prior = math.Float64frombits(r.uint64())
		m.Global[t].Table = r.table()
	}
	n := r.count(maxShops)
	m.Shops = make(map[uint32]*Shop, n)
	for range n {
		id := uint32(r.count(math.MaxUint32))
		m.Shops[id] = r.shop()
	}
	if r.failed || len(r.rest) != 0 {
		return nil, fmt.Errorf("%w: contents and lengths disagree", ErrSnapshot)
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// reader takes numbers off a text; once it failed it gives zeros.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if r.failed || len(r.rest) < n {
		r.failed = true
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

func (r *reader) float32() float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(r.take(4)))
}

// count reads a number that may not pass a bound.
func (r *reader) count(most uint64) int {
	v, n := binary.Uvarint(r.rest)
	if r.failed || n <= 0 || v > most {
		r.failed = true
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *reader) table() Table {
	size := r.count(1 << MaxBits)
	n := r.count(uint64(size))
	if r.failed || n*5 > len(r.rest) {
		r.failed = true
		return nil
	}
	if size == 0 {
		return nil
	}
	t, at := make(Table, size), 0
	for range n {
		at += r.count(uint64(size))
		w := r.float32()
		if r.failed || at >= size {
			r.failed = true
			return nil
		}
		t[at] = w
	}
	return t
}

func (r *reader) shop() *Shop {
	s := &Shop{}
	for t := range s.Table {
		s.Bias[t] = r.float32()
		s.Table[t] = r.table()
		s.Calibration[t] = r.byCampaign()
	}
	s.OrderValue = int64(r.count(math.MaxInt64))
	s.Control = r.byCampaign()
	return s
}

func (r *reader) byCampaign() map[uint32]float32 {
	n := r.count(maxCalibrations)
	if r.failed || n*5 > len(r.rest) {
		r.failed = true
		return nil
	}
	if n == 0 {
		return nil
	}
	out := make(map[uint32]float32, n)
	for range n {
		id := uint32(r.count(math.MaxUint32))
		out[id] = r.float32()
	}
	return out
}
