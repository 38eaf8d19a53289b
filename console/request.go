package console

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// Inputs that routes share. huma reads and documents them; it sees only what
// is exported.

// ShopPath names the shop.
type ShopPath struct {
	Shop uint32 `path:"shop" minimum:"1" doc:"Shop id"`
}

// Page asks for a part of a list.
type Page struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"Most items of a page"`
	Cursor string `query:"cursor" maxLength:"400" doc:"The next of the page before"`
}

// MatchHeader makes a change conditional.
type MatchHeader struct {
	IfMatch string `header:"If-Match" maxLength:"200" doc:"ETag of what was read: the change happens only if nobody else made one"`
}

// PutHeader makes a change conditional of what may not be there yet.
type PutHeader struct {
	MatchHeader
	IfNoneMatch string `header:"If-None-Match" maxLength:"1" enum:"*" doc:"*: the change happens only if there is none yet"`
}

// check refuses a change of what is no longer at the version that was read;
// version 0: there is none.
func (m PutHeader) check(version int64) error {
	switch {
	case m.IfNoneMatch != "" && version != 0:
		return failure(http.StatusPreconditionFailed, "it is there already, at version "+etag(version)+": read it and change that")
	case m.IfMatch != "" && version == 0:
		return failure(http.StatusPreconditionFailed, "it is not there any more, or never was: If-Match finds nothing")
	}
	return m.MatchHeader.check(version)
}

// OnceHeader makes a repeated request happen once.
type OnceHeader struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" doc:"Any unique text: within 24 hours the same request with it happens once and has the same answer"`
}

// list is a page of items.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page; absent on the last"`
}

// etag is the entity tag of a version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// check refuses a change of what is no longer at the version that was read.
func (m MatchHeader) check(version int64) error {
	if m.IfMatch == "" {
		return nil
	}
	want := etag(version)
	for tag := range strings.SplitSeq(m.IfMatch, ",") {
		if tag = strings.TrimSpace(tag); tag == want || tag == "*" {
			return nil
		}
	}
	return failure(http.StatusPreconditionFailed, "it is at version "+want+" by now: read it again and repeat the change")
}

// cursorOf hides what a page is ordered by; kind keeps the cursors of one
// list from being used on another.
func cursorOf(kind, place string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(kind + ":" + place))
}

// place reads a cursor back; empty for the first page.
func (p Page) place(kind string) (string, error) {
	if p.Cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	place, ok := strings.CutPrefix(string(raw), kind+":")
	if err != nil || !ok || place == "" {
		return "", badCursor()
	}
	return place, nil
}

// id reads a cursor that holds an id; 0 for the first page.
func (p Page) id(kind string, bits int) (uint64, error) {
	place, err := p.place(kind)
	if err != nil || place == "" {
		return 0, err
	}
	id, err := strconv.ParseUint(place, 10, bits)
	if err != nil || id == 0 {
		return 0, badCursor()
	}
	return id, nil
}

func badCursor() error {
	var p problems
	p.add("query.cursor", "is not a cursor of this list")
	return p.err()
}

// pageOf makes a page of up to limit items from one item more, converting
// them.
func pageOf[T, V any](items []T, limit int, kind string, id func(T) int64, view func(T) V) list[V] {
	out := list[V]{Items: make([]V, 0, min(len(items), limit))}
	for i, item := range items {
		if i == limit {
			out.Next = cursorOf(kind, strconv.FormatInt(id(items[i-1]), 10))
			break
		}
		out.Items = append(out.Items, view(item))
	}
	return out
}

func indexed(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }
