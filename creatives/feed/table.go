package feed

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// header maps the columns of a table and says what is missing.
func (s *sink) header(names []string) (of []field, err error) {
	have := [fields]bool{}
	of = make([]field, len(names))
	for i, n := range names {
		of[i] = columnOf(n)
		have[of[i]] = true
	}
	var missing []string
	needed := []field{fieldID, fieldTitle, fieldLink, fieldPrice}
	if s.delta != nil {
		needed = needed[:1]
	}
	for _, f := range needed {
		if !have[f] {
			missing = append(missing, defaultNames[f])
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: the header row has no column %s", ErrSyntax, strings.Join(missing, ", "))
	}
	return of, nil
}

func (s *sink) readCSV(body *bufio.Reader) error {
	head, _ := body.Peek(peekBytes)
	line, _, _ := strings.Cut(string(head), "\n")
	rows := &rowLimit{r: body, max: s.o.MaxRow, left: s.o.MaxRow}
	c := csv.NewReader(rows)
	c.ReuseRecord, c.FieldsPerRecord, c.LazyQuotes = true, -1, true
	if sep := separator([]byte(line)); sep != 0 {
		c.Comma = sep
	}
	first, err := c.Read()
	if err != nil {
		return fmt.Errorf("%w: header row: %w", ErrSyntax, err)
	}
	names := append([]string(nil), first...)
	of, err := s.header(names)
	if err != nil {
		return err
	}
	var row record
	at := 1
	for {
		rows.left = s.o.MaxRow
		cells, err := c.Read()
		var bad *csv.ParseError
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &bad):
			s.broken(bad.StartLine, bad.Err.Error())
			continue
		case err != nil:
			return fmt.Errorf("%w: csv, after line %d: %w", ErrSyntax, at, err)
		}
		at, _ = c.FieldPos(0)
		if err := s.cells(&row, at, names, of, cells); err != nil {
			return err
		}
	}
}

// cells hands one row of a table on. Trailing columns may be absent.
func (s *sink) cells(row *record, line int, names []string, of []field, cells []string) error {
	if len(cells) > len(of) {
		s.broken(line, fmt.Sprintf("the row has %d columns, the header %d", len(cells), len(of)))
		return nil
	}
	row.reset()
	for i, v := range cells {
		row.set(of[i], names[i], v)
	}
	return s.accept(line, row)
}

// readTSV splits lines at tabs: Google's text format has no quoting rules, but
// spreadsheets quote cells all the same.
func (s *sink) readTSV(body *bufio.Reader) error {
	lines := &lineReader{r: body, max: int(s.o.MaxRow)}
	var names []string
	var of []field
	var row record
	var cells []string
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) && names != nil {
			return nil
		}
		if errors.Is(err, ErrRowTooLarge) && names != nil {
			s.broken(lines.line, fmt.Sprintf("the row is longer than %d bytes", s.o.MaxRow))
			continue
		}
		if err != nil {
			return fmt.Errorf("%w: tsv, line %d: %w", ErrSyntax, lines.line, err)
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		cells = cells[:0]
		for cell := range strings.SplitSeq(line, "\t") {
			cells = append(cells, unquote(cell))
		}
		if names == nil {
			names = append([]string(nil), cells...)
			if of, err = s.header(names); err != nil {
				return err
			}
			continue
		}
		if err := s.cells(&row, lines.line, names, of, cells); err != nil {
			return err
		}
	}
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
	}
	return s
}

// rowLimit fails when one row takes more than max bytes. Readers that read
// ahead make it a rough bound, which is all that memory needs; left is set
// back when a row ended.
type rowLimit struct {
	r         io.Reader
	max, left int64
}

func (l *rowLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrRowTooLarge, l.max)
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	return n, err
}

// lineReader gives lines without their ends; one that is too long is skipped
// with ErrRowTooLarge.
type lineReader struct {
	r    *bufio.Reader
	max  int
	line int
	buf  []byte
}

func (l *lineReader) next() (string, error) {
	l.line++
	l.buf = l.buf[:0]
	long := false
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.buf)+len(part) > l.max {
			long = true
			l.buf = l.buf[:0]
		}
		if !long {
			l.buf = append(l.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && (len(l.buf) > 0 || long || len(part) > 0):
		case err != nil:
			return "", err
		}
		if long {
			return "", ErrRowTooLarge
		}
		return strings.TrimRight(string(l.buf), "\r\n"), nil
	}
}
