package apply

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// Client is one shop at a console's API.
type Client struct {
	// URL of the console, such as http://127.0.0.1:8090.
	URL string
	// Key of the shop with scope write, or read to compare and export.
	Key  string
	Shop uint32
	// HTTP is http.DefaultClient if nil.
	HTTP *http.Client
}

// Refusal is what the API answered to a request that it did not do.
type Refusal struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// Error is the answer in a line.
func (r *Refusal) Error() string {
	s := fmt.Sprintf("the console answers %d: %s", r.Status, r.Detail)
	for _, e := range r.Errors {
		s += "; " + strings.TrimPrefix(e.Location, "body.") + ": " + e.Message
	}
	return s
}

// maxAnswer bounds an answer: a page of campaigns with long lists.
const maxAnswer = 256 << 20

// ask is a request.
type ask struct {
	method, path string
	match        int64 // the version that must be there; 0 for any
	fresh        bool  // nothing may be there
	mime         string
	body         []byte
}

// call sends JSON and reads JSON; body and out may be nil. match is the version
// that must be there, 0 for any.
func (c *Client) call(ctx context.Context, method, path string, match int64, body, out any) error {
	return c.callFor(ctx, &ask{method: method, path: path, match: match}, body, out)
}

func (c *Client) callFor(ctx context.Context, a *ask, body, out any) error {
	if body != nil {
		var err error
		if a.body, err = json.Marshal(body); err != nil {
			return fmt.Errorf("%s %s: %w", a.method, a.path, err)
		}
		a.mime = "application/json"
	}
	b, err := c.send(ctx, a)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: the answer is no JSON of ours: %w", a.method, a.path, err)
	}
	return nil
}

// send sends a request and returns the body of the answer, or a *Refusal.
func (c *Client) send(ctx context.Context, a *ask) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, a.method, strings.TrimSuffix(c.URL, "/")+"/api/v1"+a.path, bytes.NewReader(a.body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", a.method, a.path, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	if a.mime != "" {
		req.Header.Set("Content-Type", a.mime)
	}
	if a.match != 0 {
		req.Header.Set("If-Match", `"`+strconv.FormatInt(a.match, 10)+`"`)
	}
	if a.fresh {
		req.Header.Set("If-None-Match", "*")
	}
	if a.method == http.MethodPost {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails, by its contract
		req.Header.Set("Idempotency-Key", hex.EncodeToString(id[:]))
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the console: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", a.method, a.path, err)
	}
	if res.StatusCode >= 300 {
		refused := &Refusal{Detail: http.StatusText(res.StatusCode)}
		_ = json.Unmarshal(b, refused) // what is no problem document has only its status
		refused.Status = res.StatusCode
		return nil, refused
	}
	return b, nil
}

// path is that of a section; of a document where there is one.
func (c *Client) path(k kind, l *live) string {
	p := "/shops/" + strconv.FormatUint(uint64(c.Shop), 10)
	switch {
	case k == settingsKind:
		return p
	case k == feedKind:
		return p + "/feed/source"
	}
	p += "/" + k.section
	switch {
	case l == nil:
	case k == listKind:
		p += "/" + url.PathEscape(l.doc.(*List).Name)
	default:
		p += "/" + strconv.FormatUint(uint64(l.id), 10)
	}
	return p
}

// OnlyShop is the shop of a key that opens one; an error for one of several.
func (c *Client) OnlyShop(ctx context.Context) (uint32, error) {
	var page struct {
		Items []struct {
			ID uint32 `json:"id"`
		} `json:"items"`
	}
	if err := c.call(ctx, http.MethodGet, "/shops?limit=2", 0, nil, &page); err != nil {
		return 0, err
	}
	if len(page.Items) != 1 {
		return 0, errors.New("the key opens more than one shop: say which")
	}
	return page.Items[0].ID, nil
}

// live is a document as it is now.
type live struct {
	id      uint32
	version int64
	doc     any
}

func (l *live) name() string { return nameOf(l.doc) }

// state is all of a shop that a file may say.
type state struct {
	settings *live
	feed     *live              // without a URL there is none
	parts    map[string][]*live // by section
}

func (c *Client) state(ctx context.Context) (*state, error) {
	s := &state{parts: map[string][]*live{}}
	for _, one := range []struct {
		k  kind
		to **live
	}{{settingsKind, &s.settings}, {feedKind, &s.feed}} {
		var raw json.RawMessage
		err := c.call(ctx, http.MethodGet, c.path(one.k, nil), 0, nil, &raw)
		if err == nil {
			*one.to, err = readLive(one.k, raw)
		}
		if err != nil {
			return nil, fmt.Errorf("shop %d: %w", c.Shop, err)
		}
	}
	for _, k := range parts() {
		var err error
		if s.parts[k.section], err = c.list(ctx, k); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func readLive(k kind, raw json.RawMessage) (*live, error) {
	if k == listKind {
		return readList(raw)
	}
	var head struct {
		ID      uint32 `json:"id"`
		Version int64  `json:"version"`
	}
	doc := reflect.New(k.typ).Interface()
	if err := errors.Join(json.Unmarshal(raw, &head), json.Unmarshal(raw, doc)); err != nil {
		return nil, fmt.Errorf("the console's %s cannot be read: %w", k.one, err)
	}
	settle(doc)
	return &live{head.ID, head.Version, doc}, nil
}

func (c *Client) list(ctx context.Context, k kind) (out []*live, err error) {
	for cursor := ""; ; {
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		path := c.path(k, nil)
		if k != listKind { // all of them are one page
			path += "?limit=500"
		}
		if cursor != "" {
			path += "&cursor=" + url.QueryEscape(cursor)
		}
		if err := c.call(ctx, http.MethodGet, path, 0, nil, &page); err != nil {
			return nil, fmt.Errorf("%s: %w", k.section, err)
		}
		for _, raw := range page.Items {
			l, err := readLive(k, raw)
			if err != nil {
				return nil, err
			}
			out = append(out, l)
		}
		if cursor = page.Next; cursor == "" {
			return out, nil
		}
	}
}
