package storm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/events"
)

// Sent is what sending came to.
type Sent struct {
	Took    time.Duration
	Retries int64
	Kills   int
}

// maxRetry bounds how long one notice is tried.
const maxRetry = 3 * time.Minute

// Send calls every notice, in the plan's order, until it is taken; whatever is
// not taken is called again, at another node. Kills happen meanwhile.
func (p *Plan) Send(ctx context.Context, progress func(sent, of int)) (Sent, error) {
	workers := p.cfg.Workers
	if workers == 0 {
		workers = 64
	}
	client := &fasthttp.Client{
		MaxConnsPerHost: 2 * workers, ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second,
		RetryIfErr: func(*fasthttp.Request, int, error) (bool, bool) { return false, false }, // we retry, and count it
	}
	defer client.CloseIdleConnections()
	var next, done, retries atomic.Int64
	started := time.Now()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			c := caller{p: p, client: client, retries: &retries, node: w}
			for {
				i := next.Add(1) - 1
				if i >= int64(len(p.notices)) || ctx.Err() != nil {
					return
				}
				if err := c.call(ctx, &p.notices[i]); err != nil {
					stop(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Go(func() { p.watch(ctx, &done, stop, progress) })
	wg.Wait()
	s := Sent{Took: time.Since(started), Retries: retries.Load(), Kills: len(p.cfg.Kills)}
	if err := context.Cause(ctx); err != nil {
		return s, fmt.Errorf("storm: %w", err)
	}
	return s, nil
}

// watch kills when its time has come, and tells of progress.
func (p *Plan) watch(ctx context.Context, done *atomic.Int64, stop func(error), progress func(sent, of int)) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	killed, told := 0, time.Now()
	for ctx.Err() == nil {
		n := int(done.Load())
		for killed < len(p.cfg.Kills) && float64(n) >= p.cfg.Kills[killed].At*float64(len(p.notices)) {
			if err := p.cfg.Kills[killed].Do(); err != nil {
				stop(err)
				return
			}
			killed++
		}
		if progress != nil && time.Since(told) > 10*time.Second {
			progress(n, len(p.notices))
			told = time.Now()
		}
		if n == len(p.notices) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// caller calls notices, one after the other.
type caller struct {
	p       *Plan
	client  *fasthttp.Client
	retries *atomic.Int64
	node    int
	buf     []byte
}

var paths = [...]string{"/n/win", "/n/bill", "/n/loss", "/i"}

func (c *caller) call(ctx context.Context, n *notice) error {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	c.buf = c.token(c.buf[:0], n)
	want := fasthttp.StatusNoContent
	if kinds[n.kind] == events.TypeImpression {
		want = fasthttp.StatusOK
	}
	began := time.Now()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		c.node++
		u := req.URI()
		if err := u.Parse(nil, []byte(c.p.cfg.Nodes[c.node%len(c.p.cfg.Nodes)]+paths[n.kind])); err != nil {
			return fmt.Errorf("node's URL: %w", err)
		}
		args := u.QueryArgs()
		args.SetBytesV("t", c.buf)
		if kinds[n.kind] == events.TypeLoss {
			args.Set("r", "102")
		} else {
			args.Set("p", n.price)
		}
		err := c.client.Do(req, res)
		if err == nil && res.StatusCode() == want {
			return nil
		}
		if err == nil && res.StatusCode() != fasthttp.StatusServiceUnavailable {
			return fmt.Errorf("%s answered %d", u.FullURI(), res.StatusCode())
		}
		if time.Since(began) > maxRetry {
			return fmt.Errorf("a notice is not taken: %w", errors.Join(err, fmt.Errorf("status %d", res.StatusCode())))
		}
		c.retries.Add(1)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// token appends the notice's token, in the state that it is sent in.
func (c *caller) token(dst []byte, n *notice) []byte {
	b := &c.p.bids[n.bid]
	purpose := events.ForNotice
	if kinds[n.kind] == events.TypeImpression {
		purpose = events.ForImpression
	}
	keys := c.p.cfg.Keys
	switch n.token {
	case tokenOtherKey:
		keys = c.p.rogue
	case tokenOtherPurpose:
		purpose = events.ForClick
	default:
		if b.real() && purpose == events.ForNotice {
			dst = append(dst, b.notice...)
		} else if b.real() {
			dst = append(dst, b.view...)
		}
	}
	if len(dst) == 0 {
		tok := b.tok
		tok.Purpose = purpose
		dst = keys.Append(dst, &tok)
	}
	switch n.token {
	case tokenAltered:
		i := int(n.bid) % len(dst)
		if dst[i] != 'A' {
			dst[i] = 'A'
		} else {
			dst[i] = 'B'
		}
	case tokenCut:
		dst = dst[:len(dst)*2/3]
	}
	return dst
}
