package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/grosz/grosz/internal/durable"
)

// recordProfile asks the bidder for a CPU profile of the coming time and
// writes it to path; what it returns waits until that is done.
func recordProfile(ctx context.Context, metrics, path string, d time.Duration) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- fetchProfile(ctx, metrics, path, d) }()
	return func() error { return <-done }
}

func fetchProfile(ctx context.Context, metrics, path string, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d+time.Minute)
	defer cancel()
	url := strings.TrimSuffix(metrics, "/metrics") + fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(1, int(d.Seconds())))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("--cpu-profile: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("--cpu-profile: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("--cpu-profile: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("--cpu-profile: the bidder answered %s", res.Status)
	}
	return durable.ReplaceBytes(path, 0o644, b)
}
