package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/grosz/grosz/bench/check"
)

// maxAnswer bounds an answer, bytes.
const maxAnswer = 16 << 20

// Run sends the files and prints the report to out. The error is for what
// kept it from running; what the bidder did wrong is Report.Err's.
func Run(ctx context.Context, cfg Config, out io.Writer) (Report, error) {
	cfg.defaults()
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	s := &sender{cfg: cfg, report: newReport(), client: &http.Client{
		Timeout:   cfg.Timeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: cfg.Concurrency, MaxConnsPerHost: cfg.Concurrency, DisableCompression: true},
	}}
	defer s.client.CloseIdleConnections()
	start := time.Now()
	work := make(chan line, cfg.Concurrency)
	var wg sync.WaitGroup
	for range cfg.Concurrency {
		wg.Go(func() {
			for l := range work {
				s.send(ctx, l)
			}
		})
	}
	err := s.feed(ctx, start, work)
	close(work)
	wg.Wait()
	s.report.Took = time.Since(start)
	if err == nil {
		err = ctx.Err()
	}
	s.report.print(out, cfg.Show)
	return *s.report, err
}

type sender struct {
	cfg    Config
	client *http.Client

	mu     sync.Mutex
	report *Report
}

// feed hands out lines at the rate.
func (s *sender) feed(ctx context.Context, start time.Time, work chan<- line) error {
	n := 0
	give := func(l line) bool {
		if s.cfg.Rate > 0 {
			at := start.Add(time.Duration(float64(n) / s.cfg.Rate * float64(time.Second)))
			select {
			case <-time.After(time.Until(at)):
			case <-ctx.Done():
				return false
			}
		}
		select {
		case work <- l:
			n++
		case <-ctx.Done():
			return false
		}
		return s.cfg.Limit == 0 || n < s.cfg.Limit
	}
	for range s.cfg.Loops {
		for _, f := range s.cfg.Files {
			if err := eachLine(ctx, f, give); err != nil {
				return err
			}
			if ctx.Err() != nil || (s.cfg.Limit > 0 && n >= s.cfg.Limit) {
				return nil
			}
		}
	}
	return nil
}

// send posts one line and judges the answer.
func (s *sender) send(ctx context.Context, l line) {
	begin := time.Now()
	a, err := s.post(ctx, l.body)
	took := time.Since(begin)
	if err != nil && ctx.Err() != nil {
		return // stopped by us
	}
	var res check.Result
	if err == nil {
		res = check.Answered(l.body, a, s.cfg.Check)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.add(l, a, res, took, err)
}

func (s *sender) post(ctx context.Context, body []byte) (check.Answer, error) {
	send := body
	if s.cfg.Gzip {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		_, _ = z.Write(body) // a buffer does not fail
		_ = z.Close()
		send = buf.Bytes()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL, bytes.NewReader(send))
	if err != nil {
		return check.Answer{}, fmt.Errorf("replay: %w", err)
	}
	req.Header.Set("Content-Type", "application/json;charset=utf-8")
	req.Header.Set("X-Grosz-Debug", "1") // asks for the reason of a no-bid
	req.Header.Set("X-Openrtb-Version", "2.6")
	if s.cfg.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return check.Answer{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return check.Answer{Status: resp.StatusCode, Header: resp.Header, Body: got}, err
}
