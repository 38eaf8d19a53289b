package main

import (
	"bytes"
	"context"
	"encoding/csv"
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

	"github.com/grosz/grosz/internal/config"
)

type importConfig struct {
	Bidder  string        `config:"bidder" help:"the bidder's listener, HOST:PORT or a URL" default:"127.0.0.1:8080"`
	Dir     string        `config:"data" help:"directory of all data" default:"./data"`
	Shop    int           `config:"shop" help:"the shop whose events they are" default:"0"`
	KeyFile string        `config:"key-file" help:"file that holds a key of the shop with scope events or write; default DIR/events.key"`
	Timeout time.Duration `config:"timeout" help:"for how long one batch is tried again while the bidder cannot be had or asks to wait" default:"5m"`
	From    int           `config:"from-line" help:"go on at this line of the file" default:"2"`
}

// Validate lists what is wrong.
func (c *importConfig) Validate() error {
	var errs []error
	if c.Shop <= 0 {
		errs = append(errs, errors.New("--shop: the shop's number"))
	}
	if !strings.Contains(c.Bidder, "://") {
		c.Bidder = "http://" + c.Bidder
	}
	if u, err := url.Parse(c.Bidder); err != nil || u.Host == "" {
		errs = append(errs, fmt.Errorf("--bidder %q: HOST:PORT or a URL", c.Bidder))
	}
	if c.KeyFile == "" {
		c.KeyFile = filepath.Join(c.Dir, "events.key")
	}
	if c.Timeout <= 0 {
		errs = append(errs, errors.New("--timeout must be above zero"))
	}
	return errors.Join(errs...)
}

// Bounds of one batch: what the bidder takes in one request.
const (
	importRows  = 1000
	importBytes = 900 << 10
	// importShown bounds the wrong rows that are printed; all are counted.
	importShown = 10_000
)

// runImportEvents sends a CSV of a shop's past events to a bidder, batch after
// batch. It reads as it sends, whatever the file's size; rows are named by
// their content, so that a file may be sent again.
func runImportEvents(ctx context.Context, e env, args []string) error {
	var c importConfig
	rest, err := config.Load("import-events", args, e.environ, &c, e.out)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("grosz import-events --shop N --key-file FILE EVENTS.csv: one file, - for standard input")
	}
	key, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return fmt.Errorf("the shop's key: %w; --key-file says where it is", err)
	}
	in := io.Reader(os.Stdin)
	if rest[0] != "-" {
		f, err := os.Open(rest[0])
		if err != nil {
			return fmt.Errorf("the events: %w", err)
		}
		defer f.Close() // only read
		in = f
	}
	im := &importer{
		c: &c, out: e.out, progress: e.errOut, client: &http.Client{Timeout: time.Minute}, began: time.Now(), told: time.Now(),
		url: fmt.Sprintf("%s/api/v1/shops/%d/events", strings.TrimSuffix(c.Bidder, "/"), c.Shop), key: strings.TrimSpace(string(key)),
	}
	err = im.run(ctx, in)
	im.tell()
	if err != nil {
		return fmt.Errorf("%w; all before line %d is done: go on with --from-line %d", err, im.next, im.next)
	}
	return nil
}

// importer is one import.
type importer struct {
	c             *importConfig
	out, progress io.Writer
	client        *http.Client
	url, key      string
	began, told   time.Time

	header []string
	buf    bytes.Buffer
	lines  []int // of the rows in buf
	next   int   // the first line that is not done

	rows, accepted, wrong int
}

func (im *importer) run(ctx context.Context, in io.Reader) error {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	im.next = 2
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("line 1 must name the columns: %w", err)
	}
	if len(header) == 1 && strings.Contains(header[0], ";") {
		header, r.Comma = strings.Split(header[0], ";"), ';'
		r.FieldsPerRecord = len(header)
	}
	im.header = append(im.header, header...)
	im.header[0] = strings.TrimPrefix(im.header[0], "\ufeff")
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return im.send(ctx, 0)
		}
		var parse *csv.ParseError
		switch {
		case errors.As(err, &parse):
			im.complain(parse.StartLine, "", parse.Err.Error())
			im.rows++
			continue
		case err != nil:
			return fmt.Errorf("reading: %w", err)
		}
		line, _ := r.FieldPos(0)
		if line < im.c.From {
			continue
		}
		if len(im.lines) == importRows || im.buf.Len() > importBytes {
			if err := im.send(ctx, line); err != nil {
				return err
			}
		}
		if err := im.add(row, line); err != nil {
			return err
		}
	}
}

// add appends a row to the batch.
func (im *importer) add(row []string, line int) error {
	w := csv.NewWriter(&im.buf)
	if len(im.lines) == 0 {
		if err := w.Write(im.header); err != nil {
			return err
		}
	}
	im.lines = append(im.lines, line)
	if err := w.Write(row); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// importAnswer is the bidder's.
type importAnswer struct {
	Accepted int
	Errors   []struct {
		Index          int
		Field, Message string
	}
	Detail string
}

// send sends the batch until it is taken; next is the line behind it.
func (im *importer) send(ctx context.Context, next int) error {
	if len(im.lines) == 0 {
		return nil
	}
	im.next = im.lines[0]
	var a importAnswer
	wait := 100 * time.Millisecond
	for end := time.Now().Add(im.c.Timeout); ; {
		status, after, err := im.post(ctx, &a)
		if err == nil && (status == http.StatusOK || status == http.StatusUnprocessableEntity) {
			break
		}
		if err == nil && status != http.StatusTooManyRequests && status < 500 {
			return fmt.Errorf("line %d: the bidder refused the batch: %d %s", im.next, status, a.Detail)
		}
		if after == 0 {
			after = wait
			wait = min(wait*2, 10*time.Second)
		}
		if time.Now().Add(after).After(end) {
			return errors.Join(fmt.Errorf("line %d: not taken within %s, last answer %d %s", im.next, im.c.Timeout, status, a.Detail), err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(after):
		}
	}
	for _, bad := range a.Errors {
		if bad.Index >= 0 && bad.Index < len(im.lines) {
			im.complain(im.lines[bad.Index], bad.Field, bad.Message)
		}
	}
	im.rows += len(im.lines)
	im.accepted += a.Accepted
	im.next = max(next, im.lines[len(im.lines)-1]+1)
	im.buf.Reset()
	im.lines = im.lines[:0]
	if time.Since(im.told) > time.Second {
		im.tell()
	}
	return nil
}

func (im *importer) post(ctx context.Context, a *importAnswer) (status int, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, im.url, bytes.NewReader(im.buf.Bytes()))
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+im.key)
	req.Header.Set("Content-Type", "text/csv")
	res, err := im.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return res.StatusCode, 0, err
	}
	if s, bad := strconv.Atoi(res.Header.Get("Retry-After")); bad == nil {
		after = time.Duration(s) * time.Second
	}
	*a = importAnswer{}
	if err := json.Unmarshal(body, a); err != nil {
		a.Detail = strings.TrimSpace(string(body[:min(len(body), 200)]))
		if res.StatusCode < 300 {
			return res.StatusCode, after, fmt.Errorf("the answer is not the bidder's: %w", err)
		}
	}
	return res.StatusCode, after, nil
}

func (im *importer) complain(line int, field, message string) {
	if im.wrong++; im.wrong <= importShown {
		if field != "" {
			field += ": "
		}
		fmt.Fprintf(im.out, "line %d: %s%s\n", line, field, message)
	}
}

func (im *importer) tell() {
	im.told = time.Now()
	rate := float64(im.rows) / max(time.Since(im.began).Seconds(), 1e-3)
	fmt.Fprintf(im.progress, "%d rows: %d accepted, %d wrong; %.0f rows/s\n", im.rows, im.accepted, im.wrong, rate)
}
