package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client speaks the console's API.
type client struct {
	http *http.Client
	base string
	key  string
}

// maxPages bounds how far a list is read in search of a name.
const maxPages = 1000

func newClient(cfg *Config) *client {
	c := &client{http: cfg.Client, base: strings.TrimSuffix(cfg.Console, "/"), key: cfg.AdminKey}
	if c.http == nil {
		c.http = &http.Client{Timeout: time.Minute}
	}
	return c
}

func (c *client) do(ctx context.Context, method, path, contentType, idempotency string, body []byte, to any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if idempotency != "" { // with the body's hash: another body is another request
		sum := sha256.Sum256(body)
		req.Header.Set("Idempotency-Key", idempotency+"-"+hex.EncodeToString(sum[:8]))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%s %s: status %d: %.2000s", method, path, resp.StatusCode, raw)
	}
	if to == nil {
		return nil
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("%s %s: answer: %w", method, path, err)
	}
	return nil
}

func (c *client) get(ctx context.Context, path string, to any) error {
	return c.do(ctx, http.MethodGet, path, "", "", nil, to)
}

func (c *client) post(ctx context.Context, path, idempotency string, body, to any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, "application/json", idempotency, raw, to)
}

func (c *client) put(ctx context.Context, path, contentType string, body []byte, to any) error {
	return c.do(ctx, http.MethodPut, path, contentType, "", body, to)
}

// find returns the id of the first thing of that name in a list, 0 if there
// is none.
func (c *client) find(ctx context.Context, path, name string) (uint32, error) {
	cursor := ""
	for range maxPages {
		var page struct {
			Items []struct {
				ID   uint32 `json:"id"`
				Name string `json:"name"`
			} `json:"items"`
			Next string `json:"next"`
		}
		if err := c.get(ctx, path+"?limit=100&cursor="+url.QueryEscape(cursor), &page); err != nil {
			return 0, err
		}
		for _, it := range page.Items {
			if it.Name == name {
				return it.ID, nil
			}
		}
		if cursor = page.Next; cursor == "" {
			return 0, nil
		}
	}
	return 0, fmt.Errorf("%s: more than %d pages", path, maxPages)
}
