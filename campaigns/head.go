package campaigns

import (
	"bytes"
	"strconv"
	"strings"
)

// Head is what a record of grosz.campaigns is of, read without the rest: most
// of a topic that a reader starts from is older or other than what it needs,
// and a bucket of products is a megabyte.
type Head struct {
	Key     string
	Version int64
}

var (
	headKey     = []byte(`{"key":"`)
	headVersion = []byte(`","version":`)
)

// ReadHead reads the head of a record as encoding/json writes a Record: key
// and version first. ok is false for everything else, which is then read whole.
func ReadHead(record []byte) (h Head, ok bool) {
	rest, ok := bytes.CutPrefix(record, headKey)
	if !ok {
		return h, false
	}
	end := 0
	for end < len(rest) && inKey(rest[end]) {
		end++
	}
	key := rest[:end]
	if rest, ok = bytes.CutPrefix(rest[end:], headVersion); !ok {
		return h, false
	}
	if end = bytes.IndexAny(rest, ",}"); end < 0 {
		return h, false
	}
	v, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	return Head{Key: string(key), Version: v}, err == nil
}

// inKey tells whether a byte can stand in a record's key.
func inKey(c byte) bool { return c >= 'a' && c <= 'z' || c >= '/' && c <= '9' }

// Kind is the first part of the key: "shop", "campaign", "products" and their
// like.
func (h Head) Kind() string {
	kind, _, _ := strings.Cut(h.Key, "/")
	return kind
}

// Has tells whether a record with this head would change nothing: as new a
// version is held.
func (d *Docs) Has(h Head) bool {
	held, ok := d.versions[h.Key]
	return ok && h.Version <= held
}
