package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxLine bounds a line, bytes; a longer one is an error.
const maxLine = 32 << 20

// line is one recorded request.
type line struct {
	file string
	no   int
	body []byte
}

// eachLine calls do with every line that is not empty, until it says stop.
func eachLine(ctx context.Context, file string, do func(line) (more bool)) error {
	var src io.Reader = os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		defer f.Close()
		src = f
	}
	br := bufio.NewReaderSize(src, 1<<16)
	if magic, _ := br.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return fmt.Errorf("replay: %s: %w", file, err)
		}
		br = bufio.NewReaderSize(z, 1<<16)
	}
	for no := 1; ctx.Err() == nil; no++ {
		body, err := readLine(br)
		if len(bytes.TrimSpace(body)) > 0 && !do(line{file, no, body}) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("replay: %s line %d: %w", file, no, err)
		}
	}
	return nil
}

// readLine returns a copy of the next line without its end.
func readLine(br *bufio.Reader) ([]byte, error) {
	var out []byte
	for {
		part, err := br.ReadSlice('\n')
		if len(out)+len(part) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
		out = append(out, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(out, "\r\n"), err
		}
	}
}
