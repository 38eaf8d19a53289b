package durable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

// ErrSealed is what Unseal wraps: the text is not what Seal wrote.
var ErrSealed = errors.New("damaged, cut off, or of another version")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealed is small JSON with a format version and a checksum around it.
type sealed struct {
	Format string          `json:"format"` // kind and version
	Sum    string          `json:"crc32c"` // of format and body, hexadecimal
	Body   json.RawMessage `json:"body"`
}

func sumOf(format string, body []byte) string {
	return fmt.Sprintf("%08x", crc32.Update(crc32.Checksum([]byte(format), castagnoli), castagnoli, body))
}

// Seal wraps a JSON value, so that Unseal sees any damage to it. format names
// the kind of file and its version, such as "grosz-holds 1".
func Seal(format string, body []byte) ([]byte, error) {
	var tight bytes.Buffer
	if err := json.Compact(&tight, body); err != nil {
		return nil, fmt.Errorf("seal %s: %w", format, err)
	}
	name, err := json.Marshal(format)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", format, err)
	}
	return fmt.Appendf(nil, `{"format":%s,"crc32c":%q,"body":%s}`, name, sumOf(format, tight.Bytes()), tight.Bytes()), nil
}

// Unseal returns the value that Seal wrapped.
func Unseal(format string, text []byte) ([]byte, error) {
	var s sealed
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil || dec.More() {
		return nil, fmt.Errorf("%s: %w", format, ErrSealed)
	}
	if s.Format != format || s.Sum != sumOf(s.Format, s.Body) {
		return nil, fmt.Errorf("%s: %w", format, ErrSealed)
	}
	return s.Body, nil
}

// UnsealOrBefore is Unseal for a kind of file that was a plain JSON object
// before it was sealed: such a text is returned as it is, with all that may be
// damaged in it. Nothing that is left of a sealed one is taken for it.
func UnsealOrBefore(format string, text []byte) ([]byte, error) {
	body, err := Unseal(format, text)
	if err == nil {
		return body, nil
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(text, &keys) != nil || keys == nil {
		return nil, err
	}
	for k := range keys {
		for _, ours := range []string{"format", "crc32c", "body"} {
			if strings.EqualFold(k, ours) {
				return nil, err
			}
		}
	}
	return text, nil
}
