package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/grosz/grosz/bidder"
	"github.com/grosz/grosz/internal/config"
)

type explainConfig struct {
	Exchange string        `config:"exchange" help:"the exchange whose request it is" default:"demo"`
	Bidder   string        `config:"bidder" help:"the bidder's listener, HOST:PORT or a URL" default:"127.0.0.1:8080"`
	Dir      string        `config:"data" help:"directory of all data; the key is in DIR/admin.key" default:"./data"`
	KeyFile  string        `config:"key-file" help:"file that holds the key, the administrator's or a shop's; default DIR/admin.key"`
	Shop     int           `config:"shop" help:"explain this shop's campaigns alone; 0 is all that the key opens" default:"0"`
	Limit    int           `config:"limit" help:"campaigns to list per imp and media type" default:"20"`
	JSON     bool          `config:"json" help:"print the bidder's JSON as it came"`
	Samples  bool          `config:"samples" help:"list the bidder's sample of live decisions, each replayed, instead"`
	Timeout  time.Duration `config:"timeout" help:"of the bidder's answer" default:"30s"`
}

// Validate lists what is wrong.
func (c *explainConfig) Validate() error {
	var errs []error
	if c.Shop < 0 || c.Limit < 1 || c.Timeout <= 0 {
		errs = append(errs, errors.New("--shop must not be negative, --limit and --timeout must be above zero"))
	}
	if !strings.Contains(c.Bidder, "://") {
		c.Bidder = "http://" + c.Bidder
	}
	if u, err := url.Parse(c.Bidder); err != nil || u.Host == "" {
		errs = append(errs, fmt.Errorf("--bidder %q: HOST:PORT or a URL", c.Bidder))
	}
	if c.KeyFile == "" {
		c.KeyFile = filepath.Join(c.Dir, "admin.key")
	}
	return errors.Join(errs...)
}

// Arguments names what stands behind the flags.
func (c *explainConfig) Arguments() string { return "[FILE]" }

// maxExplanation bounds what a bidder may answer, bytes.
const maxExplanation = 256 << 20

// runExplain asks a bidder what it would answer to the request in a file or
// on standard input, and why.
func runExplain(ctx context.Context, e env, args []string) error {
	var c explainConfig
	rest, err := config.Load("explain", args, e.environ, &c, e.out)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return fmt.Errorf("the key that opens explanations: %w; --data or --key-file says where it is", err)
	}
	ask := asking{base: strings.TrimSuffix(c.Bidder, "/"), key: strings.TrimSpace(string(key)), client: &http.Client{Timeout: c.Timeout}}
	if c.Samples {
		return explainSamples(ctx, e.out, ask, c.JSON)
	}
	if len(rest) > 1 {
		return fmt.Errorf("grosz explain --exchange NAME [FILE]: one request at a time, got %d files", len(rest))
	}
	var request []byte
	if len(rest) == 1 && rest[0] != "-" {
		request, err = os.ReadFile(rest[0])
	} else {
		request, err = io.ReadAll(io.LimitReader(os.Stdin, maxExplanation))
	}
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	q := url.Values{"exchange": {c.Exchange}, "limit": {strconv.Itoa(c.Limit)}}
	if c.Shop > 0 {
		q.Set("shop", strconv.Itoa(c.Shop))
	}
	answer, err := ask.do(ctx, http.MethodPost, bidder.PathExplain+"?"+q.Encode(), request)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.out, answer)
	}
	var x bidder.Explanation
	if err := json.Unmarshal(answer, &x); err != nil {
		return fmt.Errorf("the bidder's explanation: %w", err)
	}
	printExplanation(e.out, &x)
	return nil
}

// asking calls a bidder with a key.
type asking struct {
	base, key string
	client    *http.Client
}

func (a asking) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the bidder: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := a.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the bidder: %w; is it running there?", err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, maxExplanation))
	if err != nil {
		return nil, fmt.Errorf("the bidder's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		var p struct {
			Detail string
			Errors []struct{ Location, Message string }
		}
		if json.Unmarshal(got, &p) != nil || p.Detail == "" {
			p.Detail = strings.TrimSpace(string(got[:min(len(got), 200)]))
		}
		for _, f := range p.Errors {
			p.Detail += "; " + f.Location + " " + f.Message
		}
		return nil, fmt.Errorf("the answer is %s: %s", res.Status, p.Detail)
	}
	return got, nil
}

func printJSON(w io.Writer, text []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return fmt.Errorf("the bidder's answer: %w", err)
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(w)
	return err
}

// explainSamples lists the samples; a replay that comes out differently is an
// error.
func explainSamples(ctx context.Context, w io.Writer, ask asking, raw bool) error {
	answer, err := ask.do(ctx, http.MethodGet, bidder.PathSamples+"?replay=1", nil)
	if err != nil {
		return err
	}
	if raw {
		return printJSON(w, answer)
	}
	var list struct{ Samples []bidder.SampleReport }
	if err := json.Unmarshal(answer, &list); err != nil {
		return fmt.Errorf("the bidder's samples: %w", err)
	}
	different := 0
	for _, s := range list.Samples {
		outcome := fmt.Sprintf("%d bytes", len(s.Answer))
		if s.Reason != "" {
			outcome = "no bid: " + s.Reason
		}
		fmt.Fprintf(w, "%s  %-16s config %-6d %-24s replay: %s\n",
			time.UnixMilli(s.TimeMS).UTC().Format(time.RFC3339), s.Exchange, s.Version, outcome, s.Replay)
		if s.Replay == "different" {
			different++
		}
	}
	fmt.Fprintf(w, "%d samples\n", len(list.Samples))
	if different > 0 {
		return fmt.Errorf("%d samples replay differently", different)
	}
	return nil
}
