package feed

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// arrayNames are the fields that an object around the array may hold it in.
var arrayNames = []string{"products", "items", "offers"}

// readJSONL reads one object a line; a broken line is a bad row.
func (s *sink) readJSONL(body *bufio.Reader) error {
	lines := &lineReader{r: body, max: int(s.o.MaxRow)}
	var row record
	for {
		line, err := lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, ErrRowTooLarge):
			s.broken(lines.line, fmt.Sprintf("the row is longer than %d bytes", s.o.MaxRow))
			continue
		case err != nil:
			return fmt.Errorf("%w: jsonl, line %d: %w", ErrSyntax, lines.line, err)
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := s.object(lines.line, &row, []byte(line)); err != nil {
			return err
		}
	}
}

// readJSON reads the elements of an array, one at a time.
func (s *sink) readJSON(body *bufio.Reader) error {
	lines := &lineCounter{r: body}
	rows := &rowLimit{r: lines, max: s.o.MaxRow, left: s.o.MaxRow}
	d := json.NewDecoder(rows)
	if err := enterArray(d); err != nil {
		return fmt.Errorf("%w: json: %w", ErrSyntax, err)
	}
	var row record
	for d.More() {
		rows.left = s.o.MaxRow
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return fmt.Errorf("%w: json, line %d: %w", ErrSyntax, lines.at(d.InputOffset()), err)
		}
		// The offset is past the object; its own line ends give its first line.
		line := lines.at(d.InputOffset()) - strings.Count(string(raw), "\n")
		if err := s.object(line, &row, raw); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("%w: json, line %d: %w", ErrSyntax, lines.at(d.InputOffset()), err)
	}
	return nil
}

// enterArray goes to the first element, past an object's other fields.
func enterArray(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t == json.Delim('[') {
		return nil
	}
	if t != json.Delim('{') {
		return fmt.Errorf("neither an array nor an object but %v", t)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		for _, name := range arrayNames {
			if key == name {
				if t, err := d.Token(); err != nil || t != json.Delim('[') {
					return fmt.Errorf("%q is not an array", name)
				}
				return nil
			}
		}
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return err
		}
	}
	return fmt.Errorf("the object has no array %s", strings.Join(arrayNames, ", "))
}

// object reads one product.
func (s *sink) object(line int, row *record, raw []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		s.broken(line, "is not a JSON object: "+clip(err.Error(), 120))
		return nil
	}
	row.reset()
	// In the order of their names, so that of two names for one field the same
	// always wins.
	for _, name := range slices.Sorted(maps.Keys(m)) {
		f := columnOf(name)
		if f == fieldNone {
			continue
		}
		text, cur, ok := scalar(m[name])
		if !ok {
			s.report.Rows++
			s.reject(BadRow{Line: line, Column: name, Reason: "is neither text, a number nor true or false"})
			return nil
		}
		row.set(f, name, text)
		if cur != "" {
			row.set(fieldCurrency, name, cur)
		}
	}
	return s.accept(line, row)
}

// scalar reads text, a number or a Boolean as text; null is empty; a list's
// first; {"value": …, "currency": …} is how Google's API writes a price.
func scalar(raw json.RawMessage) (text, currency string, ok bool) {
	if len(raw) == 0 {
		return "", "", false
	}
	switch raw[0] {
	case '"':
		err := json.Unmarshal(raw, &text)
		return text, "", err == nil
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return "", "", false
		}
		if len(list) == 0 {
			return "", "", true
		}
		if list[0][0] == '[' {
			return "", "", false
		}
		return scalar(list[0])
	case '{':
		var m struct {
			Value    json.RawMessage `json:"value"`
			Currency string          `json:"currency"`
		}
		if json.Unmarshal(raw, &m) != nil || len(m.Value) == 0 || m.Value[0] == '{' || m.Value[0] == '[' {
			return "", "", false
		}
		text, _, ok = scalar(m.Value)
		return text, m.Currency, ok
	case 'n':
		return "", "", true
	}
	return string(raw), "", true
}

// lineCounter remembers where lines end in what was read ahead.
type lineCounter struct {
	r    io.Reader
	pos  int64
	line int // lines that ended before the first of ends
	ends []int64
}

func (l *lineCounter) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			l.ends = append(l.ends, l.pos+int64(i))
		}
	}
	l.pos += int64(n)
	return n, err
}

// at is the line of an offset; offsets must not go back.
func (l *lineCounter) at(offset int64) int {
	n := 0
	for n < len(l.ends) && l.ends[n] < offset {
		n++
	}
	l.line += n
	l.ends = l.ends[:copy(l.ends, l.ends[n:])]
	return l.line + 1
}
