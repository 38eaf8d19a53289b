package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	gdpr "github.com/prebid/go-gdpr/vendorconsent/tcf2"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bench/sim"
)

// fakeSeller sells everything and remembers what it was asked for.
type fakeSeller struct {
	last  sim.Visit
	shown string
	err   error
}

func (f *fakeSeller) Sell(_ context.Context, v *sim.Visit) (sim.Sale, error) {
	f.last = *v
	return sim.Sale{ID: "s1", Slot: v.Slot, Won: true, AdM: "<b>ad</b>", Rivals: []string{}, Request: json.RawMessage("{}")}, f.err
}

func (f *fakeSeller) Shown(_ context.Context, id string) error {
	if f.shown == id {
		return sim.ErrNoSale
	}
	f.shown = id
	return f.err
}

func TestPublisher(t *testing.T) {
	_, _, shops := seeded(t)
	s, err := NewSites(shops, "http://bidder.example", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	srv := httptest.NewServer(s)
	defer srv.Close()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	web := &http.Client{Jar: jar}
	do := func(path string, form url.Values, gpc string) (int, string) {
		t.Helper()
		method := http.MethodPost
		if form == nil {
			method = http.MethodGet
		}
		req, err := http.NewRequest(method, srv.URL+path+"?"+form.Encode(), nil)
		require.NoError(t, err)
		req.Header.Set("Sec-GPC", gpc)
		req.Header.Set("Accept-Language", "pl-PL,pl;q=0.9")
		res, err := web.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(body)
	}
	code, page := do("/kurier/", nil, "")
	require.Equal(t, 200, code)
	require.Contains(t, page, "Zgadzam się")
	require.NotContains(t, page, "/sync/", "nobody is matched before they agree")
	code, _ = do("/kurier/ad", url.Values{"slot": {"top"}}, "")
	require.Equal(t, 404, code, "the exchange is not open")

	seller := &fakeSeller{}
	s.Sell(seller)
	code, _ = do("/kurier/ad", url.Values{"slot": {"top"}}, "")
	require.Equal(t, 200, code)
	require.Empty(t, seller.last.User+seller.last.Consent)
	_, _ = do("/kurier/consent", url.Values{"answer": {"yes"}}, "")
	_, page = do("/kurier/", nil, "")
	require.NotContains(t, page, "Zgadzam się")
	require.Contains(t, page, "/sync/sim-first?uid=km-")
	code, body := do("/kurier/ad", url.Values{"slot": {"side"}}, "1")
	require.Equal(t, 200, code)
	require.Contains(t, body, `"html":"`)
	require.Regexp(t, "^km-", seller.last.User)
	require.Equal(t, []any{300, 600, "pl", true}, []any{seller.last.W, seller.last.H, seller.last.Lang, seller.last.GPC})
	require.NotEmpty(t, seller.last.Consent)
	for _, want := range []int{204, 410} {
		code, _ = do("/kurier/shown", url.Values{"id": {"s1"}}, "")
		require.Equal(t, want, code, "an ad is shown once")
	}
	code, _ = do("/kurier/ad", url.Values{"slot": {"none"}}, "")
	require.Equal(t, 404, code)
	seller.err = errors.New("down")
	code, _ = do("/kurier/ad", url.Values{"slot": {"top"}}, "")
	require.Equal(t, 502, code)
	_, _ = do("/kurier/consent", url.Values{"answer": {"no"}}, "")
	_, page = do("/kurier/", nil, "")
	require.NotContains(t, page, "/sync/")
	_, _ = do("/kurier/consent", url.Values{"answer": {"again"}}, "")
	_, page = do("/kurier/", nil, "")
	require.Contains(t, page, "Zgadzam się")
}

// TestConsentString reads what the dialog writes with a library of others.
func TestConsentString(t *testing.T) {
	now := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	for _, agreed := range []bool{true, false} {
		got, err := gdpr.ParseString(tcString(agreed, now))
		require.NoError(t, err)
		require.Equal(t, agreed, got.VendorConsent(VendorID))
		require.False(t, got.VendorConsent(VendorID-1))
		require.Equal(t, agreed, got.PurposeAllowed(1))
		require.Equal(t, agreed, got.PurposeAllowed(7))
		require.Equal(t, now.Truncate(24*time.Hour), got.Created().UTC())
	}
}
