package load

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/valyala/fasthttp"
)

// Kinds of reference server.
const (
	KindEmpty = "204"   // answers 204
	KindFixed = "fixed" // reads the body, answers a fixed bid
)

// maxBody is what a reference takes, bytes.
const maxBody = 1 << 20

// FixedAnswer is a bid response of about size bytes.
func FixedAnswer(size int) []byte {
	const head = `{"id":"fixed","cur":"USD","seatbid":[{"seat":"s","bid":[{"id":"1","impid":"1","price":1.5,"crid":"c","cid":"1","adomain":["shop.example"],"mtype":1,"w":300,"h":250,"adm":"`
	const tail = `"}]}]}`
	return []byte(head + strings.Repeat("x", max(0, size-len(head)-len(tail))) + tail)
}

// ServeReference serves a reference on ln until ctx ends. Size is the fixed
// answer's, bytes.
func ServeReference(ctx context.Context, ln net.Listener, kind string, size int) error {
	answer := FixedAnswer(size)
	var handle fasthttp.RequestHandler
	switch kind {
	case KindEmpty:
		handle = func(c *fasthttp.RequestCtx) { c.SetStatusCode(fasthttp.StatusNoContent) }
	case KindFixed:
		handle = func(c *fasthttp.RequestCtx) {
			if len(c.PostBody()) == 0 {
				c.SetStatusCode(fasthttp.StatusBadRequest)
				return
			}
			c.SetContentType("application/json")
			c.SetBody(answer)
		}
	default:
		return fmt.Errorf("reference server: kind %q is neither %s nor %s", kind, KindEmpty, KindFixed)
	}
	srv := &fasthttp.Server{Handler: handle, Name: "reference", NoDefaultDate: true, MaxRequestBodySize: maxBody, CloseOnShutdown: true}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		if err := srv.ShutdownWithContext(stop); err != nil {
			return fmt.Errorf("reference server: %w", err)
		}
		return <-done
	}
}
