package feed

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
)

const peekBytes = 2048

// cappedReader fails once more than its bytes were read.
type cappedReader struct {
	r    io.Reader
	max  int64
	read int64
	what string
}

func (c *cappedReader) Read(p []byte) (int, error) {
	left := c.max - c.read
	if int64(len(p)) > left+1 {
		p = p[:left+1] // one more than allowed shows that there is more
	}
	n, err := c.r.Read(p)
	if int64(n) > left {
		c.read = c.max
		return int(left), fmt.Errorf("%w: more than %d %s", ErrTooLarge, c.max, c.what)
	}
	c.read += int64(n)
	return n, err
}

// open inflates what is gzipped, skips a byte order mark and leaves a reader
// that can be peeked into.
func (s *sink) open(raw io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(raw, 64<<10)
	if head, _ := in.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("%w: gzip: %w", ErrSyntax, err)
		}
		s.report.Gzip = true
		in = bufio.NewReaderSize(&cappedReader{r: z, max: s.o.MaxInflated, what: "inflated bytes"}, 64<<10)
	}
	head, _ := in.Peek(3)
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = in.Discard(3)
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return nil, fmt.Errorf("%w: it is UTF-16; save it as UTF-8", ErrSyntax)
	}
	return in, nil
}

// detect tells a format by the first bytes.
func detect(head []byte) (Format, error) {
	h := bytes.TrimLeft(head, " \t\r\n")
	if len(h) == 0 {
		return Auto, fmt.Errorf("%w: it is empty", ErrFormat)
	}
	switch h[0] {
	case '<':
		return detectXML(h)
	case '[':
		return JSON, nil
	case '{':
		// One object a line is JSON lines; an object around an array is JSON.
		for _, name := range arrayNames {
			_, rest, found := bytes.Cut(h, []byte(`"`+name+`"`))
			rest, colon := bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(":"))
			if found && colon && bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("[")) {
				return JSON, nil
			}
		}
		return JSONL, nil
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	if bytes.IndexByte(line, '\t') >= 0 {
		return TSV, nil
	}
	if separator(line) != 0 {
		return CSV, nil
	}
	return Auto, fmt.Errorf("%w: the first line %q is neither XML, JSON nor a header row", ErrFormat, clip(string(line), 80))
}

func detectXML(h []byte) (Format, error) {
	for _, mark := range []string{"<offers", "<o "} {
		if bytes.Contains(h, []byte(mark)) {
			return Ceneo, nil
		}
	}
	for _, mark := range []string{"<rss", "<feed", "<channel", "base.google.com/ns"} {
		if bytes.Contains(h, []byte(mark)) {
			return Google, nil
		}
	}
	return Auto, fmt.Errorf("%w: XML of neither Google Merchant (rss, feed) nor Ceneo (offers)", ErrFormat)
}

// separator is the character that a CSV's header row separates by; 0 for none.
func separator(line []byte) rune {
	best, most := rune(0), 0
	for _, c := range []byte{',', ';', '|'} {
		if n := bytes.Count(line, []byte{c}); n > most {
			best, most = rune(c), n
		}
	}
	return best
}

// clip cuts s for a message, on a rune boundary.
func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && s[max]&0xc0 == 0x80 {
		max--
	}
	return s[:max] + "…"
}
