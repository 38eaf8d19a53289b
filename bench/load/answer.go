package load

import (
	"bytes"
	"fmt"
	"strconv"
)

// maxAnswer bounds an answer in memory, bytes.
const maxAnswer = 4 << 20

// answer is what is read of one.
type answer struct {
	status int
	reason []byte // the header that was asked for
}

// parseAnswer reads one answer from all that has come of it, which no other
// may follow. Not whole: more must come.
func parseAnswer(text []byte, reason string) (a answer, whole bool, err error) {
	head := bytes.Index(text, []byte("\r\n\r\n"))
	if head < 0 {
		if len(text) > maxAnswer {
			err = fmt.Errorf("%w: no end of its header", errAnswer)
		}
		return a, false, err
	}
	first, rest, _ := bytes.Cut(text[:head+2], []byte("\r\n"))
	if len(first) < 12 || !bytes.HasPrefix(first, []byte("HTTP/1.1 ")) {
		return a, false, fmt.Errorf("%w: %q", errAnswer, first)
	}
	if a.status, err = strconv.Atoi(string(first[9:12])); err != nil {
		return a, false, fmt.Errorf("%w: %q", errAnswer, first)
	}
	size := -1
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")):
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || size < 0 || size > maxAnswer {
				return a, false, fmt.Errorf("%w: %q", errAnswer, line)
			}
		case reason != "" && len(name) == len(reason) && bytes.EqualFold(name, []byte(reason)):
			a.reason = bytes.TrimSpace(value)
		}
	}
	if a.status == 204 {
		size = 0
	}
	switch have := len(text) - head - 4; {
	case size < 0:
		return a, false, errAnswer
	case have > size:
		return a, false, fmt.Errorf("%w: %d bytes behind it", errAnswer, have-size)
	default:
		return a, have == size, nil
	}
}
