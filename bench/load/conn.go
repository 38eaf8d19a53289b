package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"
)

// Bounds of a connection.
const (
	dialTimeout = 5 * time.Second
	ioTimeout   = 30 * time.Second
	maxBodies   = 100_000
)

// wire turns bodies into whole HTTP requests.
func wire(target string, bodies [][]byte) (addr string, out [][]byte, err error) {
	return wireWith(target, "", bodies)
}

// wireWith adds a header, "Name: value", if it is not empty.
func wireWith(target, header string, bodies [][]byte) (addr string, out [][]byte, err error) {
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

// conn is one keep-alive connection.
type conn struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 64<<10), w: bufio.NewWriterSize(c, 64<<10)}, nil
}

var errAnswer = errors.New("load: not an HTTP/1.1 answer with a length")

// read takes one answer and returns its status and the size of its body.
func (c *conn) read() (status, size int, err error) {
	first, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(first) < 13 || !bytes.HasPrefix(first, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("%w: %q", errAnswer, first)
	}
	if status, err = strconv.Atoi(string(first[9:12])); err != nil {
		return 0, 0, fmt.Errorf("%w: %q", errAnswer, first)
	}
	size = -1
	for {
		h, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		h = bytes.TrimRight(h, "\r\n")
		if len(h) == 0 {
			break
		}
		name, value, _ := bytes.Cut(h, []byte(":"))
		if len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")) {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || size < 0 {
				return 0, 0, fmt.Errorf("%w: %q", errAnswer, h)
			}
		}
	}
	if status == 204 {
		return status, 0, nil
	}
	if size < 0 {
		return 0, 0, errAnswer
	}
	_, err = c.r.Discard(size)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return status, size, err
}
