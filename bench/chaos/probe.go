package chaos

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ProbeDomain is the site of the probes' page, which nobody else visits.
const ProbeDomain = "anything.example"

// probeBody is an ordinary request that anybody is bid on.
const probeBody = `{"id":"probe","tmax":300,"imp":[{"id":"1","banner":{"w":300,"h":250}}],"site":{"domain":"` + ProbeDomain + `","page":"https://` + ProbeDomain + `/"},"device":{"ua":"x"}}`

// prober asks for a bid at a steady pace, whether the last one was answered
// or not, and notes what came and when.
type prober struct {
	url   string
	every time.Duration
	tmax  time.Duration
	http  *http.Client

	mu    sync.Mutex
	asked []probe
	lost  int // older ones that were let go
}

// probe is one request.
type probe struct {
	at    time.Time
	took  time.Duration
	bid   bool
	why   string // there is no bid
	whole bool   // answered, with 200 or 204
	done  bool
}

// maxProbes bounds what is remembered: some minutes.
const maxProbes = 20_000

func newProber(url string, every, tmax time.Duration) *prober {
	return &prober{url: url, every: every, tmax: tmax, http: &http.Client{
		Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32, MaxConnsPerHost: 256},
	}}
}

// run asks until ctx ends.
func (p *prober) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer p.http.CloseIdleConnections()
	defer wg.Wait()
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	under := make(chan struct{}, 256) // beyond it nobody answers anyway
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		i := p.note()
		select {
		case under <- struct{}{}:
		default:
			continue
		}
		wg.Go(func() {
			defer func() { <-under }()
			p.ask(ctx, i)
		})
	}
}

// note puts down that a request is sent now, and returns its number.
func (p *prober) note() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) >= maxProbes {
		p.asked = append(p.asked[:0], p.asked[maxProbes/2:]...)
		p.lost += maxProbes / 2
	}
	p.asked = append(p.asked, probe{at: time.Now()})
	return p.lost + len(p.asked) - 1
}

func (p *prober) ask(ctx context.Context, i int) {
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader([]byte(probeBody)))
	status, why := 0, "no answer"
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Grosz-Debug", "1")
		var res *http.Response
		if res, err = p.http.Do(req); err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			status, why = res.StatusCode, strings.TrimSpace(res.Header.Get("X-Grosz-Nobid"))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i -= p.lost; i >= 0 {
		a := &p.asked[i]
		a.took, a.done = time.Since(began), true
		a.whole = err == nil && (status == http.StatusOK || status == http.StatusNoContent)
		a.why = why
		a.bid = err == nil && status == http.StatusOK
	}
}

// tally is what came of the requests of a while.
type tally struct {
	asked, inTime, bids int
	why                 map[string]int // there was no bid
}

// between counts the requests that were sent from from to to. One that is
// still out counts as late, so it is to be asked tmax after to.
func (p *prober) between(from, to time.Time) (t tally) {
	t.why = map[string]int{}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.asked {
		if a.at.Before(from) || a.at.After(to) {
			continue
		}
		t.asked++
		if a.done && a.whole && a.took <= p.tmax {
			t.inTime++
		}
		if a.bid {
			t.bids++
		} else {
			t.why[a.why]++
		}
	}
	return t
}

// bidAfter is when the first bid was answered that was asked for after from.
func (p *prober) bidAfter(from time.Time) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.asked {
		if a.bid && a.at.After(from) {
			return a.at.Add(a.took), true
		}
	}
	return time.Time{}, false
}
