package bidder

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
)

const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

// clickAs clicks with a user agent and expects to be led on.
func (w *world) clickAs(u, ua, forwarded string) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, u, nil)
	require.NoError(w.t, err)
	req.Header.Set("User-Agent", ua)
	if forwarded != "" {
		req.Header.Set("X-Forwarded-For", forwarded)
	}
	res, err := w.http.Do(req)
	require.NoError(w.t, err)
	require.NoError(w.t, res.Body.Close())
	require.Equal(w.t, 302, res.StatusCode, "whatever it is judged to be, it leads on")
	require.Contains(w.t, res.Header.Get("Location"), ClickIDParam+"=", "the click that counted may come from the same page")
}

func TestClicksAreJudged(t *testing.T) {
	const second = time.Second
	type step struct {
		after time.Duration
		do    string // show, lose, click
		ua    string
	}
	cases := map[string]struct {
		steps []step
		want  []string // reasons of the clicks
	}{
		"a person":                     {[]step{{second, "show", ""}, {2 * second, "click", browser}}, []string{""}},
		"where no impression was seen": {[]step{{2 * second, "click", browser}}, []string{""}},
		"at once":                      {[]step{{second, "show", ""}, {50 * time.Millisecond, "click", browser}}, []string{"too_fast"}},
		"twice":                        {[]step{{second, "show", ""}, {second, "click", browser}, {second, "click", browser}}, []string{"", "double_click"}},
		"again later":                  {[]step{{second, "show", ""}, {second, "click", browser}, {time.Minute, "click", browser}}, []string{"", ""}},
		"a crawler":                    {[]step{{second, "show", ""}, {second, "click", "Mozilla/5.0 (compatible; Googlebot/2.1)"}}, []string{"crawler"}},
		"a player's server":            {[]step{{second, "show", ""}, {second, "click", "Go-http-client/1.1"}}, []string{""}},
		"of a lost bid":                {[]step{{second, "lose", ""}, {second, "click", browser}}, []string{"not_won"}},
		"lost, but shown after all":    {[]step{{second, "lose", ""}, {second, "show", ""}, {second, "click", browser}}, []string{""}},
		"over and over": {[]step{{time.Minute, "click", browser}, {time.Minute, "click", browser}, {time.Minute, "click", browser},
			{time.Minute, "click", browser}}, []string{"", "", "", "too_many_clicks"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, openCampaign(1))
			bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
			click, pixel := clickOf(t, bid.AdM), pixelOf(t, bid.AdM)
			for _, s := range c.steps {
				w.clock.Advance(s.after)
				switch s.do {
				case "show":
					w.get(pixel)
				case "lose":
					w.get(macro(bid.LURL, "1"))
				case "click":
					w.clickAs(click, s.ua, "")
				}
			}
			var got []string
			for _, e := range w.spooled() {
				if e.Type == events.TypeClick {
					got = append(got, e.Reason)
					assert.False(t, e.Settles)
				}
			}
			assert.Equal(t, c.want, got)
			var text bytes.Buffer
			w.b.WriteMetrics(&text)
			for _, r := range c.want {
				if r != "" {
					assert.Contains(t, text.String(), `grosz_clicks_judged_total{reason="`+r+`"} 1`)
				}
			}
			assert.Contains(t, text.String(), "grosz_clicks_remembered 1\n")
		})
	}
}
