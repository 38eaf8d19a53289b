// Package feedjob lets the console read uploads with the feed readers of
// creatives/feed, so that the console itself need not know of another room's
// slow edge. Slow side; safe for many goroutines.
package feedjob

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console"
	"github.com/grosz/grosz/creatives/feed"
)

// maxInflation bounds what a gzip upload may grow to, in times of the bytes
// that an upload may have.
const maxInflation = 4

// Read is a console.FeedReader.
func Read(ctx context.Context, r io.Reader, o console.FeedOptions, take func(campaigns.Product) error) (console.FeedReport, error) {
	format, err := feed.ParseFormat(o.Format)
	if err != nil {
		return console.FeedReport{}, err
	}
	got, err := feed.Read(ctx, r, feed.Options{
		Format: format, Currency: o.Currency, MaxProducts: o.MaxProducts, MaxBytes: o.MaxBytes, MaxInflated: maxInflation * o.MaxBytes, Now: o.Now,
	}, take)
	if errors.Is(err, feed.ErrTooLarge) || errors.Is(err, feed.ErrTooMany) {
		err = fmt.Errorf("%w: %w", console.ErrFeedTooLarge, err)
	}
	return reportOf(got), err
}

func reportOf(got feed.Report) console.FeedReport {
	out := console.FeedReport{
		Format: string(got.Format), Rows: got.Rows, Accepted: got.Accepted, Rejected: got.Rejected, Repeated: got.Duplicates,
		Problems: make([]console.FeedProblem, 0, len(got.Bad)),
	}
	for _, b := range got.Bad {
		out.Problems = append(out.Problems, console.FeedProblem{Line: b.Line, Column: b.Column, Product: b.ID, Reason: b.Reason})
	}
	return out
}

// ReadDelta is a console.FeedDeltaReader.
func ReadDelta(ctx context.Context, r io.Reader, o console.FeedOptions, take func(console.FeedDelta) error) (console.FeedReport, error) {
	format, err := feed.ParseFormat(o.Format)
	if err != nil {
		return console.FeedReport{}, err
	}
	got, err := feed.ReadDelta(ctx, r, feed.Options{
		Format: format, Currency: o.Currency, MaxProducts: o.MaxProducts, MaxBytes: o.MaxBytes, MaxInflated: maxInflation * o.MaxBytes, Now: o.Now,
	}, func(d feed.Delta) error {
		return take(console.FeedDelta{Line: d.Line, ID: d.ID, Deleted: d.Deleted, Apply: d.Apply})
	})
	if errors.Is(err, feed.ErrTooLarge) || errors.Is(err, feed.ErrTooMany) {
		err = fmt.Errorf("%w: %w", console.ErrFeedTooLarge, err)
	}
	return reportOf(got), err
}
