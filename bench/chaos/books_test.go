package chaos

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A database that cannot say anything yet is asked again; books that are wrong
// are told at once, and patience ends.
func TestBooksAreAskedUntilTheyAnswer(t *testing.T) {
	for _, c := range []struct {
		name  string
		most  time.Duration
		says  []string // the last again and again; "" is too busy to tell
		asked int
		err   string
		wrong bool
	}{
		{"at once", time.Hour, []string{"7"}, 1, "", false},
		{"busy at first", time.Hour, []string{"", "", "7"}, 3, "", false},
		{"wrong", time.Hour, []string{"", "8"}, 2, "8 are settled", true},
		{"busy for ever", 0, []string{""}, 1, "503", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				text := c.says[min(asked, len(c.says)-1)]
				if asked++; text == "" {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				_, _ = fmt.Fprintln(w, text)
			}))
			defer srv.Close()
			b := Books{ClickHouse: strings.TrimPrefix(srv.URL, "http://")}
			err := Insist(t.Context(), c.most, func(ctx context.Context) error {
				n, err := b.Settled(ctx)
				if err == nil && n != 7 {
					err = fmt.Errorf("%w: %d are settled", ErrBooks, n)
				}
				return err
			})
			require.Equal(t, c.asked, asked)
			if c.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.err)
			if c.wrong {
				require.ErrorIs(t, err, ErrBooks)
			}
		})
	}
}
