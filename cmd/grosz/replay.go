package main

import (
	"context"
	"errors"
	"time"

	"github.com/grosz/grosz/bench/replay"
	"github.com/grosz/grosz/internal/config"
)

type replayConfig struct {
	URL         string        `config:"url" help:"the bidder's endpoint" default:"http://127.0.0.1:8080/openrtb2/demo"`
	Diff        string        `config:"diff" help:"send everything to this endpoint as well, and print what it answers differently from --url"`
	Rate        float64       `config:"rate" help:"requests per second; 0 is as fast as answers come" default:"0"`
	Concurrency int           `config:"concurrency" help:"requests under way at once" default:"8"`
	Limit       int           `config:"limit" help:"end after so many requests; 0 is all" default:"0"`
	Loops       int           `config:"loops" help:"send the files so many times" default:"1"`
	Timeout     time.Duration `config:"timeout" help:"of one request" default:"5s"`
	Gzip        bool          `config:"gzip" help:"send the bodies compressed"`
	Show        int           `config:"show" help:"violations to print at most" default:"50"`
}

// Arguments names what stands behind the flags.
func (c *replayConfig) Arguments() string { return "FILE.jsonl[.gz] …" }

// runReplay sends the files' requests and checks every answer. It fails when
// an answer was invalid, a 5xx, or did not come; with --diff, when another
// version answers anything differently.
func runReplay(ctx context.Context, e env, args []string) error {
	var c replayConfig
	files, err := config.Load("replay", args, e.environ, &c, e.out)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("grosz replay FILE.jsonl[.gz] … --url URL: no file given")
	}
	cfg := replay.Config{
		Files: files, URL: c.URL, Rate: c.Rate, Concurrency: c.Concurrency, Limit: c.Limit, Loops: c.Loops,
		Timeout: c.Timeout, Gzip: c.Gzip, Show: c.Show,
	}
	if c.Diff != "" {
		report, err := replay.Diff(ctx, cfg, c.Diff, e.out)
		return errors.Join(err, report.Err())
	}
	report, err := replay.Run(ctx, cfg, e.out)
	if err != nil {
		return err
	}
	return report.Err()
}
