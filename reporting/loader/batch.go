package loader

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// batch is the messages of one topic that will be inserted and committed
// together.
type batch struct {
	msgs  []kafka.Message
	rows  int // lines, roughly
	bytes int64
	// bad holds lines that ClickHouse's client refused, by message and line:
	// the next attempt makes poison of them.
	bad map[badLine]error
}

type badLine struct{ msg, seq int }

func (b *batch) add(m kafka.Message) {
	b.msgs = append(b.msgs, m)
	b.rows += max(1, bytes.Count(m.Value, []byte{'\n'}))
	b.bytes += int64(len(m.Key) + len(m.Value))
}

// reset empties the batch and lets its messages go.
func (b *batch) reset() {
	clear(b.msgs)
	b.msgs, b.rows, b.bytes, b.bad = b.msgs[:0], 0, 0, nil
}

// token names the batch's content for ClickHouse's deduplication of inserts:
// the ranges of offsets, and a hash of the messages, since a topic that was
// made anew has the same offsets again.
func (b *batch) token(topic string) string {
	h := sha256.New()
	text := []byte(topic)
	var n [8]byte
	for i, m := range b.msgs {
		binary.LittleEndian.PutUint64(n[:], uint64(len(m.Value)))
		h.Write(n[:])
		h.Write(m.Value)
		starts := i == 0 || b.msgs[i-1].Partition != m.Partition || b.msgs[i-1].Offset+1 != m.Offset
		ends := i+1 == len(b.msgs) || b.msgs[i+1].Partition != m.Partition || m.Offset+1 != b.msgs[i+1].Offset
		// The ranges are for people who read system tables; the hash would do.
		if len(text) > 200 {
			continue
		}
		if starts {
			text = strconv.AppendInt(append(text, '/'), int64(m.Partition), 10)
			text = strconv.AppendInt(append(text, ':'), m.Offset, 10)
		}
		if ends {
			text = strconv.AppendInt(append(text, '-'), m.Offset, 10)
		}
	}
	var sum [32]byte
	return string(text) + "#" + hex.EncodeToString(h.Sum(sum[:0])[:16])
}

// lines calls fn for every line of a message that is not empty, with its
// number from 0.
func lines(msg []byte, fn func(seq int, line []byte) error) error {
	for seq := 0; len(msg) > 0; seq++ {
		line, rest, _ := bytes.Cut(msg, []byte{'\n'})
		msg = rest
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := fn(seq, line); err != nil {
			return err
		}
	}
	return nil
}
