// Package nodes asks bidders, on their loopback listeners of metrics, what only
// they know: who is in a shop's segments now. Every bidder folds the whole log,
// so the first that answers will do.
//
// Slow side; safe for many goroutines. Imports the console's types only.
package nodes

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/grosz/grosz/console"
)

// Client is a console.SegmentSource. Its owner sets the fields before it is
// used.
type Client struct {
	// Addrs are host:port, asked in this order.
	Addrs []string
	// Timeout bounds how long one may take to begin its answer; 0 means a
	// second.
	Timeout time.Duration
}

// Sizes asks for the sizes of a shop's segments.
func (c *Client) Sizes(ctx context.Context, shop uint32) (map[uint32]console.SegmentSize, error) {
	var in struct {
		AtMS     int64 `json:"at"`
		Segments []struct {
			Segment uint32 `json:"segment"`
			Members int64  `json:"members"`
			Ready   bool   `json:"ready"`
		} `json:"segments"`
	}
	err := c.ask(ctx, fmt.Sprintf("/segments?shop=%d", shop), func(body io.Reader) error {
		return json.NewDecoder(io.LimitReader(body, 1<<20)).Decode(&in)
	})
	if err != nil {
		return nil, fmt.Errorf("sizes of segments: %w", err)
	}
	out := make(map[uint32]console.SegmentSize, len(in.Segments))
	for _, s := range in.Segments {
		out[s.Segment] = console.SegmentSize{Members: s.Members, Ready: s.Ready, At: in.AtMS}
	}
	return out, nil
}

// Members copies the list of a segment's members.
func (c *Client) Members(ctx context.Context, shop, segment uint32, w io.Writer) error {
	err := c.ask(ctx, fmt.Sprintf("/segments/members?shop=%d&segment=%d", shop, segment), func(body io.Reader) error {
		_, err := io.Copy(w, bufio.NewReaderSize(body, 1<<15))
		return err
	})
	if err != nil {
		return fmt.Errorf("members of segment %d: %w", segment, err)
	}
	return nil
}

// ask has the first bidder that answers read. Once one has begun no other is
// asked.
func (c *Client) ask(ctx context.Context, path string, read func(io.Reader) error) error {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = time.Second
	}
	client := &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: timeout, DisableKeepAlives: true}}
	errs := []error{errors.New("no bidder answers")}
	for _, addr := range c.Addrs {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if res.StatusCode != http.StatusOK {
			errs = append(errs, fmt.Errorf("%s answers %s", addr, res.Status), res.Body.Close())
			continue
		}
		return errors.Join(read(res.Body), res.Body.Close())
	}
	return errors.Join(errs...)
}
