package bidder

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// csvColumns are the columns that a CSV of events may have, in any order; the
// first line names them. type and one of uid, ifa, vid and user_id are needed.
var csvColumns = []string{
	"id", "type", "time", "uid", "ifa", "vid", "user_id", "product", "category", "query", "quantity", "price",
	"order_id", "value", "currency", "items", "url", "offline", "status", "name",
}

// readCSV reads a header and rows. A row without an id is named by its own
// text, so that a file that is sent again counts once.
func (t *batch) readCSV(body []byte) (int, func(), error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	r.ReuseRecord = true
	if line, _, _ := bytes.Cut(body, []byte("\n")); bytes.Count(line, []byte(";")) > bytes.Count(line, []byte(",")) {
		r.Comma = ';'
	}
	first, err := r.Read()
	if err != nil {
		return 0, nil, fmt.Errorf("the first line must name the columns: %w", err)
	}
	columns := slices.Clone(first)
	for i, c := range columns {
		columns[i] = strings.ToLower(strings.TrimSpace(c))
		if !slices.Contains(csvColumns, columns[i]) {
			return 0, nil, fmt.Errorf("line 1: column %q is none of %s", c, strings.Join(csvColumns, ", "))
		}
	}
	if !slices.Contains(columns, "type") {
		return 0, nil, errors.New("line 1: there is no column type")
	}
	rows := bytes.Count(bytes.TrimRight(body, "\r\n"), []byte("\n"))
	if rows < 1 || rows > maxEventsPerBatch {
		return 0, nil, fmt.Errorf("1 to %d rows behind the header, not %d; grosz import-events sends larger files", maxEventsPerBatch, rows)
	}
	return rows, func() {
		for index := 0; ; index++ {
			row, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			line, _ := r.FieldPos(0)
			bad := csvError(err, &line)
			if bad == nil {
				var in shopEventIn
				if bad = csvEvent(columns, row, &in); bad == nil {
					bad = t.add(&in)
				}
			}
			if bad != nil {
				bad.Index, bad.Line = index, line
				t.wrong = append(t.wrong, *bad)
			}
		}
	}, nil
}

func csvError(err error, line *int) *itemError {
	if err == nil {
		return nil
	}
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		*line = parse.StartLine
		err = parse.Err
	}
	return &itemError{Message: err.Error()}
}

// csvEvent makes an event of a row.
func csvEvent(columns, row []string, in *shopEventIn) *itemError {
	for i, c := range columns {
		v := strings.TrimSpace(row[i])
		if v == "" {
			continue
		}
		if err := in.set(c, v); err != nil {
			return &itemError{Field: c, Message: err.Error()}
		}
	}
	if in.ID == "" {
		in.ID = "csv\x00" + strings.Join(row, "\x00")
		if len(in.ID) > maxEventText {
			in.ID = events.NamedID(0, "csv", in.ID).String()
		}
	}
	return nil
}

func (in *shopEventIn) set(column, v string) (err error) {
	switch column {
	case "id":
		in.ID = v
	case "type":
		in.Type = events.ShopType(v)
	case "time":
		in.TimeMS, err = csvTime(v)
	case "uid":
		in.User.UID = v
	case "ifa":
		in.User.IFA = v
	case "vid":
		in.User.VID = v
	case "user_id":
		in.User.ID = v
	case "product":
		in.Product = v
	case "category":
		in.Category = v
	case "query":
		in.Query = v
	case "quantity":
		in.Quantity, err = strconv.ParseInt(v, 10, 64)
	case "price":
		in.Price, err = money.ParseNano(v)
	case "order_id":
		in.OrderID = v
	case "value":
		in.Value, err = money.ParseNano(v)
	case "currency":
		err = in.Currency.UnmarshalText([]byte(v))
	case "items":
		in.Items, err = csvItems(v)
	case "url":
		in.URL = v
	case "offline":
		in.Offline, err = strconv.ParseBool(v)
	case "status":
		in.Status = v
	case "name":
		in.Name = v
	}
	return err
}

// csvTime reads ms since 1970, or RFC 3339.
func csvTime(v string) (int64, error) {
	if ms, err := strconv.ParseInt(v, 10, 64); err == nil {
		return ms, nil
	}
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, v); err == nil {
			return at.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%q is neither ms since 1970 nor a time such as 2026-03-10T12:00:00Z; without a zone it is UTC", v)
}

// csvItems reads "id:quantity:price" for each line of an order, joined by "|".
// An id with a colon in it works: the last two parts are the numbers.
func csvItems(v string) ([]events.Item, error) {
	var items []events.Item
	for part := range strings.SplitSeq(v, "|") {
		f := strings.Split(part, ":")
		if len(f) < 3 {
			return nil, fmt.Errorf("%q is not id:quantity:price", part)
		}
		n := len(f)
		quantity, err := strconv.ParseInt(strings.TrimSpace(f[n-2]), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q: quantity: %w", part, err)
		}
		price, err := money.ParseNano(strings.TrimSpace(f[n-1]))
		if err != nil {
			return nil, fmt.Errorf("%q: price: %w", part, err)
		}
		items = append(items, events.Item{Product: strings.TrimSpace(strings.Join(f[:n-2], ":")), Quantity: quantity, Price: price})
	}
	return items, nil
}
