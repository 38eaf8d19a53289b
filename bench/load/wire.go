package load

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Bounds of a connection.
const (
	dialTimeout = 5 * time.Second
	maxBodies   = 100_000
	maxErrors   = 1000 // connections that end in the middle of a request
)

var errAnswer = errors.New("load: not an HTTP/1.1 answer with a length")

// wire turns bodies into whole HTTP requests, with a header more, "Name:
// value", if it is not empty.
func wire(target, header string, bodies [][]byte) (addr string, out [][]byte, err error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" {
		return "", nil, fmt.Errorf("load: %q is not an http URL", target)
	}
	if len(bodies) == 0 || len(bodies) > maxBodies {
		return "", nil, fmt.Errorf("load: %d bodies, not 1 to %d", len(bodies), maxBodies)
	}
	addr = u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), "80")
	}
	if header != "" {
		header += "\r\n"
	}
	for _, b := range bodies {
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nx-openrtb-version: 2.6\r\n%sContent-Length: %d\r\n\r\n", u.RequestURI(), u.Host, header, len(b))
		out = append(out, append([]byte(head), b...))
	}
	return addr, out, nil
}
