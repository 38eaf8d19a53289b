package learner

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"

	"github.com/grosz/grosz/bidder/value/learn"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/durable"
)

// The state file: magic, format, CRC-32C of the rest, and the rest.
const (
	stateMagic  = "GRZLEARN"
	stateFormat = 2 // 1 had other learning rates, by which its sums mean other weights
	stateHead   = len(stateMagic) + 1 + 4
)

// stored is everything of a Learner but its Trainer, which stands before it.
type stored struct {
	Trainer []byte
	Control map[uint32]*learn.Steered
	Shops   map[uint32]basket
	Pending []bidInfo
	Early   []earlyEvent
	OrderID []events.ID
	Orders  []orderInfo
	Next    map[string]map[int]int64
	LastMS  int64
	FirstMS int64
	Version int64
}

// save stores what is known, with the offsets that it was learned up to, in
// place of what was stored before.
func (l *Learner) save() error {
	if l.cfg.Path == "" {
		return nil
	}
	b, err := l.encode()
	if err == nil {
		err = durable.ReplaceBytes(l.cfg.Path, 0o600, b)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.counts.saveFails++
		return fmt.Errorf("store what was learned: %w", err)
	}
	l.counts.saved++
	return nil
}

func (l *Learner) encode() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var trainer, all bytes.Buffer
	if err := l.trainer.Save(&trainer); err != nil {
		return nil, err
	}
	s := stored{
		Trainer: trainer.Bytes(), Control: l.control.Save(), Shops: make(map[uint32]basket, len(l.shops)),
		Early: l.early.live(), Next: make(map[string]map[int]int64), LastMS: l.lastMS, FirstMS: l.firstMS, Version: l.version,
	}
	for id, b := range l.shops {
		s.Shops[id] = *b
	}
	for _, b := range l.pending.queue {
		s.Pending = append(s.Pending, *b)
	}
	for _, id := range l.orders.queue {
		s.OrderID, s.Orders = append(s.OrderID, id), append(s.Orders, l.orders.byID[id])
	}
	for t, m := range l.next {
		s.Next[t] = maps.Clone(m)
	}
	all.Write(make([]byte, stateHead))
	if err := gob.NewEncoder(&all).Encode(&s); err != nil {
		return nil, err
	}
	b := all.Bytes()
	copy(b, stateMagic)
	b[len(stateMagic)] = stateFormat
	binary.LittleEndian.PutUint32(b[len(stateMagic)+1:], crc32.Checksum(b[stateHead:], castagnoli))
	return b, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// live is what still waits, in its order.
func (e *early) live() []earlyEvent {
	var out []earlyEvent
	for _, x := range e.queue {
		if len(e.byID[x.Bid]) > 0 {
			out = append(out, x)
		}
	}
	return out
}

// restore takes back what was stored. None, or a damaged one, is no error:
// what the log still has is learned anew.
func (l *Learner) restore() {
	if l.cfg.Path == "" {
		return
	}
	b, err := os.ReadFile(l.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = l.decode(b)
	}
	if err != nil {
		l.cfg.Log.Error("what was learned before is not usable, the log is read from its beginning", "file", l.cfg.Path, "err", err)
	}
}

func (l *Learner) decode(b []byte) error {
	if len(b) < stateHead || string(b[:len(stateMagic)]) != stateMagic || b[len(stateMagic)] != stateFormat {
		return errors.New("it is no state of a learner")
	}
	if crc32.Checksum(b[stateHead:], castagnoli) != binary.LittleEndian.Uint32(b[len(stateMagic)+1:]) {
		return errors.New("its checksum is wrong")
	}
	var s stored
	if err := gob.NewDecoder(bytes.NewReader(b[stateHead:])).Decode(&s); err != nil {
		return err
	}
	trainer, err := learn.Restore(l.cfg.Trainer, bytes.NewReader(s.Trainer))
	if err != nil {
		return err
	}
	if len(s.OrderID) != len(s.Orders) {
		return errors.New("its lists do not fit")
	}
	l.trainer, l.lastMS, l.firstMS, l.version = trainer, s.LastMS, s.FirstMS, s.Version
	l.control = controlOf(l)
	l.control.Restore(s.Control)
	for id, b := range s.Shops {
		l.shops[id] = &b
	}
	for i := range s.Pending {
		l.pending.add(&s.Pending[i])
	}
	for _, x := range s.Early {
		l.early.add(x)
	}
	for i, id := range s.OrderID {
		l.orders.add(id, s.Orders[i])
	}
	for t, m := range s.Next {
		if l.next[t] != nil {
			maps.Copy(l.next[t], m)
		}
	}
	return nil
}
