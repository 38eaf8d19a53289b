package warehouse

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// streamed says whether a result in format can be sent piece by piece, each
// formatted by itself: row formats without frame, and those whose head can be cut off
// from the second piece on. measure is how long that head is; nil for none.
func streamed(format string) (measure func([]byte) int, ok bool) {
	f := strings.ToLower(format)
	f = strings.Replace(f, "tabseparated", "tsv", 1)
	switch f {
	case "native", "tsv", "tsvraw", "csv", "tskv", "rowbinary", "jsoneachrow", "jsonlines", "ndjson", "jsonl",
		"jsoncompacteachrow", "jsonstringseachrow", "jsoncompactstringseachrow":
		return nil, true
	case "tsvwithnames", "tsvrawwithnames":
		return func(b []byte) int { return lines(b, 1, false) }, true
	case "tsvwithnamesandtypes", "tsvrawwithnamesandtypes":
		return func(b []byte) int { return lines(b, 2, false) }, true
	case "csvwithnames":
		return func(b []byte) int { return lines(b, 1, true) }, true
	case "csvwithnamesandtypes":
		return func(b []byte) int { return lines(b, 2, true) }, true
	case "rowbinarywithnames":
		return func(b []byte) int { return binaryNames(b, 1) }, true
	case "rowbinarywithnamesandtypes":
		return func(b []byte) int { return binaryNames(b, 2) }, true
	}
	return nil, false
}

// header cuts the repeated head from all pieces but the first.
type header struct {
	measure func([]byte) int
	seen    bool
}

func (h *header) strip(b []byte) []byte {
	if h.measure == nil {
		return b
	}
	if !h.seen {
		h.seen = true
		return b
	}
	return b[h.measure(b):]
}

// lines is the length of the first n lines; with quotes, line ends in "" do not count.
func lines(b []byte, n int, quotes bool) int {
	inside := false
	for i, c := range b {
		switch {
		case c == '"' && quotes:
			inside = !inside
		case c == '\n' && !inside:
			if n--; n == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}

// binaryNames is the length of a column count and groups × that many strings.
func binaryNames(b []byte, groups int) int {
	r := bytes.NewReader(b)
	columns, err := binary.ReadUvarint(r)
	for i := uint64(0); err == nil && i < columns*uint64(groups); i++ {
		var n uint64
		if n, err = binary.ReadUvarint(r); err == nil {
			if n > uint64(r.Len()) {
				return len(b)
			}
			_, err = r.Seek(int64(n), 1)
		}
	}
	return len(b) - r.Len()
}
